"""Arguments of public functions: errors name unknown arguments, wrong types and what is right."""

import pickle
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hocket
from hocket.arguments import check_callable, check_type, known_names_only
from hocket.audio.reading import read_audio
from hocket.errors import ArgumentError, HocketError


@known_names_only
def order(dish: str, *, num_plates: int = 1, max_price: float | None = None) -> str:
    """Order a dish."""
    return f"{num_plates} {dish} {max_price}"


class Kitchen:
    """Takes orders."""

    @known_names_only
    def __init__(self, name: str = "here", *, open_late: bool = False) -> None:
        self.name, self.open_late = name, open_late

    @known_names_only
    def __call__(self, dish: str, *, num_plates: int = 1) -> str:
        return order(dish, num_plates=num_plates)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, HocketError)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_known_names_reach_the_function() -> None:
    assert order("soup") == "1 soup None"
    assert order(dish="soup", num_plates=2, max_price=3.5) == "2 soup 3.5"
    assert Kitchen("there", open_late=True).open_late
    assert Kitchen()("soup", num_plates=3) == "3 soup None"


def test_a_decorated_function_keeps_its_name_and_docstring() -> None:
    assert (order.__name__, order.__doc__) == ("order", "Order a dish.")
    assert pickle.loads(pickle.dumps(order)) is order


@pytest.mark.parametrize(
    ("call", "title", "unknown", "nearest"),
    [
        (lambda: order("soup", plates=2), "order()", "plates", "num_plates"),
        (lambda: order("soup", num_plate=2), "order()", "num_plate", "num_plates"),
        (lambda: order("soup", maxprice=2), "order()", "maxprice", "max_price"),
        (lambda: order(dihs="soup"), "order()", "dihs", "dish"),
        (lambda: Kitchen(open_lat=True), "Kitchen()", "open_lat", "open_late"),
        (lambda: Kitchen()("soup", plates=1), "Kitchen()", "plates", "num_plates"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(
    call: Callable[[], object], title: str, unknown: str, nearest: str
) -> None:
    message = refusal(call)
    assert message == f"{title} has no argument '{unknown}'; did you mean '{nearest}'?"


def test_a_name_like_no_other_lists_all_of_them() -> None:
    message = refusal(lambda: order("soup", xyz=1))
    assert message == "order() has no argument 'xyz'; it has dish, num_plates, max_price"
    assert "self" not in refusal(lambda: Kitchen(xyz=1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, int),
        (np.int64(3), int),
        (3, float),
        (2.5, float),
        (np.float32(2.5), float),
        ("a", str),
        (None, int | None),
        (3, int | None),
        (b"a", str | bytes),
        (Path("a"), Path),
        (threading.Event(), threading.Event | None),
    ],
)
def test_values_of_the_expected_type_pass(value: object, expected: Any) -> None:
    check_type("x", value, expected)


@pytest.mark.parametrize(
    ("value", "expected", "message"),
    [
        ("2", int, "x is '2', a str; give a whole number"),
        (2.0, int, "x is 2.0, a float; give a whole number"),
        (True, int, "x is True, a bool; give a whole number"),
        (True, float, "x is True, a bool; give a number"),
        (1 + 2j, float, "x is (1+2j), a complex; give a number"),
        (None, int, "x is None, a NoneType; give a whole number"),
        (3, str | None, "x is 3, an int; give a string or None"),
        ([1], int | float, "x is [1], a list; give a whole number or a number"),
        ("yes", threading.Event | None, "x is 'yes', a str; give Event or None"),
    ],
)
def test_other_values_are_refused_with_what_to_give(
    value: object, expected: Any, message: str
) -> None:
    assert refusal(lambda: check_type("x", value, expected)) == message


def test_a_long_value_is_cut() -> None:
    message = refusal(lambda: check_type("x", "y" * 1000, int))
    assert len(message) < 120
    assert "…" in message


def test_callables_and_none_pass_and_all_else_is_refused() -> None:
    for value in (None, print, lambda *_: None, Kitchen()):
        check_callable("progress", value)
    message = refusal(lambda: check_callable("progress", 3))
    assert message == "progress is 3, an int; give a function or None"


def test_the_public_functions_have_explicit_arguments() -> None:
    """Functions on the front page refuse unknown names before anything is loaded."""
    for function in (hocket.diarize, hocket.Diarizer, hocket.Stream, hocket.enroll, hocket.verify):
        message = refusal(partial(function, speakers=5))
        assert "has no argument 'speakers'" in message
    assert "did you mean 'num_speakers'?" in refusal(partial(hocket.diarize, "a.wav", speakers=5))


def test_one_clip_is_not_a_list_of_clips(tmp_path: Path) -> None:
    with hocket.SpeakerStore(tmp_path / "team.db") as store:
        assert "give a list of clips" in refusal(partial(hocket.enroll, store, "Anna", "anna.wav"))


def test_an_address_is_refused_with_the_pipe_that_reads_it() -> None:
    with pytest.raises(HocketError, match=r"ffmpeg -i https://example\.org/a\.mp3 -f wav - \|"):
        read_audio("https://example.org/a.mp3", target_rate=16_000)
