"""ELAN annotation files (.eaf): a tier a speaker. EAF 3.0, as in its XML schema."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

from hocket.errors import FormatError, one_line
from hocket.formats.reading import span_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn

SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
DOCUMENT = {
    "AUTHOR": "hocket",
    "DATE": "1970-01-01T00:00:00+00:00",  # the same transcript is always the same file
    "FORMAT": "3.0",
    "VERSION": "3.0",
    "xmlns:xsi": SCHEMA,
    "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
}
LINGUISTIC_TYPE = "default-lt"


def write(transcript: Transcript) -> str:
    """A tier a speaker, and an annotation a segment: what is said, or the name."""
    root = ET.Element("ANNOTATION_DOCUMENT", DOCUMENT)
    ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    rows = [*transcript.timed()]
    order = ET.SubElement(root, "TIME_ORDER")
    times = sorted({time for start, end, _ in rows for time in (start, end)})
    slots = {time: f"ts{number}" for number, time in enumerate(times, start=1)}
    for time, slot in slots.items():
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(time)})
    numbered = [*enumerate(rows, start=1)]
    for speaker, tier_id in _tier_ids(segment.turn.speaker for _, _, segment in rows).items():
        about = {"LINGUISTIC_TYPE_REF": LINGUISTIC_TYPE, "PARTICIPANT": one_line(speaker)}
        tier = ET.SubElement(root, "TIER", {**about, "TIER_ID": tier_id})
        for number, (start, end, segment) in numbered:
            if segment.turn.speaker == speaker:
                place = {"TIME_SLOT_REF1": slots[start], "TIME_SLOT_REF2": slots[end]}
                outer = ET.SubElement(tier, "ANNOTATION")
                inner = ET.SubElement(
                    outer, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{number}", **place}
                )
                ET.SubElement(inner, "ANNOTATION_VALUE").text = one_line(segment.text or speaker)
    about = {"LINGUISTIC_TYPE_ID": LINGUISTIC_TYPE, "TIME_ALIGNABLE": "true"}
    ET.SubElement(root, "LINGUISTIC_TYPE", {**about, "GRAPHIC_REFERENCES": "false"})
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _tier_ids(speakers: Iterable[str]) -> dict[str, str]:
    """A distinct name of a tier for each speaker, never empty."""
    found: dict[str, str] = {}
    for speaker in dict.fromkeys(speakers):
        stem = name = one_line(speaker).strip() or "unknown"
        number = 1
        while name in found.values():
            number += 1
            name = f"{stem}-{number}"
        found[speaker] = name
    return found


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file: each annotation is a segment of its tier's participant.

    Annotations that refer to others, and those without times, are left out.

    Raises:
        FormatError: it is no ELAN file, or a time cannot be read.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FormatError(f"{name}: has a document type, which an ELAN file has not")
    try:
        root = ET.fromstring(text.removeprefix("\ufeff").encode())  # noqa: S314 - no entities
    except ET.ParseError as error:
        raise FormatError(f"{name}: is no XML ({error}); give an ELAN file") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise FormatError(f"{name}: is no ELAN file, but <{root.tag[:40]}>")
    return [of_segments(name, _segments(root, name))]


def _segments(root: ET.Element, name: str) -> Iterator[Segment]:
    slots = {
        slot.get("TIME_SLOT_ID", ""): slot.get("TIME_VALUE", "") for slot in root.iter("TIME_SLOT")
    }
    for tier in root.iter("TIER"):
        speaker: str = tier.get("PARTICIPANT") or tier.get("TIER_ID") or ""
        for each in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = (
                slots.get(each.get(key, ""), "") for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")
            )
            if start and end:
                place = f"{name}, annotation {each.get('ANNOTATION_ID', '')}"
                first, last = span_of(start, end, place)
                said = (each.findtext("ANNOTATION_VALUE") or "").strip()
                turn = Turn(first / 1000, last / 1000, speaker)
                yield Segment(turn, "" if said == speaker.strip() else said)
