"""What a job has found, in any format, and its recording as a page plays it."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

from hocket.audio.reading import stem_of
from hocket.formats import FORMATS, check_installed, json_document, written
from hocket.server.http.access import scope
from hocket.server.http.context import Context
from hocket.server.http.failures import Refused, responses
from hocket.server.http.jobs import Shared
from hocket.server.jobs import Job
from hocket.server.listening import OTHER, media_type, write_peaks, write_sound
from hocket.transcript import Transcript

FIRST_BYTES = 64
MEDIA_TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "md": "text/markdown",
    "eaf": "application/xml",
    "lhotse": "application/jsonl",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "kaldi": "application/zip",
    **dict.fromkeys(("seglst", "labelstudio", "whisperx", "diarized_json"), "application/json"),
}

router = APIRouter(prefix="/v1", tags=["results"], dependencies=[scope("jobs")])


class FormatRow(BaseModel):
    """A format of results."""

    name: str
    suffix: str


class FormatRows(BaseModel):
    """The formats of results."""

    formats: list[FormatRow]


class Peaks(BaseModel):
    """The outline of a recording."""

    duration: float
    peaks: list[tuple[float, float]]


@router.get("/formats", summary="Formats of results")
def formats() -> FormatRows:
    """What `format` of a result may be."""
    return FormatRows(
        formats=[FormatRow(name=name, suffix=each.suffix) for name, each in FORMATS.items()]
    )


@router.get(
    "/jobs/{job_id}/result",
    summary="The result of a job",
    response_class=Response,
    responses=responses(404, 409, 422, 501, content={"application/json": {}, "text/plain": {}}),
)
def result(
    job_id: str,
    context: Shared,
    form: Annotated[str, Query(alias="format")] = "json",
    original: bool = False,
) -> Response:
    """The result as a file, with its edits unless the original is wanted."""
    if form not in FORMATS:
        text = f"there is no format '{form[:40]}'; give one of {', '.join(FORMATS)}"
        raise Refused(422, "invalid_option", text, "format")
    job = done_job(context, job_id)
    check_installed([form])
    content = written(transcript_of_job(context, job, original=original), form)
    return _file(content, form, stem_of(job.name))


@router.get(
    "/jobs/{job_id}/audio",
    summary="The recording",
    response_class=FileResponse,
    responses=responses(404, content={OTHER: {}}),
)
def audio(job_id: str, context: Shared) -> FileResponse:
    """The recording as it was sent, or parts of it (Range)."""
    return _sound(_recording(context, job_id))


@router.get(
    "/jobs/{job_id}/sound",
    summary="The recording as browsers play it",
    response_class=FileResponse,
    responses=responses(404, 422, content={"audio/mpeg": {}}),
)
def sound(job_id: str, context: Shared) -> FileResponse:
    """MP3 of one channel, made when it is first needed; or parts of it (Range)."""
    place = _made(context, job_id, ".mp3", write_sound)
    return FileResponse(place, media_type="audio/mpeg", headers={"Cache-Control": "private"})


@router.get(
    "/jobs/{job_id}/peaks", summary="The outline of the recording", responses=responses(404, 422)
)
def peaks(job_id: str, context: Shared) -> Peaks:
    """The lowest and highest samples of equal stretches, as a waveform is drawn."""
    place = _made(context, job_id, ".peaks", write_peaks)
    return Peaks.model_validate_json(place.read_bytes())


def done_job(context: Context, job_id: str) -> Job:
    """A job with a result; Refused if it has none."""
    job = context.table.get(job_id)
    if job.status != "done":
        reason = f" ({job.problem})" if job.problem else ""
        text = f"job {job.id} is {job.status}{reason}; it has no result"
        raise Refused(409, "not_done", text)
    return job


def transcript_of_job(context: Context, job: Job, *, original: bool = False) -> Transcript:
    """What a done job has found."""
    if not original:
        return context.editor.transcript(job.id)
    content = context.spool.result(job.id).read_text("utf-8")
    return json_document.read(content, job.name)[0]


def _file(content: str | bytes | Mapping[str, str], form: str, stem: str) -> Response:
    suffix = FORMATS[form].suffix
    if isinstance(content, Mapping):
        content, suffix = _zipped(content), f"{suffix}.zip"
    kind = MEDIA_TYPES.get(form, "text/plain")
    name = quote(f"{stem}.{suffix}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(content, media_type=kind, headers=headers)


def _zipped(files: Mapping[str, str]) -> bytes:
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content)  # of no time, so equal ones are equal
    return place.getvalue()


def _recording(context: Context, job_id: str) -> Path:
    place = context.spool.recording(context.table.get(job_id).id)
    if not place.exists():
        text = "the recording is gone; it was moved from the folder of recordings"
        raise Refused(404, "no_recording", text)
    return place


def _sound(place: Path) -> FileResponse:
    with place.open("rb") as file:
        kind = media_type(file.read(FIRST_BYTES))
    return FileResponse(place, media_type=kind, headers={"Cache-Control": "private"})


def _made(context: Context, job_id: str, suffix: str, make: Callable[[Path, Path], Any]) -> Path:
    """A file of a job that is made when it is first needed."""
    recording = _recording(context, job_id)
    place = context.spool.derived(job_id, suffix)
    if not place.exists():
        context.side.call(make, recording, place)
    return place
