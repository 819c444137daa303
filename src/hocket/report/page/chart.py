"""The waveform, a lane a speaker under it, and the axis of time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hocket.lanes import FAINTEST, MOST_TICKS, STEPS_S, clock
from hocket.report.page.content import Content
from hocket.report.page.markup import attribute, counted, moment, name, text, whole
from hocket.report.peaks import outline
from hocket.report.recording import Recorded
from hocket.report.shares import mean_confidence
from hocket.turns import Turn

PIXELS = 1200
"""Of a wide page. Turns nearer than a pixel are one bar, so a lane has at most half as many."""
HEIGHT = 40  # of the waveform on each side of its middle
LAST = ' class="last"'  # of a time that would stand out of the page


@dataclass(frozen=True)
class Bar:
    """Turns of one speaker that a page cannot show apart.

    start, end: of all of them, in seconds.
    turns: their number.
    confidence: mean; None if unknown.
    """

    start: float
    end: float
    turns: int
    confidence: float | None


def chart(content: Content) -> str:
    """The whole picture; bars and waveform stretch with the page."""
    lanes = "".join(_lane(content, speaker, color) for speaker, color in content.colors().items())
    return (
        f'<div class="chart">{_grid(content.duration)}'
        f'<div class="lane wave"><span class="label">Sound</span>'
        f'<div class="track" id="seek">{_waveform(content.recorded)}</div></div>'
        f'{lanes}<div class="lane axis"><span class="label"></span>'
        f'<div class="track" aria-hidden="true">{_axis(content.duration)}</div></div>'
        '<div class="over" aria-hidden="true"><div class="playhead"></div></div></div>'
    )


def bars(turns: Iterable[Turn], least_gap: float) -> Iterator[Bar]:
    """The bars of a lane; turns of one speaker, in order of time, that are nearer than a gap join.

    Args:
        turns: of one speaker, in order of time.
        least_gap: seconds.
    """
    group: list[Turn] = []
    end = 0.0
    for turn in turns:
        if group and turn.start - end >= least_gap:
            yield _bar_of(group, end)
            group = []
        end = max(end, turn.end) if group else turn.end
        group.append(turn)
    if group:
        yield _bar_of(group, end)


def _bar_of(group: Sequence[Turn], end: float) -> Bar:
    return Bar(group[0].start, end, len(group), mean_confidence(group))


def _lane(content: Content, speaker: str, color: str) -> str:
    own = [turn for turn in content.turns if turn.speaker == speaker]
    scale = 100 / content.duration
    drawn = "".join(_bar(bar, speaker, scale) for bar in bars(own, content.duration / PIXELS))
    about = f"{attribute(speaker)}: {counted(len(own), 'turn')}"
    return (
        f'<div class="lane {color}" data-lane><span class="label" title="{attribute(speaker)}">'
        f'{name(speaker)}</span><svg class="track bars" role="group" aria-label="{about}">'
        f"{drawn}</svg></div>"
    )


def _bar(bar: Bar, speaker: str, scale: float) -> str:
    sure = 1.0 if bar.confidence is None else bar.confidence
    about = f"{text(speaker)}, {clock(bar.start)} to {clock(bar.end)}"
    about += f", {counted(bar.turns, 'turn')}" if bar.turns > 1 else ""
    about += "" if bar.confidence is None else f", confidence {bar.confidence:.2f}"
    width = max(100 / PIXELS, (bar.end - bar.start) * scale)
    return (
        f'<a href="#t={moment(bar.start)}"><title>{about}</title>'
        f'<rect x="{min(bar.start * scale, 100 - width):.2f}%" width="{width:.2f}%" height="100%" '
        f'rx="2" opacity="{FAINTEST + (1 - FAINTEST) * sure:.2f}"/></a>'
    )


def _waveform(recorded: Recorded) -> str:
    """The outline of the samples, twice: what is played covers the rest."""
    points = outline(recorded.peaks, HEIGHT - 1)
    above = "".join(f"L{n} {-high - 1}" for n, (_, high) in enumerate(points))
    below = "".join(f"L{n} {1 - low}" for n, (low, _) in reversed(list(enumerate(points))))
    path = f"M0 0{above}L{max(0, len(points) - 1)} 0{below}Z"
    box = f"0 {-HEIGHT} {max(1.0, recorded.stretches):.2f} {2 * HEIGHT}"
    one = f'viewBox="{box}" preserveAspectRatio="none" aria-hidden="true"'
    return (
        f'<svg class="waveform" {one}><path id="outline" d="{path}"/></svg>'
        f'<svg class="waveform played" {one}><use href="#outline"/></svg>'
    )


def _ticks(duration: float) -> Iterator[tuple[float, float]]:
    """Times of the axis, and where they are in percent."""
    step = next((each for each in STEPS_S if duration / each <= MOST_TICKS), STEPS_S[-1])
    for number in range(int(duration / step) + 1):
        yield number * step, 100 * number * step / duration


def _axis(duration: float) -> str:
    return "".join(
        f'<span{LAST if place > 99 else ""} style="left:{place:.2f}%">{whole(time)}</span>'
        for time, place in _ticks(duration)
    )


def _grid(duration: float) -> str:
    lines = "".join(f'<i style="left:{place:.2f}%"></i>' for _, place in _ticks(duration))
    return f'<div class="over grid" aria-hidden="true">{lines}</div>'
