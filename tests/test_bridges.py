"""Results as values of other libraries."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace

import pytest

from hocket.errors import ExtraError, HocketError
from hocket.formats import written
from hocket.result import Result
from hocket.transcript import transcript_of
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


@dataclass
class SupervisionSegment:
    """With the fields that lhotse 1.33 documents; lhotse itself needs torch."""

    id: str
    recording_id: str
    start: float
    duration: float
    channel: int | list[int] = 0
    text: str | None = None
    language: str | None = None
    speaker: str | None = None


class SupervisionSet(list[SupervisionSegment]):
    @staticmethod
    def from_segments(segments: Iterable[SupervisionSegment]) -> "SupervisionSet":
        return SupervisionSet(segments)


LATE = Turn(4_000.0, 9_999.0, "carl", channel=2)  # it ends after the recording


@pytest.mark.parametrize(
    "result", [DIALOGUE, replace(DIALOGUE, turns=(*DIALOGUE.turns, LATE), duration=5e3), EMPTY]
)
def test_supervisions_are_those_of_the_format(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = SimpleNamespace(SupervisionSegment=SupervisionSegment, SupervisionSet=SupervisionSet)
    monkeypatch.setitem(sys.modules, "lhotse", module)
    found = result.to_lhotse()
    assert isinstance(found, SupervisionSet)
    lines = str(written(transcript_of(result), "lhotse")).splitlines()
    assert [asdict(each) for each in found] == [
        asdict(SupervisionSegment(**json.loads(line))) for line in lines
    ]


def test_a_library_without_an_extra_is_named_as_pip_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lhotse", None)
    with pytest.raises(ExtraError, match='run "pip install lhotse"'):
        DIALOGUE.to_lhotse()


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
