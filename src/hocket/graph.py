"""The interface between hocket and every runtime: a graph maps named arrays to named arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import check_array
from hocket.errors import GraphInputError

Tensors = Mapping[str, NDArray[np.float32]]

NO_LEAST: Mapping[str, int] = MappingProxyType({})

# a database may hold no speakers yet; no other axis may be empty
MAY_BE_EMPTY = frozenset({"speakers"})

Content = Literal["finite", "no NaN", "anything"]


@dataclass(frozen=True)
class Port:
    """One input or output of a graph; an axis is a name, or a fixed length in digits.

    content: which numbers an input may hold. Embeddings may hold anything: their graph's contract
        defines what NaN means there.
    """

    name: str
    axes: tuple[str, ...]
    content: Content = "finite"

    def check(
        self, array: NDArray[np.float32], lengths: dict[str, int], least: Mapping[str, int]
    ) -> None:
        """Raise GraphInputError unless `array` is a valid input.

        Args:
            array: the input.
            lengths: lengths of the named axes seen so far; those of this input are added.
            least: shortest allowed length of named axes.
        """
        check_array(self.name, array, np.float32, self.axes)
        for axis, found in zip(self.axes, array.shape, strict=True):
            expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, found)
            if found != expected:
                raise GraphInputError(
                    f"{self.name}: found shape {array.shape}; axis '{axis}' must be {expected}"
                )
            shortest = least.get(axis, 0 if axis in MAY_BE_EMPTY else 1)
            if found < shortest:
                raise GraphInputError(
                    f"{self.name}: found shape {array.shape}; "
                    f"axis '{axis}' must be {shortest} or more"
                )
        if not self._content_fits(array):
            expected_content = "finite numbers" if self.content == "finite" else "no NaN"
            raise GraphInputError(
                f"{self.name}: found {_invalid_numbers(array)}; pass {expected_content}"
            )

    def _content_fits(self, array: NDArray[np.float32]) -> bool:
        if self.content == "anything":
            return True
        if self.content == "no NaN":
            return not np.isnan(array).any()
        return bool(np.isfinite(array).all())


def _invalid_numbers(array: NDArray[np.float32]) -> str:
    return f"{int(np.isnan(array).sum())} NaN and {int(np.isinf(array).sum())} infinite numbers"


@dataclass(frozen=True)
class GraphSpec:
    """Inputs and outputs of a graph, in order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def check_inputs(self, inputs: Tensors, least: Mapping[str, int] = NO_LEAST) -> None:
        """Raise GraphInputError unless `inputs` are exactly the arrays that the graph takes.

        Args:
            inputs: arrays by name.
            least: shortest allowed length of named axes, from the graph's metadata.
        """
        expected = {port.name for port in self.inputs}
        if set(inputs) != expected:
            raise GraphInputError(f"graph inputs: found {sorted(inputs)}, pass {sorted(expected)}")
        lengths: dict[str, int] = {}
        for port in self.inputs:
            port.check(inputs[port.name], lengths, least)


def least_lengths(metadata: Mapping[str, str]) -> dict[str, int]:
    """Shortest allowed length of named axes, from a graph's metadata."""
    prefix = "least_"
    return {
        key.removeprefix(prefix): int(value)
        for key, value in metadata.items()
        if key.startswith(prefix)
    }


def _port(name: str, axes: str, content: Content = "finite") -> Port:
    return Port(name, tuple(axes.split()), content)


_WAVEFORM = _port("waveform", "windows 1 samples")
_MASKS = _port("masks", "windows frames 3")
_SINC_FEATURES = _port("peaks", "windows 160 places")  # a place is a pooled sinc frame
_LOG_PROBS = _port("log_probs", "windows frames 7", "no NaN")
_EMBEDDINGS = _port("embeddings", "windows slots dimension")

SPECS: dict[str, GraphSpec] = {
    "segmentation": GraphSpec(inputs=(_WAVEFORM,), outputs=(_LOG_PROBS,)),
    "sinc_peaks": GraphSpec(inputs=(_WAVEFORM,), outputs=(_SINC_FEATURES,)),
    "segmentation_from_peaks": GraphSpec(inputs=(_WAVEFORM, _SINC_FEATURES), outputs=(_LOG_PROBS,)),
    "powerset_decode": GraphSpec(inputs=(_LOG_PROBS,), outputs=(_MASKS,)),
    "segmentation_masks": GraphSpec(inputs=(_WAVEFORM,), outputs=(_MASKS,)),
    "embedding_inputs": GraphSpec(
        inputs=(_port("audio", "1 1 samples"), _port("masks", "1 frames 3")),
        outputs=(_port("waveforms", "3 samples"), _port("clean_masks", "3 frames")),
    ),
    "embedding": GraphSpec(
        inputs=(_WAVEFORM, _port("masks", "windows slots frames")), outputs=(_EMBEDDINGS,)
    ),
    "post_embedding": GraphSpec(
        inputs=(
            _port("embeddings", "slots dimension", "anything"),
            _port("database", "speakers dimension", "anything"),
            _port("segments", "1 frames slots"),
        ),
        outputs=(
            _port("distances", "slots speakers"),
            _port("activity", "slots"),
            _port("valid", "slots"),
            _port("filtered", "1 frames slots"),
        ),
    ),
    "fused": GraphSpec(
        inputs=(_WAVEFORM,), outputs=(_MASKS, _port("embeddings", "windows 3 dimension"))
    ),
}
"""The contract of each graph, by name. The forge exports to it, and every backend must meet it."""


class Graph(Protocol):
    """A loaded graph."""

    @property
    def spec(self) -> GraphSpec:
        """Names and axes of inputs and outputs."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Metadata that the forge wrote into the file: geometry, source, sha256."""
        ...

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """Outputs by name.

        Raises:
            GraphInputError: an input is missing, or has a wrong dtype or shape.
            BackendError: the runtime failed.
        """
        ...
