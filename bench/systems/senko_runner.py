"""senko on the processor with its default settings: Silero detects speech, not PyanNet."""

from bench.systems.protocol import Engine, Turns, serve


def load(threads: int) -> Engine:
    """Create the diarizer without its warm-up, since the benchmark has its own."""
    import senko  # type: ignore[import-not-found] # only in senko's environment

    settings = {"device": "cpu", "vad": "auto", "clustering": "auto", "accurate": None}
    diarizer = senko.Diarizer(device="cpu", warmup=False, quiet=True)
    diarizer.logical_cores = threads  # passed to torch; the default is all cores

    def diarize(audio: str) -> Turns:
        found = diarizer.diarize(audio, generate_colors=False)
        # None: no speech
        segments = found["merged_segments"] if found else []
        return [(float(each["start"]), float(each["end"]), each["speaker"]) for each in segments]

    return Engine(diarize, {**settings, "threads": threads})


if __name__ == "__main__":
    serve(load)
