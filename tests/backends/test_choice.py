"""The runtime of a graph: every combination of settings, installed runtimes and processors."""

from itertools import product
from pathlib import Path

import pytest

from hocket.backends import processor
from hocket.backends.choice import (
    BACKENDS,
    BFLOAT16_GRAPHS,
    PRECISIONS,
    Choice,
    Processor,
    choose,
)
from hocket.backends.processor import installed_backends, missing, parse_cpuinfo, this_processor
from hocket.config import GraphConfig
from hocket.errors import BackendError, ConfigError

FLAGS = (False, True)
BOTH = frozenset({"float32", "int8"})
FILES = {
    "segmentation": BOTH,
    "segmentation_from_peaks": BOTH,
    "embedding": BOTH,
    "fused": frozenset({"float32"}),
    "powerset_decode": frozenset[str](),
}
SETS = [frozenset(s) for s in (("onnxruntime",), ("onnxruntime", "openvino"), ("openvino",), ())]
PROCESSORS = [Processor(*flags) for flags in product(FLAGS, repeat=4)]
PLAIN, VNNI = Processor(), Processor(vnni=True)
AVX512 = Processor(vnni=True, avx512=True)
AMX = Processor(bfloat16=True, matrix=True, vnni=True, avx512=True)
ZEN4 = Processor(bfloat16=True, vnni=True, avx512=True)
ROUNDS = Processor(bfloat16=True, avx512=True)
ORT, OV = SETS[0], SETS[1]


def chosen(graph: str, backend: str, precision: str, where: Processor, have: frozenset[str]) -> str:
    config = GraphConfig(precision=precision, backend=backend)
    found = choose(graph, config, FILES[graph], where, have)
    return f"{found.backend} {found.precision}"


@pytest.mark.parametrize("graph", FILES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_combination_gives_a_usable_choice_or_an_error_with_a_remedy(
    graph: str, precision: str
) -> None:
    refused: set[tuple[type[Exception], bool]] = set()
    messages: set[str] = set()
    for backend, where, have in product(BACKENDS, PROCESSORS, SETS):
        installed = have | ({backend} & {"cuda", "tensorrt", "coreml"})
        config = GraphConfig(precision=precision, backend=backend)
        try:
            found = choose(graph, config, FILES[graph], where, installed)
        except (ConfigError, BackendError) as error:
            refused.add((type(error), precision == "float32"))
            messages.add(str(error))
            continue
        assert found.backend in installed
        assert backend in {"auto", found.backend}
        if FILES[graph]:
            assert precision in {"auto", found.precision}
        if found.precision == "bfloat16":
            assert (found.backend, graph in BFLOAT16_GRAPHS) == ("openvino", True)
            assert where.bfloat16
        if found.precision == "int8":
            assert found.backend == "onnxruntime"
            assert "int8" in FILES[graph] or precision == "int8"
    for message in messages:
        assert "\n" not in message
        assert message.startswith(("precision is '", "backend '"))
        assert "give " in message or "run " in message
    assert (ConfigError, True) not in refused  # every graph has float32


@pytest.mark.parametrize(
    ("where", "have", "segmentation", "embedding", "live"),
    [
        (PLAIN, OV, "onnxruntime float32", "onnxruntime int8", "onnxruntime float32"),
        (VNNI, OV, "onnxruntime float32", "onnxruntime int8", "onnxruntime int8"),
        (AVX512, OV, "onnxruntime float32", "onnxruntime int8", "onnxruntime int8"),
        (AMX, OV, "openvino bfloat16", "openvino bfloat16", "openvino bfloat16"),
        (ZEN4, OV, "openvino bfloat16", "onnxruntime int8", "onnxruntime int8"),
        (ROUNDS, OV, "openvino bfloat16", "openvino bfloat16", "openvino bfloat16"),
        (AMX, ORT, "onnxruntime float32", "onnxruntime int8", "onnxruntime int8"),
        (ZEN4, ORT, "onnxruntime float32", "onnxruntime int8", "onnxruntime int8"),
        (ZEN4, SETS[2], "openvino bfloat16", "openvino bfloat16", "openvino bfloat16"),
        (AMX, SETS[2], "openvino bfloat16", "openvino bfloat16", "openvino bfloat16"),
        (PLAIN, SETS[2], "openvino float32", "openvino float32", "openvino float32"),
    ],
)
def test_with_auto_the_choice_depends_on_processor_and_runtimes(
    where: Processor, have: frozenset[str], segmentation: str, embedding: str, live: str
) -> None:
    assert chosen("segmentation_from_peaks", "auto", "auto", where, have) == live
    assert chosen("segmentation", "auto", "auto", where, have) == segmentation
    assert chosen("embedding", "auto", "auto", where, have) == embedding


@pytest.mark.parametrize(
    ("backend", "precision", "where", "have", "expected"),
    [
        ("auto", "float32", PLAIN, OV, "onnxruntime float32"),
        ("auto", "float32", AVX512, OV, "openvino float32"),
        ("auto", "float32", AVX512, ORT, "onnxruntime float32"),
        ("auto", "int8", AMX, OV, "onnxruntime int8"),
        ("auto", "bfloat16", ZEN4, OV, "openvino bfloat16"),
        ("openvino", "auto", ZEN4, OV, "openvino bfloat16"),
        ("auto", "bfloat16", AMX, OV, "openvino bfloat16"),
        ("openvino", "auto", PLAIN, OV, "openvino float32"),
        ("openvino", "auto", AMX, OV, "openvino bfloat16"),
        ("openvino", "float32", AMX, OV, "openvino float32"),
        ("onnxruntime", "auto", AMX, OV, "onnxruntime int8"),
        ("onnxruntime", "float32", AMX, OV, "onnxruntime float32"),
        ("cuda", "auto", AMX, OV | {"cuda"}, "cuda float32"),
        ("tensorrt", "float32", PLAIN, ORT | {"tensorrt"}, "tensorrt float32"),
        ("coreml", "auto", PLAIN, ORT | {"coreml"}, "coreml float32"),
    ],
)
def test_the_choice_for_embeddings_follows_the_settings(
    backend: str, precision: str, where: Processor, have: frozenset[str], expected: str
) -> None:
    assert chosen("embedding", backend, precision, where, have) == expected


def test_an_embedding_without_an_int8_file_stays_float32() -> None:
    config = GraphConfig(precision="auto")
    found = choose("embedding", config, frozenset({"float32"}), PLAIN, OV)
    assert found == Choice("onnxruntime", "float32")
    found = choose("embedding", config, frozenset({"float32"}), ZEN4, OV)
    assert found == Choice("openvino", "bfloat16")


def test_graphs_that_need_more_than_one_cut_stay_float32() -> None:
    assert chosen("fused", "auto", "auto", AMX, OV) == "openvino float32"
    with pytest.raises(ConfigError, match=r"^precision is 'bfloat16'; 'fused' has none"):
        chosen("fused", "auto", "bfloat16", AMX, OV)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_graph_without_weights_is_the_same_in_every_precision(precision: str) -> None:
    for where in PROCESSORS:
        assert chosen("powerset_decode", "auto", precision, where, OV) == "onnxruntime float32"
        assert chosen("powerset_decode", "openvino", precision, where, OV) == "openvino float32"


@pytest.mark.parametrize(
    ("backend", "precision", "where", "have", "kind", "message"),
    [
        ("openvino", "auto", AMX, ORT, BackendError, r"'openvino' .*run 'pip install openvino'$"),
        ("auto", "bfloat16", AMX, ORT, BackendError, r"'openvino' .*run 'pip install openvino'$"),
        ("auto", "auto", AMX, SETS[3], BackendError, r"run 'pip install openvino'$"),
        ("auto", "auto", PLAIN, SETS[3], BackendError, r"run 'pip install onnxruntime'$"),
        ("auto", "int8", AMX, SETS[2], BackendError, r"run 'pip install onnxruntime'$"),
        ("auto", "bfloat16", AVX512, OV, ConfigError, r"this processor does not compute in it"),
        ("openvino", "bfloat16", PLAIN, OV, ConfigError, r"give float32 or int8$"),
        ("onnxruntime", "bfloat16", AMX, OV, ConfigError, r"give backend openvino$"),
        ("openvino", "int8", AMX, OV, ConfigError, r"slower; give backend onnxruntime$"),
        ("cuda", "int8", AMX, ORT | {"cuda"}, ConfigError, r"float32 files only; give precision"),
        ("coreml", "int8", AMX, ORT | {"coreml"}, ConfigError, r"packages have their own"),
    ],
)
def test_a_choice_that_is_impossible_is_refused_with_a_remedy(
    backend: str,
    precision: str,
    where: Processor,
    have: frozenset[str],
    kind: type[Exception],
    message: str,
) -> None:
    with pytest.raises(kind, match=message):
        chosen("embedding", backend, precision, where, have)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GraphConfig(backend="torch"), "backend is 'torch'; give one of auto, onnxruntime, "),
        (GraphConfig(precision="fp8"), "precision is 'fp8'; give one of auto, float32, bfloat16"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(config: GraphConfig, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose("embedding", config, BOTH, PLAIN, OV)
    assert str(caught.value).startswith(message)


def cpuinfo(*flags: str) -> str:
    return "".join(
        f"processor\t: {n}\nmodel name\t: some\nflags\t\t: fpu sse {f}\n\n"
        for n, f in enumerate(flags)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (cpuinfo("avx2 fma"), Processor()),
        (cpuinfo("avx2 avx_vnni"), Processor(vnni=True)),
        (cpuinfo("avx512f avx512_vnni"), Processor(vnni=True, avx512=True)),
        (cpuinfo("avx512f avx512_vnni avx512_bf16"), ZEN4),
        (cpuinfo("avx512f avx512_vnni amx_bf16 amx_tile"), AMX),
        (cpuinfo("avx512f avx512_bf16", "avx2"), Processor()),  # the weakest core counts
        (cpuinfo("not_avx512f"), Processor()),
        ("Features\t: fp asimd bf16\n", Processor()),  # Arm
        ("", Processor()),
    ],
)
def test_the_processor_is_read_from_its_flags(text: str, expected: Processor) -> None:
    assert parse_cpuinfo(text) == expected


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A system that does not list the flags of its processors."""
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "absent")
    this_processor.cache_clear()
    return monkeypatch


@pytest.mark.parametrize("said", [{"FP32", "INT8"}, {"FP32", "BF16"}])
@pytest.mark.parametrize("machine", ["AMD64", "arm64"])
def test_without_flags_openvino_is_queried_and_nothing_is_guessed(
    elsewhere: pytest.MonkeyPatch, said: set[str], machine: str
) -> None:
    elsewhere.setattr("hocket.backends.openvino.library.capabilities", lambda: frozenset(said))
    elsewhere.setattr(processor, "find_spec", lambda name: object())
    elsewhere.setattr(processor.platform, "machine", lambda: machine)
    rounds = machine == "AMD64" and "BF16" in said
    assert this_processor() == Processor(bfloat16=rounds, avx512=rounds)
    this_processor.cache_clear()
    elsewhere.setattr(processor, "find_spec", lambda name: None)
    assert this_processor() == Processor()
    this_processor.cache_clear()


def test_a_runtime_that_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing("onnxruntime") is None
    monkeypatch.setattr(processor, "find_spec", lambda name: None)
    assert installed_backends() == frozenset()
    for backend in BACKENDS[1:]:
        assert "; " in (missing(backend) or "")
    assert missing("openvino") == "openvino is not installed; run 'pip install openvino'"


def test_a_gpu_is_looked_for_only_if_requested() -> None:
    assert "cuda" not in installed_backends()
    assert "cuda" in installed_backends("cuda")
    assert installed_backends("auto") == installed_backends("openvino")
