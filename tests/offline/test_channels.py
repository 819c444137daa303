"""Channels that are diarized each by itself: a party a channel, with and without bleed."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bench.accuracy.scoring import score
from bench.corpus import find_recordings
from hocket import Result, diarize
from hocket.corrections.constraints import Nobody
from hocket.errors import ConfigError
from hocket.formats import FORMATS
from hocket.notices import Notice
from hocket.offline.joining import join, of_channel, one_voice_each
from hocket.renaming import renamed
from hocket.result import UncertainSegment
from hocket.turns import Turn
from tests.helpers.documents import document
from tests.helpers.paths import CLIPS
from tests.helpers.shared import diarizer_of, samples_of

RATE = 16_000
(PANEL,) = (each for each in find_recordings(CLIPS) if each.uri == "panel03")


def call(leak_db: float | None, far_db: float = 0.0) -> NDArray[np.float32]:
    """The panel with a channel for each of its three speakers."""
    sound = samples_of(PANEL.audio)
    own = 1e-4 * np.random.default_rng(0).standard_normal((len(sound), 3))
    names = sorted({turn.speaker for turn in PANEL.turns()})
    for turn in PANEL.turns():
        part = slice(round(turn.start * RATE), round(turn.end * RATE))
        own[part, names.index(turn.speaker)] += sound[part]
    if leak_db is not None:
        others = own.sum(axis=1, keepdims=True) - own
        own += 10 ** (leak_db / 20) * np.roll(others, 80, axis=0)
    own[:, 1] *= 10 ** (far_db / 20)
    return own.astype(np.float32)


@pytest.mark.parametrize(("leak_db", "far_db"), [(None, -30.0), (-18.0, 0.0)])
def test_parties_are_told_apart_by_channel(leak_db: float | None, far_db: float) -> None:
    found = diarizer_of()(call(leak_db, far_db), sample_rate=RATE, channels="each")
    scored = score(PANEL.turns(), found.turns, PANEL.regions())
    assert scored.as_row()["der_percent"] < 6
    assert sorted(found.speakers) == [f"CH{number}_SPEAKER_00" for number in (1, 2, 3)]
    assert all(turn.speaker.startswith(f"CH{turn.channel}_") for turn in found.turns)
    assert {turn.speaker for turn in found.turns} == set(found.speakers)
    ends = [turn.end for turn in found.exclusive_turns]
    assert all(a <= b.start for a, b in zip(ends, found.exclusive_turns[1:], strict=False))
    kinds = [notice.kind for notice in found.notices]
    assert kinds.count("bleed") == (0 if leak_db is None else 3)
    assert all(notice.text.startswith("channel ") for notice in found.notices)


def test_one_channel_is_as_it_is_alone_and_a_file_object_is_read_for_all() -> None:
    sound = samples_of(PANEL.audio)[: 6 * RATE]
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="WAV", subtype="FLOAT")
    file.seek(0)
    seen: list[tuple[int, int]] = []
    found = diarizer_of()(
        file, channels="each", progress=lambda _, done, total: seen.append((done, total))
    )
    alone = diarizer_of()(sound, sample_rate=RATE)
    assert {turn.channel for turn in found.turns} == {1}
    assert found.duration == alone.duration
    assert all(done <= total for done, total in seen)
    np.testing.assert_allclose(found.embeddings, alone.embeddings, atol=1e-6)


def test_a_recording_without_samples_and_one_of_silence() -> None:
    empty = diarize(np.zeros((0, 2), np.float32), sample_rate=RATE, channels="each")
    assert (empty.turns, empty.speakers, empty.duration) == ((), (), 0.0)
    assert [notice.kind for notice in empty.notices] == ["empty"]
    silent = diarize(np.zeros((RATE, 3), np.float32), sample_rate=RATE, channels="each")
    assert (silent.turns, silent.duration, silent.count_confidence) == ((), 1.0, {0: 1.0})


def test_constraints_are_for_one_channel() -> None:
    with pytest.raises(ConfigError, match="constraints exclude channels=each"):
        diarize(
            np.zeros((RATE, 2), np.float32), sample_rate=RATE, channels="each",
            constraints=[Nobody((0.0, 1.0))],
        )  # fmt: skip


def result(*rows: tuple[float, float, str], vectors: dict[str, list[float]]) -> Result:
    turns = tuple(sorted(Turn(start, end, speaker, 0.9) for start, end, speaker in rows))
    uncertain = (UncertainSegment(rows[0][0], rows[0][1], rows[0][2], 0.5, tuple(vectors)[1:]),)
    return Result(
        uri="call",
        turns=turns,
        exclusive_turns=turns,
        speakers=tuple(vectors),
        embeddings=np.array(list(vectors.values()), np.float32),
        duration=10.0,
        seconds={"embedding": 1.0},
        count_confidence={1: 0.5, 2: 0.5},
        uncertain=uncertain,
        notices=(Notice("damaged", "x"),),
    )


ONE = result((0, 4, "A"), (6, 8, "B"), vectors={"A": [1, 0], "B": [0, 1]})
OTHER = result((1, 2, "A"), (3, 5, "A"), vectors={"A": [0, 1]})


def test_results_of_channels_are_joined() -> None:
    joined = join([of_channel(ONE, 1), of_channel(OTHER, 2)])
    assert [(t.start, t.end, t.speaker, t.channel) for t in joined.turns] == [
        (0, 4, "CH1_A", 1), (1, 2, "CH2_A", 2), (3, 5, "CH2_A", 2), (6, 8, "CH1_B", 1),
    ]  # fmt: skip
    assert [(t.start, t.end) for t in joined.exclusive_turns] == [(0, 4), (4, 5), (6, 8)]
    assert joined.speakers == ("CH1_A", "CH2_A", "CH1_B")
    assert joined.embeddings.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert joined.seconds == {"embedding": 2.0}
    assert joined.notices == ONE.notices
    assert sum(joined.count_confidence.values()) == pytest.approx(1, abs=0.02)
    assert joined.count_confidence[2] > joined.count_confidence[3]
    assert joined.uncertain[0].alternatives == ("CH1_B",)


def test_a_voice_in_two_channels_is_one_speaker_where_that_is_asked_for() -> None:
    joined = one_voice_each(join([of_channel(ONE, 1), of_channel(OTHER, 2)]))
    assert joined.speakers == ("CH1_A", "CH2_A")
    assert {(t.start, t.speaker, t.channel) for t in joined.turns} >= {(6, "CH2_A", 1)}
    far = one_voice_each(join([of_channel(ONE, 1)]))  # of one channel, none are joined
    assert far.speakers == ("CH1_A", "CH1_B")


def test_names_that_are_the_same_make_one_speaker() -> None:
    touching = result(
        (0, 2, "A"), (1, 3, "B"), (3, 4, "A"), (6, 8, "B"), vectors={"A": [1, 0], "B": [0, 1]}
    )
    one = renamed(touching, {"A": "Anna", "B": "Anna"})
    assert [(turn.start, turn.end) for turn in one.turns] == [(0, 4), (6, 8)]
    assert one.speakers == ("Anna",)
    assert np.linalg.norm(one.embeddings, axis=1) == pytest.approx(1)
    assert one.count_confidence == {1: 1.0}
    assert one.uncertain[0].alternatives == ()
    other = renamed(touching, {"B": "Anna"})
    assert [turn.end - turn.start for turn in other.turns] == [2, 2, 1, 2]
    assert other.speakers == ("A", "Anna")
    assert renamed(touching, {}) == touching


def test_channels_are_in_every_format() -> None:
    joined = join([of_channel(ONE, 1), of_channel(OTHER, 2)])
    for name in FORMATS:
        assert "CH2_A" in document(joined, name)
    assert {line.split()[2] for line in joined.to_rttm().splitlines()} == {"1", "2"}
    rows = json.loads(joined.to_json())["turns"]
    assert [row["channel"] for row in rows] == [1, 2, 2, 1]
    again = Result.from_dict(json.loads(json.dumps(joined.to_dict())))
    assert again.turns[0].channel == 1
    unnumbered = tuple(replace(turn, channel=None) for turn in joined.turns)
    assert replace(joined, turns=unnumbered) != joined
