"""Nothing leaves the machine: a run that asked for a network socket would be killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import CONVERSATION

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="system-call filters are Linux")

SEALED = Path(__file__).with_name("sealed.py")
# ONNX Runtime keeps quiet by itself where it believes to be tested; here it must believe in users
HUSHING = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "PYTEST_CURRENT_TEST", "ORT_DISABLE_TELEMETRY")


def run_sealed(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program without network, in a home of its own, as a user would."""
    environment = {key: value for key, value in os.environ.items() if key not in HUSHING}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return subprocess.run(
        [sys.executable, str(SEALED), sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=tmp_path,
    )


def test_diarizing_opens_no_network_socket(tmp_path: Path) -> None:
    done = run_sealed(tmp_path, "-m", "hocket.cli", "diarize", str(CONVERSATION))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SPEAKER conversation 1 ")


def test_nothing_is_sent_later_either(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry, left on, uploads some seconds after the first session."""
    lingering = f"import hocket, time; hocket.diarize({str(CONVERSATION)!r}); time.sleep(15)"
    assert run_sealed(tmp_path, "-c", lingering).returncode == 0


def test_telemetry_leaves_no_identifier_behind(tmp_path: Path) -> None:
    run_sealed(tmp_path, "-m", "hocket.cli", "diarize", str(CONVERSATION))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_seal_kills_whoever_asks_for_a_socket(tmp_path: Path, family: str) -> None:
    done = run_sealed(tmp_path, "-c", f"import socket; socket.socket(socket.{family})")
    assert done.returncode == -signal.SIGSYS


def test_the_seal_holds_for_threads_and_children(tmp_path: Path) -> None:
    asks = "import socket; socket.socket()"
    child = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {asks!r}]))"
    assert run_sealed(tmp_path, "-c", child).returncode != 0
    thread = "import threading, socket; threading.Thread(target=socket.socket).start()"
    assert run_sealed(tmp_path, "-c", thread).returncode == -signal.SIGSYS


def test_other_sockets_still_work(tmp_path: Path) -> None:
    assert run_sealed(tmp_path, "-c", "import socket; socket.socketpair()").returncode == 0
