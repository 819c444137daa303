"""What this processor computes in, and which backends can be opened here."""

import platform
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hocket.backends.choice import INSTALL, Processor
from hocket.backends.onnx_runtime import PROVIDERS, missing_provider

CPUINFO = Path("/proc/cpuinfo")


@cache
def this_processor() -> Processor:
    """Read from the system without loading a runtime; elsewhere OpenVINO is asked, if it is there.

    What nobody says is taken to be absent.
    """
    try:
        return parse_cpuinfo(CPUINFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return _ask_openvino() if find_spec("openvino") else Processor()


def parse_cpuinfo(text: str) -> Processor:
    """From Linux's /proc/cpuinfo: what all of its processors have."""
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


def _ask_openvino() -> Processor:
    """OpenVINO says whether it computes in bfloat16, which needs AVX-512; of the rest, nothing."""
    from hocket.backends.openvino.library import capabilities

    bfloat16 = "BF16" in capabilities() and platform.machine() in {"x86_64", "AMD64"}
    return Processor(bfloat16=bfloat16, avx512=bfloat16)


def installed_backends(asked: str = "auto") -> frozenset[str]:
    """Backends that can be opened here; GPUs are looked for only where one is asked for.

    That one is always among them: its own errors say more than that it is absent.
    """
    found = {name for name in ("onnxruntime", "openvino") if find_spec(name)}
    return frozenset(found | ({asked} & {"cuda", "tensorrt", "coreml"}))


def missing(backend: str) -> str | None:
    """Why a backend cannot be opened here, and what to do; None if nothing is known against it."""
    library = {"openvino": "openvino", "coreml": "coremltools"}.get(backend, "onnxruntime")
    problem: str | None = f"{library} is not installed"
    if backend == "coreml" and platform.system() != "Darwin":
        problem = f"Core ML runs on macOS only, this is {platform.system()}"
    elif find_spec(library):
        problem = missing_provider(backend) if backend in PROVIDERS else None
    return problem and f"{problem}; {INSTALL[backend]}"
