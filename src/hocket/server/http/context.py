"""What the endpoints share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from hocket.server.edits import Editor
from hocket.server.http.access import Access
from hocket.server.http.changes import Changes
from hocket.server.http.logs import Log
from hocket.server.http.metrics import Metrics
from hocket.server.live.process import LiveProcess
from hocket.server.service import Service
from hocket.server.side import SideProcess
from hocket.server.spool import Spool
from hocket.server.table import JobTable
from hocket.server.workers import WorkerPool


@dataclass(frozen=True, eq=False)
class Context:
    """What the endpoints share.

    service: its settings.
    table: of jobs.
    spool: their files.
    pool: the workers.
    access: who may do what.
    changes: of jobs, as they happen.
    editor: of their results.
    live: sessions of sound that is recorded.
    side: where what cannot wait for a worker is computed.
    log: of the service.
    metrics: of the service.
    abilities: what this service can do, by name: recognizer, store.
    """

    service: Service
    table: JobTable
    spool: Spool
    pool: WorkerPool
    access: Access
    changes: Changes
    editor: Editor
    live: LiveProcess
    side: SideProcess = field(default_factory=SideProcess)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    abilities: Mapping[str, bool] = field(default_factory=dict)


def context_of(connection: HTTPConnection) -> Context:
    """The context of the application that a request came to."""
    context: Context = connection.app.state.context
    return context
