"""Rows of bars over a time axis."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.lanes import clock, tick_times
from hocket.report.figures import GRAY, TEXT_POINTS, TITLE_POINTS, WIDTH, styled
from hocket.report.fonts import POINTS, Lettering, lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Window = tuple[float, float]

NAMES, NOTES, RIGHT = 1.5, 0.75, 0.35  # inches beside the rows
TOP, AXIS, LEGEND = 0.4, 0.35, 0.3  # inches above and below the rows
LANE, MOST_ROWS = 0.27, 24.0  # inches; more lanes than fit are thinner
MARGIN = 0.12  # of a lane, above and below its bars
LEAST_WIDTH = 1 / 150  # inch; a shorter bar is drawn so wide
LEAST_POINTS = 5.0  # of names; if lanes are thinner, not every one has its name
LINE = 1.6  # height of a line of text in sizes of its font
GRID = "#dddddd"


class Bars(NamedTuple):
    """Stretches of time that are drawn alike.

    key: id of their group in SVG.
    spans: (bars, 2), start and end in seconds.
    color: of all of them.
    opacity: (bars,), 0 to 1.
    hatch: pattern over the color, as matplotlib names it.
    """

    key: str
    spans: NDArray[np.float64]
    color: str
    opacity: NDArray[np.float64]
    hatch: str = ""


class Row(NamedTuple):
    """A row with its name.

    name: any text.
    strips: bars, from top to bottom, each of the same part of the height.
    height: in lanes.
    note: what the row is, beside its name.
    """

    name: str
    strips: tuple[Bars, ...]
    height: float = 1.0
    note: str = ""


class Patch(NamedTuple):
    """A line of the legend, and the bars that it is about."""

    text: str
    bars: Bars


def draw_rows(
    rows: Sequence[Row],
    window: Window,
    title: str,
    *,
    aside: str = "",
    legend: Sequence[Patch] = (),
) -> "Figure":
    """A figure of rows, of a height that does not grow beyond MOST_ROWS and margins.

    Args:
        rows: from top to bottom.
        window: start and end of the time axis in seconds; its end is later.
        title: above the rows.
        aside: at the right of the title.
        legend: below the axis.
    """
    with styled():
        from matplotlib.figure import Figure

        letters = lettering([title, *(row.name for row in rows)])
        total = sum(row.height for row in rows) or 1.0
        lane = min(LANE, MOST_ROWS / total)
        left = NAMES + (NOTES if any(row.note for row in rows) else 0.0)
        below = AXIS + (LEGEND if legend else 0.0)
        height = TOP + total * lane + below
        figure = Figure(figsize=(WIDTH, height))
        width = WIDTH - left - RIGHT
        axes = figure.add_axes(
            (left / WIDTH, below / height, width / WIDTH, total * lane / height),
            xlim=window,
            ylim=(total, 0.0),
        )
        _draw_axis(axes, window)
        least = LEAST_WIDTH * (window[1] - window[0]) / width
        _draw_bars(axes, rows, window, least)
        _write_names(axes, rows, lane, width, letters)
        _write_title(figure, left, title, aside, letters)
        if legend:
            _draw_legend(figure, left, legend)
        if not rows:
            axes.text(0.5, 0.5, "nobody speaks", ha="center", va="center", color=GRAY,
                      transform=axes.transAxes)  # fmt: skip
    return figure


def _draw_axis(axes: "Axes", window: Window) -> None:
    times = tick_times(*window)
    axes.set_xticks(times, labels=[clock(seconds) for seconds in times])
    axes.set_yticks([])
    axes.tick_params(axis="x", length=3, color=GRAY)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRAY)


def _draw_bars(axes: "Axes", rows: Sequence[Row], window: Window, least: float) -> None:
    top = 0.0
    for row in rows:
        strip = (row.height * (1 - 2 * MARGIN)) / max(1, len(row.strips))
        for number, bars in enumerate(row.strips):
            shown, spans = visible(bars.spans, window, least)
            upper = top + row.height * MARGIN + number * strip
            corners = _corners(spans, upper, upper + strip)
            if bars.hatch:
                _draw_hatched(axes, bars, corners)
            else:
                _draw_plain(axes, bars, corners, bars.opacity[shown])
        top += row.height


def _draw_plain(
    axes: "Axes", bars: Bars, corners: NDArray[np.float64], opacities: NDArray[np.float64]
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba_array

    colors = to_rgba_array(bars.color, opacities)
    found = PolyCollection([*corners], facecolors=colors, linewidths=0.0, gid=bars.key)
    axes.add_collection(found, autolim=False)


def _draw_hatched(axes: "Axes", bars: Bars, corners: NDArray[np.float64]) -> None:
    """All bars as one path, whose pattern is made once: for 20,000 of them 3 s, not 90 s."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if len(corners):
        outline = Path.make_compound_path_from_polys(corners)
        axes.add_patch(PathPatch(outline, **_hatched(bars), gid=bars.key))


def _hatched(bars: Bars) -> dict[str, Any]:
    """How a patch looks like the bars."""
    return {
        "facecolor": bars.color,
        "edgecolor": "white",
        "linewidth": 0.0,
        "hatch": bars.hatch or None,
    }


def visible(
    spans: NDArray[np.float64], window: Window, least: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which spans are in a window, (spans,), and these cut at its edges, (shown, 2).

    Args:
        spans: (spans, 2), start and end in seconds.
        window: start and end in seconds.
        least: length in seconds; what is shorter gets it, within the window.
    """
    shown = (spans[:, 1] > window[0]) & (spans[:, 0] < window[1])
    start = np.clip(spans[shown, 0], *window)
    end = np.maximum(np.clip(spans[shown, 1], *window), start + least)
    beyond = np.maximum(end - window[1], 0.0)
    return shown, np.stack([start - beyond, end - beyond], axis=1)


def _corners(spans: NDArray[np.float64], upper: float, lower: float) -> NDArray[np.float64]:
    """Rectangles, (spans, 4, 2)."""
    found = np.empty((len(spans), 4, 2))
    found[:, :2, 0], found[:, 2:, 0] = spans[:, :1], spans[:, 1:]
    found[:, [0, 3], 1], found[:, 1:3, 1] = upper, lower
    return found


def _write_names(
    axes: "Axes", rows: Sequence[Row], lane: float, width: float, letters: Lettering
) -> None:
    """Names and notes at the left of their rows."""
    fitting = lane * POINTS / LINE
    points = min(TEXT_POINTS, max(LEAST_POINTS, fitting))
    every = math.ceil(LEAST_POINTS / fitting)
    font, place, top = letters.font(points), axes.get_yaxis_transform(), 0.0
    notes = NOTES if any(row.note for row in rows) else 0.0
    for number, row in enumerate(rows):
        middle = top + row.height / 2
        top += row.height
        if number % every:
            continue
        name = letters.fitted(row.name, NAMES - 0.2, points)
        axes.text(-(0.08 + notes) / width, middle, name, ha="right", va="center_baseline",
                  font=font, transform=place)  # fmt: skip
        if row.note:
            axes.text(-0.08 / width, middle, row.note, ha="right", va="center_baseline",
                      size=points - 1, color=GRAY, transform=place)  # fmt: skip


def _write_title(figure: "Figure", left: float, title: str, aside: str, letters: Lettering) -> None:
    room = WIDTH - left - RIGHT - (1.5 if aside else 0.0)
    line = 1 - TOP / 2 / figure.get_figheight()
    figure.text(left / WIDTH, line, letters.fitted(title, room, TITLE_POINTS), va="center",
                font=letters.font(TITLE_POINTS))  # fmt: skip
    figure.text(1 - RIGHT / WIDTH, line, aside, ha="right", va="center", color=GRAY)


def _draw_legend(figure: "Figure", left: float, legend: Sequence[Patch]) -> None:
    from matplotlib import patches

    handles = [patches.Patch(label=each.text, **_hatched(each.bars)) for each in legend]
    figure.legend(
        handles=handles, ncols=len(handles), frameon=False, loc="lower left",
        bbox_to_anchor=(left / WIDTH, 0.0), borderpad=0.2, borderaxespad=0.2,
    )  # fmt: skip
