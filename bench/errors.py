"""The expected failure of a benchmark."""


class BenchError(Exception):
    """A corpus, a hypothesis or a system cannot be used. The message is one line."""
