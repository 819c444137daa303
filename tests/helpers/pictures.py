"""Pictures that tests draw, and what an SVG of them holds.

`python -m tests.helpers.pictures` writes the golden pictures again.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.report.figures import WIDTH, encoded
from hocket.report.plot import plot_against, plot_embeddings, plot_turns
from hocket.report.rows import NAMES, NOTES, RIGHT
from hocket.turns import Turn
from tests.formats.test_formats import result_of
from tests.helpers.artifacts import with_voices
from tests.helpers.paths import GOLDEN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "{http://www.w3.org/2000/svg}"
POINT = re.compile(r"[ML] (\S+) (\S+)")
DPI = 40  # of golden pictures

FOUND = [
    Turn(0.0, 9.0, "SPEAKER_00", 0.95),
    Turn(8.0, 15.0, "SPEAKER_01", 0.5),
    Turn(16.0, 21.0, "SPEAKER_00", 0.8),
    Turn(21.0, 26.0, "SPEAKER_02", 0.2),
]
REFERENCE = [
    Turn(0.0, 8.5, "Anna"),
    Turn(7.5, 15.0, "Ben"),
    Turn(17.0, 23.0, "Anna"),
    Turn(28.0, 30.0, "Cleo"),
]
VOICES = replace(
    result_of([], 25.0),
    speakers=("SPEAKER_00", "SPEAKER_01", "SPEAKER_02"),
    exclusive_turns=(
        Turn(1.0, 4.0, "SPEAKER_00"),
        Turn(4.5, 9.0, "SPEAKER_01"),
        Turn(9.5, 10.3, "SPEAKER_00"),
        Turn(11.0, 18.0, "SPEAKER_01"),
        Turn(18.5, 22.0, "SPEAKER_02"),
    ),
)
"""Who speaks in the dialogue of the artifacts; nobody after 22 s."""


class Bar(NamedTuple):
    """A bar in seconds, its place in points from the top, and its look."""

    start: float
    end: float
    top: float
    bottom: float
    color: str
    opacity: float


def drawn(figure: "Figure") -> ET.Element:
    """A figure as SVG."""
    return ET.fromstring(encoded(figure, "svg"))


def texts(picture: ET.Element) -> list[str]:
    return ["".join(each.itertext()) for each in picture.iter(f"{SVG}text")]


def group(picture: ET.Element, key: str) -> ET.Element | None:
    return next((each for each in picture.iter(f"{SVG}g") if each.get("id") == key), None)


def bars(
    picture: ET.Element, key: str, end: float, start: float = 0.0, *, notes: bool = False
) -> list[Bar]:
    """The bars of a group in a picture from `start` to `end`, in order of time."""
    found = group(picture, key)
    left = NAMES + (NOTES if notes else 0.0)
    scale = (end - start) / (WIDTH - left - RIGHT)
    made = []
    for path in found.iter(f"{SVG}path") if found is not None else ():
        look = dict(each.split(": ") for each in path.get("style", "").split("; "))
        for part in path.get("d", "").split("z")[:-1]:
            x, y = np.array(POINT.findall(part), np.float64).T
            seconds = start + (x / 72 - left) * scale
            made.append(
                Bar(*(seconds.min(), seconds.max(), y.min(), y.max()), look["fill"],
                    float(look.get("fill-opacity", 1)))
            )  # fmt: skip
    return sorted(made)


def pixels(figure: "Figure") -> NDArray[np.float64]:
    """A figure as (height, width, 3) of 0 to 255."""
    return pixels_of(encoded(figure, "png", dpi=DPI))


def pixels_of(content: bytes) -> NDArray[np.float64]:
    from matplotlib.image import imread

    return 255.0 * np.asarray(imread(io.BytesIO(content), format="png"), np.float64)[..., :3]


def embeddings() -> "Figure":
    """Three voices in 25 s, without a network."""
    artifacts = with_voices(0, 1, 0, 1, 2)
    return plot_embeddings(VOICES, artifacts, title="embeddings")


PICTURES: dict[str, Callable[[], "Figure"]] = {
    "plot-turns": lambda: plot_turns(FOUND, 30.0, title="turns"),
    "plot-against": lambda: plot_against(FOUND, REFERENCE, 30.0, title="against"),
    "plot-embeddings": embeddings,
}


def golden(name: str) -> Path:
    return GOLDEN / f"{name}.png"


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        golden(name).write_bytes(encoded(draw(), "png", dpi=DPI))
