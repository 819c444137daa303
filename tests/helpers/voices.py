"""Clips of the two voices of the example's conversation, as files."""

import base64
import io

import soundfile

from tests.helpers.paths import CONVERSATION

DIANE, SHEILA = (18.0, 21.6), (14.4, 17.7)
"""Where each speaks alone, in seconds."""
BOTH = (11.0, 21.0)
NOBODY = (0.0, 4.0)


def clip(bounds: tuple[float, float], times: int = 1) -> bytes:
    """A stretch of the conversation, so many times, as WAV."""
    samples, rate = soundfile.read(CONVERSATION, dtype="int16")
    first, last = (round(bound * rate) for bound in bounds)
    place = io.BytesIO()
    soundfile.write(place, [*samples[first:last]] * times, rate, "PCM_16", format="WAV")
    return place.getvalue()


def url(content: bytes) -> str:
    """A data URL, as OpenAI's clients send clips."""
    return f"data:audio/wav;base64,{base64.b64encode(content).decode()}"
