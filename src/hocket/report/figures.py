"""Figures of matplotlib that look alike everywhere, and their bytes as a file.

pyplot is never imported. Whatever the user has set, the settings of matplotlib are its own while a
figure is made or written; they are those of the process, so one thread at a time may do that.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hocket.bridges import extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXTRA = "plot"
DPI = 150
WIDTH = 10.0  # inches
TITLE_POINTS, TEXT_POINTS = 11.0, 9.0
GRAY = "#666666"
STYLE = MappingProxyType(
    {
        "font.size": TEXT_POINTS,
        "svg.fonttype": "none",  # text stays text, in the fonts of whoever looks at it
        "svg.hashsalt": "hocket",  # otherwise ids are drawn at random
        "text.parse_math": False,  # a $ in a name is a $
    }
)
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
"""Kinds of files, and what matplotlib would write into them by itself."""


@contextmanager
def styled() -> Iterator[None]:
    """Settings of matplotlib for all that is drawn; ExtraError if it is not installed."""
    extra("matplotlib", EXTRA)
    from matplotlib import style

    with style.context(["default", dict(STYLE)]):
        yield


def encoded(figure: "Figure", kind: str, *, dpi: float = DPI) -> bytes:
    """A figure as a file; the same figure gives the same bytes.

    Args:
        figure: what one of the functions of `hocket.report.plot` returned.
        kind: one of METADATA.
        dpi: dots per inch, of PNG.
    """
    content = io.BytesIO()
    with styled():
        figure.savefig(content, format=kind, dpi=dpi, metadata=METADATA[kind])
    return content.getvalue()
