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
    speakers,
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
    context = _context(service, access, log or Log(), stack)

    app = FastAPI(
        title="hocket",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lambda _: _running(context, stack),
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    for module in (jobs, edits, events, results, live, openai, speakers, sessions, status, page):
        app.include_router(module.router)
    failures.add_handlers(app)
    app.add_middleware(Guard, access=access, log=context.log, metrics=context.metrics)
    return app


def _context(service: Service, access: Access, log: Log, stack: ExitStack) -> Context:
    """What the endpoints share; `stack` closes what is opened here, the last first."""
    table, spool = stack.enter_context(service.open_table()), service.open_spool()
    metrics, side, solver = Metrics(), SideProcess(), SideProcess()
    live = LiveProcess(service.live_settings())
    for process in (side, solver, live):
        stack.callback(process.close)
    return Context(
        service=service,
        table=table,
        spool=spool,
        pool=WorkerPool(service, table, spool),
        access=access,
        changes=Changes(table, metrics.ended),
        editor=Editor(table, spool, solver),
        live=live,
        side=side,
        log=log,
        metrics=metrics,
        abilities={
            "recognizer": any(find_spec(engine.module) for engine in ENGINES.values()),
            "store": service.store is not None,
        },
    )


@asynccontextmanager
async def _running(context: Context, stack: ExitStack) -> AsyncIterator[None]:
    """The workers, and what the service does by itself, while it answers."""
    with stack:
        await run_in_threadpool(jobs.remove_orphans, context)
        await run_in_threadpool(stack.enter_context, context.pool)
        tasks = [asyncio.create_task(each) for each in (context.changes.run(), _sweep(context))]
        context.log.write("started", version=__version__, workers=context.service.slots)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await run_in_threadpool(stack.close)
            context.log.write("ended")


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
