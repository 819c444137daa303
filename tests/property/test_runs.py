"""Probabilities to runs: how many people speak, who speaks alone, and where another takes over."""

from fractions import Fraction
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import FrameCounts, Occupancy, Runs, SlotActivity
from hocket.config import RunConfig
from hocket.geometry import Geometry
from hocket.runs import count_people, find_runs

GRID = Geometry(100, 200, 4, 10, 48, 3)
REACH = 3  # frames
CONFIG = RunConfig(min_speech=0.4, min_overlap=0.55, min_takeover=0.5, takeover_s=0.12)
SEEDS = st.integers(0, 2**32 - 1)

Edges = dict[int, Fraction]
"""Probability of a takeover at every edge with speech on both sides of it."""


class Scene(NamedTuple):
    """What windows hear of a recording; they may contradict each other."""

    activity: SlotActivity
    first_frames: NDArray[np.int64]
    counts: FrameCounts

    def runs(self, config: RunConfig = CONFIG) -> Runs:
        return find_runs(self.activity, self.first_frames, self.counts, GRID, config)


@st.composite
def occupancies(draw: st.DrawFn) -> Occupancy:
    """Probabilities in sixteenths, which no threshold below is equal to."""
    rows = draw(st.lists(st.tuples(st.integers(0, 16), st.integers(0, 16)), max_size=30))
    people = [(min(row), max(row) - min(row), 16 - max(row)) for row in rows]
    return np.array(people, np.float32).reshape(-1, 3) / 16


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Windows in which slots are silent, sure or half sure for some frames at a time."""
    windows, length = draw(st.integers(0, 4)), draw(st.integers(1, 16))
    steps = draw(st.lists(st.integers(1, length), min_size=windows, max_size=windows))
    first_frames = np.cumsum([0, *steps])[:windows]
    rng = np.random.default_rng(draw(SEEDS))
    total = int(first_frames[-1]) + length if windows else 0
    activity = rng.integers(0, 3, (windows, 1 + length // 3, 3)).repeat(3, axis=1)[:, :length] / 2
    counts = rng.choice(3, 1 + total // 4, p=[0.15, 0.7, 0.15]).repeat(4)[:total]
    return Scene(activity.astype(np.float16), first_frames, counts.astype(np.int32))


def one_window(*slots: str, counts: str = "") -> Scene:
    """A window of slots as written, one digit a frame; one person speaks where not said."""
    activity = np.array([[float(digit) for digit in slot] for slot in slots]).T[None]
    people = [int(digit) for digit in counts or "1" * len(slots[0])]
    return Scene(activity.astype(np.float16), np.zeros(1, np.int64), np.array(people, np.int32))


def stretches_of(counts: FrameCounts, number: int) -> list[tuple[int, int]]:
    """First and past-the-last frame of every stretch in which so many people speak."""
    found = []
    for people, places in groupby(range(len(counts)), key=lambda frame: int(counts[frame])):
        frames = list(places)
        if people == number:
            found.append((frames[0], frames[-1] + 1))
    return found


def takeovers(scene: Scene) -> Edges:
    """Over all pairs of a frame before and a frame after: how often is it another slot?"""
    changed, heard = dict[int, Fraction](), dict[int, Fraction]()
    for window, first in zip(scene.activity, scene.first_frames.tolist(), strict=True):
        length = len(window)
        exact = [[Fraction(float(value)) for value in row] for row in window]
        for edge in range(length + 1):
            before = [
                sum(column) for column in zip(*exact[max(0, edge - REACH) : edge], strict=True)
            ]
            after = [sum(column) for column in zip(*exact[edge : edge + REACH], strict=True)]
            for slot, earlier in enumerate(before):
                for other, later in enumerate(after):
                    place = first + edge
                    heard[place] = heard.get(place, Fraction(0)) + earlier * later
                    if slot != other:
                        changed[place] = changed.get(place, Fraction(0)) + earlier * later
    return {edge: changed.get(edge, Fraction(0)) / all_ for edge, all_ in heard.items() if all_}


def cuts_between(edges: Edges, first: int, last: int, least: float) -> list[int]:
    """The middle of the most probable edges of every stretch of edges above `least`."""
    cuts = []
    places = range(first, last + 1)
    for above, group in groupby(places, key=lambda place: edges.get(place, 0) > least):
        stretch = list(group)
        if above:
            most = max(edges[place] for place in stretch)
            best = [place for place in stretch if edges[place] >= most - Fraction(1, 1000)]
            cut = sum(best) // len(best)
            cuts += [cut] if first < cut < last else []
    return cuts


@given(occupancies(), st.sampled_from([0.1, 0.4, 0.7]), st.sampled_from([0.1, 0.55, 0.9]))
def test_people_are_counted_by_what_is_probable(
    occupancy: Occupancy, min_speech: float, min_overlap: float
) -> None:
    counts = count_people(occupancy, RunConfig(min_speech, min_overlap))
    assert counts.dtype == np.int32
    assert counts.shape == (len(occupancy),)
    for number, (_, one, two) in zip(counts, occupancy.tolist(), strict=True):
        if one + two <= min_speech:
            assert number == 0
        else:
            assert number == (2 if two > min_overlap else 1)


@given(scenes())
def test_runs_are_the_stretches_of_one_person_cut_at_takeovers(scene: Scene) -> None:
    alone = stretches_of(scene.counts, 1)
    if not alone:
        return
    edges = takeovers(scene)
    expected = []
    for first, last in alone:
        cuts = cuts_between(edges, first, last, CONFIG.min_takeover)
        expected += [list(run) for run in pairwise([first, *cuts, last])]
    assert scene.runs().tolist() == expected


@given(scenes(), st.floats(0, 1.2), st.floats(0.001, 2))
def test_runs_tile_the_frames_in_which_one_person_speaks(
    scene: Scene, min_takeover: float, takeover_s: float
) -> None:
    runs = scene.runs(RunConfig(min_takeover=min_takeover, takeover_s=takeover_s))
    assert runs.dtype == np.int64
    assert runs.shape == (len(runs), 2)
    covered = [frame for first, last in runs.tolist() for frame in range(first, last)]
    alone = np.flatnonzero(scene.counts == 1).tolist()
    assert covered == (alone or np.flatnonzero(scene.counts).tolist())
    assert (runs[:, 0] < runs[:, 1]).all()


@given(scenes())
def test_a_takeover_is_never_more_than_certain(scene: Scene) -> None:
    runs = scene.runs(RunConfig(min_takeover=1.0, takeover_s=0.12))
    if alone := stretches_of(scene.counts, 1):
        assert runs.tolist() == [list(stretch) for stretch in alone]


@given(scenes(), SEEDS)
def test_the_order_of_slots_does_not_matter(scene: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixed = [window[:, rng.permutation(3)] for window in scene.activity]
    activity = np.array(mixed, np.float16).reshape(scene.activity.shape)
    np.testing.assert_array_equal(scene._replace(activity=activity).runs(), scene.runs())


@given(scenes())
def test_what_is_given_stays_as_it_was(scene: Scene) -> None:
    before = [array.copy() for array in scene]
    scene.runs()
    for array, copy in zip(scene, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_run_is_cut_at_the_frame_where_another_takes_over() -> None:
    assert one_window("1111111000000", "0000000111111").runs().tolist() == [[0, 7], [7, 13]]
    assert one_window("1111100001111", "0000011110000").runs().tolist() == [[0, 5], [5, 9], [9, 13]]


def test_one_person_alone_is_one_run() -> None:
    assert one_window("1111111111", "0000000000").runs().tolist() == [[0, 10]]


def test_a_pause_ends_a_run_and_needs_no_cut() -> None:
    scene = one_window("11111000000", "00000001111", counts="11111001111")
    assert scene.runs().tolist() == [[0, 5], [7, 11]]


def test_overlap_ends_a_run() -> None:
    scene = one_window("11111110000", "00001111111", counts="11112221111")
    assert scene.runs().tolist() == [[0, 4], [7, 11]]


def test_where_everybody_always_speaks_at_once_all_speech_is_taken() -> None:
    scene = one_window("1111111000", "1110111000", counts="2220222000")
    assert scene.runs().tolist() == [[0, 3], [4, 7]]
    with_one_alone = scene._replace(counts=np.array([2, 2, 2, 0, 2, 1, 2, 0, 0, 0], np.int32))
    assert with_one_alone.runs().tolist() == [[5, 6]]


@pytest.mark.parametrize(("hearing_it", "runs"), [(1, 1), (2, 2), (3, 2)])
def test_windows_vote_on_a_takeover(hearing_it: int, runs: int) -> None:
    change = one_window("1111110000", "0000001111").activity[0]
    no_change = one_window("1111111111", "0000000000").activity[0]
    activity = np.stack([change] * hearing_it + [no_change] * (3 - hearing_it))
    assert len(find_runs(activity, np.zeros(3, np.int64), np.ones(10, np.int32), GRID, CONFIG)) == (
        runs
    )


def test_a_window_that_hears_little_has_little_to_say_of_a_takeover() -> None:
    change = one_window("1111110000", "0000001111").activity[0]
    no_change = one_window("1111111111", "0000000000").activity[0]
    starts, counts = np.zeros(3, np.int64), np.ones(10, np.int32)
    activity = np.stack([change, 0.25 * no_change, 0.25 * no_change])
    assert find_runs(activity, starts, counts, GRID, CONFIG).tolist() == [[0, 6], [6, 10]]


@pytest.mark.parametrize("frames", [0, 6])
def test_without_speech_there_is_no_run(frames: int) -> None:
    activity = np.zeros((1 if frames else 0, frames, 3), np.float16)
    starts = np.zeros(len(activity), np.int64)
    runs = find_runs(activity, starts, np.zeros(frames, np.int32), GRID, CONFIG)
    assert runs.shape == (0, 2)
    assert runs.dtype == np.int64
