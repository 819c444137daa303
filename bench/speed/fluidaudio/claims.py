"""Claims about the speed of FluidAudio's pipeline, measured on a processor as far as possible."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.speed.fluidaudio.graphs import sliced
from bench.speed.fluidaudio.pipeline import SLOTS, WINDOW
from bench.speed.sessions import open_session, read_model
from bench.speed.timed import alternate

Work = Callable[[], object]
Floats = NDArray[np.float32]

KNOWN = 10  # speakers that the slots are compared with
FRAMES = 589
BATCH = 8  # windows of one call, and of a reused buffer
STEP = 40_500  # samples between windows, 150 frames


def measure_claims(repeats: int) -> dict[str, Any]:
    """Every claim about time: seconds per window in both ways, and their ratio."""
    generator = np.random.default_rng(0)
    waveform = generator.standard_normal(WINDOW + BATCH * STEP, np.float32)
    claims = {
        "copy": _boxed_copies(waveform),
        "windows": _window_copies(waveform),
        "pool": _buffers(waveform),
        "post_embedding": _post_embedding(generator),
        "slots": _slots(waveform),
    }
    found: dict[str, Any] = {}
    for name, (theirs, ours) in claims.items():
        times = alternate({"theirs": theirs, "ours": ours}, repeats)
        # windows are copied, and buffers filled, for one call at a time
        windows = BATCH if name in {"windows", "pool"} else 1
        found[name] = {
            "theirs_s": round(times["theirs"] / windows, 8),
            "ours_s": round(times["ours"] / windows, 8),
            "ratio": round(times["theirs"] / times["ours"], 3),
            "saved_percent": round(100 * (1 - times["ours"] / times["theirs"]), 1),
        }
    return found


def _boxed_copies(waveform: Floats) -> tuple[Work, Work]:
    """Copy a window as Python objects, sample by sample; and as one block of memory."""
    window, target = waveform[:WINDOW], np.empty(WINDOW, np.float32)

    def boxed() -> None:
        for index, value in enumerate(window.tolist()):
            target[index] = value

    return boxed, lambda: np.copyto(target, window)


def _window_copies(waveform: Floats) -> tuple[Work, Work]:
    """Copy windows one by one and tile them; and copy a strided view into one buffer."""
    starts = range(0, BATCH * STEP, STEP)
    view = np.lib.stride_tricks.sliding_window_view(waveform, WINDOW)[::STEP][:BATCH]
    buffer = np.empty((BATCH, WINDOW), np.float32)

    def tiled() -> list[Floats]:
        windows = [waveform[start : start + WINDOW].copy() for start in starts]
        return [np.tile(window, (SLOTS, 1)) for window in windows]

    return tiled, lambda: np.copyto(buffer, view)


def _buffers(waveform: Floats) -> tuple[Work, Work]:
    """Put the input of a call into new zeroed memory; and into a reused buffer."""
    view = np.lib.stride_tricks.sliding_window_view(waveform, WINDOW)[::STEP][:BATCH]
    kept = np.zeros((BATCH, WINDOW), np.float32)

    def fresh() -> Floats:
        buffer = np.zeros((BATCH, WINDOW), np.float32)
        np.copyto(buffer, view)
        return buffer

    return fresh, lambda: np.copyto(kept, view)


def _post_embedding(generator: np.random.Generator) -> tuple[Work, Work]:
    """Loop over slots, known speakers and segments; and run one graph."""
    from hocket.backends.reference import post_embedding

    dimension = 192
    inputs = {
        "embeddings": generator.standard_normal((SLOTS, dimension)).astype(np.float32),
        "database": generator.standard_normal((KNOWN, dimension)).astype(np.float32),
        "segments": _random_masks(generator),
    }
    session = open_session(read_model("post_embedding"), 1)
    return lambda: post_embedding(**inputs), lambda: session.run(None, inputs)


def _random_masks(generator: np.random.Generator) -> Floats:
    """Masks of speakers with turns of about a second, (1, frames, slots)."""
    changes = generator.random((1, FRAMES, SLOTS)) < 1 / 60
    return (np.cumsum(changes, axis=1) % 2).astype(np.float32)


def _slots(waveform: Floats) -> tuple[Work, Work]:
    """Embed each slot of a window by its own call; and pool all masks in one call."""
    model = read_model("embedding")
    each = open_session(sliced(model, WINDOW), 1)
    shared = open_session(model, 1)
    window = waveform[None, None, :WINDOW]
    masks = np.zeros((1, SLOTS, FRAMES), np.float32)
    for slot in range(SLOTS):
        masks[0, slot, slot * 196 : (slot + 1) * 196] = 1

    def one_by_one() -> list[object]:
        return [
            each.run(None, {"waveform": window, "masks": masks[:, slot : slot + 1]})
            for slot in range(SLOTS)
        ]

    return one_by_one, lambda: shared.run(None, {"waveform": window, "masks": masks})
