"""Figures of the service, as Prometheus reads them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hocket.server.jobs import STATUSES, Job
from hocket.server.table import JobTable

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS")
REQUEST_S = (0.005, 0.02, 0.1, 0.5, 2, 10, 60)
JOB_S = (1, 3, 10, 30, 100, 300, 1000, 3000)


class Metrics:
    """Counted since the service started; each has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "hocket_requests", "Requests.", ("method", "route", "status"), registry=self.registry
        )
        self._request_s = Histogram(
            "hocket_request_seconds",
            "Time until an answer was complete.",
            ("route",),
            buckets=REQUEST_S,
            registry=self.registry,
        )
        self._jobs = Gauge("hocket_jobs", "Jobs by status.", ("status",), registry=self.registry)
        self._job_s = Histogram(
            "hocket_job_seconds",
            "Time from the start of a job to its end.",
            ("status",),
            buckets=JOB_S,
            registry=self.registry,
        )
        self.live = Gauge("hocket_live_sessions", "Live sessions.", registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; methods that nobody defined are one."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._request_s.labels(route).observe(seconds)

    def ended(self, job: Job) -> None:
        """Count a job that has ended."""
        if job.started is not None and job.finished is not None:
            self._job_s.labels(job.status).observe(job.finished - job.started)

    def text(self, table: JobTable) -> bytes:
        """All figures in the text format."""
        counts = table.counts()
        for status in STATUSES:
            self._jobs.labels(status).set(counts[status])
        return generate_latest(self.registry)
