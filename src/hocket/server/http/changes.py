"""Changes of jobs as they happen: the table is read, and whoever waits is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool

from hocket.errors import HocketError, UnknownJobError
from hocket.server.jobs import Job
from hocket.server.table import JobTable

LOOK_S = 0.2  # between looks for what workers have written


class Subscriber:
    """What has changed since it was last taken: the latest of each job, so that it stays small."""

    def __init__(self, job_id: str | None) -> None:
        self._job_id, self._event = job_id, asyncio.Event()
        self._pending: dict[str, Job | None] = {}

    def tell(self, job_id: str, job: Job | None) -> None:
        """Note a change; None: the job was deleted."""
        if self._job_id in (None, job_id):
            self._pending[job_id] = job
            self._event.set()

    async def next(self) -> dict[str, Job | None]:
        """Wait for changes."""
        await self._event.wait()
        self._event.clear()
        found, self._pending = self._pending, {}
        return found


class Changes:
    """Reads the table while the service runs.

    Args:
        table: of jobs.
        on_end: called with each job that has ended.
    """

    def __init__(self, table: JobTable, on_end: Callable[[Job], None] = lambda _: None) -> None:
        self._table, self._on_end = table, on_end
        self._subscribers: set[Subscriber] = set()

    async def run(self) -> None:
        """Read changes until it is cancelled."""
        _, number = await run_in_threadpool(self._table.changed_since, 0)
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                jobs, number = await run_in_threadpool(self._table.changed_since, number)
            except HocketError:  # a full disk; endpoints answer it, and it may pass
                continue
            for job in jobs:
                if job.has_ended:
                    self._on_end(job)
                self._tell(job.id, job)

    def removed(self, job_id: str) -> None:
        """Tell that a job was deleted; to be called in the loop of events."""
        self._tell(job_id, None)

    @asynccontextmanager
    async def subscribe(self, job_id: str | None = None) -> AsyncIterator[Subscriber]:
        """Be told of changes of one job, or of all."""
        subscriber = Subscriber(job_id)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    async def ended(self, job_id: str) -> Job:
        """Wait for the end of a job; UnknownJobError if there is none, or it is deleted."""
        async with self.subscribe(job_id) as subscriber:
            job: Job | None = await run_in_threadpool(self._table.get, job_id)
            while job is not None and not job.has_ended:
                job = (await subscriber.next())[job_id]
        if job is None:
            raise UnknownJobError(f"job '{job_id[:40]}' was deleted before it ended")
        return job

    def _tell(self, job_id: str, job: Job | None) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber.tell(job_id, job)
