"""A picture of turns: a lane a speaker, as SVG that stands inside a page without anything else."""

import math
from collections.abc import Sequence
from html import escape

from hocket.errors import one_line
from hocket.turns import Turn

WIDTH, NAME_WIDTH, LANE, AXIS = 960, 150, 24, 22  # pixels
LONGEST_NAME = 18  # characters
LABEL = 48  # pixels that a time of the axis takes at most
LEAST_WIDTH = 1.0  # of a turn
FAINTEST = 0.35  # opacity of a turn without confidence
COLORS = ("#4477aa", "#ee6677", "#228833", "#b8860b", "#66ccee", "#aa3377", "#777777")
"""Paul Tol's bright scheme, which people with any color vision can tell apart on light and dark."""
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MOST_TICKS = 10
ROUNDED = 1e-9  # of a step: a multiple of 0.1 may miss the end by its rounding


def lanes(turns: Sequence[Turn], speakers: Sequence[str], duration: float) -> str:
    """The turns of each speaker in a lane of their own; fainter where confidence is lower.

    Args:
        turns: who speaks when.
        speakers: in the order of the lanes.
        duration: of the recording in seconds.
    """
    height = LANE * max(1, len(speakers)) + AXIS
    scale = pixels_per_second(duration)
    parts = [_axis(duration, scale, height)]
    for number, speaker in enumerate(speakers):
        own = [turn for turn in turns if turn.speaker == speaker]
        parts.append(_lane(number, speaker, own, scale))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{len(turns)} turns of {len(speakers)} speakers" '
        f'style="max-width:{WIDTH}px;font:12px sans-serif">{"".join(parts)}</svg>'
    )


def pixels_per_second(duration: float) -> float:
    """Scale of the time axis of a recording so long, which begins at NAME_WIDTH."""
    return (WIDTH - NAME_WIDTH - 10) / (duration or 1.0)


def _lane(number: int, speaker: str, turns: Sequence[Turn], scale: float) -> str:
    name, top = one_line(speaker), LANE * number
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    bars = "".join(_bar(turn, name, top + 4, scale) for turn in turns)
    label = (
        f'<text x="{NAME_WIDTH - 8}" y="{top + 16}" text-anchor="end" fill="currentColor">'
        f"{escape(short)}</text>"
    )
    return f'{label}<g fill="{COLORS[number % len(COLORS)]}">{bars}</g>'


def _bar(turn: Turn, name: str, top: int, scale: float) -> str:
    known = "" if turn.confidence is None else f", confidence {turn.confidence:.2f}"
    about = escape(f"{name}, {clock(turn.start)} to {clock(turn.end)}{known}")
    return (
        f'<rect data-start="{turn.start:.3f}" x="{NAME_WIDTH + turn.start * scale:.1f}" '
        f'y="{top}" height="{LANE - 8}" '
        f'width="{max(LEAST_WIDTH, turn.duration * scale):.1f}" rx="2" '
        f'opacity="{opacity(turn.confidence):.2f}"><title>{about}</title></rect>'
    )


def _axis(duration: float, scale: float, height: int) -> str:
    ticks = []
    for seconds in tick_times(0.0, duration):
        place = NAME_WIDTH + seconds * scale
        anchor = "end" if place > WIDTH - LABEL / 2 else "middle"  # the last one is not cut off
        ticks.append(
            f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{height - AXIS}" '
            f'stroke="currentColor" opacity="0.2"/><text x="{place:.1f}" y="{height - 6}" '
            f'text-anchor="{anchor}" fill="currentColor">{clock(seconds)}</text>'
        )
    return "".join(ticks)


def opacity(confidence: float | None) -> float:
    """Of a turn: FAINTEST without any confidence, 1 where it is certain or unknown."""
    return 1.0 if confidence is None else FAINTEST + (1 - FAINTEST) * confidence


def tick_times(start: float, end: float) -> list[float]:
    """Round times from start to end, in seconds; at most MOST_TICKS and one more."""
    step = next((each for each in STEPS_S if (end - start) / each <= MOST_TICKS), STEPS_S[-1])
    while (end - start) / step > MOST_TICKS:
        step *= 2
    first, last = math.ceil(start / step - ROUNDED), math.floor(end / step + ROUNDED)
    return [number * step for number in range(first, last + 1)]


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss, with a decimal where there is one."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    shown = f"{rest / 10:04.1f}".removesuffix(".0")
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{shown}" if hours else f"{minutes}:{shown}"
