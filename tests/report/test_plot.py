"""Pictures of turns: what stands where, bad input, and that nothing else is touched."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hocket.errors import ArgumentError, ConfigError, ExtraError
from hocket.lanes import COLORS, FAINTEST
from hocket.report.figures import encoded
from hocket.report.plot import MARKERS, UNNAMED, plot_against, plot_embeddings, plot_turns
from hocket.report.points import MOST_NAMES
from hocket.report.rows import AXIS, LEAST_WIDTH, MOST_ROWS, TOP
from hocket.report.scoring import score
from hocket.turns import Turn
from tests.formats.test_formats import ANY_NAME, HOSTILE, result_of
from tests.helpers.artifacts import with_embeddings, with_voices
from tests.helpers.pictures import (
    FOUND,
    REFERENCE,
    SVG,
    VOICES,
    Bar,
    bars,
    drawn,
    group,
    pixels,
    texts,
)

MOMENTS = st.floats(0, 40_000)
TURNS = st.lists(
    st.tuples(MOMENTS, MOMENTS, st.sampled_from("abc"), st.none() | st.floats(0, 1)).map(
        lambda drawn: Turn(*sorted(drawn[:2]), *drawn[2:])
    ),
    max_size=8,
)


def times(found: list[Bar]) -> list[tuple[float, float]]:
    return [(round(bar.start, 2), round(bar.end, 2)) for bar in found]


def test_a_lane_has_the_turns_of_its_speaker() -> None:
    picture = drawn(plot_turns(FOUND[::-1], 30.0))
    lanes = [bars(picture, f"lane-{number}", 30.0) for number in range(3)]
    assert list(map(times, lanes)) == [[(0, 9), (16, 21)], [(8, 15)], [(21, 26)]]
    tops = [{bar.top for bar in lane} for lane in lanes]
    assert all(len(each) == 1 for each in tops)
    assert max(tops[0]) < max(tops[1]) < max(tops[2])  # in order of appearance
    assert [lane[0].color for lane in lanes] == list(COLORS[:3])
    names = ["overlap", "SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]
    assert [each for each in texts(picture) if each in names] == names


def test_less_sure_is_fainter() -> None:
    turns = [Turn(n, n + 1, "a", sure) for n, sure in enumerate((0.0, 0.5, 1.0, None))]
    shown = [bar.opacity for bar in bars(drawn(plot_turns(turns)), "lane-0", 4.0)]
    assert shown[0] == FAINTEST
    assert shown[0] < shown[1] < shown[2] == shown[3] == 1


def test_overlap_of_several_speakers_is_a_thin_row_on_top() -> None:
    twice = [Turn(0, 4, "a"), Turn(2, 6, "a"), Turn(6, 8, "b")]  # alone, also where they touch
    assert group(drawn(plot_turns(twice)), "overlap") is None
    picture = drawn(plot_turns([*twice, Turn(5, 7, "b"), Turn(9, 12, "c"), Turn(10, 11, "a")]))
    found = bars(picture, "overlap", 12.0)
    assert times(found) == [(5, 6), (10, 11)]
    (lane, *_) = bars(picture, "lane-0", 12.0)
    assert found[0].bottom < lane.top
    assert found[0].bottom - found[0].top < (lane.bottom - lane.top) / 1.9


@pytest.mark.parametrize(
    ("end", "expected"),
    [(30.0, "0:15"), (3_600.0, "30:00"), (36_000.0, "2:00:00"), (0.5, "0:00.3")],
)
def test_the_axis_has_times_that_people_read(end: float, expected: str) -> None:
    assert expected in texts(drawn(plot_turns([Turn(0, end, "a")])))


def test_a_part_has_its_own_axis() -> None:
    picture = drawn(plot_turns(FOUND, 30.0, start=8.5, end=20.0))
    assert times(bars(picture, "lane-0", 20.0, 8.5)) == [(8.5, 9), (16, 20)]
    assert times(bars(picture, "lane-1", 20.0, 8.5)) == [(8.5, 15)]
    assert bars(picture, "lane-2", 20.0, 8.5) == []
    assert "0:09" not in texts(picture)
    assert "0:10" in texts(picture)


def test_what_is_short_is_seen_also_at_the_end() -> None:
    turns = [Turn(0, 0.001, "a"), Turn(35_999.999, 36_000.0, "b")]
    picture = drawn(plot_turns(turns))
    for key in ("lane-0", "lane-1"):
        (bar,) = bars(picture, key, 36_000.0)
        least = 36_000 * LEAST_WIDTH / 8.15
        assert bar.end - bar.start == pytest.approx(least, rel=0.02)
        assert bar.start >= -0.01
        assert bar.end <= 36_000.01


def test_pairs_stand_together_above_their_errors() -> None:
    picture = drawn(plot_against(FOUND, REFERENCE, 30.0))
    found = {
        key: bars(picture, key, 30.0, notes=True)
        for key in ("reference-0", "found-0", "reference-1", "found-1", "reference-2", "found-3")
    }
    tops = [lane[0].top for lane in found.values()]
    assert tops == sorted(tops)
    assert [len({bar.color for bar in lane}) for lane in found.values()] == [1] * 6
    assert [lane[0].color for lane in found.values()] == [
        *(COLORS[0], COLORS[0], COLORS[1], COLORS[1], COLORS[2], COLORS[3])
    ]
    errors = {key: times(bars(picture, key, 30.0, notes=True)) for key in ERRORS}
    assert errors == {
        "missed": [(7.5, 8), (28, 30)],
        "false_alarm": [(8.5, 9), (16, 17), (23, 26)],
        "confusion": [(21, 23)],
    }
    names = texts(picture)
    pairs = ["Anna", "reference", "SPEAKER_00", "found", "Ben", "reference", "SPEAKER_01", "found"]
    place = names.index("Anna")
    assert names[place : place + 8] == pairs
    assert names[place + 8 : place + 12] == ["Cleo", "reference", "SPEAKER_02", "found"]


ERRORS = ("missed", "false_alarm", "confusion")


def test_errors_are_told_apart_without_colors() -> None:
    picture = drawn(plot_against(FOUND, REFERENCE, 30.0))
    fills = [bars(picture, key, 30.0, notes=True)[0].color for key in ERRORS]
    patterns = {each.get("id"): each for each in picture.iter(f"{SVG}pattern")}
    lines = []
    for fill in fills:
        path = patterns[fill.removeprefix("url(#").removesuffix(")")].find(f"{SVG}path")
        assert path is not None
        lines.append(path.get("d"))
    assert len(set(lines)) == 3


@given(TURNS, TURNS)
def test_seconds_and_percent_are_those_of_the_score(one: list[Turn], other: list[Turn]) -> None:
    shown = texts(drawn(plot_against(one, other)))
    found = score(other, one)
    for name, seconds in (
        ("missed", found.missed_s),
        ("false alarm", found.false_alarm_s),
        ("confusion", found.confusion_s),
    ):
        share = found.share(seconds)
        percent = "" if share is None else f", {100 * share:.2f} %"
        assert f"{name} {seconds:.2f} s{percent}" in shown
    assert f"DER {100 * found.der:.2f} %" in shown


def test_a_part_is_scored_as_a_region() -> None:
    shown = texts(drawn(plot_against(FOUND, REFERENCE, 30.0, start=20.0, end=25.0)))
    found = score(REFERENCE, FOUND, [(20.0, 25.0)])
    assert f"DER {100 * found.der:.2f} %" in shown
    assert found.der != score(REFERENCE, FOUND).der


@given(TURNS, st.floats(0, 40_000) | st.none())
@example([], None)
@example([], 0.0)
@example([Turn(0.0, 0.0, "a")], None)
@example([Turn(0.0, 5e-324, "a")], None)
def test_turns_are_within_the_picture_and_no_number_is_missing(
    turns: list[Turn], duration: float | None
) -> None:
    for figure in (plot_turns(turns, duration), plot_against(turns, turns[1:], duration)):
        content = encoded(figure, "svg").decode()
        assert "nan" not in content.lower()
        assert "inf" not in content.lower()


def test_without_turns_it_is_said() -> None:
    assert "nobody speaks" in texts(drawn(plot_turns([], 10.0)))
    assert "missed 0.00 s" in texts(drawn(plot_against([], [], 10.0)))


def test_twenty_thousand_turns_of_three_hundred_speakers() -> None:
    rng = np.random.default_rng(0)
    turns = [
        Turn(start, start + 1.5, f"speaker {number % 300}", 0.5)
        for number, start in enumerate(np.sort(rng.uniform(0, 36_000, 20_000)))
    ]
    figure = plot_turns(turns, 36_000.0)
    assert figure.get_figheight() == pytest.approx(TOP + MOST_ROWS + AXIS)
    (axes,) = figure.axes
    assert len(axes.collections) == 301
    named = sum(each.get_text().startswith("speaker") for each in axes.texts)
    assert 100 < named < 300  # those that have room
    errors = plot_against(turns, turns[::2], 36_000.0)
    assert len(errors.axes[0].patches) <= 3
    assert pixels(errors).shape[2] == 3


@given(ANY_NAME)
@example("$x^2$")
@example("$\\frac{")
@example("\\alpha_1^{")
@example("a\x00b\x1b[31m")
@example("\u202ereversed")
@example("x" * 100_000)
@example("名前 이름 नाम اسم שם")
@example("a\u0301\u0327" * 50)
@example("👩‍👩‍👧")
@example("]]>&<script>")
def test_any_name_is_drawn_without_a_warning(name: str) -> None:
    turns = [Turn(0, 1, name), Turn(0.5, 2, "some other speaker")]
    picture = drawn(plot_turns(turns, title=name))
    shown = texts(picture)[texts(picture).index("overlap") + 1]
    assert shown != ""
    if name.isascii() and name.isprintable() and 0 < len(name) < 8:
        assert shown == name
    pixels(plot_against(turns, [Turn(0, 1, name)], title=name))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_on_one_line(name: str) -> None:
    shown = texts(drawn(plot_turns([Turn(0, 1, name)])))
    assert all(len(each.splitlines()) <= 1 for each in shown)
    assert (UNNAMED in shown) == (name == "")


def test_long_names_end_within_the_picture() -> None:
    figure = plot_turns([Turn(0, 1, "W" * 200), Turn(0, 1, "i" * 20)], title="W" * 500)
    shown = texts(drawn(figure))
    assert any(0 < len(each) < 200 and each == "W" * (len(each) - 1) + "…" for each in shown)
    assert "i" * 20 in shown
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in (*figure.texts, *figure.axes[0].texts)]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)


def test_embeddings_have_the_color_of_who_speaks_at_their_middle() -> None:
    artifacts = with_voices(0, 1, 0, 1, 2)
    figure = plot_embeddings(VOICES, artifacts)
    points = figure.axes[0].collections
    assert [each.get_gid() for each in points] == [f"speaker-{n}" for n in range(4)]
    assert sum(len(each.get_offsets()) for each in points) == len(artifacts.embeddings)
    shown = texts(drawn(figure))
    assert shown[-4:] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "no turn"]
    first, second = (np.asarray(each.get_offsets()).mean(axis=0) for each in points[:2])
    spread = np.asarray(points[0].get_offsets()).std(axis=0).max()
    assert np.linalg.norm(first - second) > 5 * spread


def test_longer_subsegments_are_larger() -> None:
    artifacts = with_voices(0, 1, 0, 1, 2)
    first, last = artifacts.subsegments.first, artifacts.subsegments.last
    areas = [a for each in plot_embeddings(VOICES, artifacts).axes[0].collections
             for a in each.get_sizes()]  # fmt: skip
    lengths = (last - first) * 270 / 16_000
    assert sorted(areas) == pytest.approx(sorted(np.maximum(14 * lengths, 3)))


@pytest.mark.parametrize(("value", "share", "left"), [(0.0, 1.0, 0), (np.nan, 0.5, 0.5)])
def test_no_embedding_is_no_point(value: float, share: float, left: float) -> None:
    artifacts = with_embeddings(value, share)
    figure = plot_embeddings(VOICES, artifacts)
    number = sum(len(each.get_offsets()) for each in figure.axes[0].collections)
    assert number == pytest.approx(left * len(artifacts.embeddings), abs=1)
    assert ("no embeddings" in texts(drawn(figure))) == (left == 0)


def test_the_legend_of_many_speakers_is_cut() -> None:
    names = tuple(f"s{number}" for number in range(60))
    turns = tuple(Turn(n * 0.4, n * 0.4 + 0.4, name) for n, name in enumerate(names))
    result = replace(VOICES, exclusive_turns=turns, speakers=names)
    figure = plot_embeddings(result, with_voices(0, 1, 0, 1, 2))
    groups = figure.axes[0].collections
    assert len(groups) > MOST_NAMES
    assert f"and {len(groups) - MOST_NAMES} more" in texts(drawn(figure))
    looks = {(tuple(each.get_facecolor()[0]), len(each.get_paths()[0])) for each in groups}
    assert len(looks) > len(COLORS) < len(COLORS) * len(MARKERS)


def test_the_same_turns_give_the_same_bytes() -> None:
    for kind in ("png", "svg"):
        one, other = (
            encoded(plot_against(FOUND, REFERENCE, 30.0, title="x"), kind) for _ in range(2)
        )
        assert one == other
        assert b"matplotlib.org" not in one


def test_settings_of_the_user_change_nothing_and_stay() -> None:
    import matplotlib as mpl

    usual = encoded(plot_turns(FOUND), "svg")
    odd = {"figure.facecolor": "black", "font.family": "serif", "font.size": 30.0}
    with mpl.rc_context(odd):
        before = dict(mpl.rcParams)
        assert encoded(plot_turns(FOUND), "svg") == usual
        assert dict(mpl.rcParams) == before


def test_pyplot_is_never_imported() -> None:
    program = (
        "import sys\nfrom hocket import Turn\nfrom hocket.report.plot import plot_turns\n"
        "from hocket.report.figures import encoded\n"
        "assert 'matplotlib' not in sys.modules\n"
        "encoded(plot_turns([Turn(0, 1, 'a')]), 'png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ExtraError, match=r"pip install 'hocket\[plot\]'"):
        plot_turns(FOUND)


@pytest.mark.parametrize(
    ("turns", "options", "problem"),
    [
        ([Turn(float("nan"), 1, "a")], {}, "lasts from nan to 1"),
        ([Turn(0, float("inf"), "a")], {}, "lasts from 0 to inf"),
        ([Turn(2, 1, "a")], {}, "lasts from 2 to 1"),
        ([Turn(-1, 1, "a")], {}, "lasts from -1 to 1"),
        ([Turn(0, 1, "a", float("nan"))], {}, "confidence nan"),
        ([Turn(0, 1, "a", 1.5)], {}, "confidence 1.5"),
        ([], {"duration": float("nan")}, "duration is nan"),
        ([], {"start": -1.0}, "start is -1"),
        ([], {"end": float("inf")}, "end is inf"),
        ([], {"start": 5.0, "end": 5.0}, "start is 5 but end is 5"),
        ([Turn(0, 3, "a")], {"start": 5.0}, "start is 5 but the recording ends at 3"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(
    turns: list[Turn], options: dict[str, float], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        plot_turns(turns, **options)
    with pytest.raises(ConfigError, match=problem):
        plot_against(turns, [], **options)


def test_wrong_arguments_are_errors_that_teach() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'title'"):
        plot_turns(FOUND, titel="x")  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="turns is"):
        plot_turns(result_of(FOUND, 30.0))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="one of reference is"):
        plot_against(FOUND, ["Anna"])  # type: ignore[list-item]
    with pytest.raises(ArgumentError, match="result is"):
        plot_embeddings(FOUND, with_voices(0, 1, 0, 1, 2))  # type: ignore[arg-type]
