"""Names: what is one name, and which spellings are allowed."""

from pathlib import Path

import pytest

from hocket.errors import SpeakerError, one_line
from hocket.speakers import SpeakerStore
from hocket.turns import rttm_field
from tests.helpers.voice_vectors import MODEL, axis, exemplar

PERSIAN = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"  # with a joiner, as it is spelled


def test_spellings_of_one_name_are_one_and_different_names_are_not(tmp_path: Path) -> None:
    with SpeakerStore(tmp_path / "team.db") as store:
        store.enroll("Zoe\u0308", [exemplar(axis(0))], MODEL)
        with pytest.raises(SpeakerError, match="already"):
            store.enroll("Zo\u00eb", [exemplar(axis(1))], MODEL)
        without = PERSIAN.replace("\u200c", "")
        others = ["Weiss", "Weiß", "zoë", PERSIAN, without, "\u0915\u094d\u200d"]
        for index, name in enumerate(others, 2):
            store.enroll(name, [exemplar(axis(index))], MODEL)
        assert [speaker.name for speaker in store.speakers()] == ["Zoë", *others]
        with pytest.raises(SpeakerError, match="weiss: no such speaker; did you mean Wei"):
            store.speaker("weiss")
        for name in ("\u200c", "a\u200bb", "a\x00b"):
            with pytest.raises(SpeakerError):
                store.enroll(name, [exemplar(axis(9))], MODEL)


def test_a_joiner_stays_in_outputs() -> None:
    assert rttm_field(PERSIAN) == one_line(PERSIAN) == PERSIAN
