"""Conversations made of known voices: kinds of talk, over kinds of channel, with their truth.

    voices → words → script (who says what when) → scene (tracks, turns) → channel → Talk

`simulate` makes one `Talk`; `write_talks` makes files of several.
"""

from bench.people_mixing import Talk
from bench.simulation.channels import CHANNELS
from bench.simulation.making import KINDS, simulate
from bench.simulation.voices import HALVES, VoiceVectors
from bench.simulation.writing import Batch, write_talks

__all__ = [
    "CHANNELS",
    "HALVES",
    "KINDS",
    "Batch",
    "Talk",
    "VoiceVectors",
    "simulate",
    "write_talks",
]
