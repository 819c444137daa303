"""Arguments of public functions: an unknown name or a wrong type is an error with a remedy."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, get_args

from hocket.errors import ArgumentError

P = ParamSpec("P")
Returned = TypeVar("Returned")

_WORDS: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    NoneType: "None",
}


def known_names_only(function: Callable[P, Returned]) -> Callable[P, Returned]:
    """Make a keyword that the function does not have an ArgumentError that suggests the nearest."""
    code = function.__code__
    first = 1 if "." in function.__qualname__ else 0  # a method's own first argument is no keyword
    known = code.co_varnames[first : code.co_argcount + code.co_kwonlyargcount]
    title = function.__qualname__.removesuffix(".__init__").removesuffix(".__call__")

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Returned:
        for name in kwargs:
            if name not in known:
                near = _nearest(name, known)
                raise ArgumentError(
                    f"{title}() has no argument '{name}'; "
                    + (f"did you mean '{near}'?" if near else f"it has {', '.join(known)}")
                )
        return function(*args, **kwargs)

    return call


def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    """The known name most like another; one that ends alike counts as alike."""
    near = [each for each in known if each.endswith(f"_{name}")]
    near += get_close_matches(name, known, n=1, cutoff=0.6)
    return near[0] if near else None


def check_type(name: str, value: object, expected: Any) -> None:
    """Raise ArgumentError unless an argument is of an expected type.

    Args:
        name: of the argument.
        value: what was given.
        expected: a type, or several as `int | None`; int and float stand for all integers and real
            numbers but truth values.
    """
    kinds = get_args(expected) if isinstance(expected, UnionType) else (expected,)
    if not any(_is(value, kind) for kind in kinds):
        wanted = " or ".join(_WORDS.get(kind, kind.__name__) for kind in kinds)
        raise ArgumentError(f"{name} is {_shown(value)}, {_kind(value)}; give {wanted}")


def check_callable(name: str, value: object) -> None:
    """Raise ArgumentError unless an argument is None or can be called."""
    if value is not None and not callable(value):
        raise ArgumentError(f"{name} is {_shown(value)}, {_kind(value)}; give a function or None")


def _is(value: object, kind: type) -> bool:
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return isinstance(value, kind)


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
