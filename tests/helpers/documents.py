"""A result as text in any format."""

import io
import zipfile

from hocket.formats import written
from hocket.result import Result
from hocket.transcript import transcript_of


def document(result: Result, format_name: str) -> str:
    """A result as a whole file; of a folder, all its files; of docx, its XML."""
    content = written(transcript_of(result), format_name)
    if isinstance(content, bytes):
        return zipfile.ZipFile(io.BytesIO(content)).read("word/document.xml").decode()
    return content if isinstance(content, str) else "".join(content.values())
