"""`hocket stream`: from a file, a pipe and a missing microphone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hocket.cli.stream import _JsonLines
from hocket.notices import Notice
from hocket.online.tracker import Update
from tests.helpers.audio import encode
from tests.helpers.command_line import StandardInput, hocket
from tests.helpers.paths import CONVERSATION

RATE = 16_000


def updates(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def samples() -> np.ndarray:
    found, _ = soundfile.read(CONVERSATION, dtype="int16")
    return found


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> str:
    assert hocket("stream", CONVERSATION, "--json", "--threads", 1) == 0
    return capsys.readouterr().out


def test_every_update_is_a_json_object_on_a_line(printed: str) -> None:
    found = updates(printed)
    assert all(list(update)[:3] == ["time", "final", "tentative"] for update in found)
    turns = [turn for update in found for turn in update["final"]]
    assert all(list(turn) == ["start", "end", "speaker", "id", "confidence"] for turn in turns)
    assert all(turn["id"] == turn["speaker"] for turn in turns)
    assert all(0 < turn["confidence"] < 1 for turn in turns)
    assert {turn["speaker"] for turn in turns} >= {"SPEAKER_00", "SPEAKER_01"}
    assert found[-1]["tentative"] == []
    assert len({json.dumps(turn) for turn in turns}) == len(turns)


def test_a_pipe_gives_the_updates_of_the_file(
    printed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    floats = samples().astype(np.float32) / 32_768
    for form, content in [
        ("s16le", samples().astype("<i2").tobytes() + b"\0"),
        ("f32le", floats.astype("<f4").tobytes() + b"\0\0"),
        ("wav", encode(samples(), RATE, "WAV", "PCM_16")),
        ("auto", encode(floats, RATE, "WAV", "FLOAT")),
    ]:
        monkeypatch.setattr(sys, "stdin", StandardInput(content))
        assert hocket("stream", "-", "--format", form, "--json", "--threads", 2) == 0
        assert updates(capsys.readouterr().out) == updates(printed)


def test_final_turns_are_lines_without_json(
    printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("stream", CONVERSATION) == 0
    turns = [turn for update in updates(printed) for turn in update["final"]]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == [turn["speaker"] for turn in turns]


@pytest.mark.parametrize(
    ("content", "options", "code", "message"),
    [
        (b"no header at all", ["--format", "wav"], 1, "stdin: has no WAV header"),
        (encode(np.zeros(99), RATE), ["--format", "s16le"], 1, "looks like WAV, not like s16le"),
        (encode(np.zeros(99), RATE, "OGG"), ["--format", "f32le"], 1, "looks like Ogg, not like"),
        (b"OggS" + b"x" * 9_000, [], 1, "looks like Ogg, but is truncated or damaged"),
        (b"", ["--rate", "0"], 2, "give 1 or more of both"),
        (b"\0" * 64, ["--rate", "12"], 1, "stdin: has a sample rate of 12 Hz"),
        (b"", ["--channels", "-1"], 2, "give 1 or more of both"),
        (b"\0" * 900, ["--channels", "99"], 1, "stdin: was fed an array of shape"),
    ],
)
def test_unusable_input_is_one_line(
    content: bytes,
    options: list[str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", StandardInput(content))
    assert hocket("stream", "-", *options) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("hocket: ")
    assert err.count("\n") == 1


def test_empty_standard_input_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", StandardInput(b""))
    assert hocket("stream", "-", "--json") == 0
    assert capsys.readouterr() == ("", "")


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("stream", tmp_path / "none.wav") == 1
    assert "none.wav" in capsys.readouterr().err


def test_a_missing_microphone_is_an_error_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert hocket("stream", "--mic") == 3
    assert "run \"pip install 'hocket[mic]'\"" in capsys.readouterr().err
    assert hocket("stream", CONVERSATION, "--mic") == 2


def test_ctrl_c_ends_the_stream_with_its_last_turns() -> None:
    program = (
        "import sys, signal, os\n"
        "from hocket.audio.sources import Source\n"
        "from hocket.cli.main import main\n"
        "from contextlib import contextmanager\n"
        "import soundfile\n"
        f"sound = soundfile.read({str(CONVERSATION)!r}, dtype='float32', frames=240000)[0]\n"
        "def blocks():\n"
        "    yield sound\n"
        "    raise KeyboardInterrupt\n"
        "@contextmanager\n"
        "def opened(path, notices):\n"
        "    yield Source(16000, blocks())\n"
        "import hocket.cli.live\n"
        "hocket.cli.live.open_file = opened\n"
        "sys.exit(main(['stream', 'x', '--json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert updates(done.stdout)[-1]["time"] == 15.0
    assert done.stderr == ""


def test_a_notice_is_in_one_update(capsys: pytest.CaptureFixture[str]) -> None:
    noted = [Notice("gap", "a gap", 1.0, 2.0)]
    lines = _JsonLines(lambda: tuple(noted))
    lines.show(Update(1.8, (), ()))
    noted.append(Notice("level", "quiet"))
    for time in (3.6, 5.4):
        lines.show(Update(time, (), ()))
    found = [update.get("notices") for update in updates(capsys.readouterr().out)]
    assert found == [
        [{"kind": "gap", "text": "a gap", "start": 1.0, "end": 2.0}],
        [{"kind": "level", "text": "quiet", "start": None, "end": None}],
        None,
    ]
