"""The transcript, or the list of turns where no words are known."""

from collections.abc import Mapping
from typing import Any

from hocket.report.page.content import Content
from hocket.report.page.markup import length, moment, name, play_link, section, text, whole
from hocket.transcript import Segment


def segments(content: Content) -> str:
    """Every segment with its time and speaker, and what is said where that is known."""
    transcript, colors = content.transcript, content.colors()
    if not transcript.segments:
        return section("transcript", "Turns", '<p class="muted">Nobody is found to speak.</p>')
    title = "Transcript" if transcript.has_text else "Turns"
    rows = "".join(_segment(each, colors) for each in transcript.segments)
    kind = "segments text" if transcript.has_text else "segments"
    return section(
        *("transcript", title),
        '<button type="button" id="follow" hidden>Follow playback</button>'
        f'<div class="scroller" id="scroller" tabindex="0" role="region" aria-label="{title}, '
        f'scrolls along"><ol class="{kind}">{rows}</ol></div>',
    )


def times(content: Content) -> dict[str, Any]:
    """When every segment and word begins and ends, and whose lane it is, for the script."""
    lanes = {speaker: number for number, speaker in enumerate(content.speakers)}
    listed, words = [], {}
    for number, segment in enumerate(content.transcript.segments):
        turn = segment.turn
        listed.append([_short(turn.start), _short(turn.end), lanes.get(turn.speaker, -1)])
        if segment.words:
            words[number] = [[_short(word.start), _short(word.end)] for word in segment.words]
    return {"duration": _short(content.duration), "segments": listed, "words": words}


def _segment(segment: Segment, colors: Mapping[str, str]) -> str:
    turn = segment.turn
    time = play_link(turn.start, whole(turn.start), "time")
    said = f'<p dir="auto">{_words(segment)}</p>' if segment.text else ""
    lasts = "" if segment.text else f'<span class="length">{length(turn.duration)}</span>'
    kind = colors.get(turn.speaker, "unknown")
    speaker = f'<span class="who">{name(turn.speaker)}</span>'
    return f'<li class="{kind}">{time}{speaker}{lasts}{said}</li>'


def _words(segment: Segment) -> str:
    """Words as elements where their times are known, divided as they are in the text."""
    found, rest = [], segment.text
    for word in segment.words:
        before, there, after = rest.partition(word.text) if word.text else ("", "", "")
        rest = after if there else rest
        blank = " " if not there or before[:1].isspace() or before[-1:].isspace() else ""
        between = f"{text(before)} " if there and before.strip() else ""
        found.append(f"{blank}{between}<span>{text(word.text)}</span>")
    return "".join(found).lstrip() + (f" {text(rest)}" if rest.strip() else "")


def _short(seconds: float) -> float:
    return float(moment(seconds))
