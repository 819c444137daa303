"""A result as text in any format."""

from hocket.formats import written
from hocket.result import Result
from hocket.transcript import transcript_of


def document(result: Result, format_name: str) -> str:
    """A result as a whole file; of a folder, all its files."""
    content = written(transcript_of(result), format_name)
    return content if isinstance(content, str) else "".join(content.values())
