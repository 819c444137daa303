"""Jobs over HTTP: submit, look, cancel, delete."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hocket.errors import CapacityError, JobError
from hocket.server.http.access import scope
from hocket.server.http.context import Context, context_of
from hocket.server.http.failures import Refused, refusal_of, responses
from hocket.server.http.rows import JobRow, JobRows, row_of
from hocket.server.http.uploads import Fields, Form, drain, receive_form, receive_json
from hocket.server.jobs import Job, Status
from hocket.server.options import JobOptions

CANCEL_S = 30.0  # until a running job has ended

router = APIRouter(prefix="/v1", tags=["jobs"], dependencies=[scope("jobs")])
Shared = Annotated[Context, Depends(context_of)]

_OPTION_SCHEMA = {
    "preset": {"type": "string", "enum": ["accurate", "balanced", "fast"]},
    "num_speakers": {"type": "integer", "minimum": 1},
    "min_speakers": {"type": "integer", "minimum": 1},
    "max_speakers": {"type": "integer", "minimum": 1},
    "track": {"type": "integer", "minimum": 1, "description": "Of a file with several."},
    "channels": {"type": "string", "description": "mix, each, or the number of one."},
    "start": {"type": "number", "minimum": 0, "description": "Seconds."},
    "end": {"type": "number", "minimum": 0, "description": "Seconds."},
    "transcribe": {"type": "boolean", "description": "Whether words are recognized, too."},
    "language": {"type": "string", "description": "Code, such as en."},
    "prompt": {"type": "string", "description": "Shows how names and terms are spelled."},
    "whole_sentences": {"type": "boolean"},
}
_SUBMISSION = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}} | _OPTION_SCHEMA,
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["path"],
                    "properties": {
                        "path": {
                            "type": "string",
                            "description": "Below the folder that the operator named.",
                        }
                    }
                    | _OPTION_SCHEMA,
                },
                "example": {"path": "2026/meeting.flac", "num_speakers": 3},
            },
        },
    }
}


@router.post(
    "/jobs",
    status_code=202,
    summary="Submit a recording",
    responses=responses(400, 408, 413, 415, 422, 429, 507),
    openapi_extra=_SUBMISSION,
)
async def submit(request: Request, response: Response, context: Shared) -> JobRow:
    """Queue a recording: a form with `file`, or JSON with `path`, and options.

    Once this is answered, the job is kept: also if the service is killed.
    """
    job = await admit(request, context, _accepted)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return await run_in_threadpool(_row, context, job)


async def admit(
    request: Request, context: Context, accept: Callable[[Request, Context], Awaitable[Job]]
) -> Job:
    """Queue what `accept` reads of a request; Refused if there is no room."""
    try:
        await run_in_threadpool(context.table.check_room)
        return await accept(request, context)
    except CapacityError as error:
        await drain(request)
        raise await _full(context, error) from None


def _options(_job_id: str, fields: Fields) -> JobOptions:
    return JobOptions.of_texts(fields)


async def accept_form(
    request: Request,
    context: Context,
    options_of: Callable[[str, Fields], JobOptions] = _options,
) -> Job:
    """Queue the recording of a form.

    Args:
        request: with the form.
        context: of the service.
        options_of: makes the options of the form's fields, in a thread. It gets the id of the job,
            and may write files of it.
    """
    job_id = new_id()
    try:
        form = await receive_form(request, context.spool, job_id)
        options = await run_in_threadpool(options_of, job_id, form.fields)
        values = (job_id, named(form), form.size, options.as_values())
        return await run_in_threadpool(context.table.add, *values)
    except BaseException:
        await run_in_threadpool(context.spool.remove, job_id)
        raise


def named(form: Form) -> str:
    """Name of the recording; Refused if the form has none."""
    if form.name is None:
        raise Refused(422, "no_file", "the form has no field 'file'; send a recording", "file")
    return form.name


async def _accepted(request: Request, context: Context) -> Job:
    if request.headers.get("content-type", "").split(";")[0].strip() == "application/json":
        body = await receive_json(request, PathSubmission)
        return await run_in_threadpool(_add_path, context, body)
    return await accept_form(request, context)


class PathSubmission(BaseModel):
    """A recording on the machine of the service."""

    model_config = ConfigDict(extra="allow")

    path: str = Field(min_length=1, max_length=4096)


def _add_path(context: Context, body: PathSubmission) -> Job:
    options = JobOptions.of(dict(body.model_extra or {}))
    place, job_id = place_of(context.service.recordings, body.path), new_id()
    try:
        size = context.spool.link(job_id, place)
        return context.table.add(job_id, place.name, size, options.as_values())
    except BaseException:
        context.spool.remove(job_id)
        raise


def place_of(folder: Path | None, path: str) -> Path:
    """A file below the folder that clients may use; Refused if it is none."""
    if folder is None:
        text = "this service takes uploads only; the operator may allow a folder (--recordings)"
        raise Refused(403, "no_folder", text, "path")
    try:
        found = (folder / path).resolve(strict=True)
        is_inside = found.is_relative_to(folder.resolve()) and found.is_file()
        is_readable = is_inside and os.access(found, os.R_OK)
    except (OSError, ValueError, RuntimeError):  # missing, with a zero byte, links in a circle
        is_readable = False
    if not is_readable:
        text = "there is no such file below the folder of recordings; give a path in it"
        raise Refused(404, "no_such_file", text, "path")
    return found


@router.get("/jobs", summary="List jobs", responses=responses(422))
def listed(
    context: Shared,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> JobRows:
    """The newest jobs, or those of one status."""
    counts = context.table.counts()
    total = sum(counts.values()) if status is None else counts[status]
    jobs = context.table.newest(limit, status)
    return JobRows(jobs=[_row(context, job) for job in jobs], total=total)


@router.get("/jobs/{job_id}", summary="Look at a job", responses=responses(404))
def looked_at(job_id: str, context: Shared) -> JobRow:
    """A job, as it is now."""
    return _row(context, context.table.get(job_id))


@router.post("/jobs/{job_id}/cancel", summary="Cancel a job", responses=responses(404, 409))
def cancelled(job_id: str, context: Shared) -> JobRow:
    """Cancel a job that waits, or have one that runs end soon; an ended one stays as it is."""
    return _row(context, context.table.cancel(job_id))


@router.delete(
    "/jobs/{job_id}", status_code=204, summary="Delete a job", responses=responses(404, 409)
)
async def deleted(job_id: str, context: Shared) -> None:
    """Delete a job with its recording and result; one that waits or runs is cancelled first."""
    await delete_job(context, job_id)


async def delete_job(context: Context, job_id: str) -> None:
    """Cancel a job where needed, and delete it.

    Raises:
        UnknownJobError: there is none.
        JobError: it runs, and does not end in CANCEL_S.
    """
    job = await run_in_threadpool(context.table.get, job_id)
    if not job.has_ended:
        job = await run_in_threadpool(context.table.cancel, job_id)
    if not job.has_ended:
        try:
            await asyncio.wait_for(context.changes.ended(job_id), CANCEL_S)
        except TimeoutError:
            raise JobError(f"job {job_id} still runs; try again later") from None
    await run_in_threadpool(remove_job, context, job_id)
    context.changes.removed(job_id)


def remove_job(context: Context, job_id: str) -> None:
    """Delete an ended job with its files."""
    context.table.remove(job_id)
    context.spool.remove(job_id)


def remove_orphans(context: Context) -> None:
    """Delete jobs whose clients waited for the result when the service ended.

    To be called before any worker is started.
    """
    context.table.recover(context.spool.finished())
    for job in context.table.every():
        if job.options.get("transient"):
            context.table.cancel(job.id)
            remove_job(context, job.id)


def new_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_hex(16)


def _row(context: Context, job: Job) -> JobRow:
    return row_of(job, context.table.position(job.id) if job.status == "queued" else None)


async def _full(context: Context, error: CapacityError) -> Refused:
    """The refusal where there is no room, with the time in which a place should be free."""
    refused = refusal_of(error)
    if refused.status == 429:
        seconds = await run_in_threadpool(context.table.seconds_a_job)
        wait = min(60, max(1, round((seconds or 1.0) / context.service.slots)))
        refused.headers = {"Retry-After": str(wait)}
    return refused
