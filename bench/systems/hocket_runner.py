"""hocket, with its own settings."""

from dataclasses import asdict

from bench.systems.protocol import Engine, Turns, serve


def load(threads: int) -> Engine:
    """The engine."""
    from hocket import Config, Diarizer, Runtime

    config, runtime = Config(), Runtime(threads=threads)
    diarizer = Diarizer(config=config, runtime=runtime)

    def diarize(audio: str) -> Turns:
        return [(turn.start_s, turn.end_s, turn.speaker) for turn in diarizer(audio).turns]

    return Engine(diarize, {"config": asdict(config), "runtime": asdict(runtime)})


if __name__ == "__main__":
    serve(load)
