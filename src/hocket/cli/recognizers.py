"""Options that choose how speech is recognized."""

from dataclasses import fields

import click

from hocket.cli.options import grouped
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


recognition_options = grouped(
    "recognition", RecognitionConfig, [field.name for field in fields(RecognitionConfig)], _OPTIONS
)
"""The options; the command gets them as its argument `recognition`."""
