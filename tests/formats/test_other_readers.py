"""What hocket writes opens in readers that others wrote."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import docx
import markdown
import pysubs2
import pytest
import webvtt
from praatio import textgrid
from pyannote.database.util import load_rttm
from pympi.Elan import Eaf

from hocket.formats import kaldi, written
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn
from tests.formats.test_round_trip import NAMES

# each name speaks twice, and the second half of a turn overlaps with the next one
TALK = of_segments(
    "talk", [Segment(Turn(n * 2.0, n * 2.0 + 3.0, name)) for n, name in enumerate(NAMES * 2)]
)
DIALOGUE = of_segments(
    "talk",
    [
        Segment(Turn(n * 3.0, n * 3.0 + 2.5, name), f"{n} says {name}")
        for n, name in enumerate(NAMES)
    ],
)
EMPTY = Transcript("talk", 5.0, ())


def saved(transcript: Transcript, name: str, folder: Path) -> Path:
    place = folder / f"talk.{name}"
    content = written(transcript, name)
    assert isinstance(content, str)
    place.write_text(content, "utf-8", newline="")
    return place


def test_rttm(tmp_path: Path) -> None:
    place = saved(TALK, "rttm", tmp_path)
    found = load_rttm(str(place))["talk"]
    turns = [(s.start, s.end, who) for s, _, who in found.itertracks(yield_label=True)]
    assert turns == [
        (turn.start, turn.end, turn.speaker.replace(" ", "_"))
        for turn in (segment.turn for segment in TALK.segments)
    ]


def test_srt(tmp_path: Path) -> None:
    found = pysubs2.load(str(saved(DIALOGUE, "srt", tmp_path)))
    assert [(e.start, e.plaintext) for e in found] == [
        (round(s.turn.start * 1000), f"[{s.turn.speaker}] {s.text}") for s in DIALOGUE.segments
    ]
    assert len(pysubs2.load(str(saved(EMPTY, "srt", tmp_path)), format_="srt")) == 0


def test_vtt(tmp_path: Path) -> None:
    found = webvtt.read(str(saved(DIALOGUE, "vtt", tmp_path)))
    assert [(cue.start_in_seconds, cue.voice, cue.text) for cue in found] == [
        (s.turn.start, s.turn.speaker, s.text) for s in DIALOGUE.segments
    ]
    turns = webvtt.read(str(saved(TALK, "vtt", tmp_path)))
    assert {cue.voice for cue in turns} == {*NAMES}


@pytest.mark.parametrize("transcript", [TALK, DIALOGUE], ids=["turns", "text"])
def test_textgrid(transcript: Transcript, tmp_path: Path) -> None:
    place = saved(transcript, "textgrid", tmp_path)
    found = textgrid.openTextgrid(str(place), includeEmptyIntervals=True, reportingMode="error")
    assert set(found.tierNames) == {*NAMES}
    for name in NAMES:
        tier = found.getTier(name)
        assert (tier.minTimestamp, tier.maxTimestamp) == (0, transcript.duration)
        assert [(e.start, e.end, e.label) for e in tier.entries if e.label] == [
            (s.turn.start, s.turn.end, s.text or name)
            for s in transcript.segments
            if s.turn.speaker == name
        ]


@pytest.mark.parametrize("transcript", [TALK, DIALOGUE, EMPTY], ids=["turns", "text", "empty"])
def test_eaf(transcript: Transcript, tmp_path: Path) -> None:
    found = Eaf(str(saved(transcript, "eaf", tmp_path)))
    assert set(found.get_tier_names()) == {*transcript.speakers}
    for name in found.get_tier_names():
        assert sorted(found.get_annotation_data_for_tier(name)) == [
            (round(s.turn.start * 1000), round(s.turn.end * 1000), s.text or name)
            for s in transcript.segments
            if s.turn.speaker == name
        ]


def test_a_tier_for_every_speaker_whose_name_shows_as_another() -> None:
    """ELAN refuses two tiers of one name."""
    names = ("a\x00", r"a\x00", "", "unknown")
    transcript = of_segments("x", [Segment(Turn(n, n + 1, name)) for n, name in enumerate(names)])
    content = written(transcript, "eaf")
    assert isinstance(content, str)
    assert content.count("<TIER ") == 4
    tiers = [part.split('TIER_ID="')[1].split('"')[0] for part in content.split("<TIER ")[1:]]
    assert len(set(tiers)) == 4
    assert "" not in tiers


def test_kaldi_sorts_utterances_and_speakers_alike() -> None:
    """As its script validate_data_dir.sh asks, in the order of bytes."""
    files = kaldi.write(DIALOGUE)
    utterances = [line.split()[0] for line in files["segments"].splitlines()]
    assert utterances == sorted(utterances, key=str.encode)
    pairs = [line.split() for line in files["utt2spk"].splitlines()]
    assert [pair[0] for pair in pairs] == utterances
    speakers = [pair[1] for pair in pairs]
    assert speakers == sorted(speakers, key=str.encode)
    assert all(utterance.startswith(speaker) for utterance, speaker in pairs)
    assert {line.split(" ", 1)[1] for line in files["text"].splitlines()} == {
        segment.text for segment in DIALOGUE.segments
    }


def test_label_studio_has_the_regions_of_its_audio_template() -> None:
    content = written(DIALOGUE, "labelstudio")
    assert isinstance(content, str)
    [task] = json.loads(content)
    regions = task["predictions"][0]["result"]
    labels = [region for region in regions if region["type"] == "labels"]
    texts = {r["id"]: r["value"]["text"] for r in regions if r["type"] == "textarea"}
    assert [(r["value"]["start"], r["value"]["labels"], texts[r["id"]]) for r in labels] == [
        (s.turn.start, [s.turn.speaker], [s.text]) for s in DIALOGUE.segments
    ]


def test_docx(tmp_path: Path) -> None:
    content = written(DIALOGUE, "docx")
    assert isinstance(content, bytes)
    (tmp_path / "talk.docx").write_bytes(content)
    title, *paragraphs = docx.Document(str(tmp_path / "talk.docx")).paragraphs
    assert (title.style.name, title.text) == ("Title", "talk")
    assert [each.runs[0].text for each in paragraphs] == [s.turn.speaker for s in DIALOGUE.segments]
    assert [each.text.split("\n")[1] for each in paragraphs] == [s.text for s in DIALOGUE.segments]
    assert written(DIALOGUE, "docx") == content  # the same bytes again
    hostile = of_segments("a\x00b", [Segment(Turn(0.0, 1.0, "\ud800<w:p>"), "\x07 & \ufffe x" * 9)])
    (tmp_path / "odd.docx").write_bytes(written(hostile, "docx"))  # type: ignore[arg-type]
    [_, paragraph] = docx.Document(str(tmp_path / "odd.docx")).paragraphs
    assert paragraph.runs[0].text == "\ufffd<w:p>"


def test_markdown() -> None:
    names = (*NAMES, "*a*", "_b_", "<script>", "1. c", "# d", "SPEAKER_00", "[x](y)", "a|b")
    segments = [Segment(Turn(float(n), n + 1.0, name), name) for n, name in enumerate(names)]
    page = markdown.markdown(str(written(of_segments("talk", segments), "md")))
    paragraphs = ET.fromstring(f"<div>{page}</div>").findall("p")
    assert [str(each.findtext("strong")) for each in paragraphs] == [*names]
    assert ["".join(each.itertext()).rsplit("\n", 1)[1].strip() for each in paragraphs] == [*names]
