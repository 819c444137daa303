"""Results after edits: undone and redone to the byte, from files alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from hocket.config import SpeakerCount
from hocket.corrections.actions import Assign, Boundary, Merge, Rename, Silence
from hocket.corrections.constraints import constraints_of, entries_of
from hocket.corrections.history import History
from hocket.errors import ConfigError, FormatError
from hocket.formats import json_document
from hocket.offline.kept import write_artifacts
from hocket.renaming import renamed
from hocket.result import Result
from hocket.server import solving
from hocket.server.solving import Solvable, solve
from hocket.transcript import Segment, Transcript, Word, transcript_of
from hocket.turns import Turn
from tests.helpers.actions import random_action
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.shared import artifacts_of, diarizer_of

SEQUENCES, EDITS = 100, 4


@pytest.fixture(autouse=True)
def _nothing_is_open() -> Iterator[None]:
    solving._opened.clear()
    yield
    solving._opened.clear()


def kept(folder: Path, path: Path, *, has_words: bool = False) -> Solvable:
    artifacts = artifacts_of(path)
    original = transcript_of(diarizer_of().finish(artifacts))
    if has_words:
        original = with_words(original)
    place = Solvable(
        folder / f"{path.stem}.npz",
        folder / f"{path.stem}.json",
        "balanced",
        SpeakerCount(),
        whole_sentences=False,
    )
    write_artifacts(artifacts, place.artifacts)
    place.original.write_text(json_document.write(original))
    return place


def with_words(original: Transcript) -> Transcript:
    """A word in every half second of turns."""
    words = []
    for segment in original.segments:
        turn, time = segment.turn, segment.turn.start
        while time + 0.4 < turn.end:
            words.append(Word(time, time + 0.4, f"w{len(words)}", turn.speaker))
            time += 0.5
    rows = tuple(
        Segment(Turn(word.start, word.end, word.speaker), word.text, (word,)) for word in words
    )
    return replace(original, segments=rows, language="tlh")


def result_of(document: str) -> Result:
    result = json_document.read(document, "test")[0].result
    assert result is not None
    return result


@pytest.mark.parametrize("path", [CONVERSATION, CLIPS / "panel03.flac"], ids=lambda path: path.stem)
def test_edits_are_undone_and_redone_to_the_byte(tmp_path: Path, path: Path) -> None:
    place = kept(tmp_path, path, has_words=path == CONVERSATION)
    for seed in range(SEQUENCES // 2):
        random, history = Random(seed), History()
        documents = [place.original.read_text()]
        for _ in range(EDITS):
            action = random_action(random, result_of(documents[-1]))
            found = solve(place, history.constraints, action)
            history = history.did(action.label, found.constraints)
            documents.append(found.document)
        for opened in solving._opened.values():
            opened.results.clear()  # so that all are found again
        for document in documents[-2::-1]:
            history = history.undone()
            assert solve(place, history.constraints).document == document
        for document in documents[1:]:
            history = history.redone()
            again = constraints_of(entries_of(history.constraints))
            assert solve(place, again).document == document


def test_words_get_the_speakers_of_the_edited_result(tmp_path: Path) -> None:
    place = kept(tmp_path, CONVERSATION, has_words=True)
    before = json_document.read(place.original.read_text(), "test")[0]
    found = solve(place, (), Merge(("SPEAKER_00", "SPEAKER_01")))
    after = json_document.read(found.document, "test")[0]
    assert after.language == "tlh"
    assert after.speakers in (("SPEAKER_00",), ("SPEAKER_01",))
    texts = [word.text for each in before.segments for word in each.words]
    assert sorted(word.text for each in after.segments for word in each.words) == sorted(texts)
    assert len(after.segments) < len(before.segments)


def test_what_an_edit_cannot_do_is_told(tmp_path: Path) -> None:
    place = kept(tmp_path, CONVERSATION)
    assert solve(place, (), Rename("SPEAKER_00", "Anna")).notices == ()
    [notice] = solve(place, (), Silence(0.5, 1.5)).notices
    assert notice.startswith("nothing changes")
    found = solve(place, (), Assign(0.5, 1.5, "Anna"))
    assert found.notices == ("no speaker speaks alone in [0.5, 1.5]; it has no effect",)
    again = solve(place, found.constraints, Rename("SPEAKER_00", "Bob"))
    assert again.notices == ()  # it was told before
    with pytest.raises(ConfigError, match="SPEAKER_00 has no turn"):
        solve(place, (), Boundary("SPEAKER_00", 0, 1, "end", 2))


def test_the_number_of_speakers_that_was_asked_for_holds(tmp_path: Path) -> None:
    place = kept(tmp_path, CONVERSATION)._replace(speakers=SpeakerCount(2, 2))
    with pytest.raises(ConfigError, match=r"name 3 speakers .* at most 2 are allowed"):
        solve(place, (), Assign(12, 14, "Anna"))


def test_few_recordings_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = kept(tmp_path, CONVERSATION), kept(tmp_path, CLIPS / "panel03.flac")
    expected = solve(one, (), Silence(10, 11))
    solve(other, ())
    assert len(solving._opened) == 2
    monkeypatch.setattr(solving, "MOST_BYTES", 1)
    solve(kept(tmp_path, CLIPS / "trn00.flac"), ())
    assert len(solving._opened) == 1
    assert solve(one, (), Silence(10, 11)) == expected
    for number in range(20):
        solve(one, (), Silence(number, number + 1))
    [opened] = solving._opened.values()
    assert len(opened.results) <= solving.MOST_RESULTS


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    place = kept(tmp_path, CONVERSATION)
    place.artifacts.write_bytes(place.artifacts.read_bytes()[:-100])
    with pytest.raises(FormatError, match="not the artifacts of a recording"):
        solve(place, ())
    place.artifacts.unlink()
    with pytest.raises(FormatError, match="was deleted; diarize it again"):
        solve(place, ())


def test_names_of_known_speakers_survive_edits(tmp_path: Path) -> None:
    place = kept(tmp_path, CONVERSATION)
    original = result_of(place.original.read_text())
    first, other = original.speakers[:2]
    named = renamed(original, {first: "Diane"})
    place.original.write_text(json_document.write(transcript_of(named)))
    found = solve(place, (), Rename(other, "Sheila"))
    edited = result_of(found.document)
    assert {"Diane", "Sheila"} <= {*edited.speakers}
    assert first not in edited.speakers
    own = [(turn.start, turn.end) for turn in named.turns if turn.speaker == "Diane"]
    assert [(turn.start, turn.end) for turn in edited.turns if turn.speaker == "Diane"] == own
    once_more = solve(place, found.constraints, Silence(0.0, 1.0))
    assert "Diane" in result_of(once_more.document).speakers
