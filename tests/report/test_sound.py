"""The sound of a page: small, in time, and the same each time it is made."""

from pathlib import Path

import numpy as np
import pytest

from hocket.audio.reading import read_audio
from hocket.errors import BackendError
from hocket.report import recording, sound
from hocket.report.recording import record
from hocket.report.sound import RATE, Encoder
from tests.helpers.audio import noise, pitch, tone
from tests.helpers.paths import CONVERSATION


def encoded(samples: np.ndarray, block: int = 50_000) -> bytes:
    encoder = Encoder()
    for first in range(0, len(samples), block):
        encoder.add(samples[first : first + block])
    return encoder.finish()


def test_ten_minutes_are_far_below_fifteen_megabytes() -> None:
    content = encoded(noise(30 * RATE))  # noise is hardest to compress
    assert 20 * len(content) * 4 / 3 < 4e6


def test_what_is_played_is_the_recording_in_time() -> None:
    samples = read_audio(CONVERSATION, target_rate=RATE).samples
    again = read_audio(encoded(samples), target_rate=RATE).samples
    assert len(again) == len(samples)
    size = 2 * len(samples)
    together = np.fft.irfft(np.fft.rfft(again, size) * np.conj(np.fft.rfft(samples, size)))
    assert int(np.argmax(together)) == 0  # no delay
    assert pitch(read_audio(encoded(tone(2.0)), target_rate=RATE).samples) == pytest.approx(440)


def test_the_same_recording_is_the_same_file() -> None:
    samples = tone(3.0)
    assert encoded(samples) == encoded(samples, 7_001)


def test_without_samples_there_is_no_file() -> None:
    assert encoded(noise(0)) == b""


def test_too_long_a_recording_is_left_out_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "LONGEST_S", 2.0)
    for samples, audio, kept in (
        (tone(1.9), None, True), (tone(2.1), None, False), (tone(2.1), True, True),
        (tone(1.0), False, False),
    ):  # fmt: skip
        found = record(samples, sample_rate=RATE, name="tone", audio=audio)
        assert bool(found.sound) is kept
        assert found.duration == len(samples) / RATE


def test_no_encoder_is_an_error_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sound, "ENCODER", "libnone")
    with pytest.raises(BackendError, match="has no libnone; give --no-audio"):
        record(noise(RATE), sample_rate=RATE, name="noise")
