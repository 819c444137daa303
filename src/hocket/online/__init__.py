"""The online engine: diarization of a stream while it is recorded."""
