"""One HTML file that shows who spoke when, and plays it, without a network."""

import base64
import hashlib
from importlib import resources
from pathlib import PurePath

from hocket.arguments import check_type, known_names_only
from hocket.audio.reading import WHOLE, AudioSource, Selection, name_of
from hocket.report.page import player, sections, segments
from hocket.report.page.content import Content, content_of
from hocket.report.page.markup import attribute, counted, embedded, text, whole
from hocket.report.recording import check_turns, record
from hocket.result import Result
from hocket.transcript import Transcript, transcript_of
from hocket.version import __version__


@known_names_only
def report_page(
    transcript: Transcript | Result,
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    name: str | None = None,
    selection: Selection = WHOLE,
    audio: bool | None = None,
) -> str:
    """A page that shows who spoke when in a recording, and plays it.

    The page is one HTML file and requests nothing: its sound, its style and its script are in it.

    Args:
        transcript: who said what, or a result of `diarize`.
        source: the recording: a path, the bytes of an audio file, a binary file object, or an array
            as `diarize` takes it.
        sample_rate: Hz, of an array.
        name: of the recording. Default: its file name, or the name in the transcript.
        selection: what of the source was diarized, where it has several tracks or channels.
        audio: whether the sound is embedded, as MP3: 3.2 MB of text for ten minutes. Default: if
            the recording is no longer than two hours.

    Raises:
        ArgumentError: an argument is of the wrong type.
        AudioError: the recording cannot be read.
        ConfigError: the turns end behind the recording, so they are those of another one.
        BackendError: the PyAV that is installed cannot write MP3.
    """
    check_type("transcript", transcript, Transcript | Result)
    check_type("name", name, str | None)
    check_type("audio", audio, bool | None)
    whole_transcript = transcript_of(transcript) if isinstance(transcript, Result) else transcript
    given = name_of(source)
    title = name or (whole_transcript.uri if given == "audio" else PurePath(given).name)
    recorded = record(
        source,
        sample_rate=sample_rate,
        name=name or given,
        selection=selection,
        audio=audio,
        known=whole_transcript.result.notices if whole_transcript.result else (),
    )
    content = content_of(title, whole_transcript, recorded)
    check_turns(content.turns, recorded.duration, title)
    return _page(content)


def _page(content: Content) -> str:
    script, style = _file("page.js"), _file("page.css")
    title = attribute(content.title)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta name="generator" content="hocket {__version__}">\n'
        f"<title>{title}: who spoke when</title>\n"
        f'<link rel="icon" href="data:,">\n<style>\n{style}</style>\n</head>\n<body>\n'
        '<a class="skip" href="#transcript">Skip to the transcript</a>\n'
        f"{_header(content)}\n<main>\n{player.player(content)}\n"
        f'<div class="columns">\n{segments.segments(content)}\n<div class="facts">\n'
        f"{_facts(content)}\n</div>\n</div>\n</main>\n"
        f'<script type="application/json" id="times">{embedded(segments.times(content))}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _policy(script: str) -> str:
    """Nothing is requested, and no script runs but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "media-src data: blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _header(content: Content) -> str:
    counts = counted(len(content.speakers), "speaker"), counted(len(content.turns), "turn")
    facts = (whole(content.recorded.duration), *counts)
    listed = "".join(f"<li>{fact}</li>" for fact in facts)
    return f"<header><h1><bdi>{text(content.title)}</bdi></h1><ul>{listed}</ul></header>"


def _facts(content: Content) -> str:
    parts = (sections.speakers, sections.together, sections.to_check, sections.notices)
    return "".join(part(content) for part in (*parts, sections.origin))


def _file(name: str) -> str:
    return (resources.files("hocket") / "report" / "page" / name).read_text("utf-8")
