"""Probabilities to runs: how many people speak, who speaks alone, and where another takes over.

Runs are found as frames come in; what is expected is found from the whole recording at once.
"""

from fractions import Fraction
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import FrameCounts, Occupancy, Regions, SlotActivity
from hocket.config import RegionConfig
from hocket.segmentation.regions import RegionFinder, SpeakerChange, count_people, speaker_changes
from hocket.segmentation.windows import FrameSums

REACH = 3  # frames
CONFIG = RegionConfig(min_speech=0.4, min_overlap=0.55, min_change=0.5, change_s=0.12)
SEEDS = st.integers(0, 2**32 - 1)

Edges = dict[int, Fraction]
"""Probability of a takeover at every edge with speech on both sides of it."""


class Scene(NamedTuple):
    """What windows hear of a recording; they may contradict each other."""

    activity: SlotActivity
    first_frames: NDArray[np.int64]
    counts: FrameCounts

    @property
    def change(self) -> SpeakerChange:
        sums = FrameSums(2, np.float64)
        for first, window in zip(self.first_frames.tolist(), self.activity, strict=True):
            sums.add(first, speaker_changes(window, REACH))
        changed, heard = sums.settle(len(self.counts)).T
        return np.asarray(changed / np.maximum(heard, 1e-9), np.float64)

    def regions(self, config: RegionConfig = CONFIG, longest: int = 1000) -> Regions:
        return fed(RegionFinder(config, longest), self.counts, self.change, [])


def fed(
    finder: RegionFinder, counts: FrameCounts, change: SpeakerChange, ends: list[int]
) -> Regions:
    """All that counts of runs found in frames that come in parts with these ends."""
    parts = []
    for first, last in pairwise([0, *ends, len(counts)]):
        alone = finder.found_single
        found = finder.feed(counts[first:last], change[first:last])
        if finder.found_single and not alone:
            parts.clear()
        parts.append(found)
    return np.concatenate([*parts, finder.close()])


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


def edges_of(scene: Scene) -> Edges:
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
    places = range(first, last)
    for above, group in groupby(places, key=lambda place: edges.get(place, 0) > least):
        stretch = list(group)
        if above:
            most = max(edges[place] for place in stretch)
            best = [place for place in stretch if edges[place] >= most - Fraction(1, 1000)]
            cut = sum(best) // len(best)
            cuts += [cut] if first < cut < last else []
    return cuts


def expected_runs(scene: Scene, longest: int) -> list[list[int]]:
    """Runs of the whole recording, none longer than `longest`."""
    alone = stretches_of(scene.counts, 1)
    edges = edges_of(scene) if alone else {}
    spoken = np.minimum(scene.counts, 1)
    expected = []
    for first, last in alone or stretches_of(spoken, 1):
        for start in range(first, last, longest):
            end = min(start + longest, last)
            cuts = cuts_between(edges, start, end, CONFIG.min_change)
            expected += [list(run) for run in pairwise([start, *cuts, end])]
    return expected


@given(occupancies(), st.sampled_from([0.1, 0.4, 0.7]), st.sampled_from([0.1, 0.55, 0.9]))
def test_people_are_counted_by_what_is_probable(
    occupancy: Occupancy, min_speech: float, min_overlap: float
) -> None:
    counts = count_people(occupancy, RegionConfig(min_speech, min_overlap))
    assert counts.dtype == np.int32
    assert counts.shape == (len(occupancy),)
    for number, (_, one, two) in zip(counts, occupancy.tolist(), strict=True):
        if one + two <= min_speech:
            assert number == 0
        else:
            assert number == (2 if two > min_overlap else 1)


@given(scenes())
def test_runs_are_the_stretches_of_one_person_cut_at_takeovers(scene: Scene) -> None:
    assert scene.regions().tolist() == expected_runs(scene, 1000)


@given(scenes(), st.floats(0, 1.2), st.floats(0.001, 2))
def test_runs_tile_the_frames_in_which_one_person_speaks(
    scene: Scene, min_change: float, change_s: float
) -> None:
    regions = scene.regions(RegionConfig(min_change=min_change, change_s=change_s))
    assert regions.dtype == np.int64
    assert regions.shape == (len(regions), 2)
    covered = [frame for first, last in regions.tolist() for frame in range(first, last)]
    alone = np.flatnonzero(scene.counts == 1).tolist()
    assert covered == (alone or np.flatnonzero(scene.counts).tolist())
    assert (regions[:, 0] < regions[:, 1]).all()


@given(scenes())
def test_a_takeover_is_never_more_than_certain(scene: Scene) -> None:
    regions = scene.regions(RegionConfig(min_change=1.0, change_s=0.12))
    if alone := stretches_of(scene.counts, 1):
        assert regions.tolist() == [list(stretch) for stretch in alone]


@given(scenes(), SEEDS)
def test_the_order_of_slots_does_not_matter(scene: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixed = [window[:, rng.permutation(3)] for window in scene.activity]
    activity = np.array(mixed, np.float16).reshape(scene.activity.shape)
    np.testing.assert_array_equal(scene._replace(activity=activity).regions(), scene.regions())


@given(scenes())
def test_what_is_given_stays_as_it_was(scene: Scene) -> None:
    before = [array.copy() for array in scene]
    scene.regions()
    for array, copy in zip(scene, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_run_is_cut_at_the_frame_where_another_takes_over() -> None:
    assert one_window("1111111000000", "0000000111111").regions().tolist() == [[0, 7], [7, 13]]
    assert one_window("1111100001111", "0000011110000").regions().tolist() == [
        [0, 5],
        [5, 9],
        [9, 13],
    ]


def test_one_person_alone_is_one_run() -> None:
    assert one_window("1111111111", "0000000000").regions().tolist() == [[0, 10]]


def test_a_pause_ends_a_run_and_needs_no_cut() -> None:
    scene = one_window("11111000000", "00000001111", counts="11111001111")
    assert scene.regions().tolist() == [[0, 5], [7, 11]]


def test_overlap_ends_a_run() -> None:
    scene = one_window("11111110000", "00001111111", counts="11112221111")
    assert scene.regions().tolist() == [[0, 4], [7, 11]]


def test_where_everybody_always_speaks_at_once_all_speech_is_taken() -> None:
    scene = one_window("1111111000", "1110111000", counts="2220222000")
    assert scene.regions().tolist() == [[0, 3], [4, 7]]
    with_one_alone = scene._replace(counts=np.array([2, 2, 2, 0, 2, 1, 2, 0, 0, 0], np.int32))
    assert with_one_alone.regions().tolist() == [[5, 6]]


@pytest.mark.parametrize(("hearing_it", "runs"), [(1, 1), (2, 2), (3, 2)])
def test_windows_vote_on_a_takeover(hearing_it: int, regions: int) -> None:
    change = one_window("1111110000", "0000001111").activity[0]
    no_change = one_window("1111111111", "0000000000").activity[0]
    activity = np.stack([change] * hearing_it + [no_change] * (3 - hearing_it))
    scene = Scene(activity, np.zeros(3, np.int64), np.ones(10, np.int32))
    assert len(scene.regions()) == regions


def test_a_window_that_hears_little_has_little_to_say_of_a_takeover() -> None:
    change = one_window("1111110000", "0000001111").activity[0]
    no_change = one_window("1111111111", "0000000000").activity[0]
    activity = np.stack([change, 0.25 * no_change, 0.25 * no_change]).astype(np.float16)
    scene = Scene(activity, np.zeros(3, np.int64), np.ones(10, np.int32))
    assert scene.regions().tolist() == [[0, 6], [6, 10]]


@pytest.mark.parametrize("frames", [0, 6])
def test_without_speech_there_is_no_run(frames: int) -> None:
    finder = RegionFinder(CONFIG, 9)
    for regions in (finder.feed(np.zeros(frames, np.int32), np.zeros(frames)), finder.close()):
        assert regions.shape == (0, 2)
        assert regions.dtype == np.int64
    assert not finder.found_single
    assert finder.needed == frames


@st.composite
def parted(draw: st.DrawFn) -> tuple[Scene, list[int]]:
    """A scene, and where its frames are parted as they come in; a part may be empty."""
    scene = draw(scenes())
    if draw(st.booleans()):  # nobody alone, or not before a while
        silent = draw(st.integers(0, len(scene.counts)))
        counts = scene.counts.copy()
        counts[:silent][counts[:silent] == 1] = 2
        scene = scene._replace(counts=counts)
    ends = draw(st.lists(st.integers(0, len(scene.counts)), max_size=8))
    return scene, sorted(ends)


LONGEST = st.sampled_from([1, 2, 3, 5, 8, 1000])


@given(parted(), LONGEST)
def test_runs_are_the_same_however_frames_come_in(
    pair: tuple[Scene, list[int]], longest: int
) -> None:
    scene, ends = pair
    found = fed(RegionFinder(CONFIG, longest), scene.counts, scene.change, ends)
    assert found.tolist() == expected_runs(scene, longest)
    frame_by_frame = list(range(1, len(scene.counts)))
    one_by_one = fed(RegionFinder(CONFIG, longest), scene.counts, scene.change, frame_by_frame)
    assert one_by_one.tolist() == found.tolist()


@given(parted(), LONGEST)
def test_no_run_is_longer_than_the_longest_and_none_is_lost(
    pair: tuple[Scene, list[int]], longest: int
) -> None:
    scene, ends = pair
    regions = fed(RegionFinder(CONFIG, longest), scene.counts, scene.change, ends)
    covered = [frame for first, last in regions.tolist() for frame in range(first, last)]
    alone = np.flatnonzero(scene.counts == 1).tolist()
    assert covered == (alone or np.flatnonzero(scene.counts).tolist())
    assert (regions[:, 1] - regions[:, 0] <= longest).all()


@given(parted(), LONGEST)
def test_runs_never_hold_a_frame_that_was_not_needed_any_more(
    pair: tuple[Scene, list[int]], longest: int
) -> None:
    scene, ends = pair
    finder, needed = RegionFinder(CONFIG, longest), 0
    change = scene.change
    for first, last in pairwise([0, *ends, len(scene.counts)]):
        regions = finder.feed(scene.counts[first:last], change[first:last])
        assert (regions >= needed).all()
        assert needed <= finder.needed <= last
        assert last - finder.needed <= longest  # so what is open never grows
        needed = finder.needed
    assert (finder.close() >= needed).all()
    assert len(finder.close()) == 0


@given(parted(), LONGEST)
def test_runs_are_void_once_somebody_is_heard_alone_and_never_again(
    pair: tuple[Scene, list[int]], longest: int
) -> None:
    scene, ends = pair
    finder, seen = RegionFinder(CONFIG, longest), False
    change = scene.change
    for first, last in pairwise([0, *ends, len(scene.counts)]):
        regions = finder.feed(scene.counts[first:last], change[first:last])
        seen |= bool((scene.counts[first:last] == 1).any())
        assert finder.found_single == seen
        for start, end in regions.tolist():
            people = set(scene.counts[start:end].tolist())
            assert people == {1} if seen else people <= {1, 2}


def test_a_run_waits_for_its_end() -> None:
    finder = RegionFinder(CONFIG, 100)
    assert finder.feed(np.ones(5, np.int32), np.zeros(5)).tolist() == []
    assert finder.needed == 0
    assert finder.feed(np.array([1, 1, 0, 0], np.int32), np.zeros(4)).tolist() == [[0, 7]]
    assert finder.needed == 9
    assert finder.feed(np.array([0, 1], np.int32), np.zeros(2)).tolist() == []
    assert finder.needed == 10
    assert finder.close().tolist() == [[10, 11]]


def test_a_long_run_is_cut_where_it_grows_too_long_and_not_before() -> None:
    finder = RegionFinder(CONFIG, 4)
    assert finder.feed(np.ones(4, np.int32), np.zeros(4)).tolist() == []
    assert finder.feed(np.ones(1, np.int32), np.zeros(1)).tolist() == [[0, 4]]
    assert finder.needed == 4
    assert finder.feed(np.ones(8, np.int32), np.zeros(8)).tolist() == [[4, 8], [8, 12]]
    assert finder.close().tolist() == [[12, 13]]


def test_speech_of_several_counts_until_somebody_speaks_alone() -> None:
    finder = RegionFinder(CONFIG, 100)
    assert finder.feed(np.array([2, 2, 0], np.int32), np.zeros(3)).tolist() == [[0, 2]]
    assert not finder.found_single
    assert finder.feed(np.array([2, 1, 1, 0, 2], np.int32), np.zeros(5)).tolist() == [[4, 6]]
    assert finder.found_single
    assert finder.feed(np.array([2, 2, 0], np.int32), np.zeros(3)).tolist() == []
    assert finder.close().tolist() == []
