"""For the API page: docstrings as griffe's Google style expects them.

Classes of hocket describe their fields as `name: text` lines without a heading, and examples have
none either. This extension adds the headings "Attributes:" and "Examples:".
"""

import re
from collections.abc import Iterator
from typing import Any

import griffe

FIELDS = re.compile(r"(?m)^(\w+(?:, \w+)*): ")
HEADINGS = {"Args", "Returns", "Raises", "Yields", "Examples", "Attributes", "Note"}


class Headings(griffe.Extension):
    """Adds the headings of fields and examples to docstrings."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Rewrite the docstring of a class."""
        if cls.docstring:
            fields = {name for name, member in cls.attributes.items() if member.is_attribute}
            cls.docstring.value = with_headings(cls.docstring.value, fields)

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Rewrite the docstring of a function."""
        if func.docstring:
            func.docstring.value = with_headings(func.docstring.value, set())


def with_headings(text: str, fields: set[str]) -> str:
    """A docstring with its fields and examples under headings."""
    return "\n\n".join(_paragraphs(text, fields))


def _paragraphs(text: str, fields: set[str]) -> Iterator[str]:
    for paragraph in re.split(r"\n{2,}", text):
        first = FIELDS.match(paragraph)
        if paragraph.startswith(">>>"):
            yield f"Examples:\n{_indented(paragraph)}"
        elif first and first.group(1) not in HEADINGS and set(first.group(1).split(", ")) <= fields:
            yield f"Attributes:\n{_indented(_one_name_a_line(paragraph))}"
        elif re.match(r"Raises:\n +As for ", paragraph):
            yield " ".join(paragraph.split())
        else:
            yield paragraph


def _one_name_a_line(paragraph: str) -> str:
    """`start, end: text` as one entry for each name."""
    entries = re.split(r"\n(?=\w+(?:, \w+)*: )", paragraph)
    found = []
    for entry in entries:
        names, text = entry.split(": ", 1)
        found += [f"{name}: {text}" for name in names.split(", ")]
    return "\n".join(found)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
