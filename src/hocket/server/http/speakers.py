"""Known speakers over HTTP: list, enroll, rename, merge, forget, identify; never a voiceprint."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi import Path as Segment
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hocket.errors import StoreError
from hocket.server import voices
from hocket.server.http.access import scope
from hocket.server.http.context import Context
from hocket.server.http.failures import Refused, responses
from hocket.server.http.jobs import Shared, new_id
from hocket.server.http.results import done_job, transcript_of_job
from hocket.server.http.uploads import Form, receive_form, receive_json
from hocket.server.options import TRUTHS, JobOptions
from hocket.speakers import Match, Speaker, SpeakerStore

MOST_CLIP_BYTES = 64 << 20
FIELDS = ("name", "consent", "add", "force")

router = APIRouter(prefix="/v1/speakers", tags=["speakers"], dependencies=[scope("speakers")])
P = ParamSpec("P")
Returned = TypeVar("Returned")
Number = Annotated[int, Segment(ge=1, description="Of the speaker.")]


class SpeakerRow(BaseModel):
    """A known speaker."""

    id: int
    name: str
    seconds: float = Field(description="Speech that the speaker is known by.")
    exemplars: int
    created: float = Field(description="Seconds since 1970.")
    updated: float = Field(description="When the voice was last found, in seconds since 1970.")


class SpeakerRows(BaseModel):
    """All known speakers, in the order in which they were added."""

    speakers: list[SpeakerRow]


class MatchRow(BaseModel):
    """A known speaker whose voice is, or may be, in a recording."""

    id: int
    name: str
    distance: float = Field(description="Of the voices, 0 to 2.")
    probability: float
    certain: bool = Field(description="Whether the speaker is named in results of jobs.")
    speaker: str = Field(description="Label in the recording.")
    seconds: float = Field(description="Speech of that voice.")


class MatchRows(BaseModel):
    """The known speakers in a recording."""

    matches: list[MatchRow]


class Naming(BaseModel):
    """A new name."""

    model_config = ConfigDict(extra="forbid")

    name: str


class Merging(BaseModel):
    """Two speakers who are one person."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    source: int = Field(alias="from", ge=1)
    into: int = Field(ge=1)


class FoundSpeaker(BaseModel):
    """A speaker of a done job."""

    model_config = ConfigDict(extra="forbid")

    name: str
    job: str
    speaker: str = Field(description="As the job's result has it, with its edits.")
    consent: str = ""
    add: bool = Field(default=False, description="Add to a speaker of the store.")
    force: bool = Field(default=False, description="Even if it is not the speaker's voice.")


def _json_body(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": model.model_json_schema()}}


def _form_body(**fields: dict[str, Any]) -> dict[str, Any]:
    properties = {"file": {"type": "string", "format": "binary"}} | fields
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"multipart/form-data": {"schema": schema}}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


_ENROLLMENT = _body(
    _form_body(
        name={"type": "string"},
        consent={"type": "string", "description": "What the speaker agreed to."},
        add={"type": "boolean", "description": "Add to a speaker of the store."},
        force={"type": "boolean", "description": "Even if the voice is not clear."},
    )
    | _json_body(FoundSpeaker)
)


@router.get("", summary="List known speakers", responses=responses(404))
def listed(context: Shared) -> SpeakerRows:
    """All known speakers, in the order in which they were added."""
    if not _place(context).exists():
        return SpeakerRows(speakers=[])
    with _opened(context) as store:
        return SpeakerRows(speakers=[_row(speaker) for speaker in store.speakers()])


@router.post(
    "",
    status_code=201,
    summary="Enroll a speaker",
    responses=responses(400, 404, 408, 409, 413, 415, 422, 429, 507),
    openapi_extra=_ENROLLMENT,
)
async def enrolled(request: Request, context: Shared) -> SpeakerRow:
    """Enroll a speaker: a form with `name` and a clip of the voice, or a speaker of a done job."""
    place = _place(context)
    if request.headers.get("content-type", "").split(";")[0].strip() == "application/json":
        found = await receive_json(request, FoundSpeaker)
        return _row(await run_in_threadpool(_enroll_found, context, place, found))
    async with _clip(request, context) as (form, clip):
        given = dict(_fields(form))
        return _row(
            await run_in_threadpool(
                _computed,
                context,
                voices.enroll_clip,
                place,
                _text(given, "name"),
                clip,
                form.name or "clip",
                consent=given.get("consent", ""),
                add=_truth(given, "add"),
                force=_truth(given, "force"),
                threads=context.service.threads,
            )
        )


@router.post(
    "/identify",
    summary="Find known speakers in a clip",
    responses=responses(400, 404, 408, 413, 415, 422, 429, 507),
    openapi_extra=_body(_form_body()),
)
async def identified(request: Request, context: Shared) -> MatchRows:
    """The known speakers whose voices are, or may be, in a clip; other voices are left out."""
    place = _place(context)
    async with _clip(request, context) as (form, clip):
        _fields(form, ())
        if not place.exists():
            return MatchRows(matches=[])
        found: tuple[Match, ...] = await run_in_threadpool(
            _computed,
            context,
            voices.identify_clip,
            place,
            clip,
            form.name or "clip",
            threads=context.service.threads,
        )
    return MatchRows(matches=[_match(match, match.speaker) for match in found if match.speaker])


@router.post(
    "/merge",
    summary="Merge two speakers",
    responses=responses(404, 413, 422),
    openapi_extra=_body(_json_body(Merging)),
)
async def merged(request: Request, context: Shared) -> SpeakerRow:
    """Give all of one speaker's voice to another, and delete the first."""
    merging = await receive_json(request, Merging)

    def merge() -> SpeakerRow:
        with _opened(context, merging.source, merging.into) as store:
            return _row(store.merge(merging.source, merging.into))

    return await run_in_threadpool(merge)


@router.patch(
    "/{number}",
    summary="Rename a speaker",
    responses=responses(404, 413, 422),
    openapi_extra=_body(_json_body(Naming)),
)
async def renamed(number: Number, request: Request, context: Shared) -> SpeakerRow:
    """Give a speaker a name that nobody else has."""
    naming = await receive_json(request, Naming)

    def rename() -> SpeakerRow:
        with _opened(context, number) as store:
            return _row(store.rename(number, naming.name))

    return await run_in_threadpool(rename)


@router.delete(
    "/{number}", status_code=204, summary="Forget a speaker", responses=responses(404, 422)
)
def forgotten(
    number: Number,
    context: Shared,
    force: Annotated[bool, Query(description="Even if permanent.")] = False,
) -> None:
    """Delete a speaker; no byte of the voice stays in the file."""
    with _opened(context, number) as store:
        store.forget(number, force=force)


def _place(context: Context) -> Path:
    """Where the store is; Refused if the service has none."""
    if context.service.store is None:
        text = "this service has no store of known speakers; its operator may give one (--store)"
        raise Refused(404, "no_store", text)
    return context.service.store


@contextmanager
def _opened(context: Context, *numbers: int) -> Iterator[SpeakerStore]:
    """The store, in which there are speakers of these numbers."""
    place = _place(context)
    with _explained():
        known = _numbers(place)
        for number in numbers:
            if number not in known:
                text = f"there is no speaker {str(number)[:20]}; GET /v1/speakers lists them"
                raise Refused(404, "unknown_speaker", text)
        with SpeakerStore(place, create=False) as store:
            yield store


def _numbers(place: Path) -> set[int]:
    if not place.exists():
        return set()
    with SpeakerStore(place, create=False) as store:
        return {speaker.id for speaker in store.speakers()}


@contextmanager
def _explained() -> Iterator[None]:
    """Refused, without the file's place, where the store cannot be used."""
    try:
        yield
    except StoreError as error:
        text = "the store of known speakers cannot be used now; try later, or tell the operator"
        raise Refused(503, "store_unavailable", text) from error


def _computed(
    context: Context,
    function: Callable[P, Returned],
    *arguments: P.args,
    **named: P.kwargs,
) -> Returned:
    """What a function returns in the process beside the service."""
    with _explained():
        return context.side.call(function, *arguments, **named)


def _enroll_found(context: Context, place: Path, found: FoundSpeaker) -> Speaker:
    """Enroll a speaker of a done job."""
    job = done_job(context, found.job)
    result = transcript_of_job(context, job).result
    if result is None:
        text = f"job {job.id} has no turns of its own; choose another"
        raise Refused(409, "no_turns", text, "job")
    return _computed(
        context,
        voices.enroll_found,
        place,
        found.name,
        context.spool.recording(job.id),
        job.name,
        JobOptions.of(job.options),
        result,
        found.speaker,
        consent=found.consent,
        add=found.add,
        force=found.force,
        threads=context.service.threads,
    )


@asynccontextmanager
async def _clip(request: Request, context: Context) -> AsyncIterator[tuple[Form, Path]]:
    """A form, and its clip in the spool until the end of `async with`."""
    spool, clip_id = context.spool.limited(MOST_CLIP_BYTES), new_id()
    try:
        form = await receive_form(request, spool, clip_id)
        if form.name is None:
            raise Refused(422, "no_file", "the form has no field 'file'; send a clip", "file")
        yield form, spool.recording(clip_id)
    finally:
        await run_in_threadpool(spool.remove, clip_id)


def _fields(form: Form, names: tuple[str, ...] = FIELDS) -> list[tuple[str, str]]:
    for name, _ in form.fields:
        if name not in names:
            text = f"there is no field '{name[:40]}'; give {', '.join(('file', *names))}"
            raise Refused(422, "invalid_option", text, name[:40])
    return form.fields


def _text(given: dict[str, str], name: str) -> str:
    if not given.get(name):
        raise Refused(422, "invalid_option", f"the form has no field '{name}'; give it", name)
    return given[name]


def _truth(given: dict[str, str], name: str) -> bool:
    text = given.get(name, "").strip().lower() or "false"
    if text not in TRUTHS:
        raise Refused(422, "invalid_option", f"{name} is '{text[:40]}'; give true or false", name)
    return TRUTHS[text]


def _row(speaker: Speaker) -> SpeakerRow:
    return SpeakerRow(
        id=speaker.id,
        name=speaker.name,
        seconds=round(speaker.speech_s, 3),
        exemplars=speaker.exemplars,
        created=_seconds(speaker.created_at),
        updated=_seconds(speaker.seen_at),
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _match(match: Match, known: Speaker) -> MatchRow:
    return MatchRow(
        id=known.id,
        name=known.name,
        distance=round(match.distance, 3),
        probability=round(match.probability, 3),
        certain=match.certain,
        speaker=match.cluster,
        seconds=round(match.seconds, 3),
    )
