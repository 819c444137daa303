"""`hocket` in a process of its own: pipes, terminals and signals."""

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hocket.cli.outcome import INTERRUPTED
from tests.helpers.audio import encode
from tests.helpers.paths import CONVERSATION

COMMAND = [sys.executable, "-W", "error", "-m", "hocket.cli.main", "diarize", "--threads", "1"]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first six seconds of the example conversation."""
    samples, rate = soundfile.read(CONVERSATION, dtype="float32", frames=6 * 16_000)
    path = tmp_path_factory.mktemp("short") / "short.wav"
    soundfile.write(path, samples, rate)
    return path


def test_a_reader_that_closes_the_pipe_early_is_no_error(short: Path) -> None:
    command = f"{' '.join(COMMAND)} {short} {short} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_gets_a_progress_bar_and_a_table(short: Path) -> None:
    command = [*COMMAND, str(short)]
    program = f"import pty, os, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({command!r})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    shown = done.stdout.decode()
    assert done.returncode == 0, shown
    assert "segmentation" in shown
    assert "SPEAKER_00" in shown
    assert "share" in shown
    assert "<NA>" not in shown


def started(*arguments: str | Path) -> subprocess.Popen[bytes]:
    # a process in the background of a shell ignores Ctrl-C, and so would its children
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_leaves_no_incomplete_file(tmp_path: Path, sent: signal.Signals) -> None:
    content = encode(np.zeros(2**20, np.int16))
    with started("-", "-o", tmp_path / "out.rttm") as process:
        assert process.stdin
        process.stdin.write(content[:-2])  # more than a pipe holds, so it has begun to read
        process.stdin.flush()
        process.send_signal(sent)
        with suppress(BrokenPipeError):  # a terminal's Ctrl-C ends the writer too
            process.stdin.close()
        process.wait(timeout=60)
        assert process.stderr
        shown = process.stderr.read()
    assert list(tmp_path.iterdir()) == []
    if sent == signal.SIGINT:
        assert process.returncode == INTERRUPTED
        assert shown == b"hocket: interrupted; nothing unfinished was written\n"
