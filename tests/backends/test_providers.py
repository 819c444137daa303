"""GPUs through ONNX Runtime's providers: what is requested, and errors if it is missing."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from hocket import models
from hocket.backends import open_onnx
from hocket.backends.onnx_runtime import PROVIDERS
from hocket.cli.main import main
from hocket.cli.outcome import UNUSABLE
from hocket.config import GraphConfig, Runtime
from hocket.errors import BackendError, ModelError
from hocket.graph import SPECS
from hocket.models import loading

GPUS = ("cuda", "tensorrt")
NAMES = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
on_every_gpu = pytest.mark.parametrize("backend", GPUS)


class FakeRuntime(SimpleNamespace):
    """An onnxruntime with GPU providers; `loaded` are those that start, `fails` stops a session."""

    def __init__(self, loaded: list[str], fails: str = "") -> None:
        super().__init__(
            __version__="1.30", __spec__=self, sessions=[], loaded=loaded, fails=fails, preloaded=0
        )

    def disable_telemetry_events(self) -> None:
        pass

    def get_available_providers(self) -> list[str]:
        return [NAMES["tensorrt"], NAMES["cuda"], "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        self.preloaded += 1
        print("Failed to load libcudnn.so.9")  # noqa: T201  # as the real one does

    def SessionOptions(self) -> Any:  # noqa: N802
        entries: dict[str, str] = {}
        return SimpleNamespace(
            entries=entries,
            add_session_config_entry=entries.__setitem__,
            add_external_initializers_from_files_in_memory=lambda *_: None,
        )

    def InferenceSession(self, content: bytes, **options: Any) -> Any:  # noqa: N802
        self.sessions.append(options)
        if self.fails:
            raise RuntimeError(self.fails)
        spec = SPECS["segmentation"]
        return SimpleNamespace(
            get_providers=lambda: self.loaded,
            get_inputs=lambda: list(spec.inputs),
            get_outputs=lambda: list(spec.outputs),
            get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={}),
        )


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeRuntime) -> FakeRuntime:
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    return fake


@on_every_gpu
def test_the_gpu_comes_first_and_the_processor_last(
    monkeypatch: pytest.MonkeyPatch, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = install(monkeypatch, FakeRuntime([*NAMES.values(), "CPUExecutionProvider"]))
    graph = models.load("segmentation", GraphConfig(backend=backend), Runtime())
    (options,) = fake.sessions
    asked = [name for name, _ in options["providers"]]
    expected = [NAMES["cuda"], "CPUExecutionProvider"]
    assert asked == (expected if backend == "cuda" else [NAMES["tensorrt"], *expected])
    assert dict(options["providers"])[NAMES["cuda"]]["use_tf32"] == "0"
    assert options["enable_fallback"] == 0
    assert options["sess_options"].intra_op_num_threads == 1
    assert options["sess_options"].entries["session.intra_op.allow_spinning"] == "0"
    assert graph.spec is SPECS["segmentation"]
    assert fake.preloaded == 1
    assert capsys.readouterr().out == ""  # standard output is for results


@on_every_gpu
def test_a_provider_that_was_not_loaded_is_an_error(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    install(monkeypatch, FakeRuntime(["CPUExecutionProvider"]))
    with pytest.raises(BackendError) as caught:
        open_onnx("segmentation", b"", {}, backend)
    message = str(caught.value)
    assert message.startswith(f"backend '{backend}': only CPUExecutionProvider could be loaded; ")
    assert message.endswith("or give backend onnxruntime")


def test_tensorrt_that_falls_back_to_cuda_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeRuntime([NAMES["cuda"], "CPUExecutionProvider"]))
    with pytest.raises(BackendError, match="only CUDAExecutionProvider, CPUExecutionProvider"):
        open_onnx("segmentation", b"", {}, "tensorrt")


@on_every_gpu
def test_a_driver_that_is_missing_is_one_line(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    install(monkeypatch, FakeRuntime([], "CUDA failure 35:\n driver too old"))
    with pytest.raises(BackendError, match=rf"'{backend}': CUDA failure 35:\\n driver too old; in"):
        open_onnx("segmentation", b"", {}, backend)


@on_every_gpu
def test_without_a_gpu_the_error_says_what_to_install(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loading._in_use.clear()  # that of a fake runtime
    with pytest.raises(BackendError) as caught:
        models.load("segmentation", GraphConfig(backend=backend), Runtime())
    message = str(caught.value)
    assert message.startswith(f"backend '{backend}': this ONNX Runtime has ")
    assert f"not {NAMES[backend]}; on a machine with an NVIDIA GPU run 'pip " in message
    assert main(["diarize", "--backend", backend, "absent.wav"]) == UNUSABLE
    assert capsys.readouterr().err == f"hocket: {message}\n"


def test_every_choice_of_providers_ends_with_the_processor() -> None:
    assert {providers[-1][0] for providers in PROVIDERS.values()} == {"CPUExecutionProvider"}


def test_content_that_is_no_graph_is_the_files_fault() -> None:
    with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
        open_onnx("segmentation", b"rubbish", {})
