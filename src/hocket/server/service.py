"""Settings of the service: the same for the process that answers and for its workers."""

from dataclasses import dataclass, field
from pathlib import Path

from hocket.arguments import check_type
from hocket.errors import ConfigError
from hocket.recognition.settings import RecognitionConfig
from hocket.server.spool import Spool
from hocket.server.table import JobTable

HOUR_S = 3600.0


@dataclass(frozen=True)
class Service:
    """Where jobs are, how they are done, and what they may cost.

    folder: of the table and the spool.
    slots: workers, each of which does one job at a time.
    threads: processor threads of a worker; None: the cores, divided among the workers.
    most_waiting: jobs that may be queued at once.
    most_bytes: of one upload.
    most_sound_s: length of a recording, in seconds.
    most_job_s: how long a job may run, in seconds.
    free_bytes: that stay free on the disk.
    keep_s: how long jobs are kept after they ended, in seconds.
    recordings: folder below which clients may name files; None: they only upload.
    store: of known speakers; None: there is none.
    recognition: how speech is recognized, where a job needs it.

    Raises:
        ArgumentError: a value is of the wrong type.
        ConfigError: a number is out of range.
    """

    folder: Path
    slots: int = 1
    threads: int | None = None
    most_waiting: int = 100
    most_bytes: int = 1 << 31
    most_sound_s: float = 24 * HOUR_S
    most_job_s: float = 12 * HOUR_S
    free_bytes: int = 1 << 30
    keep_s: float = 30 * 24 * HOUR_S
    recordings: Path | None = None
    store: Path | None = None
    recognition: RecognitionConfig = field(default_factory=RecognitionConfig)

    def __post_init__(self) -> None:
        for name in ("slots", "most_waiting", "most_bytes", "free_bytes"):
            check_type(name, getattr(self, name), int)
        for name in ("most_sound_s", "most_job_s", "keep_s"):
            check_type(name, getattr(self, name), float)
        for name in ("slots", "most_waiting", "most_bytes", "most_sound_s", "most_job_s", "keep_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; give a number above 0")

    def open_table(self) -> JobTable:
        """The table of jobs; errors as in `JobTable`."""
        return JobTable(self.folder / "jobs.db", most_waiting=self.most_waiting)

    def open_spool(self) -> Spool:
        """The folder of uploads and results; errors as in `Spool`."""
        place = self.folder / "spool"
        return Spool(place, most_bytes=self.most_bytes, free_bytes=self.free_bytes)
