"""`hocket diarize` on short, damaged and unusual recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.helpers.command_line import hocket

RATE = 16_000


def content_of(case: str, clip: Path) -> bytes:
    speech, _ = soundfile.read(clip, dtype="float32")
    made = clip.with_name("made.wav")
    invalid = np.arange(len(speech)) % 14
    arrays = {
        "header only": np.zeros(0),
        "one sample": np.zeros(1),
        "0.9 s": speech[: 9 * RATE // 10],
        "silence": np.zeros(3 * RATE),
        "white noise": np.random.default_rng(1).uniform(-1, 1, 3 * RATE),
        "clipped DC": np.ones(3 * RATE),
        "NaN and Inf": np.select([invalid == 0, invalid == 7], [np.nan, np.inf], speech),
    }
    if case in arrays:
        soundfile.write(made, arrays[case], RATE, subtype="FLOAT")
    elif case == "8 kHz":
        soundfile.write(made, speech[::2], 8_000)
    elif case == "96 kHz, 6 channels":
        soundfile.write(made, np.tile(np.repeat(speech, 6)[:, None], 6), 96_000)
    elif case == "truncated FLAC":
        made = clip.with_name("made.flac")
        soundfile.write(made, speech, RATE)
        return made.read_bytes()[: made.stat().st_size // 2]
    return made.read_bytes()


@pytest.mark.parametrize(
    ("case", "speaks"),
    [
        ("header only", False),
        ("one sample", False),
        ("0.9 s", False),
        ("silence", False),
        ("white noise", False),
        ("clipped DC", False),
        ("NaN and Inf", None),
        ("8 kHz", True),
        ("96 kHz, 6 channels", True),
        ("truncated FLAC", None),
    ],
)
def test_poor_audio_gives_a_valid_result(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, speaks: bool | None
) -> None:
    poor = tmp_path / "poor.bin"
    poor.write_bytes(content_of(case, clip))
    assert hocket("diarize", poor, "--format", "json") == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert all(0 <= t["start"] < t["end"] <= result["duration"] for t in result["turns"])
    if speaks is not None:
        assert bool(result["turns"]) == speaks
    assert len(err.splitlines()) <= 1
    assert "Traceback" not in err
