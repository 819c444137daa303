"""Transcription as OpenAI's service offers it: its clients work with another base URL.

A recording becomes a job like any other, whose client waits. The job is deleted with the answer, or
when the client is gone.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from hocket.config import Runtime
from hocket.errors import HocketError
from hocket.formats import json_document
from hocket.recognition.engine import open_recognizer
from hocket.server.http.access import scope
from hocket.server.http.context import Context
from hocket.server.http.failures import (
    Refused,
    content_of,
    refusal_of,
    refusal_of_job,
    responses,
)
from hocket.server.http.jobs import Shared, accept_form, admit, delete_job
from hocket.server.http.transcription_answers import answer, events, with_letters
from hocket.server.http.transcription_fields import FORMATS, GRANULARITIES, Wanted, wanted_of
from hocket.server.http.uploads import Fields, drain
from hocket.server.jobs import Job
from hocket.server.known import MOST_REFERENCES, as_text
from hocket.server.options import JobOptions
from hocket.transcript import Transcript

Found = TypeVar("Found")

MODEL = "hocket"
PING_S = 15  # clients give up after a time without a byte
GONE = 499  # the client; nobody reads the answer

router = APIRouter(prefix="/v1", tags=["openai"], dependencies=[scope("jobs")])

_LIST: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "model": {"type": "string", "description": "Any name; hocket's recognizer is used."},
        "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
        "language": {"type": "string", "description": "Code, such as en."},
        "prompt": {"type": "string", "description": "Shows how names and terms are spelled."},
        "timestamp_granularities[]": {
            "type": "array",
            "items": {"type": "string", "enum": list(GRANULARITIES)},
        },
        "known_speaker_names[]": {**_LIST, "maxItems": MOST_REFERENCES},
        "known_speaker_references[]": {
            **_LIST,
            "maxItems": MOST_REFERENCES,
            "description": "A clip of 2 to 10 s for each name, as data URLs.",
        },
        "stream": {"type": "boolean", "description": "Whether the answer is a stream of events."},
        "temperature": {"type": "number", "description": "Has no effect."},
        "chunking_strategy": {"type": "string", "description": "Has no effect."},
        "include[]": {**_LIST, "description": "Has no effect."},
    },
}
_CONTENT: dict[str, Any] = {
    kind: {} for kind in ("application/json", "text/plain", "text/event-stream")
}
_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"content": _CONTENT}}


class Model(BaseModel):
    """A model, as OpenAI's clients read it."""

    id: str = MODEL
    object: str = "model"
    created: int = 0
    owned_by: str = MODEL


class Models(BaseModel):
    """The only model."""

    object: str = "list"
    data: list[Model]


@router.get("/models", summary="Models")
async def models() -> Models:
    """The only model; a transcription may name any other."""
    return Models(data=[Model()])


@router.get("/models/{name}", summary="Look at a model", responses=responses(404))
async def model(name: str) -> Model:
    """The model `hocket`."""
    if name != MODEL:
        raise Refused(404, "model_not_found", f"there is one model, '{MODEL}'; name it", "model")
    return Model()


@router.post(
    "/audio/transcriptions",
    summary="Transcribe, as OpenAI's service does",
    response_class=Response,
    responses=_ANSWERS | responses(400, 409, 413, 415, 429, 501, 507),
    openapi_extra={
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
    },
)
async def transcribed(request: Request, context: Shared) -> Response:
    """Transcribe a recording, and answer with who said what."""
    try:
        await _check_recognizer(request, context)
        job, wanted = await _accepted(request, context)
    except HocketError as error:
        raise _in_their_words(refusal_of(error)) from error
    except Refused as refused:
        raise _in_their_words(refused) from None
    if wanted.stream:
        forget = BackgroundTask(_forget, context, job.id)
        stream = _stream(context, job.id, wanted)
        return EventSourceResponse(stream, ping=PING_S, background=forget)
    return await _answered(request, context, job.id, wanted)


async def _check_recognizer(request: Request, context: Context) -> None:
    try:
        open_recognizer(context.service.recognition, Runtime())
    except HocketError as error:
        await drain(request)
        refused = refusal_of(error)
        refused.headers["x-should-retry"] = "false"
        raise refused from error


async def _accepted(request: Request, context: Context) -> tuple[Job, Wanted]:
    found: list[Wanted] = []

    def options_of(job_id: str, fields: Fields) -> JobOptions:
        wanted = wanted_of(fields)
        if wanted.references:
            context.spool.write_references(job_id, as_text(wanted.references))
        found.append(wanted)
        return wanted.options

    async def accept(request: Request, context: Context) -> Job:
        return await accept_form(request, context, options_of)

    job = await admit(request, context, accept)
    return job, found[0]


def _in_their_words(refused: Refused) -> Refused:
    """The refusal with the status that OpenAI's clients expect where a request is wrong."""
    if refused.status == 422:
        refused.status = 400
    return refused


async def _answered(request: Request, context: Context, job_id: str, wanted: Wanted) -> Response:
    """The answer once the job has ended, which is deleted with it, or when the client is gone."""
    try:
        transcript = await _while_there(request, _transcript(context, job_id))
        content = await run_in_threadpool(answer, transcript, wanted) if transcript else ""
    except Exception:  # not where the service ends: that deletes the job when it starts again
        await _forget(context, job_id)
        raise
    await _forget(context, job_id)
    if transcript is None:
        return Response(status_code=GONE)
    return JSONResponse(content) if isinstance(content, Mapping) else PlainTextResponse(content)


async def _transcript(context: Context, job_id: str) -> Transcript:
    """What a job has found, once it has ended; Refused if it has found nothing."""
    try:
        job = await context.changes.ended(job_id)
    except HocketError as error:  # it was deleted
        raise _in_their_words(refusal_of(error)) from error
    if job.status != "done":
        raise _in_their_words(refusal_of_job(job))

    def read() -> Transcript:
        content = context.spool.result(job_id).read_text("utf-8")
        return with_letters(json_document.read(content, job.name)[0])

    return await run_in_threadpool(read)


async def _while_there(request: Request, found: Coroutine[Any, Any, Found]) -> Found | None:
    """What is found while the client is there; None if it goes before."""
    tasks = finding, leaving = asyncio.create_task(found), asyncio.create_task(_left(request))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return finding.result() if finding.done() else None
    finally:
        finding.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    """Wait until the client is gone; its request was read to the end."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _stream(
    context: Context, job_id: str, wanted: Wanted
) -> AsyncIterator[ServerSentEvent | JSONServerSentEvent]:
    """Events of the answer; one of the error if the job fails."""
    try:
        transcript = await _transcript(context, job_id)
    except Refused as refused:
        yield JSONServerSentEvent(content_of(refused), event="error")
        return
    for each in await run_in_threadpool(lambda: [*events(transcript, wanted)]):
        yield JSONServerSentEvent(each, event=str(each["type"]))
    yield ServerSentEvent("[DONE]")


async def _forget(context: Context, job_id: str) -> None:
    with suppress(HocketError):  # it is deleted later if it does not end soon
        await delete_job(context, job_id)
