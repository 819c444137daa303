"""Tables and lists beside the transcript."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hocket.lanes import clock
from hocket.report.page.content import Content
from hocket.report.page.markup import (
    counted,
    length,
    name,
    percent,
    play_link,
    section,
    table,
    text,
    who,
    whole,
)
from hocket.report.review import ReviewSegment, review
from hocket.report.shares import Share, interruptions, overlap, shares
from hocket.result import Result
from hocket.version import __version__

MOST_CHECKED = 12
LEAST_PROBABILITY = 0.005  # of a number of speakers that is shown
MOST_SPEAKERS = 12  # of the table of interruptions, those who speak longest

INTERRUPTION = (
    "A turn interrupts if it begins while another speaker\u2019s turn goes on, and either outlasts "
    "that turn or begins at most 2 s before its end."
)


def speakers(content: Content) -> str:
    """How long each speaker speaks."""
    if not content.speakers:
        return ""
    found = shares(content.turns, content.speakers)
    known = any(each.confidence is not None for each in found)
    columns = ["Speaker", "Speech", "Share", "Turns", "Longest", *(["Sure"] if known else [])]
    rows = [_speaker(content, each, known=known) for each in found]
    return section(
        *("speakers", "Speakers"),
        table("How long each speaker speaks", columns, rows),
        _count(content.transcript.result, len(content.speakers)),
    )


def _speaker(content: Content, share: Share, *, known: bool) -> list[str]:
    color = content.colors()[share.speaker]
    bar = f'<span class="share" style="width:{100 * share.share:.1f}%"></span>'
    row = [
        who(share.speaker, color),
        length(share.seconds),
        f'<span class="{color}">{percent(share.share)}{bar}</span>',
        str(share.turns),
        length(share.longest),
    ]
    if known:
        row.append("" if share.confidence is None else percent(share.confidence))
    return row


def _count(result: Result | None, number: int) -> str:
    """How certain the number of speakers is."""
    probability = dict(result.count_confidence) if result else {}
    if not probability:
        return ""
    others = [n for n in probability if n != number and probability[n] >= LEAST_PROBABILITY]
    others.sort(key=lambda n: -probability[n])
    rest = "".join(f"; of {n}: {percent(probability[n])}" for n in others)
    sure = percent(probability.get(number, 0.0))
    return f'<p class="note">Probability of {counted(number, "speaker")}: {sure}{rest}.</p>'


def together(content: Content) -> str:
    """Overlap, and who interrupts whom."""
    if len(content.speakers) < 2:
        return ""
    found = overlap(content.turns)
    at_once = (
        f"<p>Several people speak at once for {length(found.seconds)}, "
        f"{found.share:.1%} of the speech.</p>"
    )
    return section("overlap", "Overlap", at_once, _interruptions(content))


def _interruptions(content: Content) -> str:
    found = interruptions(content.turns)
    if not found:
        return f'<p>Nobody interrupts anybody.</p><p class="note">{INTERRUPTION}</p>'
    longest = sorted(shares(content.turns, content.speakers), key=lambda each: -each.seconds)
    kept = {each.speaker for each in longest[:MOST_SPEAKERS]}
    shown = [speaker for speaker in content.speakers if speaker in kept]
    colors = content.colors()
    heads = [who(each, colors[each]) for each in shown]
    rows = [
        [head, *("·" if a == b else str(found.get((a, b), 0)) for b in shown)]
        for a, head in zip(shown, heads, strict=True)
    ]
    left_out = len(content.speakers) - len(shown)
    more = f" {counted(left_out, 'speaker')} who speak less are left out." if left_out else ""
    return (
        table("How often each row interrupts each column", ["Speaker", *heads], rows)
        + f'<p class="note">{INTERRUPTION}{more}</p>'
    )


def to_check(content: Content) -> str:
    """Where to listen first; nothing without confidence."""
    result = content.transcript.result
    if result is None or all(turn.confidence is None for turn in result.turns):
        return ""
    found = review(result)
    rows = [_checked(each, content) for each in found.segments[:MOST_CHECKED]]
    if not rows:
        return ""
    columns = ("From", "Speaker", "Sure", "Or")
    return section(
        *("check", "What to check first"),
        table("Segments, the most uncertain first", columns, rows),
        f'<p class="note">{found.expected_error:.1f} s of all turns are expected to be wrong. '
        "These are the segments in which listening finds most of them.</p>",
    )


def _checked(segment: ReviewSegment, content: Content) -> list[str]:
    color = content.colors().get(segment.speaker, "unknown")
    return [
        play_link(segment.start, clock(segment.start), "time"),
        who(segment.speaker, color),
        percent(segment.confidence),
        ", ".join(map(name, segment.alternatives)) or "nobody",
    ]


def notices(content: Content) -> str:
    """What was lost, altered or guessed."""
    rows = []
    for notice in content.notices:
        where = "" if notice.start is None else f" {play_link(notice.start, whole(notice.start))}"
        rows.append(f"<li><bdi>{text(notice.text)}</bdi>{where}</li>")
    return section("notices", "Notices", f"<ul>{''.join(rows)}</ul>" if rows else "")


def origin(content: Content) -> str:
    """What made the turns: version, models and settings."""
    result = content.transcript.result
    made = result.origin if result else None
    if made is None:
        inside = "<p>The file of turns does not state what made them.</p>"
    else:
        columns = ("Model", "Name", "Computed in", "Runtime", "SHA-256 of the weights")
        fields = ("name", "precision", "backend", "sha256")
        models = [[text(each), *_fields(about, fields)] for each, about in made.models.items()]
        inside = (
            f"<p>The turns were found by hocket {text(made.version)}.</p>"
            f"{table('Models', columns, models)}"
            f"{table('Settings', ('Setting', 'Value'), _settings(made.settings))}"
        )
    page = f"<p>This page was made by hocket {__version__}.</p>"
    shown = f"<details><summary>Version, models and settings</summary>{inside}{page}</details>"
    return section("origin", "Origin", shown)


def _fields(about: Mapping[str, str], names: Sequence[str]) -> list[str]:
    return [text(str(about.get(each, ""))) for each in names]


def _settings(settings: Mapping[str, Any]) -> Iterator[list[str]]:
    """Rows of every setting, named by its stage."""
    for stage, values in settings.items():
        for key, value in values.items() if isinstance(values, Mapping) else [("", values)]:
            title = f"{stage}.{key}" if key else stage
            yield [text(title), "" if value is None else text(str(value))]
