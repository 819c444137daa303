"""What the benchmark raises on purpose."""


class BenchError(Exception):
    """The corpus, a hypothesis or the engine cannot be used; the message is one line."""
