"""CTM of NIST: a word a line, with recording, channel, start, length, word and confidence."""

from hocket.errors import FormatError
from hocket.formats.reading import fields_of, lines_of
from hocket.formats.recognized import Passage, Raw, recognized
from hocket.transcript import Transcript


def read(text: str, name: str) -> list[Transcript]:
    """A transcript for each recording, in order of appearance; comments are left out.

    Raises:
        FormatError: a line has too few fields, or a length that is none.
    """
    found: dict[str, list[Raw]] = {}
    for place, line in lines_of(text, name):
        if line.startswith(";;"):
            continue
        fields = fields_of(line)
        if len(fields) < 5:
            problem = f"{place}: found {len(fields)} fields"
            raise FormatError(f"{problem}; give recording, channel, start, length and word")
        uri, _, start, length, word, *more = fields
        if word.startswith("<ALT"):  # marks of alternatives
            continue
        try:
            end: object = float(start) + float(length)
        except ValueError:
            end = None
        found.setdefault(uri, []).append(Raw(word, start, end, more[0] if more else None))
    return [recognized(uri, [Passage("", None, None, raws)]) for uri, raws in found.items()]
