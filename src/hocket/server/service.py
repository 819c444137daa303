"""Settings of the service: the same for the process that answers and for its workers."""

from dataclasses import dataclass, field
from pathlib import Path

from hocket.arguments import check_type
from hocket.errors import ConfigError
from hocket.recognition.settings import RecognitionConfig
from hocket.server.live.options import LiveSettings
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
    most_live: live sessions at once.
    most_live_s: length of the sound of one, in seconds.
    live_idle_s: how long a client of one may send no sound, in seconds.
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
    most_live: int = 16
    most_live_s: float = 4 * HOUR_S
    live_idle_s: float = 60.0
    recognition: RecognitionConfig = field(default_factory=RecognitionConfig)

    def __post_init__(self) -> None:
        for name in ("slots", "most_waiting", "most_bytes", "free_bytes", "most_live"):
            check_type(name, getattr(self, name), int)
        times = ("most_sound_s", "most_job_s", "keep_s", "most_live_s", "live_idle_s")
        for name in times:
            check_type(name, getattr(self, name), float)
        for name in ("slots", "most_waiting", "most_bytes", "most_live", *times):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; give a number above 0")

    def live_settings(self) -> LiveSettings:
        """What is allowed of live sessions."""
        return LiveSettings(
            most_sessions=self.most_live,
            most_s=self.most_live_s,
            idle_s=self.live_idle_s,
            store=self.store,
            recognition=self.recognition,
        )

    def open_table(self) -> JobTable:
        """The table of jobs; errors as in `JobTable`."""
        return JobTable(self.folder / "jobs.db", most_waiting=self.most_waiting)

    def open_spool(self) -> Spool:
        """The folder of uploads and results; errors as in `Spool`."""
        place = self.folder / "spool"
        return Spool(place, most_bytes=self.most_bytes, free_bytes=self.free_bytes)
