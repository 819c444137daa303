"""The channels of a recording, each by itself: without what leaks into it, and with its pauses."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import segments_of
from hocket.audio.bleed import Survey, bleed_of, floor_of, leaks_of, levels_of, pauses_of, sounding
from hocket.audio.excerpts import Excerpt, Span
from hocket.audio.opening import reusable
from hocket.audio.reading import Selection, Source, open_blocks
from hocket.audio.samples import finite
from hocket.notices import Notices

LEAST_PAUSE_S = 0.2  # shorter ones are part of speech
LEAST_BLEED_S = 1.0  # of which there is a notice
EDGE_S = 0.02  # of speech at both ends of a pause, where levels are means of speech and pause


class Channel(NamedTuple):
    """One channel of a recording.

    selection: what is used of it.
    pauses: where nobody speaks in it, in seconds of the recording, in order of time.
    """

    selection: Selection
    pauses: tuple[Span, ...]


class Isolated(NamedTuple):
    """The channels of a recording that can be read once for each, and what was noted."""

    channels: tuple[Channel, ...]
    recording: Source
    notices: Notices


def isolate(recording: Source, selection: Selection) -> Isolated:
    """Read all channels of a recording, to find out what belongs to each; errors as `read_audio`.

    What cannot be read twice is read into memory.

    Args:
        recording: to be read.
        selection: what is used of it.
    """
    name, content, notices = recording.name, recording.content, Notices(recording.name)
    if not isinstance(content, np.ndarray):
        recording = replace(recording, content=reusable(content, name))
    found = recording.content, recording.sample_rate
    with open_blocks(*found, name, selection, notices) as decoded:
        survey = Survey(decoded.rate)
        for block in decoded.blocks:
            survey.observe(finite(block))
        part_s = survey.part / decoded.rate
    levels = levels_of(survey.powers())
    floor = floor_of(levels)
    bleed = bleed_of(levels, floor, leaks_of(levels, floor, survey.delays()))
    pauses = pauses_of(levels, floor, bleed)
    seconds = part_s * (bleed & sounding(levels, floor)).sum(axis=0)
    for number, bleed_s in enumerate(seconds.tolist(), start=1):
        if bleed_s >= LEAST_BLEED_S:
            text = f"{bleed_s:.0f} s are voices of other channels, which are left out"
            notices.about(f"channel {number}").add("bleed", text)
    channels = [
        _channel(number, selection, bleed[:, number - 1], pauses[:, number - 1], part_s)
        for number in range(1, survey.channels + 1)
    ]
    channels = channels or [Channel(selection, ())]  # of a recording without a sample
    return Isolated(tuple(channels), recording, notices)


def _channel(
    number: int,
    selection: Selection,
    bleed: NDArray[np.bool_],
    pauses: NDArray[np.bool_],
    part_s: float,
) -> Channel:
    """A channel, from its parts that are bleed or pause, (parts,)."""
    start_s = selection.start_s
    leaked = start_s + part_s * segments_of(bleed)
    silent = start_s + part_s * segments_of(pauses)
    silent = silent[silent[:, 1] - silent[:, 0] >= LEAST_PAUSE_S] + (EDGE_S, -EDGE_S)
    excerpt = selection.excerpt or Excerpt()
    if len(leaked):
        excerpt = excerpt.without(_spans(leaked))
    kept = replace(selection, channel=number, excerpt=excerpt)
    return Channel(kept, _spans(silent))


def _spans(times: NDArray[np.floating]) -> tuple[Span, ...]:
    return tuple((float(start), float(end)) for start, end in times)
