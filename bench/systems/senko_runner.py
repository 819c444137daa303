"""senko on the processor, with its own settings: Silero finds speech there, not PyanNet."""

from bench.systems.protocol import Engine, Turns, serve


def load(threads: int) -> Engine:
    """The diarizer without its warm-up: the benchmark runs a clip before it takes the time."""
    import senko  # type: ignore[import-not-found] # only in senko's environment

    settings = {"device": "cpu", "vad": "auto", "clustering": "auto", "accurate": None}
    diarizer = senko.Diarizer(device="cpu", warmup=False, quiet=True)
    diarizer.logical_cores = threads  # what it gives torch; it takes all cores otherwise

    def diarize(audio: str) -> Turns:
        found = diarizer.diarize(audio, generate_colors=False)
        # None is its word for a recording in which nobody speaks.
        segments = found["merged_segments"] if found else []
        return [(float(each["start"]), float(each["end"]), each["speaker"]) for each in segments]

    return Engine(diarize, {**settings, "threads": threads})


if __name__ == "__main__":
    serve(load)
