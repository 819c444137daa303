"""Documents for Word and other text processors, written by python-docx."""

import io
import re
from datetime import UTC, datetime
from typing import Any

from hocket.bridges import extra
from hocket.formats.plain import moment
from hocket.transcript import Transcript

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # the same transcript makes the same bytes


def write(transcript: Transcript) -> bytes:
    """The recording's name as the title, then a paragraph a segment: name, time and text.

    Raises:
        ExtraError: python-docx is not installed.
    """
    document = extra("docx", "docx").Document()
    _state(document, transcript)
    document.add_heading(_shown(transcript.uri), level=0)
    for start, _, segment in transcript.timed():
        paragraph = document.add_paragraph()
        if segment.turn.speaker:
            paragraph.add_run(_shown(segment.turn.speaker)).bold = True
        paragraph.add_run(f" ({moment(start)})").italic = True
        if segment.text:
            paragraph.add_run().add_break()
            paragraph.add_run(_shown(" ".join(segment.text.split())))
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def _state(document: Any, transcript: Transcript) -> None:
    about = document.core_properties
    about.title, about.author, about.language = _shown(transcript.uri)[:255], "hocket", ""
    about.created = about.modified = EPOCH
    if transcript.language:
        about.language = _shown(transcript.language)[:255]


def _shown(text: str) -> str:
    """A text without what XML cannot hold."""
    return NOT_XML.sub("\ufffd", text)
