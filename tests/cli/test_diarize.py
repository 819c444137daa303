"""The command line, as its users meet it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from hocket.cli import diarize as cli_diarize
from hocket.cli import main as cli
from hocket.cli.outcome import FAILED, INTERNAL, INTERRUPTED, UNUSABLE, USAGE
from hocket.errors import BackendError
from hocket.files import distinct_paths, write_whole
from hocket.offline.diarizer import Diarizer
from hocket.result import Result
from hocket.version import __version__
from tests.helpers.command_line import hocket
from tests.helpers.paths import CLIPS, CONVERSATION

RATE = 16_000


def is_rttm(text: str, uri: str) -> bool:
    lines = text.splitlines()
    return bool(lines) and all(
        line.split()[:3] == ["SPEAKER", uri, "1"] and len(line.split()) == 10 for line in lines
    )


def test_rttm_goes_to_a_pipe(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("diarize", clip) == 0
    out, err = capsys.readouterr()
    assert is_rttm(out, "clip")
    assert err == ""


@pytest.mark.parametrize("name", ["rttm", "json", "txt", "srt", "vtt", "csv"])
def test_the_suffix_of_the_output_chooses_the_format(
    clip: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    by_suffix = tmp_path / "made" / f"out.{name.upper()}"
    assert hocket("diarize", clip, "-o", by_suffix) == 0
    assert capsys.readouterr().out == ""
    assert hocket("diarize", clip, "--format", name) == 0
    assert by_suffix.read_text() == capsys.readouterr().out
    assert "SPEAKER_00" in by_suffix.read_text()


def test_the_format_wins_over_the_suffix(clip: Path, tmp_path: Path) -> None:
    assert hocket("diarize", clip, "-o", tmp_path / "out.txt", "--format", "json") == 0
    assert json.loads((tmp_path / "out.txt").read_text())["uri"] == "clip"


def test_several_recordings_go_to_a_directory_with_stems_kept_apart(
    clip: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "clip.flac"
    other.parent.mkdir()
    shutil.copy(CLIPS / "panel03.flac", other)
    made = tmp_path / "new" / "turns"
    assert hocket("diarize", clip, other, clip, "-o", made) == 0
    assert sorted(path.name for path in made.iterdir()) == [
        "clip-2.rttm",
        "clip-3.rttm",
        "clip.rttm",
    ]
    assert (made / "clip.rttm").read_bytes() == (made / "clip-3.rttm").read_bytes()
    assert (made / "clip.rttm").read_bytes() != (made / "clip-2.rttm").read_bytes()


def test_one_recording_goes_into_a_directory_that_exists(clip: Path, tmp_path: Path) -> None:
    assert hocket("diarize", clip, "-o", tmp_path, "--format", "csv") == 0
    assert (tmp_path / "clip.csv").read_text().startswith("recording,start,end,speaker\nclip,")


def test_kept_apart_names_never_meet_a_name_that_was_given() -> None:
    names = [path.name for path in distinct_paths(Path(), ["a", "A", "a-2", "a"], ".x")]
    assert names == ["a.x", "A-3.x", "a-2.x", "a-4.x"]


def test_bad_recordings_stop_no_other(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.wav"
    text.write_text("not audio at all")
    bad = [tmp_path / "gone.wav", tmp_path, text]
    assert hocket("diarize", *bad, clip, "-o", tmp_path / "out") == FAILED
    assert is_rttm((tmp_path / "out" / "clip.rttm").read_text(), "clip")
    assert len(list((tmp_path / "out").iterdir())) == 1
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 3
    for path, complaint in zip(bad, complaints, strict=True):
        assert complaint.startswith(f"hocket: {path}: ")


def content_of(case: str, clip: Path) -> bytes:
    speech, _ = soundfile.read(clip, dtype="float32")
    made = clip.with_name("made.wav")
    arrays = {
        "header only": np.zeros(0),
        "one sample": np.zeros(1),
        "0.1 s": speech[: RATE // 10],
        "0.9 s": speech[: 9 * RATE // 10],
        "silence": np.zeros(3 * RATE),
        "white noise": np.random.default_rng(1).uniform(-1, 1, 3 * RATE),
        "clipped DC": np.ones(3 * RATE),
        "NaN": np.where(np.arange(len(speech)) % 7, speech, np.nan),
        "Inf": np.where(np.arange(len(speech)) % 7, speech, np.inf),
    }
    if case in arrays:
        soundfile.write(made, arrays[case], RATE, subtype="FLOAT")
    elif case == "8 kHz":
        soundfile.write(made, speech[::2], 8_000)
    elif case == "96 kHz":
        soundfile.write(made, np.repeat(speech, 6), 96_000)
    elif case == "6 channels":
        soundfile.write(made, np.repeat(speech[:, None], 6, axis=1), RATE)
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
        ("0.1 s", False),
        ("0.9 s", False),
        ("silence", False),
        ("white noise", False),
        ("clipped DC", False),
        ("NaN", None),
        ("Inf", None),
        ("8 kHz", True),
        ("96 kHz", True),
        ("6 channels", True),
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


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC", b"\x00" * 999, b"ID3\x04"])
def test_what_is_not_audio_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "odd.flac"
    path.write_bytes(content)
    assert hocket("diarize", path) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hocket: {path}: ")
    assert err.count("\n") == 1
    assert ";" in err  # what is wrong; what to do


@pytest.mark.parametrize(
    "name", ["with space", "quo'te\"s", "new\nline", "naïve 文字", "tab\tname", "-dash", "%s{0}"]
)
def test_odd_names_make_valid_rttm_and_one_line_errors(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    odd = tmp_path / f"{name}.wav"
    shutil.copy(clip, odd)
    assert hocket("diarize", odd, "-o", f"{tmp_path / 'out'}/") == 0
    (written,) = (tmp_path / "out").iterdir()
    uri = written.read_text(encoding="utf-8").split()[1]
    assert is_rttm(written.read_text(encoding="utf-8"), uri)
    assert hocket("diarize", tmp_path / f"{name}.gone") == FAILED
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "srt", "CLIP", "CLIP"], "srt holds one recording"),
        (["CLIP", "-o", "out.doc"], "there is no format 'doc'"),
        (["CLIP", "CLIP", "-o", "CLIP"], "is a file"),
        (["CLIP", "-o", "CLIP", "--format", "rttm"], "is the recording itself"),
        (["-", "-"], "give - once"),
        (["CLIP", "--num-speakers", "0"], "--num-speakers is 0"),
        (["CLIP", "--min-speakers", "3", "--max-speakers", "2"], "--min-speakers is 3"),
        (["CLIP", "--threads", "0"], "threads is 0"),
        (["CLIP", "--num-speakers", "two"], "'two' is not a valid integer"),
        (["CLIP", "--embedding", "x"], "embedding is 'x'; give one of campplus, campplus-local"),
        (["CLIP", "--backend", "x"], "'x' is not one of 'auto', 'onnxruntime', 'openvino'"),
        ([], "give FILE..., or --example alone"),
    ],
)
def test_wrong_usage_says_what_and_changes_nothing(
    clip: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = clip.read_bytes()
    filled = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    assert hocket("diarize", *filled) == USAGE
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert clip.read_bytes() == before


def test_an_unwritable_place_is_one_line_and_loses_no_other_result(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert hocket("diarize", clip, "-o", blocked / "below.rttm") == FAILED
    assert capsys.readouterr().err.startswith(f"hocket: {blocked / 'below.rttm'}: cannot write")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.rttm"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.rttm", "old")]


def test_standard_input_is_a_recording(clip: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hocket.cli.main", "diarize", "-", "--num-speakers", "2"],
        input=clip.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert is_rttm(done.stdout.decode(), "stdin")
    assert done.stderr == b""


def test_a_reader_that_leaves_early_is_no_error(clip: Path) -> None:
    run = f"{sys.executable} -m hocket.cli.main diarize {clip} {clip}"
    command = f"{run} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def on_a_terminal(*arguments: str) -> str:
    """What a person sees of a run."""
    shown = bytearray()

    def keep(descriptor: int) -> bytes:
        data = os.read(descriptor, 4096)
        shown.extend(data)
        return data

    command = [sys.executable, "-W", "error", "-m", "hocket.cli.main", *arguments]
    program = f"import pty, os, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({command!r})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.decode()


def test_a_terminal_gets_a_progress_bar_and_a_table(clip: Path) -> None:
    seen = on_a_terminal("diarize", str(clip))
    assert "segmentation" in seen
    assert "SPEAKER_00" in seen
    assert "share" in seen
    assert "<NA>" not in seen


def test_a_format_that_is_asked_for_is_shown_on_a_terminal_too(clip: Path) -> None:
    seen = on_a_terminal("diarize", str(clip), "--format", "csv")
    assert "recording,start,end,speaker" in seen
    assert "share" not in seen


def test_a_runtime_that_fails_on_one_recording_stops_no_other(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other.wav"
    shutil.copy(clip, other)
    usual = cli_diarize._diarize_one

    def fail_once(diarizer: Diarizer, source: str, *options: object) -> Result:
        if source == str(other):
            raise BackendError("ONNX Runtime failed: out of memory")
        return usual(diarizer, source, *options)

    monkeypatch.setattr(cli_diarize, "_diarize_one", fail_once)
    assert hocket("diarize", other, clip) == FAILED
    out, err = capsys.readouterr()
    assert is_rttm(out, "clip")
    assert err == f"hocket: {other}: ONNX Runtime failed: out of memory\n"


def running(*arguments: str | Path) -> subprocess.Popen[bytes]:
    # what runs behind a shell's & ignores Ctrl-C, and so would all it starts
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "hocket.cli.main", "diarize", *map(str, arguments)],
            stderr=subprocess.PIPE,
        )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_half_file(tmp_path: Path, sent: signal.Signals) -> None:
    samples, rate = soundfile.read(CONVERSATION, dtype="float32")
    long = tmp_path / "long.wav"
    soundfile.write(long, np.tile(samples, 80), rate, subtype="PCM_16")
    out = tmp_path / "out"
    out.mkdir()
    process = running(long, "-o", out / "long.rttm")
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    assert list(out.iterdir()) == []
    if sent == signal.SIGINT:
        assert process.returncode == INTERRUPTED
        assert err.decode() == "hocket: interrupted; nothing unfinished was written\n"


@pytest.mark.parametrize("file", ["embedding-campplus-local.onnx", "channels-campplus.npz"])
def test_an_altered_model_is_one_line_and_an_exit_code(
    clip: Path, copied: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    altered = copied / file
    altered.write_bytes(b"altered")
    for command in (["models", "verify"], ["diarize", clip, "--precision", "float32"]):
        assert hocket(*command) == UNUSABLE
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert err.startswith(f"hocket: {altered}: found sha256 ")


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("--version") == 0
    assert capsys.readouterr().out == f"hocket {__version__}\n"
    shown = CliRunner().invoke(cli.cli, ["diarize", "--help"]).output
    for option in ("--output", "--format", "--num-speakers", "--embedding", "--backend"):
        assert option in shown


def test_a_defect_is_one_line_too(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("somewhere\ndeep")

    monkeypatch.setattr(cli_diarize, "_diarize_one", fail)
    assert hocket("diarize", clip) == INTERNAL
    assert capsys.readouterr().err == (
        "hocket: a defect in hocket: ZeroDivisionError: somewhere\\ndeep\n"
    )
