"""Text, times and tables as HTML; nothing that a user wrote is ever markup."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from hocket.errors import one_line
from hocket.lanes import clock

NOBODY = "Unknown"
"""What a speaker without a name is called."""

_MARKUP = re.compile("[<>&\u2028\u2029]")  # what ends a script, or a line of one


def text(value: str) -> str:
    """Text of a user on one line; marks of direction stay, so it belongs into a block or a bdi."""
    line = " ".join(value.split())
    shown = (
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Cs") else c
        for c in line
    )
    return escape("".join(shown))


def attribute(value: str) -> str:
    """Text of a user as the value of an attribute, where no direction can be isolated."""
    return escape(one_line(value))


def name(speaker: str) -> str:
    """A name, which turns no text around it."""
    return f"<bdi>{text(speaker) or NOBODY}</bdi>"


def who(speaker: str, color: str) -> str:
    """A name with the color of its lane, whole where it is pointed at."""
    return f'<span class="who {color}" title="{attribute(speaker)}">{name(speaker)}</span>'


def embedded(value: object) -> str:
    """JSON that can stand inside a script element."""
    content = json.dumps(value, separators=(",", ":"))
    return _MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", content)


def moment(seconds: float) -> str:
    """A time to the hundredth, as links and data state it."""
    return f"{seconds:.2f}".rstrip("0").rstrip(".")


def whole(seconds: float) -> str:
    """A time in full seconds, as m:ss or h:mm:ss."""
    return clock(int(seconds))


def length(seconds: float) -> str:
    """A length: in seconds if it is less than a minute, else as m:ss or h:mm:ss."""
    return f"{seconds:.1f} s" if seconds < 60 else whole(seconds)


def percent(share: float) -> str:
    """A share of 0 to 1 in percent."""
    return f"{share:.0%}"


def counted(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def play_link(seconds: float, label: str, kind: str = "") -> str:
    """A link that plays from a moment.

    Args:
        seconds: where to begin.
        label: what it shows, as HTML.
        kind: class of the element.
    """
    known = f' class="{kind}"' if kind else ""
    return f'<a{known} href="#t={moment(seconds)}">{label}</a>'


def section(anchor: str, title: str, *content: str) -> str:
    """A part of the page under a heading; nothing if it has no content."""
    inside = "".join(content)
    if not inside:
        return ""
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">'
        f'<h2 id="{anchor}-title">{title}</h2>{inside}</section>'
    )


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; all cells are HTML."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
