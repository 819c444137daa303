"""A recording on its way through the engine: what stops it, and how little of it is in memory."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hocket import Config, Diarizer
from hocket.audio import decoding, sndfile
from hocket.audio.samples import Block
from hocket.cli import main as cli
from hocket.cli.outcome import FAILED, INTERRUPTED
from hocket.config import Runtime, WindowConfig
from hocket.errors import AudioContentError, BackendError
from tests.helpers.geometry import SHIPPED
from tests.helpers.paths import ROOT
from tests.helpers.rule_networks import RuleEmbedding, RuleSegmentation, sound_of

RATE = 16_000
TALK = [(1, 40_000), (2, 50_000), (0, 9_000), (4, 8_000), (1, 70_000)] * 4


def diarizer_by_rule(threads: int = 2) -> Diarizer:
    config = Config(windows=WindowConfig(step_s=2.5, batch=2))  # several calls per recording
    diarizer = Diarizer(config, Runtime(threads=threads))
    diarizer.segmentation_graph = RuleSegmentation(SHIPPED)
    diarizer.embedding_graph = RuleEmbedding(SHIPPED.frame_step)
    return diarizer


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Three quarters of a minute; the samples are classes, so nothing may rescale them."""
    path = tmp_path / "talk.wav"
    soundfile.write(path, sound_of(TALK) / 8, RATE, subtype="PCM_24")
    return path


def threads_left() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("hocket")]


@pytest.mark.parametrize(("graph", "call"), [("segmentation_graph", 3), ("embedding_graph", 1)])
def test_a_runtime_that_fails_midway_leaves_no_thread_and_no_open_file(
    graph: str, call: int, talk: Path, files: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sndfile, "BLOCK_FRAMES", 4_000)
    diarizer, calls = diarizer_by_rule(), itertools.count(1)

    def fail_from_call() -> None:
        if next(calls) >= call:
            raise BackendError("ONNX Runtime failed: out of memory")

    getattr(diarizer, graph).before = fail_from_call
    rescale(diarizer)
    with pytest.raises(BackendError, match=r"^ONNX Runtime failed: out of memory$"):
        diarizer(talk)
    assert threads_left() == []
    assert len(files) == 2
    assert all(file.closed for file in files)


def rescale(diarizer: Diarizer) -> None:
    """Undo the division of the samples, which made the classes fit into a file."""
    usual = diarizer.segmentation_graph.run
    diarizer.segmentation_graph.run = lambda inputs: usual({"waveform": 8 * inputs["waveform"]})


def test_rule_networks_give_the_speech_that_was_written(talk: Path) -> None:
    diarizer = diarizer_by_rule()
    rescale(diarizer)
    result = diarizer(talk)
    spoken = sum(length for number, length in TALK if number) / RATE
    assert sum(turn.duration for turn in result.exclusive_turns) == pytest.approx(spoken, rel=0.1)


def test_a_recording_of_nan_is_refused_and_nothing_is_left_open(
    tmp_path: Path, files: list[Any]
) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.full(20 * RATE, np.nan), RATE, subtype="FLOAT")
    with pytest.raises(AudioContentError, match="all its samples are NaN or infinite"):
        diarizer_by_rule()(path)
    assert threads_left() == []
    assert all(file.closed for file in files)


def test_half_a_file_gives_the_speech_of_that_half(
    talk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = talk.read_bytes()
    result = diarizer_by_rule()(data[: len(data) // 2], name="half.wav")
    assert result.duration == pytest.approx(sum(length for _, length in TALK) / RATE / 2, abs=0.1)
    assert [notice.kind for notice in result.notices] == ["truncated"]
    assert caplog.messages == [f"half.wav: {result.notices[0].text}"]


def test_running_out_of_memory_while_decoding_is_one_line_and_leaves_no_file(
    talk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usual = decoding.sound_blocks

    def run_out(*given: Any) -> Iterator[Block]:
        yield from itertools.islice(usual(*given), 3)
        raise MemoryError

    monkeypatch.setattr(decoding, "sound_blocks", run_out)
    monkeypatch.setattr(Diarizer, "segmentation_graph", RuleSegmentation(SHIPPED))
    monkeypatch.setattr(Diarizer, "embedding_graph", RuleEmbedding(SHIPPED.frame_step))
    out = tmp_path / "out"
    out.mkdir()
    assert cli.main(["diarize", str(talk), "-o", str(out / "talk.rttm")]) == FAILED
    assert capsys.readouterr() == (
        "",
        f"hocket: {talk}: not enough memory; cut the recording into parts\n",
    )
    assert list(out.iterdir()) == []
    assert threads_left() == []


BY_RULE = r"""
import sys, time
from hocket.cli import main as cli
from hocket.offline.diarizer import Diarizer
from tests.helpers.geometry import SHIPPED
from tests.helpers.rule_networks import RuleEmbedding, RuleSegmentation

def slowly():
    sys.stdout.write("at work\n")  # at once, as several workers do
    sys.stdout.flush()
    time.sleep(0.1)

Diarizer.segmentation_graph = RuleSegmentation(SHIPPED, slowly)
Diarizer.embedding_graph = RuleEmbedding(SHIPPED.frame_step)
sys.exit(cli.main(sys.argv[1:]))
"""


def silent_wav(path: Path, seconds: int) -> Path:
    """A sparse file of silence, which takes no room on most disks."""
    soundfile.write(path, np.zeros(1, "i2"), RATE, subtype="PCM_16")
    header = bytearray(path.read_bytes()[:44])
    size = seconds * RATE * 2
    header[4:8], header[40:44] = ((36 + size).to_bytes(4, "little"), size.to_bytes(4, "little"))
    path.write_bytes(header)
    os.truncate(path, 44 + size)
    return path


def test_ctrl_c_midway_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    long = silent_wav(tmp_path / "long.wav", 3_600)
    out = tmp_path / "out"
    out.mkdir()
    # a process that a shell started with & ignores Ctrl-C, and so would its children
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", BY_RULE, "diarize", str(long), "-o", str(out / "long.rttm")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.readline() == b"at work\n"
    assert process.stdout.readline() == b"at work\n"
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - sent < 10  # the sleep alone would take half a minute
    assert process.returncode == INTERRUPTED
    assert err.decode() == "hocket: interrupted; nothing unfinished was written\n"
    assert list(out.iterdir()) == []


MEMORY = """
import json, resource, sys
from tests.offline.test_failures import diarizer_by_rule
peaks = []
for path in sys.argv[1:]:
    diarizer_by_rule()(path)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(json.dumps(peaks))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak this way")
def test_a_long_recording_takes_hardly_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """The samples alone are 77 MB more."""
    paths = [silent_wav(tmp_path / f"{seconds}.wav", seconds) for seconds in (300, 1_500)]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *paths],
        capture_output=True,
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    short, long = json.loads(done.stdout)
    assert (long - short) * unit < 20e6
