"""The shape of FluidAudio's diarization pipeline, rebuilt on hocket's graphs, beside hocket's."""

SHAPES = "notes"
"""Key of the shapes in a results file, older than the name of this package."""
