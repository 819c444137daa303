"""Progress as server-sent events."""

from collections.abc import AsyncIterator, Iterable

from fastapi import APIRouter
from sse_starlette import EventSourceResponse, JSONServerSentEvent
from starlette.concurrency import run_in_threadpool

from hocket.server.http.access import scope
from hocket.server.http.context import Context
from hocket.server.http.failures import responses
from hocket.server.http.jobs import Shared
from hocket.server.http.rows import row_of
from hocket.server.jobs import Job

PING_S = 15  # so that proxies keep the connection open

router = APIRouter(prefix="/v1", tags=["jobs"], dependencies=[scope("jobs")])

_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


@router.get(
    "/jobs/{job_id}/events",
    summary="Follow a job",
    response_class=EventSourceResponse,
    responses=responses(404, content=_STREAM),
)
async def followed(job_id: str, context: Shared) -> EventSourceResponse:
    """Events `job`: the job at once, and at each change, until it has ended."""
    await run_in_threadpool(context.table.get, job_id)
    return EventSourceResponse(_of_one(context, job_id), ping=PING_S)


@router.get(
    "/events",
    summary="Follow all jobs",
    response_class=EventSourceResponse,
    responses=responses(content=_STREAM),
)
async def followed_all(context: Shared) -> EventSourceResponse:
    """Events `job`: all that have not ended, then each that changes; `removed`: one is deleted."""
    return EventSourceResponse(_of_all(context), ping=PING_S)


async def _of_one(context: Context, job_id: str) -> AsyncIterator[JSONServerSentEvent]:
    async with context.changes.subscribe(job_id) as subscriber:
        job: Job | None = await run_in_threadpool(context.table.get, job_id)
        while True:
            yield await _event(context, job_id, job)
            if job is None or job.has_ended:
                return
            job = (await subscriber.next())[job_id]


async def _of_all(context: Context) -> AsyncIterator[JSONServerSentEvent]:
    async with context.changes.subscribe() as subscriber:
        for job in await run_in_threadpool(_open_jobs, context):
            yield await _event(context, job.id, job)
        while True:
            for job_id, changed in (await subscriber.next()).items():
                yield await _event(context, job_id, changed)


def _open_jobs(context: Context) -> Iterable[Job]:
    return [*context.table.every("running"), *context.table.every("queued")]


async def _event(context: Context, job_id: str, job: Job | None) -> JSONServerSentEvent:
    if job is None:
        return JSONServerSentEvent({"id": job_id}, event="removed")
    position = None
    if job.status == "queued":
        position = await run_in_threadpool(context.table.position, job_id)
    return JSONServerSentEvent(row_of(job, position).model_dump(), event="job")
