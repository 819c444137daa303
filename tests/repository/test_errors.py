"""One tree of errors, each also the builtin that callers know, each message one line."""

import builtins
import inspect
import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket import errors
from hocket.backends.onnx_runtime import OnnxRuntimeGraph
from hocket.errors import (
    AudioContentError,
    AudioError,
    AudioFormatError,
    AudioNotFoundError,
    AudioVoiceError,
    BackendError,
    HocketError,
    OutputError,
    one_line,
)
from hocket.files import write_whole
from hocket.graph import GraphSpec

CLASSES: dict[str, type[HocketError]] = dict(inspect.getmembers(errors, inspect.isclass))
AUDIO_ERRORS = [
    AudioError,
    AudioNotFoundError,
    AudioFormatError,
    AudioContentError,
    AudioVoiceError,
]
HOSTILE = ["a\nb", "a\r\nb", "a\x0bb\x0c", "a\x1c\x1d\x1eb", "a\x85b", "a\u2028b\u2029", "\udcff\n"]
ANY_TEXT = st.text(st.characters())


def documented() -> list[tuple[str, str, str | None]]:
    """Name, parent and builtin of every class in the module's tree."""
    tree = re.findall(r"^    ([│├└─ ]*)(\w+)(?: \((\w+)\))?", inspect.getdoc(errors) or "", re.M)
    path: list[str] = []
    rows = []
    for branches, name, builtin in tree:
        depth = len(branches) // 4
        path = [*path[:depth], name]
        rows.append((name, path[depth - 1] if depth else "Exception", builtin or None))
    return rows


def one_line_of(error: BaseException) -> str:
    message = str(error)
    assert len(message.splitlines()) == 1, message
    assert message.isprintable()
    return message


def test_the_tree_shows_every_class() -> None:
    assert {name for name, _, _ in documented()} == set(CLASSES)


@pytest.mark.parametrize(("name", "parent", "builtin"), documented())
def test_an_error_has_the_bases_of_the_tree(name: str, parent: str, builtin: str | None) -> None:
    found = CLASSES[name]
    assert issubclass(found, HocketError)
    assert parent in {base.__name__ for base in found.__bases__}
    if builtin is not None:
        assert issubclass(found, getattr(builtins, builtin))


def test_builtins_are_inherited() -> None:
    assert issubclass(AudioNotFoundError, ValueError | OSError)
    for kind in AUDIO_ERRORS:
        assert issubclass(kind, ValueError)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES.values() if kind not in AUDIO_ERRORS])
def test_a_message_is_shown_as_it_was_given(kind: type[HocketError]) -> None:
    assert str(kind("x: is wrong; do y")) == "x: is wrong; do y"


@pytest.mark.parametrize("kind", [kind for kind in CLASSES.values() if kind not in AUDIO_ERRORS])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_stays_one_line(kind: type[HocketError], name: str) -> None:
    one_line_of(kind(f"{name}: is wrong"))


@pytest.mark.parametrize("kind", AUDIO_ERRORS)
def test_an_audio_error_has_a_problem_and_a_remedy(kind: type[AudioError]) -> None:
    error = kind("talk.wav", "is empty", "give another")
    assert str(error) == "talk.wav: is empty; give another"
    assert (error.source, error.problem, error.remedy) == ("talk.wav", "is empty", "give another")


@pytest.mark.parametrize("kind", AUDIO_ERRORS)
@pytest.mark.parametrize("name", HOSTILE)
def test_audio_errors_stay_one_line(kind: type[AudioError], name: str) -> None:
    one_line_of(kind(name, f"cannot be opened ({name})", f"rename {name}"))


@given(ANY_TEXT)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_one_line_escapes_only_what_cannot_be_printed(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    if text.isprintable():
        assert shown == text


def test_escapes_tell_what_was_there() -> None:
    assert one_line("a\nb\tc\u2028d\udcff") == r"a\nb\tc\u2028d\udcff"
    assert one_line("Grüße, 世界") == "Grüße, 世界"


def test_errors_survive_a_process_pool() -> None:
    error = AudioFormatError("a.wav", "is empty", "give another")
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is AudioFormatError
    assert (str(copied), copied.source) == (str(error), "a.wav")


def test_an_output_that_cannot_be_written_is_named_on_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError) as caught:
        write_whole(blocked / "two\nlines" / "x.rttm", "")
    assert "cannot write" in one_line_of(caught.value)


class FailingSession:
    """A runtime that reports at length."""

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(custom_metadata_map={})

    def run(self, *_: Any) -> list[np.ndarray[Any, Any]]:
        raise RuntimeError("node 7 failed:\n  out of memory\n")


def test_an_error_of_the_runtime_is_one_line() -> None:
    graph = OnnxRuntimeGraph(GraphSpec((), ()), FailingSession())
    with pytest.raises(BackendError) as caught:
        graph.run({})
    assert "out of memory" in one_line_of(caught.value)
