"""Nothing leaves the machine: a run that asked for a network socket would be killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hocket.backends import this_processor
from hocket.cli.outcome import UNUSABLE
from tests.helpers.graphs import INSTALLED
from tests.helpers.paths import CONVERSATION, ROOT
from tests.helpers.recognizers import TINY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="system-call filters are Linux")

SEALED = ROOT / "tests" / "helpers" / "sealed.py"
# both runtimes keep quiet by themselves where they believe to be tested; here they must believe in
# users
HUSHING = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "PYTEST_CURRENT_TEST", "ORT_DISABLE_TELEMETRY")


NO_CHILDREN = "import resource as r; assert r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss == 0"
on_every_runtime = pytest.mark.parametrize("backend", INSTALLED)


def start_sealed(home: Path, *command: str) -> subprocess.Popen[str]:
    """Start a Python program without network, in a home of its own, as a user would."""
    environment = {key: value for key, value in os.environ.items() if key not in HUSHING}
    environment.pop("HOCKET_CACHE", None)
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    return subprocess.Popen(
        [sys.executable, str(SEALED), sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=home,
    )


def run_sealed(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """The same, run to its end."""
    with start_sealed(home, *command) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


@pytest.fixture(scope="module", autouse=True)
def diarizing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """A process that waits after diarizing. It starts first, so that other tests run meanwhile."""
    program = (
        "import hocket, time; from hocket.config import GraphConfig;"
        f"configs = [hocket.Config(graphs=GraphConfig(backend=b)) for b in {INSTALLED!r}];"
        f"found = [hocket.Diarizer(config)({str(CONVERSATION)!r}) for config in configs];"
        f"time.sleep(15); {NO_CHILDREN}"
    )
    with start_sealed(tmp_path_factory.mktemp("diarizing"), "-c", program) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module", autouse=True)
def importing(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A process that waits after importing OpenVINO, and its home."""
    home = tmp_path_factory.mktemp("importing")
    with start_sealed(
        home, "-c", f"import openvino, time; time.sleep(5); {NO_CHILDREN}"
    ) as process:
        yield home, process
        process.kill()


@on_every_runtime
def test_diarizing_opens_no_network_socket_and_leaves_no_identifier(
    tmp_path: Path, backend: str
) -> None:
    command = ("-m", "hocket.cli.main", "diarize", "--backend", backend, str(CONVERSATION))
    done = run_sealed(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SPEAKER conversation 1 ")
    left = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    compiled = Path("cache", "hocket", "compiled")
    assert [path for path in left if path.parent != compiled] == []
    parts = 4 if this_processor().bfloat16 else 2
    assert len(left) == (parts if backend == "openvino" else 0)


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_seal_kills_a_process_that_opens_a_socket(tmp_path: Path, family: str) -> None:
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


@pytest.mark.skipif("openvino" not in INSTALLED, reason="OpenVINO is not installed")
def test_openvino_imported_as_it_comes_would_be_caught(
    importing: tuple[Path, subprocess.Popen[str]],
) -> None:
    """It sends from a child, whose death its parent survives; so no child may there be."""
    home, process = importing
    assert "AssertionError" in process.communicate(timeout=120)[1]
    assert list(home.rglob("openvino_ga_cid"))


def test_nothing_is_sent_later_either(diarizing: subprocess.Popen[str]) -> None:
    """ONNX Runtime's telemetry, left on, uploads some seconds after the first session."""
    _, errors = diarizing.communicate(timeout=120)
    assert diarizing.returncode == 0, errors


def test_transcribing_opens_no_network_socket_whether_or_not_the_model_is_there(
    tmp_path: Path,
) -> None:
    command = ("-m", "hocket.cli.main", "transcribe", str(CONVERSATION), "--model")
    done = run_sealed(tmp_path, *command, TINY)
    assert done.returncode == 0, done.stderr
    assert "Yankee" in done.stdout
    done = run_sealed(tmp_path, *command, "small")
    assert done.returncode == UNUSABLE
    assert "is not on this machine; give the folder of one" in done.stderr
