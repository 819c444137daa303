"""Clips are compared with what they join, and refused if no one voice is clear in them."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket import SpeakerStore, enroll, models, verify
from hocket.errors import AudioVoiceError, SpeakerError
from hocket.speakers import export_speakers, import_speakers
from hocket.speakers.clips import Voice, check_same, nearest_of
from hocket.speakers.enroll import Enrollment, check_voices, nobody
from tests.helpers.audio import noise
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.shared import RATE, diarizer_of, samples_of
from tests.helpers.voice_vectors import MODEL, axis, between, exemplar

Sound = NDArray[np.float32]

ANNA = Voice("Anna", axis(0)[None])
BEN = Voice("Ben", axis(1)[None])


def voice(vector: NDArray[np.float32], source: str = "a.wav") -> Enrollment:
    return Enrollment((exemplar(vector, source=source),), MODEL)


def test_a_clip_must_be_near_what_it_joins_and_no_nearer_to_another() -> None:
    assert check_same("a.wav", between(0, 5, 0.9), ANNA, [BEN], MODEL) == pytest.approx(0.1)
    with pytest.raises(SpeakerError, match=r"is not the voice of Anna \(distance 0.9.*--force"):
        check_same("a.wav", between(0, 5, 0.1), ANNA, [BEN], MODEL)
    nearer = (0.6 * axis(0) + 0.8 * axis(1)).astype(np.float32)
    with pytest.raises(SpeakerError, match=r"is nearer to Ben \(distance 0.2.* than to Anna"):
        check_same("a.wav", nearer, ANNA, [BEN], replace(MODEL, verify_distance=0.5))
    assert nearest_of(axis(3), []) is None


def test_clips_of_one_call_are_compared_with_each_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    two = [voice(axis(0)), voice(axis(1), "b.wav")]
    with pytest.raises(SpeakerError, match=r"b\.wav: is not the voice of the clips before"):
        check_voices(two, nobody(), [], force=False)
    check_voices(two, nobody(), [], force=True)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_new_name_for_a_known_voice_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    check_voices([voice(between(0, 5, 0.9))], nobody(), [BEN, ANNA], force=False)
    (text,) = caplog.messages
    assert "resembles Anna, who is in the store (distance 0.100)" in text
    check_voices([voice(axis(5))], nobody(), [BEN, ANNA], force=False)
    assert len(caplog.messages) == 1


@pytest.fixture
def known(tmp_path: Path) -> Iterator[SpeakerStore]:
    """A store with Ann, who speaks the first words of the panel."""
    with SpeakerStore(tmp_path / "team.db") as store:
        enroll(store, "Ann", [ann()], diarizer_of(), sample_rate=RATE)
        yield store


def ann() -> Sound:
    return turn_of(CLIPS / "panel03", 0)


def turn_of(path: Path, who: int) -> Sound:
    """The longest turn of a speaker, by order of appearance."""
    rows = [line.split() for line in path.with_suffix(".rttm").read_text().splitlines()]
    names = list(dict.fromkeys(row[7] for row in rows))
    own = [(float(row[4]), float(row[3])) for row in rows if row[7] == names[who]]
    length, start = max(own)
    return samples_of(path.with_suffix(".flac"))[
        round(start * RATE) : round((start + length) * RATE)
    ]


def test_the_same_clip_changes_nothing_and_another_voice_is_refused(known: SpeakerStore) -> None:
    before = known.speaker("Ann").exemplars
    assert (
        enroll(known, "Ann", [ann()], diarizer_of(), add=True, sample_rate=RATE).exemplars == before
    )
    other = turn_of(CLIPS / "panel03", 1)
    with pytest.raises(SpeakerError, match="is not the voice of Ann"):
        enroll(known, "Ann", [other], diarizer_of(), add=True, sample_rate=RATE)
    assert known.speaker("Ann").exemplars == before
    found = verify(known, "Ann", other, diarizer_of(), sample_rate=RATE, threshold=1.9)
    assert (found.same, found.threshold) == (True, 1.9)
    forced = enroll(known, "Ann", [other], diarizer_of(), add=True, sample_rate=RATE, force=True)
    assert forced.exemplars > before


def test_an_import_adds_no_other_voice(known: SpeakerStore, tmp_path: Path) -> None:
    document = json.loads(export_speakers(known))
    exemplars = document["speakers"][0]["exemplars"]
    wrong = np.roll(np.array(exemplars[0]["embedding"]), 50).tolist()
    exemplars[0] |= {"embedding": wrong, "source": "x.wav"}
    written = "\ufeff" + json.dumps(document)  # with a byte order mark
    with pytest.raises(SpeakerError, match=r"Ann: x\.wav is not that voice .*nothing was imported"):
        import_speakers(known, written, "add")
    import_speakers(known, written, "add", force=True)
    assert known.speaker("Ann").exemplars > 1
    assert models.embedding_model(str(known.model and known.model.name)).verify_distance > 0


def test_noise_and_a_crowd_are_refused_with_the_reason(known: SpeakerStore) -> None:
    speech = np.tile(ann(), 2)
    loud = float(np.sqrt(np.mean(speech**2)))
    noisy = speech + noise(len(speech)) * (loud / 0.1) * 10**0.5
    panel, talk = samples_of(CLIPS / "panel03.flac"), samples_of(CONVERSATION)
    crowd = sum(
        np.roll(sound, 7 * RATE * k)[: 12 * RATE] for k in range(4) for sound in (panel, talk)
    )
    for sound in (noisy, crowd):
        with pytest.raises(AudioVoiceError):
            enroll(known, "Bo", [np.asarray(sound, np.float32)], diarizer_of(), sample_rate=RATE)
    assert [speaker.name for speaker in known.speakers()] == ["Ann"]
