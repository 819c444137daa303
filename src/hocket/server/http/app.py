"""The application: all endpoints, and what starts and ends with them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from importlib.util import find_spec

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from hocket.errors import HocketError
from hocket.recognition.engine import ENGINES
from hocket.server.edits import Editor
from hocket.server.http import (
    edits,
    events,
    failures,
    jobs,
    live,
    openai,
    page,
    results,
    sessions,
    status,
)
from hocket.server.http.access import Access
from hocket.server.http.changes import Changes
from hocket.server.http.context import Context
from hocket.server.http.guard import Guard
from hocket.server.http.logs import Log
from hocket.server.http.metrics import Metrics
from hocket.server.jobs import Job
from hocket.server.live.process import LiveProcess
from hocket.server.service import Service
from hocket.server.side import SideProcess
from hocket.server.workers import WorkerPool
from hocket.version import __version__

SWEEP_S = 60.0  # between looks for jobs that were kept long enough
TRANSIENT_S = 600.0  # that a job is kept whose client is gone
DESCRIPTION = """Who spoke when, and who said what, on your own machine.

Every error has one shape: `{"error": {"message", "type", "code", "param"}}`."""


def create_app(service: Service, access: Access, log: Log | None = None) -> FastAPI:
    """The application of a service; it starts and ends the workers.

    Raises:
        StoreError: the table of jobs cannot be used.
        OutputError: the folder cannot be written.
    """
    stack = ExitStack()
    table, spool = stack.enter_context(service.open_table()), service.open_spool()
    metrics, log = Metrics(), log or Log()
    solver = SideProcess()
    context = Context(
        service=service,
        table=table,
        spool=spool,
        pool=WorkerPool(service, table, spool),
        access=access,
        changes=Changes(table, metrics.ended),
        editor=Editor(table, spool, solver),
        live=LiveProcess(service.live_settings()),
        side=SideProcess(),
        log=log,
        metrics=metrics,
        abilities={
            "recognizer": any(find_spec(engine.module) for engine in ENGINES.values()),
            "store": service.store is not None,
        },
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with stack:
            await run_in_threadpool(jobs.remove_orphans, context)
            await run_in_threadpool(stack.enter_context, context.pool)
            stack.callback(context.side.close)
            stack.callback(solver.close)
            stack.callback(context.live.close)
            tasks = [asyncio.create_task(each) for each in (context.changes.run(), _sweep(context))]
            log.write("started", version=__version__, workers=service.slots)
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await run_in_threadpool(stack.close)
                log.write("ended")

    app = FastAPI(
        title="hocket",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    for module in (jobs, edits, events, results, live, openai, sessions, status, page):
        app.include_router(module.router)
    failures.add_handlers(app)
    app.add_middleware(Guard, access=access, log=log, metrics=metrics)
    return app


async def _sweep(context: Context) -> None:
    """Delete jobs that ended long enough ago."""
    while True:
        with suppress(HocketError):
            for job_id in await run_in_threadpool(_expired, context):
                await run_in_threadpool(jobs.remove_job, context, job_id)
                context.changes.removed(job_id)
        await asyncio.sleep(SWEEP_S)


def _expired(context: Context) -> list[str]:
    now, kept_s = time.time(), context.service.keep_s

    def is_expired(job: Job) -> bool:
        most_s = min(kept_s, TRANSIENT_S) if job.options.get("transient") else kept_s
        return job.has_ended and job.finished is not None and now - job.finished > most_s

    return [job.id for job in context.table.every() if is_expired(job)]
