"""Jobs as the service answers them."""

from typing import Any

from pydantic import BaseModel, Field

from hocket.server.jobs import Job, Status

EXAMPLE: dict[str, Any] = {
    "id": "0f8b6c1d2e3a49586776a5b4c3d2e1f0",
    "status": "running",
    "name": "meeting.flac",
    "size": 5242880,
    "created": 1796083200.25,
    "started": 1796083200.5,
    "finished": None,
    "progress": {"stage": "embedding", "done": 120, "total": 480},
    "options": {"num_speakers": 3},
    "problem": None,
    "is_cancelling": False,
    "position": None,
}


class ProgressRow(BaseModel):
    """How far a job has come."""

    stage: str = Field(description="segmentation, embedding or recognition; empty before it.")
    done: int
    total: int


class JobRow(BaseModel):
    """A job."""

    model_config = {"json_schema_extra": {"examples": [EXAMPLE]}}

    id: str
    status: Status
    name: str = Field(description="Of the recording, as it was given.")
    size: int = Field(description="Bytes of the recording.")
    created: float = Field(description="Seconds since 1970.")
    started: float | None
    finished: float | None
    progress: ProgressRow
    options: dict[str, Any] = Field(description="Those that are not the usual ones.")
    problem: str | None = Field(description="Why it failed, one line.")
    is_cancelling: bool = Field(description="Whether it runs, and is to end.")
    position: int | None = Field(description="In the queue, from 1; null if it does not wait.")


class JobRows(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobRow]
    total: int = Field(description="How many there are, of which the newest are listed.")


def row_of(job: Job, position: int | None = None) -> JobRow:
    """A job as it is answered."""
    return JobRow(
        id=job.id,
        status=job.status,
        name=job.name,
        size=job.size,
        created=job.created,
        started=job.started,
        finished=job.finished,
        progress=ProgressRow(stage=job.stage, done=job.done, total=job.total),
        options=dict(job.options),
        problem=job.problem or None,
        is_cancelling=job.is_cancelling,
        position=position,
    )
