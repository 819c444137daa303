"""A data directory of Kaldi: segments, utt2spk, and text where it is known."""

from collections.abc import Mapping

from hocket.errors import FormatError
from hocket.formats.reading import fields_of, lines_of, span_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn, milliseconds_as_seconds, rttm_field


def write(transcript: Transcript) -> Mapping[str, str]:
    """The files by name, each in the order of bytes, which Kaldi asks for.

    An utterance has the name of its speaker in front, so that both are in one order.
    """
    uri = rttm_field(transcript.uri)
    files: dict[str, list[str]] = {"segments": [], "utt2spk": [], "text": []}
    for start, end, segment in transcript.timed():
        speaker = f"{uri}-{rttm_field(segment.turn.speaker)}"
        utterance = f"{speaker}-{start:09d}-{end:09d}"
        times = f"{milliseconds_as_seconds(start)} {milliseconds_as_seconds(end)}"
        files["segments"].append(f"{utterance} {uri} {times}\n")
        files["utt2spk"].append(f"{utterance} {speaker}\n")
        if segment.text:
            files["text"].append(f"{utterance} {' '.join(segment.text.split())}\n")
    return {
        name: "".join(sorted(lines, key=lambda line: line.split(" ", 1)[0].encode()))
        for name, lines in files.items()
        if lines or name != "text"
    }


def read(files: Mapping[str, str], name: str) -> list[Transcript]:
    """A transcript for each recording; a speaker's name loses its recording in front.

    Args:
        files: the files by name.
        name: of the directory, in errors.

    Raises:
        FormatError: a file is missing, or a line cannot be read.
    """
    for needed in ("segments", "utt2spk"):
        if needed not in files:
            raise FormatError(f"{name}: holds no {needed}; give a data directory of Kaldi")
    speakers = _pairs(files["utt2spk"], f"{name}/utt2spk")
    texts = _pairs(files.get("text", ""), f"{name}/text")
    found: dict[str, list[Segment]] = {}
    for place, line in lines_of(files["segments"], f"{name}/segments"):
        fields = fields_of(line)
        if len(fields) != 4:
            raise FormatError(f"{place}: found {len(fields)} fields; a segment has 4")
        utterance, recording, start, end = fields
        speaker = speakers.get(utterance, utterance).removeprefix(f"{recording}-")
        turn = Turn(*span_of(start, end, place), speaker)
        found.setdefault(recording, []).append(Segment(turn, texts.get(utterance, "")))
    return [of_segments(recording, segments) for recording, segments in found.items()]


def _pairs(text: str, name: str) -> dict[str, str]:
    found = {}
    for place, line in lines_of(text, name):
        key, _, value = line.strip().partition(" ")
        if not value:
            raise FormatError(f"{place}: found '{line[:60]}'; give an utterance and a value")
        found[key] = value
    return found
