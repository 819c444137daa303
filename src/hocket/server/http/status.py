"""How the service is."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from hocket.server.http.access import scope
from hocket.server.http.failures import Refused, responses
from hocket.server.http.jobs import Shared
from hocket.version import __version__

router = APIRouter(tags=["status"])


class Health(BaseModel):
    """The service answers."""

    status: str = "ok"
    version: str = __version__


class Readiness(BaseModel):
    """The service does jobs."""

    status: str = "ok"
    workers: int


@router.get("/health", summary="Whether the service answers")
async def health() -> Health:
    """Answered at once, whatever is computed."""
    return Health()


@router.get("/ready", summary="Whether jobs are done", responses={503: responses()[503]})
def ready(context: Shared) -> Readiness:
    """Whether the workers have loaded their networks, and jobs can be accepted."""
    workers = context.pool.ready
    if not workers:
        raise Refused(503, "not_ready", "no worker has loaded its networks yet; try later")
    context.table.counts()
    context.spool.check_disk(0)
    return Readiness(workers=workers)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    dependencies=[scope("metrics")],
    responses=responses(content={"text/plain": {}}),
)
def metrics(context: Shared) -> Response:
    """Requests, jobs and live sessions, in Prometheus's text format."""
    kind = "text/plain; version=0.0.4; charset=utf-8"
    return Response(context.metrics.text(context.table), media_type=kind)
