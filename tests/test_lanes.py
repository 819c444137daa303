"""The picture that notebooks show of a result."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from hocket.lanes import FAINTEST, LABEL, MOST_TICKS, NAME_WIDTH, WIDTH, clock, lanes, tick_times
from hocket.turns import Turn
from tests.formats.test_formats import DIALOGUE, EMPTY

SVG = "{http://www.w3.org/2000/svg}"


def drawn(turns: list[Turn], duration: float) -> ET.Element:
    speakers = list(dict.fromkeys(turn.speaker for turn in turns))
    return ET.fromstring(lanes(turns, speakers, duration))


def test_a_result_shows_its_turns() -> None:
    picture = ET.fromstring(DIALOGUE._repr_html_())
    groups = picture.findall(f"{SVG}g")
    assert [len(group) for group in groups] == [2, 1]
    titles = [title.text for title in picture.iter(f"{SVG}title")]
    assert titles[1] == "anna, 1:01:02 to 1:02:05.5"
    assert picture.get("aria-label") == "3 turns of 2 speakers"
    assert ET.fromstring(EMPTY._repr_html_()).findall(f"{SVG}g") == []


def test_turns_stand_where_they_are_said() -> None:
    picture = drawn([Turn(0.0, 25.0, "a"), Turn(50.0, 100.0, "a"), Turn(99.99, 100.0, "b")], 100.0)
    bars = [(float(r.get("x", 0)), float(r.get("width", 0))) for r in picture.iter(f"{SVG}rect")]
    assert [r.get("data-start") for r in picture.iter(f"{SVG}rect")] == [
        "0.000",
        "50.000",
        "99.990",
    ]
    scale = (WIDTH - NAME_WIDTH - 10) / 100
    assert bars[0] == (NAME_WIDTH, pytest.approx(25 * scale, abs=0.1))
    assert bars[1][0] == pytest.approx(NAME_WIDTH + 50 * scale, abs=0.1)
    assert bars[2][1] == 1.0  # what is short is still seen
    assert all(x + width <= WIDTH for x, width in bars)


def test_less_sure_is_fainter() -> None:
    turns = [Turn(n, n + 1, "a", sure) for n, sure in enumerate((0.0, 0.5, 1.0, None))]
    shown = [float(r.get("opacity", 0)) for r in drawn(turns, 4.0).iter(f"{SVG}rect")]
    assert shown[0] == FAINTEST
    assert shown[0] < shown[1] < shown[2] == shown[3] == 1


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"b', "&amp;", "x" * 500, "a\x00b"])
def test_names_are_never_markup(name: str) -> None:
    content = replace(DIALOGUE, turns=(Turn(0, 1, name),), speakers=(name,))._repr_html_()
    picture = ET.fromstring(content)
    assert "<script" not in content
    title = picture.find(f".//{SVG}title")
    assert title is not None
    assert (title.text or "").startswith(name[:1])


@pytest.mark.parametrize("duration", [0.0, 0.5, 9.0, 61.0, 3_600.0, 36_000.0, 1e7])
def test_an_axis_has_few_ticks(duration: float) -> None:
    picture = drawn([Turn(0.0, duration, "a")], duration)
    assert 1 <= len(picture.findall(f"{SVG}line")) <= MOST_TICKS + 1


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.0, 0.3, ["0:00", "0:00.1", "0:00.2", "0:00.3"]),
        (61.0, 64.0, ["1:01", "1:01.5", "1:02", "1:02.5", "1:03", "1:03.5", "1:04"]),
        (3_593.0, 3_603.5, ["59:54", "59:56", "59:58", "1:00:00", "1:00:02"]),
        (0.0, 0.0, ["0:00"]),
    ],
)
def test_times_of_an_axis_are_round(start: float, end: float, expected: list[str]) -> None:
    assert [clock(seconds) for seconds in tick_times(start, end)] == expected


@pytest.mark.parametrize("duration", [30.0, 599.0, 36_000.0])
def test_the_last_time_of_the_axis_is_not_cut_off(duration: float) -> None:
    svg = lanes([Turn(0.0, duration, "Anna")], ["Anna"], duration)
    for place, anchor in re.findall(r'<text x="([\d.]+)" y="\d+" text-anchor="(\w+)"', svg):
        right = float(place) + {"end": 0, "middle": LABEL / 2}[anchor]
        assert right <= WIDTH
