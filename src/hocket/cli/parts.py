"""Options that choose what of a recording is diarized."""

from typing import NamedTuple

import click

from hocket.audio.reading import MIX
from hocket.cli.options import TIME, grouped


class Part(NamedTuple):
    """What is diarized of every recording; arguments of `Diarizer`."""

    track: int | None
    channels: int | str
    join_voices: bool
    start: float | None
    end: float | None
    regions: str | None


_OPTIONS = (
    click.option("--track", type=int, help="Audio track, from 1. Default: the file's default."),
    click.option(
        "--channels",
        default=MIX,
        show_default=True,
        metavar="mix|each|N",
        callback=lambda _context, _option, text: int(text) if text.isdecimal() else text,
        help="Mix all channels, diarize each by itself, or use channel N alone, from 1.",
    ),
    click.option(
        "--join-voices", is_flag=True, help="With each: one name for a voice in several channels."
    ),
    click.option("--start", type=TIME, metavar="TIME", help="Where to begin: seconds, or h:mm:ss."),
    click.option("--end", type=TIME, metavar="TIME", help="Where to end; times stay the file's."),
    click.option("--regions", metavar="UEM", help="Diarize only the regions of a UEM file."),
)


part_options = grouped("part", Part, Part._fields, _OPTIONS)
"""The options; the command gets them as its argument `part`."""
