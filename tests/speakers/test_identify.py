"""Clusters of a recording matched with speakers of a store: named, suggested or unknown."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from hocket.cli.speakers import name_known
from hocket.errors import SpeakerError
from hocket.formats import FORMATS
from hocket.result import Result
from hocket.speakers import SpeakerStore, name_speakers
from hocket.turns import Turn
from tests.helpers.documents import document
from tests.helpers.voice_vectors import MODEL, axis, between, exemplar, result_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpeakerStore]:
    """A store that knows Anna, Ben and Cleo, the voices 0, 1 and 2."""
    with SpeakerStore(tmp_path / "team.db") as made:
        for voice, name in enumerate(["Anna", "Ben", "Cleo"]):
            made.enroll(name, [exemplar(axis(voice))], MODEL)
        yield made


def at_once(result: Result) -> Result:
    """The result with all clusters speaking at the same time."""
    turns = tuple(replace(turn, start=0.0, end=10.0) for turn in result.turns)
    return replace(result, turns=turns)


def found(
    store: SpeakerStore, *voices: np.ndarray, seconds: float = 10.0, overlap: bool = True
) -> list[str]:
    """The match of each cluster: a name, a name with a question mark, or a dash."""
    result = result_of(list(voices), seconds)
    matches = store.identify(at_once(result) if overlap else result)
    assert [match.cluster for match in matches] == [f"SPEAKER_{i:02d}" for i in range(len(voices))]
    return [
        "-" if match.speaker is None else match.speaker.name + ("" if match.certain else "?")
        for match in matches
    ]


def test_every_known_speaker_is_found(store: SpeakerStore) -> None:
    assert found(store, axis(2), axis(0), axis(1)) == ["Cleo", "Anna", "Ben"]


def test_between_the_thresholds_a_name_is_suggested(store: SpeakerStore) -> None:
    voices = [between(0, 5, 0.7), between(1, 6, 0.5), between(2, 7, 0.3)]
    assert found(store, *voices) == ["Anna", "Ben?", "-"]


@pytest.mark.parametrize(("cosine", "expected"), [(0.6, "Anna"), (0.4, "Anna?")])
def test_exactly_on_a_threshold_is_near_enough(
    store: SpeakerStore, cosine: float, expected: str
) -> None:
    voice = between(0, 5, cosine)
    exact = store.nearest(voice, MODEL)[0][1]
    name = "name_distance" if expected == "Anna" else "suggest_distance"
    model = replace(MODEL, **{name: exact})
    (match,) = store.identify(replace(result_of([voice]), embedding_model=model))
    assert match.speaker is not None
    assert match.certain == (expected == "Anna")


def test_a_name_goes_to_one_cluster_only_and_the_nearer_gets_it(store: SpeakerStore) -> None:
    assert found(store, between(0, 5, 0.7), between(0, 6, 0.9)) == ["-", "Anna"]


def test_clusters_that_never_overlap_share_a_name_and_become_one(store: SpeakerStore) -> None:
    voices = [between(0, 5, 0.7), axis(1), between(0, 6, 0.9)]
    assert found(store, *voices, overlap=False) == ["Anna", "Ben", "Anna"]
    result = result_of(voices)
    named = name_speakers(result, store.identify(result))
    assert named.speakers == ("Anna", "Ben")
    assert [turn.id for turn in named.turns] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]
    assert len(named.embeddings) == 2
    # rather than a worse name that is only suggested
    mixed = (0.8 * axis(0) + 0.5 * axis(1) + 0.33 * axis(5)).astype(np.float32)
    assert found(store, mixed, axis(0), overlap=False) == ["Anna", "Anna"]
    # a suggestion is not shared
    assert found(store, between(0, 5, 0.5), axis(0), overlap=False) == ["-", "Anna"]
    one, other = store.identify(at_once(result_of([between(0, 5, 0.7), axis(0)])))
    assert (one.shared_with, other.shared_with) == ("SPEAKER_01", None)


def test_a_name_is_not_certain_where_turns_are_not(store: SpeakerStore) -> None:
    result = result_of([axis(0), axis(1)])
    one, other = result.turns
    turns = (replace(one, confidence=0.6), replace(other, confidence=0.8))
    matches = store.identify(replace(result, turns=turns))
    assert [match.certain for match in matches] == [False, True]
    assert matches[0].speaker is not None  # it is suggested


def test_a_match_carries_margin_and_threshold(store: SpeakerStore) -> None:
    both = (0.8 * axis(0) + 0.6 * axis(1)).astype(np.float32)
    (match,) = store.identify(result_of([both]))
    assert match.distance == pytest.approx(0.2, abs=1e-5)
    assert match.margin == pytest.approx(0.2, abs=1e-5)
    assert match.threshold == MODEL.name_distance
    result = result_of([both])
    named = name_speakers(result, store.identify(result))
    (identity,) = named.identities
    assert (identity.id, identity.name, identity.certain) == ("SPEAKER_00", "Anna", True)
    assert identity.distance == pytest.approx(0.2, abs=1e-5)
    assert json.loads(named.to_json())["identities"][0]["margin"] == 0.2
    assert Result.from_dict(json.loads(json.dumps(named.to_dict()))).identities == (identity,)
    (match,) = store.identify(result_of([both]), threshold=0.1)
    assert (match.certain, match.threshold) == (False, 0.1)
    (match,) = store.identify(result_of([between(0, 5, 0.1)]), threshold=0.95)
    assert match.certain
    for wrong in (-0.1, 2.1, "0.5", True):
        with pytest.raises(SpeakerError, match="threshold is"):
            store.identify(result_of([both]), threshold=wrong)  # type: ignore[arg-type]


def test_whoever_is_recognized_was_seen(store: SpeakerStore) -> None:
    before = {each.name: each.seen_at for each in store.speakers()}

    def seen() -> set[str]:
        return {each.name for each in store.speakers() if each.seen_at > before[each.name]}

    time.sleep(0.002)
    store.identify(result_of([axis(0), between(1, 5, 0.5)]), mark=False)
    assert seen() == set()
    store.identify(result_of([axis(0), between(1, 5, 0.5)]))
    assert seen() == {"Anna"}
    assert not store.verify("Ben", axis(5), MODEL).same
    assert seen() == {"Anna"}
    found = store.verify("Ben", axis(1), MODEL)
    assert (found.same, found.margin) == (True, pytest.approx(1))
    assert seen() == {"Anna", "Ben"}


def test_a_cluster_yields_only_if_it_is_near_another_speaker(store: SpeakerStore) -> None:
    both = 0.9 * axis(0) + 0.43 * axis(1)
    assert found(store, both.astype(np.float32), between(0, 5, 0.95)) == ["Ben?", "Anna"]
    # no cluster gets a worse name only to give one to another
    assert found(store, between(0, 1, 0.95), between(0, 5, 0.42)) == ["Anna", "-"]


def test_a_match_has_a_probability(store: SpeakerStore) -> None:
    """Of the speaker who is named or suggested, or else of the nearest."""
    voices = [axis(0), between(1, 2, 0.75), axis(7), np.zeros_like(axis(0))]
    near, doubtful, far, mute = store.identify(result_of(voices))
    assert near.probability > 0.99
    assert near.probability > doubtful.probability > far.probability > 0
    assert far.speaker is None
    assert far.probability < 0.01
    assert mute.probability == 0


def test_a_cluster_with_little_speech_is_unknown(store: SpeakerStore) -> None:
    assert found(store, axis(0), seconds=2.9) == ["-"]
    assert found(store, axis(0), seconds=3.0) == ["Anna"]


def test_a_cluster_without_an_embedding_is_unknown(store: SpeakerStore) -> None:
    nothing, nan = np.zeros_like(axis(0)), np.full_like(axis(0), np.nan)
    assert found(store, nothing, axis(1), nan) == ["-", "Ben", "-"]
    assert found(store) == []


def test_names_are_in_all_formats(store: SpeakerStore) -> None:
    result = result_of([axis(5), axis(0)])
    named = name_speakers(result, store.identify(result))
    assert named.speakers == ("SPEAKER_00", "Anna")
    assert named.turns == (Turn(0, 10, "SPEAKER_00"), Turn(10, 20, "Anna"))
    assert named.exclusive_turns == named.turns
    for format_name in FORMATS:
        written = document(named, format_name)
        assert "Anna" in written
        assert "SPEAKER_01" not in written.replace('"id": "SPEAKER_01"', "")


def test_a_suggestion_names_nobody(store: SpeakerStore) -> None:
    result = result_of([between(0, 5, 0.5)])
    assert name_speakers(result, store.identify(result)).speakers == ("SPEAKER_00",)


def test_the_command_line_shows_suggestions(
    store: SpeakerStore, capsys: pytest.CaptureFixture[str]
) -> None:
    result = result_of([between(0, 5, 0.5), axis(1)])
    named = name_known(store, result, "talk.wav", None)
    assert named.speakers == ("SPEAKER_00", "Ben")
    out, err = capsys.readouterr()
    far = "distance 0.500, 0.4 at most, next +0.500, 88% sure"
    assert (out, err) == ("", f"hocket: talk.wav: SPEAKER_00 may be Anna ({far})\n")


def test_a_write_protected_store_still_names(
    store: SpeakerStore, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        SpeakerStore(store.path, read_only=True) as reader,
        click.Context(click.Command("diarize")),
    ):
        for _ in range(3):
            named = name_known(reader, result_of([axis(1)]), "talk.wav", None)
            assert named.speakers == ("Ben",)
    (complaint,) = caplog.messages  # once, however many recordings
    assert complaint.startswith(f"{store.path}: may only be read")


def test_simultaneous_turns_stay_in_order(store: SpeakerStore) -> None:
    result = result_of([axis(2), axis(0)])
    together = (Turn(0, 10, "SPEAKER_00"), Turn(0, 10, "SPEAKER_01"))
    result = replace(result, turns=together)
    named = name_speakers(result, store.identify(result))
    assert [turn.speaker for turn in named.turns] == ["Anna", "Cleo"]


def test_verification_uses_the_models_threshold(store: SpeakerStore) -> None:
    near, far = between(0, 5, 0.6), between(0, 5, 0.4)
    assert store.verify("Anna", near, MODEL).same
    assert not store.verify("Anna", far, MODEL).same
    assert store.verify("Anna", near, MODEL).distance == pytest.approx(0.4, abs=1e-6)
