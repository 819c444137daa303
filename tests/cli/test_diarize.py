"""`hocket diarize`: formats, destinations, names, errors."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner

from hocket.cli import diarize as cli_diarize
from hocket.cli import main as cli
from hocket.cli.outcome import FAILED, INTERNAL, INTERRUPTED, UNUSABLE, USAGE
from hocket.errors import BackendError
from hocket.formats import FORMATS
from hocket.offline.diarizer import Diarizer
from hocket.result import Result
from hocket.version import __version__
from tests.helpers.command_line import StandardInput, hocket, is_rttm
from tests.helpers.paths import CLIPS


@pytest.fixture
def inferred_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file is diarized once within a test."""
    usual, results = cli_diarize.diarize_one, dict[str, Result]()

    def once(diarizer: Diarizer, source: str, *options: Any) -> Result:
        if source not in results:
            results[source] = usual(diarizer, source, *options)
        return results[source]

    monkeypatch.setattr(cli_diarize, "diarize_one", once)


def test_rttm_goes_to_a_pipe(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("diarize", clip) == 0
    out, err = capsys.readouterr()
    assert is_rttm(out, "clip")
    assert err == ""


@pytest.mark.usefixtures("inferred_once")
def test_the_suffix_of_the_output_chooses_the_format(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [name for name, each in FORMATS.items() if each.streamable]
    for name in files:
        by_suffix = tmp_path / "made" / f"out.{FORMATS[name].suffix.upper()}"
        assert hocket("diarize", clip, "-o", by_suffix) == 0
        assert capsys.readouterr().out == ""
        assert hocket("diarize", clip, "--format", name) == 0
        assert by_suffix.read_text() == capsys.readouterr().out
        assert "SPEAKER_00" in by_suffix.read_text()
    assert len({path.read_text() for path in (tmp_path / "made").iterdir()}) == len(files) == 18


@pytest.mark.usefixtures("inferred_once")
def test_several_formats_are_several_files(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made"
    everything = ",".join(FORMATS)
    assert hocket("diarize", clip, "--format", everything, "-o", folder) == 0
    names = {f"clip.{each.suffix}" for each in FORMATS.values()}
    assert {path.name for path in folder.iterdir()} == names
    assert {path.name for path in (folder / "clip.kaldi").iterdir()} == {"segments", "utt2spk"}
    assert hocket("diarize", clip, "--format", "srt,kaldi", "-o", folder) == USAGE
    assert "exists, and 1 more results do" in capsys.readouterr().err
    (folder / "clip.srt").unlink()
    assert hocket("diarize", clip, "--format", "srt,vtt", "-o", folder, "--skip-existing") == 0
    assert (folder / "clip.srt").exists()
    assert "clip.vtt exists; skipped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("--format", "srt,rttm"), "several formats are several files; give -o FOLDER"),
        (("--format", "kaldi"), "kaldi cannot go to standard output; give -o"),
        (("--format", "textgird"), "there is no format 'textgird'; did you mean 'textgrid'?"),
    ],
)
def test_formats_that_cannot_be(
    clip: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], problem: str
) -> None:
    assert hocket("diarize", clip, *given) == USAGE
    assert problem in capsys.readouterr().err


def test_a_format_given_for_a_terminal_replaces_the_table(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert hocket("diarize", clip, "--format", "csv") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("recording,start,end,speaker\nclip,")
    assert "share" not in shown


def test_the_format_option_overrides_the_suffix(clip: Path, tmp_path: Path) -> None:
    assert hocket("diarize", clip, "-o", tmp_path / "out.txt", "--format", "json") == 0
    assert json.loads((tmp_path / "out.txt").read_text())["uri"] == "clip"


def test_several_recordings_get_distinct_names_in_a_folder(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "clip.flac"
    other.parent.mkdir()
    panel, rate = soundfile.read(CLIPS / "panel03.flac", dtype="float32", frames=6 * 16_000)
    soundfile.write(other, panel, rate)
    folder = tmp_path / "new" / "turns"
    assert hocket("diarize", clip, other, clip, "-o", folder) == 0
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(content) == ["clip-2.rttm", "clip-3.rttm", "clip.rttm"]
    first, second, third = (content[name] for name in ("clip.rttm", "clip-2.rttm", "clip-3.rttm"))
    assert first.replace(b" clip ", b" clip-3 ") == third != second


def test_standard_input_is_a_recording(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", StandardInput(clip.read_bytes()))
    assert hocket("diarize", "-", "--max-speakers", 2) == 0
    out, err = capsys.readouterr()
    assert is_rttm(out, "stdin")
    assert err == ""


def test_one_recording_goes_into_an_existing_folder(clip: Path, tmp_path: Path) -> None:
    assert hocket("diarize", clip, "-o", tmp_path, "--format", "csv") == 0
    assert (tmp_path / "clip.csv").read_text().startswith("recording,start,end,speaker\nclip,")


def test_an_unreadable_recording_does_not_stop_the_others(
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


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC", b"\x00" * 999, b"ID3\x04"])
def test_a_file_without_audio_is_one_line_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "odd.flac"
    path.write_bytes(content)
    assert hocket("diarize", path) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hocket: {path}: ")
    assert err.count("\n") == 1
    assert ";" in err  # before it what is wrong, after it what to do


@pytest.mark.parametrize("name", ["quo'te\"s %s{0}", "new\nline\tand tab", "naïve 文字", "-dash"])
def test_unusual_file_names_give_valid_rttm_and_errors_of_one_line(
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
def test_wrong_usage_is_reported_and_changes_nothing(
    clip: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = clip.read_bytes()
    filled = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    assert hocket("diarize", *filled) == USAGE
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert clip.read_bytes() == before


def test_an_unwritable_output_is_one_line(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert hocket("diarize", clip, "-o", blocked / "below.rttm") == FAILED
    assert capsys.readouterr().err.startswith(f"hocket: {blocked / 'below.rttm'}: cannot write")


def test_a_runtime_error_on_one_recording_does_not_stop_the_others(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other.wav"
    shutil.copy(clip, other)
    usual = cli_diarize.diarize_one

    def fail_once(diarizer: Diarizer, source: str, *options: object) -> Result:
        if source == str(other):
            raise BackendError("ONNX Runtime failed: out of memory")
        return usual(diarizer, source, *options)

    monkeypatch.setattr(cli_diarize, "diarize_one", fail_once)
    assert hocket("diarize", other, clip) == FAILED
    out, err = capsys.readouterr()
    assert is_rttm(out, "clip")
    assert err == f"hocket: {other}: ONNX Runtime failed: out of memory\n"


@pytest.mark.parametrize("file", ["embedding-campplus-local.onnx", "channels-campplus.npz"])
def test_an_altered_model_file_is_one_line_and_an_exit_code(
    clip: Path, copied: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    altered = copied / file
    altered.write_bytes(b"altered")
    for command in (["models", "verify"], ["diarize", clip, "--precision", "float32"]):
        assert hocket(*command) == UNUSABLE
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert err.startswith(f"hocket: {altered}: found sha256 ")


def test_an_interrupted_command_is_one_line_and_writes_nothing(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)  # the file is complete, but has no name yet
    assert hocket("diarize", clip, "-o", tmp_path / "out" / "clip.rttm") == INTERRUPTED
    assert capsys.readouterr() == ("", "hocket: interrupted; nothing unfinished was written\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("--version") == 0
    assert capsys.readouterr().out == f"hocket {__version__}\n"
    shown = CliRunner().invoke(cli.cli, ["diarize", "--help"]).output
    for option in ("--output", "--format", "--num-speakers", "--embedding", "--backend"):
        assert option in shown


def test_an_internal_error_is_one_line(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("somewhere\ndeep")

    monkeypatch.setattr(cli_diarize, "diarize_one", fail)
    assert hocket("diarize", clip) == INTERNAL
    assert capsys.readouterr().err == (
        "hocket: a defect in hocket: ZeroDivisionError: somewhere\\ndeep\n"
    )
