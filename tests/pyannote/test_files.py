"""Every form of a file that pyannote.audio takes."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.errors import ArgumentError, AudioContentError, AudioNotFoundError, ConfigError
from hocket.pyannote import Pipeline
from hocket.pyannote.files import given as given_file
from tests.helpers.paths import CONVERSATION
from tests.helpers.shared import result_of, samples_of

RATE = 16_000


class Tensor:
    """As a tensor of torch on another device, with gradients: neither can become an array."""

    def __init__(self, values: NDArray[Any], ready: frozenset[str] = frozenset()) -> None:
        self.values, self.ready, self.shape = values, ready, values.shape

    def detach(self) -> "Tensor":
        return Tensor(self.values, self.ready | {"detached"})

    def cpu(self) -> "Tensor":
        return Tensor(self.values, self.ready | {"cpu"})

    def numpy(self) -> NDArray[Any]:
        if self.ready != {"detached", "cpu"}:
            raise RuntimeError(f"cannot be an array: only {set(self.ready)}")
        return self.values


class OnlyArray:
    """Of a library that only knows the protocol."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.values


def conversation() -> NDArray[np.float32]:
    return samples_of(CONVERSATION)[None]


def encoded() -> io.BytesIO:
    return io.BytesIO(CONVERSATION.read_bytes())


FORMS: list[tuple[Callable[[], Any], str]] = [
    (lambda: str(CONVERSATION), "conversation"),
    (lambda: CONVERSATION, "conversation"),
    (encoded, "stream"),
    (lambda: {"audio": str(CONVERSATION)}, "conversation"),
    (lambda: {"audio": CONVERSATION, "uri": "talk"}, "talk"),
    (lambda: MappingProxyType({"audio": CONVERSATION}), "conversation"),
    (lambda: {"audio": encoded(), "uri": "talk"}, "talk"),
    (lambda: {"audio": encoded()}, "stream"),
    (lambda: {"waveform": conversation(), "sample_rate": RATE}, "waveform"),
    (lambda: {"waveform": Tensor(conversation()), "sample_rate": np.int64(RATE)}, "waveform"),
    (lambda: {"waveform": OnlyArray(conversation()), "sample_rate": RATE, "uri": "talk"}, "talk"),
]


@pytest.mark.parametrize(("make", "uri"), FORMS)
def test_every_form_gives_the_same_turns(make: Callable[[], Any], uri: str) -> None:
    found = Pipeline(3)(make())
    expected = result_of(CONVERSATION).to_annotation()
    assert found.uri == uri
    assert found == expected


class Pipe:
    """What can only be read."""

    def read(self) -> bytes:
        return CONVERSATION.read_bytes()


def test_a_file_object_can_be_used_again() -> None:
    pipeline = Pipeline(3)
    with CONVERSATION.open("rb") as file:
        assert pipeline(file) == pipeline(file)
        assert pipeline({"audio": file}).uri == "stream"
    assert pipeline(Pipe()).uri == "stream"  # type: ignore[arg-type]


def test_the_name_of_a_recording_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "two words.v1.wav"
    soundfile.write(path, np.zeros(RATE), RATE)
    assert Pipeline(3)(path).uri == "two words.v1"


@pytest.mark.parametrize("in_file", [True, False])
def test_channels_count_from_0(in_file: bool, tmp_path: Path) -> None:
    both = np.concatenate([np.zeros_like(conversation()), conversation()])
    path = tmp_path / "both.wav"
    soundfile.write(path, both.T, RATE, subtype="FLOAT")
    file = {"audio": path} if in_file else {"waveform": both, "sample_rate": RATE}
    pipeline = Pipeline(3)
    assert not pipeline({**file, "channel": 0})
    assert pipeline({**file, "channel": 1}) == result_of(CONVERSATION).to_annotation()
    with pytest.raises(ConfigError, match="there are 2 channels"):
        pipeline({**file, "channel": 2})


WAVEFORM = np.zeros((1, RATE), np.float32)


@pytest.mark.parametrize(
    ("file", "kind", "text"),
    [
        (WAVEFORM, ArgumentError, "file is of type ndarray; give a path"),
        ({"audio": WAVEFORM}, ArgumentError, "audio is of type ndarray; give a path"),
        ({"uri": "x"}, ConfigError, "neither audio nor a waveform; give a path"),
        ({"waveform": WAVEFORM}, ConfigError, "no sample_rate; add its rate in Hz"),
        ({"waveform": WAVEFORM, "sample_rate": "16k"}, ArgumentError, "give a whole number"),
        ({"waveform": WAVEFORM[0], "sample_rate": RATE}, AudioContentError, r"\(16000,\)"),
        ({"waveform": WAVEFORM.T, "sample_rate": RATE}, AudioContentError, r"give \(channels"),
        ({"audio": CONVERSATION, "channel": -1}, ConfigError, "give 0 for the first channel"),
        ({"audio": CONVERSATION, "channel": "0"}, ArgumentError, "channel is '0'"),
        ({"audio": "gone.wav"}, AudioNotFoundError, r"gone\.wav: cannot be opened"),
    ],
)
def test_what_is_no_file_is_an_error_with_a_remedy(
    file: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        Pipeline(3)(file)


NAMES = st.dictionaries(st.text().filter(lambda key: key != "waveform"), st.integers())


@given(NAMES)
def test_a_file_keeps_its_keys_and_gets_a_name(others: Mapping[str, int]) -> None:
    file = {**others, "audio": "a/b.wav", "channel": None}
    before = dict(file)
    found = given_file(file)
    assert found.entries is file
    assert file == {"uri": "b", **before}
    assert found.uri == str(before.get("uri", "b"))
