"""Settings of hocket by the name of a preset.

Apart from `bench.options`, which imports click: a process that measures a cold start imports
little.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hocket import Config


def configuration(preset: str | None) -> "Config":
    """The settings of a preset; None: the defaults."""
    from hocket import Config

    return Config() if preset is None else Config.preset(preset)
