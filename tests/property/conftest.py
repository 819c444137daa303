"""Hypothesis on slow machines: no deadlines, the same examples on every run."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "hocket",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("hocket")
