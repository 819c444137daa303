"""Results as values of other libraries."""

import sys

import pytest

from hocket.errors import ExtraError, HocketError
from hocket.turns import Turn
from tests.formats.test_formats import DIALOGUE, EMPTY


def test_an_annotation_has_every_turn() -> None:
    annotation = DIALOGUE.to_annotation()
    assert annotation.uri == "talk"
    found = [(s.start, s.end, who) for s, _, who in annotation.itertracks(yield_label=True)]
    assert found == [(turn.start, turn.end, turn.speaker) for turn in DIALOGUE.turns]
    assert annotation.labels() == ["anna", "ben"]
    assert len(DIALOGUE.to_annotation(exclusive=True)) == len(DIALOGUE.exclusive_turns)
    assert not EMPTY.to_annotation()


def test_equal_turns_are_two_tracks() -> None:
    from hocket.bridges import annotation_of

    both = [Turn(0.0, 1.0, "anna"), Turn(0.0, 1.0, "ben")]
    assert len([*annotation_of("x", both).itertracks()]) == 2


def test_a_table_has_a_row_a_turn() -> None:
    table = DIALOGUE.to_pandas()
    assert list(table.columns) == ["start", "end", "duration", "speaker", "confidence", "channel"]
    assert table["speaker"].tolist() == ["anna", "ben", "anna"]
    assert table.groupby("speaker")["duration"].sum()["ben"] == pytest.approx(60.7504)
    assert len(EMPTY.to_pandas()) == 0


@pytest.mark.parametrize(
    ("module", "method"), [("pandas", "pandas"), ("pyannote.core", "annotation")]
)
def test_what_is_missing_is_named(
    module: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraError, match=r"pip install 'hocket\[\w+\]'") as caught:
        getattr(DIALOGUE, f"to_{method}")()
    assert isinstance(caught.value, ImportError | HocketError)
