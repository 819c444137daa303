"""`hocket plot`."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from hocket import Result
from hocket.cli.outcome import FAILED, UNUSABLE, USAGE
from hocket.offline.diarizer import Diarizer
from tests.helpers.command_line import hocket
from tests.helpers.paths import CONVERSATION, EXAMPLE, ROOT
from tests.helpers.pictures import SVG, Bar, bars, group, texts

LINE = "SPEAKER talk 1 {:.3f} {:.3f} <NA> <NA> {} <NA> <NA>\n"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    place = tmp_path / "talk.rttm"
    turns = ((0.5, 4.0, "Anna"), (4.0, 3.0, "Ben"), (9.0, 1.0, "Anna"))
    place.write_text("".join(LINE.format(*turn) for turn in turns))
    return place


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    place = tmp_path / "reference.rttm"
    turns = ((0.0, 5.0, "x"), (5.0, 3.5, "y"), (8.5, 1.0, "z"))
    place.write_text("".join(LINE.format(*turn) for turn in turns))
    return place


def plotted(*arguments: str | Path) -> ET.Element:
    """What the command draws as SVG."""
    output = Path(str(arguments[0])).with_name("made.svg")
    assert hocket("plot", *arguments, "-o", output, "--overwrite") == 0
    return ET.fromstring(output.read_bytes())


def times(found: list[Bar]) -> list[tuple[float, float]]:
    return [(round(bar.start, 2), round(bar.end, 2)) for bar in found]


def test_turns_of_a_file(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = plotted(talk)
    assert times(bars(picture, "lane-0", 10.0)) == [(0.5, 4.5), (9, 10)]
    assert times(bars(picture, "overlap", 10.0)) == [(4, 4.5)]
    assert "talk" in texts(picture)
    assert "$ \\ 1" in texts(plotted(talk, "--title", "$ \\ 1"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", ["png", "PNG", "svg"])
def test_the_suffix_is_the_kind_of_picture(talk: Path, suffix: str) -> None:
    one, other = (talk.parent / f"{name}.{suffix}" for name in ("one", "new/other"))
    assert hocket("plot", talk, "-o", one) == 0
    assert hocket("plot", talk, "-o", other) == 0
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes().startswith(b"<?xml" if suffix == "svg" else PNG)


def test_a_part_of_the_turns(talk: Path) -> None:
    picture = plotted(talk, "--start", "2", "--end", "0:08")
    assert times(bars(picture, "lane-0", 8.0, 2.0)) == [(2, 4.5)]


@pytest.mark.parametrize("part", [(), ("--start", "2", "--end", "9")])
def test_the_legend_has_the_figures_of_the_score(
    talk: Path, reference: Path, part: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = " ".join(texts(plotted(talk, "--reference", reference, *part)))
    regions = talk.with_name("part.uem")
    regions.write_text("talk 1 2 9\n")
    assert (
        hocket("score", talk, reference, "--json", *(("--regions", regions) if part else ())) == 0
    )
    found = json.loads(capsys.readouterr().out)["total"]
    assert found["der"] > 0.1
    assert f"DER {100 * found['der']:.2f} %" in shown
    for name in ("miss", "false_alarm", "confusion"):
        kind = {"miss": "missed", "false_alarm": "false alarm"}.get(name, name)
        seconds, percent = map(float, re.findall(rf"{kind} (\S+) s, (\S+) %", shown)[0])
        assert percent == round(100 * found[name], 2)
        assert seconds == pytest.approx(found[name] * found["speech_s"], abs=0.006)


def test_the_example_beside_its_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = tmp_path / "conversation.json"
    assert hocket("diarize", "--example", "-o", turns) == 0
    picture = plotted(turns, "--reference", EXAMPLE / "conversation.rttm")
    lanes = [bars(picture, f"{kind}-0", 30.0, notes=True) for kind in ("reference", "found")]
    assert all(lanes)
    assert {bar.opacity for bar in lanes[0]} == {1.0}
    assert all(bar.opacity < 1 for bar in lanes[1])  # JSON has the confidence
    capsys.readouterr()
    assert hocket("score", turns, EXAMPLE / "conversation.rttm", "--json") == 0
    rate = json.loads(capsys.readouterr().out)["total"]["der"]
    assert f"DER {100 * rate:.2f} %" in texts(picture)


def test_a_recording_is_diarized_first(clip: Path) -> None:
    turns = clip.with_name("turns.json")
    Diarizer()(clip).save(turns)
    expected = plotted(turns, "--title", "clip")
    for lane in ("lane-0", "lane-1"):
        assert bars(plotted(clip), lane, 12.0) == bars(expected, lane, 12.0)
    whole, part = Result.load(turns), Diarizer()(clip, start=5.0, end=11.0)
    assert whole.turns != part.turns
    shown = bars(plotted(clip, "--start", "5", "--end", "11"), "lane-0", 11.0, 5.0)
    own = [turn for turn in part.turns if turn.speaker == part.turns[0].speaker]
    assert times(shown) == [
        (pytest.approx(turn.start, abs=0.02), pytest.approx(turn.end, abs=0.02)) for turn in own
    ]


def test_embeddings_of_a_recording(clip: Path) -> None:
    whole, part = plotted(clip, "--embeddings"), plotted(clip, "--embeddings", "--start", "8")
    groups = [group(picture, "speaker-0") for picture in (whole, part)]
    points = [0 if each is None else len(each.findall(f".//{SVG}path")) for each in groups]
    assert points[0] > points[1] > 0
    assert "SPEAKER_00" in texts(part)
    assert any(each.endswith("% of the variance") for each in texts(whole))


def test_an_empty_file_is_a_recording_in_which_nobody_speaks(talk: Path, reference: Path) -> None:
    empty = talk.with_name("empty.rttm")
    empty.write_text("")
    assert "nobody speaks" in texts(plotted(empty))
    assert "missed 9.50 s, 100.00 %" in texts(plotted(empty, "--reference", reference))
    assert "DER 100.00 %" in texts(plotted(talk, "--reference", empty))


def test_a_reference_is_found_by_its_name(talk: Path, reference: Path) -> None:
    known = reference.read_text()
    reference.write_text(known.replace(" talk ", " other ") + known.replace(" 5.0", " 4.0"))
    picture = plotted(talk, "--reference", reference)
    assert times(bars(picture, "reference-0", 10.0, notes=True)) == [(0, 4)]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("talk.rttm", "-o", "a.pdf"), USAGE, "a.pdf: is no kind of picture; end it with .png or"),
        (("talk.rttm", "-o", "a"), USAGE, "end it with .png or .svg"),
        (("talk.rttm",), USAGE, "missing option '-o'"),
        (("talk.rttm", "-o", "there.png"), USAGE, "exists; give --overwrite, or another -o"),
        (("talk.rttm", "-o", "a.png", "--embeddings"), USAGE, "needs a recording, not talk.rttm"),
        (
            ("a.wav", "-o", "a.png", "--embeddings", "--reference", "talk.rttm"),
            USAGE,
            "--embeddings excludes --reference",
        ),
        (("talk.rttm", "-o", "a.png", "--start", "40"), USAGE, "--start is 40 but the recording"),
        (("talk.rttm", "-o", "a.png", "--start", "4", "--end", "3"), USAGE, "but --end is 3"),
        (("talk.rttm", "-o", "a.png", "--start", "x"), USAGE, "'x' is not a time"),
        (("talk.rttm", "-o", "a.png", "--reference", "no.rttm"), USAGE, "no.rttm"),
        (("none.rttm", "-o", "a.png"), FAILED, "none.rttm: cannot be read"),
        (("none.wav", "-o", "a.png"), FAILED, "none.wav"),
        (("two.rttm", "-o", "a.png"), FAILED, "two.rttm: has 2 recordings, and a picture shows"),
        (("talk.rttm", "-o", "a.png", "--reference", "two.rttm"), FAILED, "no turns of talk"),
        (("odd.json", "-o", "a.png"), USAGE, "lasts from nan to 1"),
        (("https://example.org/a.mp3", "-o", "a.png"), FAILED, "| hocket diarize - -o FILE.json"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    talk: Path,
    arguments: tuple[str, ...],
    code: int,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(talk.parent)
    Path("there.png").write_text("mine")
    Path("two.rttm").write_text(
        talk.read_text().replace("talk", "a") + LINE.format(0, 1, "b")[:-1].replace("talk", "c")
    )
    Path("odd.json").write_text('{"uri": "a", "turns": [{"start": NaN, "end": 1, "speaker": "a"}]}')
    assert hocket("plot", *arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line
    assert not Path("a.png").exists()
    assert Path("there.png").read_text() == "mine"


def test_without_matplotlib_nothing_is_diarized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(Diarizer, "__call__", None)
    assert hocket("plot", CONVERSATION, "-o", tmp_path / "a.png") == UNUSABLE
    assert "pip install 'hocket[plot]'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["plot.svg", "plot-reference.svg"])
def test_pictures_of_the_page_are_of_the_example(name: str, tmp_path: Path) -> None:
    content = (ROOT / "docs" / name).read_bytes()
    assert len(content) < 60_000
    turns, notes = tmp_path / "conversation.json", "reference" in name
    Diarizer()(CONVERSATION).save(turns)
    known = ("--reference", EXAMPLE / "conversation.rttm") if notes else ()
    shown, expected = ET.fromstring(content), plotted(turns, *known)
    keys = ("reference-0", "found-0", "reference-1", "found-1") if notes else ("lane-0", "lane-1")
    for key in keys:
        one, other = (bars(each, key, 30.0, notes=notes) for each in (shown, expected))
        assert np.array(times(one)) == pytest.approx(np.array(times(other)), abs=0.1)
    names = [each for each in texts(expected) if not re.search(r"\d\.\d\d", each)]
    assert [each for each in texts(shown) if each in names] == names
