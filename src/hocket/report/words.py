"""Errors in words that are given to speakers: cpWER, as meeteval computes it.

The concatenated minimum-permutation word error rate compares the words of each speaker, one behind
the other, under the mapping of speakers with the fewest errors (Watanabe et al., CHiME-6, 2020).
"""

import re
from dataclasses import dataclass

from hocket.bridges import library
from hocket.transcript import Transcript

UNCOUNTED = re.compile(r"[^\w'\s]|_")
REQUIREMENT = "meeteval"


@dataclass(frozen=True)
class WordScore:
    """Errors in the words of one recording or several.

    errors: substitutions, deletions and insertions; a word of another speaker is two of them.
    words: of the reference.
    """

    errors: int = 0
    words: int = 0

    def __add__(self, other: "WordScore") -> "WordScore":
        return WordScore(self.errors + other.errors, self.words + other.words)

    @property
    def rate(self) -> float:
        """cpWER; without reference words 0 if no words are found, otherwise 1."""
        return self.errors / self.words if self.words else float(self.errors > 0)


def word_score(reference: Transcript, found: Transcript) -> WordScore:
    """Compare the words of a transcript with those of a reference; both have text.

    Upper case and punctuation do not count.

    Raises:
        ExtraError: meeteval is not installed.
    """
    meeteval = library("meeteval", REQUIREMENT)
    rows = [meeteval.io.SegLST(_rows(transcript)) for transcript in (reference, found)]
    [score] = meeteval.wer.cpwer(*rows).values()
    return WordScore(int(score.errors), int(score.length))


def _rows(transcript: Transcript) -> list[dict[str, object]]:
    return [
        {
            "session_id": "recording",
            "start_time": segment.turn.start,
            "end_time": segment.turn.end,
            "speaker": segment.turn.speaker or "unknown",
            "words": UNCOUNTED.sub(" ", segment.text).casefold(),
        }
        for segment in transcript.segments
        if segment.text
    ]
