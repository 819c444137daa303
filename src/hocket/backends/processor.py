"""Features of this processor, and the backends that can be opened on this machine."""

import platform
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hocket.backends.choice import INSTALL, Processor
from hocket.backends.onnx_runtime import PROVIDERS, missing_provider

CPUINFO = Path("/proc/cpuinfo")


@cache
def this_processor() -> Processor:
    """Features of this processor; unknown ones count as absent.

    They are read from /proc/cpuinfo. Where that does not exist, OpenVINO reports them, if it is
    installed.
    """
    try:
        return parse_cpuinfo(CPUINFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return _openvino_processor() if find_spec("openvino") else Processor()


def parse_cpuinfo(text: str) -> Processor:
    """Features common to all processors in the content of Linux's /proc/cpuinfo."""
    flags = [
        frozenset(line.partition(":")[2].split())
        for line in text.splitlines()
        if line.partition(":")[0].strip() == "flags"
    ]
    common = frozenset.intersection(*flags) if flags else frozenset()
    return Processor(
        bfloat16=bool(common & {"amx_bf16", "avx512_bf16"}),
        matrix="amx_bf16" in common,
        vnni=bool(common & {"avx512_vnni", "avx_vnni"}),
        avx512="avx512f" in common,
    )


def _openvino_processor() -> Processor:
    """Features that OpenVINO reports: only bfloat16, which implies AVX-512."""
    from hocket.backends.openvino.library import capabilities

    bfloat16 = "BF16" in capabilities() and platform.machine() in {"x86_64", "AMD64"}
    return Processor(bfloat16=bfloat16, avx512=bfloat16)


def installed_backends(requested: str = "auto") -> frozenset[str]:
    """Backends that can be opened on this machine.

    A GPU or Core ML backend is included only if it is requested. It is then not checked, because
    the error on opening it is more precise.
    """
    found = {name for name in ("onnxruntime", "openvino") if find_spec(name)}
    return frozenset(found | ({requested} & {"cuda", "tensorrt", "coreml"}))


def missing(backend: str) -> str | None:
    """Why a backend cannot be opened on this machine, and what to do; None if it seems usable."""
    library = {"openvino": "openvino", "coreml": "coremltools"}.get(backend, "onnxruntime")
    problem: str | None = f"{library} is not installed"
    if backend == "coreml" and platform.system() != "Darwin":
        problem = f"Core ML runs on macOS only, this is {platform.system()}"
    elif find_spec(library):
        problem = missing_provider(backend) if backend in PROVIDERS else None
    return problem and f"{problem}; {INSTALL[backend]}"
