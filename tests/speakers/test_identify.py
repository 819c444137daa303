"""Clusters of a recording matched with speakers of a store: named, suggested or unknown."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from hocket.cli.speakers import name_known
from hocket.formats.writers import WRITERS, document
from hocket.result import Turn
from hocket.speakers import SpeakerStore, name_speakers
from tests.helpers.voice_vectors import MODEL, axis, between, exemplar, result_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpeakerStore]:
    """A store that knows Anna, Ben and Cleo, the voices 0, 1 and 2."""
    with SpeakerStore(tmp_path / "team.db") as made:
        for voice, name in enumerate(["Anna", "Ben", "Cleo"]):
            made.enroll(name, [exemplar(axis(voice))], MODEL)
        yield made


def found(store: SpeakerStore, *voices: np.ndarray, seconds: float = 10.0) -> list[str]:
    """The match of each cluster: a name, a name with a question mark, or a dash."""
    matches = store.identify(result_of(list(voices), seconds))
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
    for format_name in WRITERS:
        written = document(named, format_name)
        assert "Anna" in written
        assert "SPEAKER_01" not in written.replace('"id": "SPEAKER_01"', "")


def test_a_suggestion_names_nobody(store: SpeakerStore) -> None:
    result = result_of([between(0, 5, 0.5)])
    assert name_speakers(result, store.identify(result)).speakers == ("SPEAKER_00",)


def test_the_command_line_shows_suggestions(
    store: SpeakerStore, capsys: pytest.CaptureFixture[str]
) -> None:
    named = name_known(store, result_of([between(0, 5, 0.5), axis(1)]), "talk.wav")
    assert named.speakers == ("SPEAKER_00", "Ben")
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        "hocket: talk.wav: SPEAKER_00 may be Anna (distance 0.500, 88% sure)\n",
    )


def test_a_write_protected_store_still_names(
    store: SpeakerStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        SpeakerStore(store.path, read_only=True) as reader,
        click.Context(click.Command("diarize")),
    ):
        for _ in range(3):
            assert name_known(reader, result_of([axis(1)]), "talk.wav").speakers == ("Ben",)
    (complaint,) = capsys.readouterr().err.splitlines()  # once, however many recordings
    assert complaint.startswith(f"hocket: {store.path}: may only be read")


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
