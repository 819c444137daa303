"""hocket with a preset, or with its defaults."""

from dataclasses import asdict

from bench.presets import configuration
from bench.systems.protocol import Engine, Turns, serve


def load(threads: int, preset: str | None) -> Engine:
    """Create the diarizer."""
    from hocket import Diarizer
    from hocket.config import Runtime

    config, runtime = configuration(preset), Runtime(threads=threads)
    diarizer = Diarizer(config=config, runtime=runtime)

    def diarize(audio: str) -> Turns:
        return [(turn.start, turn.end, turn.speaker) for turn in diarizer(audio).turns]

    settings = {"config": asdict(config), "runtime": asdict(runtime)}
    return Engine(diarize, {"preset": preset, **settings})


if __name__ == "__main__":
    serve(load, "preset")
