"""Text in pictures: in fonts that are installed, cut to a width, on one line."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hocket.errors import one_line

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

BASE = "DejaVu Sans"  # part of matplotlib
VIEWERS = "sans-serif"  # in SVG, for who has none of the fonts
USELESS = ("lastresort", "coloremoji")  # a box for every character; bitmaps
LONGEST = 200  # characters; no picture has room for more
POINTS = 72  # of an inch


@dataclass(frozen=True)
class Lettering:
    """How the texts of one picture are written.

    families: of fonts; a character is taken from the first that has it.
    missing: characters that no installed font has.
    """

    families: tuple[str, ...]
    missing: frozenset[str]

    def shown(self, text: str) -> str:
        """A text on one line; what cannot be drawn is escaped, so that names stay different."""
        line = one_line(text[:LONGEST])
        return "".join(_escaped(c) if c in self.missing else c for c in line)

    def fitted(self, text: str, inches: float, points: float) -> str:
        """A text as `shown`, cut at a width.

        Args:
            text: to be written.
            inches: width that there is for it.
            points: size of the font.
        """
        from matplotlib.textpath import text_to_path

        font, line = self.font(points), self.shown(text)

        def width(length: int) -> float:
            part = line if length == len(line) else f"{line[:length]}…"
            return text_to_path.get_text_width_height_descent(part, font, ismath=False)[0]

        if width(len(line)) <= inches * POINTS:
            return line
        length = bisect_right(range(len(line)), inches * POINTS, key=width) - 1
        return f"{line[: max(0, length)]}…"

    def font(self, points: float) -> "FontProperties":
        """The fonts in a size."""
        from matplotlib.font_manager import FontProperties

        return FontProperties(family=[*self.families, VIEWERS], size=points)


def lettering(texts: Iterable[str]) -> Lettering:
    """The fonts that texts need: DejaVu Sans, and installed ones that have what it lacks."""
    from matplotlib import font_manager

    needed = {c for text in texts for c in one_line(text[:LONGEST])} | {"…"}
    missing = needed - _covered(needed, _path_of(BASE))
    families = [BASE]
    entries = font_manager.fontManager.ttflist
    for name, path in sorted({(each.name, each.fname) for each in entries}):
        if not missing:
            break
        if name in families or any(part in name.lower().replace(" ", "") for part in USELESS):
            continue
        if _covered(missing, path) and (found := _covered(missing, _path_of(name))):
            families.append(name)
            missing -= found
    return Lettering(tuple(families), frozenset(missing))


def _path_of(family: str) -> str:
    """The file that text of a family is taken from; a string alone would be read as a pattern."""
    from matplotlib.font_manager import FontProperties, findfont

    return findfont(FontProperties(family=[family]))


def _covered(characters: set[str], path: str) -> set[str]:
    """Those of the characters that a font has; none if the font is damaged."""
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
    except (OSError, RuntimeError):
        return set()
    return {c for c in characters if font.get_char_index(ord(c))}


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
