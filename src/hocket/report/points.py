"""Points in a plane, in groups."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.report.figures import GRAY, TEXT_POINTS, TITLE_POINTS, styled
from hocket.report.fonts import Lettering, lettering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.0, 6.0  # inches
LEFT, RIGHT, TOP, BOTTOM = 0.6, 2.0, 0.4, 0.5  # margins; the legend is in the right one
AREA = 14.0  # square points of a point for each second that it stands for
LEAST_AREA = 3.0
MOST_NAMES = 24  # in the legend


class Points(NamedTuple):
    """Points of one group.

    key: id of their group in SVG.
    name: any text.
    places: (points, 2).
    seconds: (points,) that each stands for.
    color: of all of them.
    marker: their shape, as matplotlib names it.
    """

    key: str
    name: str
    places: NDArray[np.float64]
    seconds: NDArray[np.float64]
    color: str
    marker: str


def draw_points(groups: Sequence[Points], title: str, labels: tuple[str, str]) -> "Figure":
    """A figure of points with a legend of their groups; the area of a point is its length.

    Args:
        groups: in the order of the legend.
        title: above the points.
        labels: of the two axes.
    """
    with styled():
        from matplotlib.figure import Figure

        letters = lettering([title, *(group.name for group in groups)])
        figure = Figure(figsize=(WIDTH, HEIGHT))
        size = ((WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / HEIGHT)
        axes = figure.add_axes((LEFT / WIDTH, BOTTOM / HEIGHT, *size))
        for group in groups:
            area = np.maximum(AREA * group.seconds, LEAST_AREA)
            axes.scatter(
                group.places[:, 0], group.places[:, 1], s=area, c=group.color,
                marker=group.marker, alpha=0.6, linewidths=0.0, gid=group.key,
            )  # fmt: skip
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(labels[0], color=GRAY)
        axes.set_ylabel(labels[1], color=GRAY)
        axes.tick_params(labelbottom=False, labelleft=False, length=0)
        for spine in axes.spines.values():
            spine.set_color(GRAY)
        fitted = letters.fitted(title, WIDTH - LEFT - 0.2, TITLE_POINTS)
        figure.text(LEFT / WIDTH, 1 - TOP / 2 / HEIGHT, fitted, va="center",
                    font=letters.font(TITLE_POINTS))  # fmt: skip
        if any(len(group.places) for group in groups):
            _draw_legend(axes, groups, letters)
        else:
            axes.text(0.5, 0.5, "no embeddings", ha="center", va="center", color=GRAY,
                      transform=axes.transAxes)  # fmt: skip
    return figure


def _draw_legend(axes: "Axes", groups: Sequence[Points], letters: Lettering) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=group.color, marker=group.marker, linestyle="none", markersize=6,
               label=letters.fitted(group.name, RIGHT - 0.6, TEXT_POINTS))
        for group in groups[:MOST_NAMES]
    ]  # fmt: skip
    if len(groups) > MOST_NAMES:
        more = f"and {len(groups) - MOST_NAMES} more"
        handles.append(Line2D([], [], linestyle="none", label=more))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False,
                prop=letters.font(TEXT_POINTS))  # fmt: skip
