"""OpenVINO: the same results, whole or in two parts, compiled or from a damaged cache."""

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hocket import models
from hocket.backends import open_openvino, this_processor
from hocket.backends.choice import Processor
from hocket.backends.openvino import compile_cache, graph, library
from hocket.backends.openvino.front import cut
from hocket.backends.openvino.onnx_file import read_metadata, with_weights
from hocket.config import Runtime
from hocket.errors import BackendError, ModelError
from hocket.graph import Graph
from tests.helpers.graphs import Arrays, opened, samples

pytest.importorskip("openvino", reason="an optional runtime")

TRAINED = ("segmentation", "segmentation_from_peaks", "embedding")
ROUNDINGS = ("float32", "bfloat16")
ONE = Runtime(threads=1)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compile cache for this test, which does not exist yet."""
    folder = tmp_path / "compiled"
    monkeypatch.setenv("HOCKET_CACHE", str(folder))
    compile_cache._warn.cache_clear()
    return folder


@pytest.fixture
def rounding(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """A processor that claims bfloat16 and computes in float32."""
    monkeypatch.setattr(graph, "capabilities", lambda: frozenset({"FP32", "BF16"}))
    monkeypatch.setitem(graph._HINTS, "bfloat16", "f32")


def files(name: str, embedding: str = "campplus") -> tuple[bytes, dict[str, bytes]]:
    artefact = models.read_catalogue().artefact(name, embedding, "float32")
    return artefact.file.read(), models.weights_content(artefact)


def load(
    name: str,
    precision: str = "float32",
    runtime: Runtime = ONE,
    processor: Processor | None = None,
) -> Graph:
    return open_openvino(name, *files(name), precision, runtime, processor or this_processor())


def output(graph: Graph, inputs: Arrays) -> np.ndarray:
    (array,) = graph.run(inputs).values()
    return array


@pytest.mark.usefixtures("rounding")
@pytest.mark.parametrize(
    ("name", "matrix"), [("segmentation", True), *((name, False) for name in TRAINED)]
)
def test_a_graph_cut_in_two_gives_what_the_whole_gives(name: str, matrix: bool) -> None:
    other, here = (Processor(bfloat16=True, matrix=each) for each in (not matrix, matrix))
    if matrix:  # cut otherwise, which the cache must not mistake for this one
        load(name, "bfloat16", processor=other)
    whole, parted = load(name, processor=here), load(name, "bfloat16", processor=here)
    inputs = samples(name)
    assert len(parted._parts) == 2
    halves = matrix and name == "segmentation"
    assert (parted._parts[1].input("front").partial_shape[1] == 3) == halves
    # sinc filters in halves leave out the product of rest and rest
    most = 1e-3 if halves else 1e-5
    np.testing.assert_allclose(output(parted, inputs), output(whole, inputs), 1e-6, most)
    again = output(load(name, "bfloat16", processor=here), inputs)  # now from the cache
    assert again.tobytes() == output(parted, inputs).tobytes()
    assert parted.metadata == whole.metadata == opened("onnxruntime", name).metadata


@pytest.mark.usefixtures("rounding", "resnet34")
def test_the_second_embedding_is_cut_too() -> None:
    content, weights = files("embedding", "wespeaker-resnet34")
    inputs = samples("embedding")
    whole, parted = (
        output(
            open_openvino("embedding", content, weights, precision, ONE, this_processor()), inputs
        )
        for precision in ("float32", "bfloat16")
    )
    assert parted == pytest.approx(whole, abs=1e-5 * float(np.abs(whole).max()))


def read(name: str) -> tuple[Any, Any, dict[str, str]]:
    openvino = library.import_openvino()
    content, weights = files(name)
    return (
        openvino,
        openvino.Core().read_model(with_weights(content, weights)),
        read_metadata(content),
    )


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("name", TRAINED)
def test_the_front_holds_no_trained_layer_but_sinc_filters(name: str, halves: bool) -> None:
    library, model, _ = read(name)
    before = len(model.get_ops())
    front, rest = cut(name, model, library, halves=halves)
    kinds = [node.get_type_name() for node in front.get_ops()]
    # sinc filters, unless another graph or the rest has them; spectrum and mels
    layers = {"segmentation": 0 if halves else 1, "segmentation_from_peaks": 0, "embedding": 2}
    assert kinds.count("Convolution") == layers[name]
    assert len(front.get_ops()) < 0.3 * len(rest.get_ops())
    assert len(model.get_ops()) == before
    behind = {node.get_type_name() for node in rest.get_ops()}
    assert "Log" not in behind
    # the normalization of sinc features
    assert name != "segmentation_from_peaks" or "Maximum" not in behind


def test_the_sinc_filters_receive_two_8_bit_numbers_for_each_sample() -> None:
    library, model, _ = read("segmentation")
    front, rest = cut("segmentation", model, library, halves=True)
    compiled = library.Core().compile_model(front, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    received = compiled(samples("segmentation"))[0]
    filters = next(node for node in rest.get_ordered_ops() if node.get_type_name() == "Convolution")
    for parts in (received, np.array(filters.input_value(1).get_node().data)):
        assert parts.shape[1] == 3
        upper = parts[:, 0].view(np.uint32)
        assert not (upper & 0xFFFF).any()
        assert np.abs(parts[:, 1:]).max() > 0
    assert np.array_equal(received[:, 0], received[:, 2])
    whole = received[:, 0].astype(np.float64) + received[:, 1]
    assert abs(whole.mean(axis=1)).max() < 1e-6  # the waveform less its mean, over its deviation
    assert whole.std(axis=1) == pytest.approx(1, abs=0.02)
    assert np.abs(received[:, 1]).max() <= np.abs(whole).max() / 256


def test_a_graph_without_a_place_to_cut_is_refused() -> None:
    library, model, _ = read("segmentation")
    with pytest.raises(ModelError, match=r"found 0 nodes .* to end its float32 front, expected 1"):
        cut("embedding", model, library, halves=False)


def test_bfloat16_is_refused_where_openvino_would_use_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, "capabilities", lambda: frozenset({"FP32", "INT8"}))
    with pytest.raises(BackendError, match="does not compute in it on this processor; give float"):
        load("segmentation", "bfloat16")


@pytest.mark.skipif(not this_processor().bfloat16, reason="this processor has no bfloat16")
@pytest.mark.usefixtures("cache")
def test_rounded_graphs_are_close_to_exact_ones() -> None:
    exact, rounded = (output(load("segmentation", p), samples("segmentation")) for p in ROUNDINGS)
    # with sinc filters rounded too, 0.05 on a telephone call
    assert 0 < np.abs(np.exp(exact) - np.exp(rounded)).mean() < 0.005
    inputs = samples("embedding") | {"masks": np.ones((2, 1, 59), np.float32)}
    exact, rounded = (output(load("embedding", p), inputs)[:, 0] for p in ROUNDINGS)
    lengths = np.linalg.norm(exact, axis=-1) * np.linalg.norm(rounded, axis=-1)
    assert not np.array_equal(exact, rounded)
    assert ((exact * rounded).sum(-1) >= 0.995 * lengths).all()


@pytest.mark.parametrize("name", TRAINED)
def test_both_runtimes_give_the_same(name: str) -> None:
    inputs = samples(name)
    mine, other = (output(opened(b, name), inputs) for b in ("openvino", "onnxruntime"))
    if name != "embedding":
        assert mine == pytest.approx(other, abs=1e-3)
    else:
        lengths = np.linalg.norm(mine, axis=-1) * np.linalg.norm(other, axis=-1)
        assert ((mine * other).sum(-1) >= (1 - 1e-4) * lengths).all()


def compile_never(*_: object) -> None:
    raise AssertionError("compiled, although it lies in the cache")


@pytest.mark.parametrize("name", ["segmentation", "embedding"])
def test_the_second_start_compiles_nothing(
    name: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(name)
    monkeypatch.setattr(graph._Compiler, "compile", compile_never)
    second = load(name)
    inputs = samples(name)
    assert output(first, inputs).tobytes() == output(second, inputs).tobytes()
    more = load(name, runtime=Runtime(threads=3))
    assert output(more, inputs).tobytes() == output(first, inputs).tobytes()
    with pytest.raises(ModelError, match="compiled, although"):
        load("powerset_decode")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "rubbish": lambda path: path.write_bytes(os.urandom(4_000)),
    "one bit": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x7f"),
    "rubbish under its own hash": lambda path: compile_cache.store(path.stem, b"rubbish" * 99),
    "nothing under its own hash": lambda path: compile_cache.store(path.stem, b""),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_costs_a_warning(
    damage: str,
    cache: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "post_embedding"  # compiles quickly
    expected = load(name).run(samples(name))
    (path,) = cache.iterdir()
    DAMAGE[damage](path)
    with caplog.at_level(logging.WARNING):
        found = load(name).run(samples(name))
    assert all(found[port].tobytes() == array.tobytes() for port, array in expected.items())
    assert caplog.messages == [f"{path}: damaged compile cache; compiling again"]
    monkeypatch.setattr(graph._Compiler, "compile", compile_never)
    load(name)  # the file is valid again


def test_a_cache_that_cannot_be_written_costs_one_warning(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write_text("a file where the folder would be")
    with caplog.at_level(logging.WARNING):
        graphs = [load(name) for name in ("segmentation", "powerset_decode")]
    assert all(graph.run(samples(graph.metadata["graph"])) for graph in graphs)
    (warning,) = [m for m in caplog.messages if "cannot be written" in m]
    assert warning.startswith(f"{cache}: cannot be written (")
    assert warning.endswith("name another folder in HOCKET_CACHE")


def test_a_read_only_cache_is_read(
    cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:  # as the system does for everybody but its administrator
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    load("segmentation")
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with caplog.at_level(logging.WARNING):
        load("segmentation")
        assert caplog.messages == []
        load("powerset_decode")
    (warning,) = caplog.messages
    assert warning.startswith(
        f"{cache}: cannot be written (Permission denied); graphs are compiled"
    )


def test_the_cache_drops_the_oldest_files(cache: Path) -> None:
    for number in range(compile_cache.KEPT + 3):
        compile_cache.store(f"{number:032}", b"compiled")
        os.utime(cache / f"{number:032}.compiled", (number, number))
    kept = sorted(int(path.stem) for path in cache.iterdir())
    assert kept == list(range(3, compile_cache.KEPT + 3))
    assert compile_cache.fetch(f"{5:032}") == b"compiled"
    compile_cache.store("later", b"compiled")
    assert (cache / f"{5:032}.compiled").exists()
    assert not (cache / f"{3:032}.compiled").exists()


def fresh(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert done.stderr == ""
    return done.stdout


def test_the_telemetry_package_is_hidden_while_openvino_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom hocket.backends.openvino.library import import_openvino\n"
        "library = import_openvino()\n"
        "import openvino.tools.ovc as tools\n"
        "print(type(tools.telemetry).__module__, 'openvino_telemetry' in sys.modules)\n"
        "import openvino_telemetry\n"  # other code may import it
    )
    assert fresh(program, HOME=str(tmp_path)).split() == [
        "openvino.tools.ovc.telemetry_stub",
        "False",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_telemetry_package_in_use_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = type(sys)("openvino_telemetry")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", theirs)
    library.import_openvino()
    assert sys.modules["openvino_telemetry"] is theirs


def test_openvino_is_not_imported_if_it_is_not_used() -> None:
    program = (
        "import sys\nfrom hocket import models\nfrom hocket.backends import Processor\n"
        "from hocket.models import loading\n"
        "from hocket.config import GraphConfig, Runtime\n"
        "loading.this_processor = Processor\n"  # without bfloat16
        "models.load('segmentation', GraphConfig(), Runtime())\n"
        "print('onnxruntime' in sys.modules, 'openvino' in sys.modules)"
    )
    assert fresh(program).split() == ["True", "False"]


def test_without_openvino_the_error_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BackendError, match=r"OpenVINO cannot be imported .*pip install openvino'"):
        load("segmentation")


def test_a_file_of_another_graph_is_refused(cache: Path) -> None:
    with pytest.raises(ModelError, match=r"found inputs and outputs .*, expected "):
        open_openvino("embedding", *files("segmentation"), "float32", ONE, this_processor())
    with pytest.raises(ModelError, match="OpenVINO cannot load it"):
        open_openvino("segmentation", b"", {}, "float32", ONE, this_processor())


def bindings_called(work: Callable[[], object]) -> set[str]:
    """Compiled functions of OpenVINO that `work` calls on this thread."""
    found: set[str] = set()

    def note(_: object, event: str, called: Any) -> None:
        if event == "c_call" and "pyopenvino" in str(getattr(called, "__module__", None)):
            found.add(called.__name__)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


@pytest.mark.usefixtures("rounding")
def test_every_binding_that_threads_share_is_initialized_in_advance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library, "_prepared", set())
    before = bindings_called(library.import_openvino)
    inputs = samples("segmentation")
    for compiled in [load("segmentation", precision) for precision in ROUNDINGS]:
        while_running = bindings_called(partial(compiled.run, inputs))
        assert {"infer", "to_dtype"} <= while_running <= before
    assert not bindings_called(library.import_openvino)
