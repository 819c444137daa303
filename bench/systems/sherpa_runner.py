"""sherpa-onnx with hocket's two models, in its format (see sherpa_models.py)."""

from pathlib import Path

from bench.systems.protocol import Engine, Turns, serve

MODELS = Path(__file__).resolve().parents[2] / "build" / "compare" / "sherpa"
THRESHOLD = 0.7  # distance from which two voices are different
SHORTEST_TURN_S = 0.3
SHORTEST_PAUSE_S = 0.5


def load(threads: int) -> Engine:
    """Create the offline diarizer."""
    import sherpa_onnx  # type: ignore[import-not-found] # only in sherpa-onnx's environment
    import soundfile

    pyannote = sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(
        model=str(MODELS / "segmentation.onnx")
    )
    config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
        segmentation=sherpa_onnx.OfflineSpeakerSegmentationModelConfig(
            pyannote=pyannote, num_threads=threads
        ),
        embedding=sherpa_onnx.SpeakerEmbeddingExtractorConfig(
            model=str(MODELS / "embedding.onnx"), num_threads=threads
        ),
        clustering=sherpa_onnx.FastClusteringConfig(num_clusters=-1, threshold=THRESHOLD),
        min_duration_on=SHORTEST_TURN_S,
        min_duration_off=SHORTEST_PAUSE_S,
    )
    if not config.validate():
        raise RuntimeError("sherpa-onnx rejected its configuration; see the lines above")
    diarizer = sherpa_onnx.OfflineSpeakerDiarization(config)

    def diarize(audio: str) -> Turns:
        samples, _ = soundfile.read(audio, dtype="float32")
        found = diarizer.process(samples).sort_by_start_time()
        return [(turn.start, turn.end, str(turn.speaker)) for turn in found]

    settings: dict[str, object] = {
        "threshold": THRESHOLD,
        "min_duration_on": SHORTEST_TURN_S,
        "min_duration_off": SHORTEST_PAUSE_S,
        "threads": threads,
    }
    return Engine(diarize, settings)


if __name__ == "__main__":
    serve(load)
