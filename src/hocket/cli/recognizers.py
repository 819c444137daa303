"""Options that choose how speech is recognized."""

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any

import click

from hocket.recognition.engine import ENGINES
from hocket.recognition.settings import AUTO, DEVICES, RecognitionConfig

_OPTIONS = (
    click.option(
        "--engine",
        type=click.Choice((AUTO, *ENGINES)),
        default=AUTO,
        show_default=True,
        help="Speech recognizer. auto: the first of these that is installed.",
    ),
    click.option(
        "--model",
        metavar="NAME|DIR",
        help="Its model; HOCKET_ASR_MODEL names it too. Default: the engine's.",
    ),
    click.option("--download", is_flag=True, help="Let the engine fetch a model that is not here."),
    click.option("--language", metavar="CODE", help="Such as en. Default: found by the engine."),
    click.option("--prompt", metavar="TEXT", help="Shows how names and terms are spelled."),
    click.option(
        "--device",
        type=click.Choice(DEVICES),
        default=AUTO,
        show_default=True,
        help="Of the recognizer. auto: cuda where there is one.",
    ),
)


def recognition_options(command: Callable[..., int]) -> Callable[..., int]:
    """The options; the command gets them as its argument `recognition`."""

    @wraps(command)
    def with_recognition(**given: Any) -> int:
        names = [field.name for field in fields(RecognitionConfig)]
        recognition = RecognitionConfig(**{name: given.pop(name) for name in names})
        return command(recognition=recognition, **given)

    found: Callable[..., int] = with_recognition
    for option in reversed(_OPTIONS):
        found = option(found)
    return found
