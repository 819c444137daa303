"""Settings of hocket by the name of a preset.

Apart from `bench.options`, which brings click: what measures a cold start imports nothing early.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hocket import Config


def configuration(preset: str | None) -> "Config":
    """Settings of a preset; the defaults without a name."""
    from hocket import Config

    if preset is None:
        return Config()
    presets: Any = Config
    config: Config = presets.preset(preset)
    return config
