"""Probabilities to regions: number of speakers, single-speaker regions, speaker changes.

Regions are found as frames arrive; the expected ones come from the whole recording at once.
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
from hocket.segmentation.regions import RegionFinder, SpeakerChange, count_speakers, speaker_changes
from hocket.segmentation.windows import FrameSums

REACH = 3  # frames
CONFIG = RegionConfig(min_speech=0.4, min_overlap=0.55, min_change=0.5, change_s=0.12)
SEEDS = st.integers(0, 2**32 - 1)

Edges = dict[int, Fraction]
"""Probability of a speaker change at every edge with speech on both sides."""


class Scene(NamedTuple):
    """Windows of a recording; they may contradict each other."""

    activity: SlotActivity
    first_frames: NDArray[np.int64]
    counts: FrameCounts

    @property
    def change(self) -> SpeakerChange:
        sums = FrameSums(2, np.float64)
        for first, window in zip(self.first_frames.tolist(), self.activity, strict=True):
            sums.add(first, speaker_changes(window, REACH))
        changed, counted = sums.settle(len(self.counts)).T
        return np.asarray(changed / np.maximum(counted, 1e-9), np.float64)

    def regions(self, config: RegionConfig = CONFIG, longest: int = 1000) -> Regions:
        return fed(RegionFinder(config, longest), self.counts, self.change, [])


def fed(
    finder: RegionFinder, counts: FrameCounts, change: SpeakerChange, ends: list[int]
) -> Regions:
    """All regions of frames that arrive in parts with these ends; void regions are dropped."""
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
    """Probabilities in sixteenths, which equal none of the thresholds below."""
    rows = draw(st.lists(st.tuples(st.integers(0, 16), st.integers(0, 16)), max_size=30))
    numbers = [(min(row), max(row) - min(row), 16 - max(row)) for row in rows]
    return np.array(numbers, np.float32).reshape(-1, 3) / 16


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Windows in which slots are silent, certain or half certain for some frames at a time."""
    windows, length = draw(st.integers(0, 4)), draw(st.integers(1, 16))
    steps = draw(st.lists(st.integers(1, length), min_size=windows, max_size=windows))
    first_frames = np.cumsum([0, *steps])[:windows]
    rng = np.random.default_rng(draw(SEEDS))
    total = int(first_frames[-1]) + length if windows else 0
    activity = rng.integers(0, 3, (windows, 1 + length // 3, 3)).repeat(3, axis=1)[:, :length] / 2
    counts = rng.choice(3, 1 + total // 4, p=[0.15, 0.7, 0.15]).repeat(4)[:total]
    return Scene(activity.astype(np.float16), first_frames, counts.astype(np.int32))


def one_window(*slots: str, counts: str = "") -> Scene:
    """A window of slots as written, one digit a frame, with `counts` speakers (default: one)."""
    activity = np.array([[float(digit) for digit in slot] for slot in slots]).T[None]
    numbers = [int(digit) for digit in counts or "1" * len(slots[0])]
    return Scene(activity.astype(np.float16), np.zeros(1, np.int64), np.array(numbers, np.int32))


def segments_of(counts: FrameCounts, number: int) -> list[tuple[int, int]]:
    """First and past-the-last frame of every segment with this number of speakers."""
    found = []
    for count, group in groupby(range(len(counts)), key=lambda frame: int(counts[frame])):
        frames = list(group)
        if count == number:
            found.append((frames[0], frames[-1] + 1))
    return found


def edges_of(scene: Scene) -> Edges:
    """How often a pair of a frame before and a frame after has different slots, over all pairs."""
    changed, counted = dict[int, Fraction](), dict[int, Fraction]()
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
                    position = first + edge
                    counted[position] = counted.get(position, Fraction(0)) + earlier * later
                    if slot != other:
                        changed[position] = changed.get(position, Fraction(0)) + earlier * later
    return {edge: changed.get(edge, Fraction(0)) / all_ for edge, all_ in counted.items() if all_}


def cuts_between(edges: Edges, first: int, last: int, least: float) -> list[int]:
    """The middle of the most probable edges of every segment of edges above `least`."""
    cuts = []
    for above, group in groupby(range(first, last), key=lambda edge: edges.get(edge, 0) > least):
        segment = list(group)
        if above:
            most = max(edges[edge] for edge in segment)
            best = [edge for edge in segment if edges[edge] >= most - Fraction(1, 1000)]
            cut = sum(best) // len(best)
            cuts += [cut] if first < cut < last else []
    return cuts


def expected_regions(scene: Scene, longest: int) -> list[list[int]]:
    """Regions of the whole recording, none longer than `longest`."""
    alone = segments_of(scene.counts, 1)
    edges = edges_of(scene) if alone else {}
    spoken = np.minimum(scene.counts, 1)
    expected = []
    for first, last in alone or segments_of(spoken, 1):
        for start in range(first, last, longest):
            end = min(start + longest, last)
            cuts = cuts_between(edges, start, end, CONFIG.min_change)
            expected += [list(region) for region in pairwise([start, *cuts, end])]
    return expected


@given(occupancies(), st.sampled_from([0.1, 0.4, 0.7]), st.sampled_from([0.1, 0.55, 0.9]))
def test_speakers_are_counted_by_probability(
    occupancy: Occupancy, min_speech: float, min_overlap: float
) -> None:
    counts = count_speakers(occupancy, RegionConfig(min_speech, min_overlap))
    assert counts.dtype == np.int32
    assert counts.shape == (len(occupancy),)
    for number, (_, one, two) in zip(counts, occupancy.tolist(), strict=True):
        if one + two <= min_speech:
            assert number == 0
        else:
            assert number == (2 if two > min_overlap else 1)


@given(scenes())
def test_regions_are_single_speaker_segments_cut_at_speaker_changes(scene: Scene) -> None:
    assert scene.regions().tolist() == expected_regions(scene, 1000)


@given(scenes(), st.floats(0, 1.2), st.floats(0.001, 2))
def test_regions_tile_the_frames_with_a_single_speaker(
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
def test_a_speaker_change_has_at_most_probability_one(scene: Scene) -> None:
    regions = scene.regions(RegionConfig(min_change=1.0, change_s=0.12))
    if alone := segments_of(scene.counts, 1):
        assert regions.tolist() == [list(segment) for segment in alone]


@given(scenes(), SEEDS)
def test_the_order_of_slots_does_not_matter(scene: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixed = [window[:, rng.permutation(3)] for window in scene.activity]
    activity = np.array(mixed, np.float16).reshape(scene.activity.shape)
    np.testing.assert_array_equal(scene._replace(activity=activity).regions(), scene.regions())


@given(scenes())
def test_inputs_are_not_changed(scene: Scene) -> None:
    before = [array.copy() for array in scene]
    scene.regions()
    for array, copy in zip(scene, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_region_is_cut_at_the_frame_of_a_speaker_change() -> None:
    assert one_window("1111111000000", "0000000111111").regions().tolist() == [[0, 7], [7, 13]]
    assert one_window("1111100001111", "0000011110000").regions().tolist() == [
        [0, 5],
        [5, 9],
        [9, 13],
    ]


def test_a_single_speaker_gives_one_region() -> None:
    assert one_window("1111111111", "0000000000").regions().tolist() == [[0, 10]]


def test_a_pause_ends_a_region_without_a_cut() -> None:
    scene = one_window("11111000000", "00000001111", counts="11111001111")
    assert scene.regions().tolist() == [[0, 5], [7, 11]]


def test_overlap_ends_a_region() -> None:
    scene = one_window("11111110000", "00001111111", counts="11112221111")
    assert scene.regions().tolist() == [[0, 4], [7, 11]]


def test_if_nobody_ever_speaks_alone_all_speech_counts() -> None:
    scene = one_window("1111111000", "1110111000", counts="2220222000")
    assert scene.regions().tolist() == [[0, 3], [4, 7]]
    with_one_alone = scene._replace(counts=np.array([2, 2, 2, 0, 2, 1, 2, 0, 0, 0], np.int32))
    assert with_one_alone.regions().tolist() == [[5, 6]]


@pytest.mark.parametrize(("changing", "regions"), [(1, 1), (2, 2), (3, 2)])
def test_windows_vote_on_a_speaker_change(changing: int, regions: int) -> None:
    change = one_window("1111110000", "0000001111").activity[0]
    no_change = one_window("1111111111", "0000000000").activity[0]
    activity = np.stack([change] * changing + [no_change] * (3 - changing))
    scene = Scene(activity, np.zeros(3, np.int64), np.ones(10, np.int32))
    assert len(scene.regions()) == regions


def test_a_window_with_little_speech_counts_little_for_a_speaker_change() -> None:
    change = one_window("1111110000", "0000001111").activity[0]
    no_change = one_window("1111111111", "0000000000").activity[0]
    activity = np.stack([change, 0.25 * no_change, 0.25 * no_change]).astype(np.float16)
    scene = Scene(activity, np.zeros(3, np.int64), np.ones(10, np.int32))
    assert scene.regions().tolist() == [[0, 6], [6, 10]]


@pytest.mark.parametrize("frames", [0, 6])
def test_without_speech_there_is_no_region(frames: int) -> None:
    finder = RegionFinder(CONFIG, 9)
    for regions in (finder.feed(np.zeros(frames, np.int32), np.zeros(frames)), finder.close()):
        assert regions.shape == (0, 2)
        assert regions.dtype == np.int64
    assert not finder.found_single
    assert finder.needed == frames


@st.composite
def parted(draw: st.DrawFn) -> tuple[Scene, list[int]]:
    """A scene, and where its frames are divided as they arrive; a part may be empty."""
    scene = draw(scenes())
    if draw(st.booleans()):  # no single speaker, or only after a while
        silent = draw(st.integers(0, len(scene.counts)))
        counts = scene.counts.copy()
        counts[:silent][counts[:silent] == 1] = 2
        scene = scene._replace(counts=counts)
    ends = draw(st.lists(st.integers(0, len(scene.counts)), max_size=8))
    return scene, sorted(ends)


LONGEST = st.sampled_from([1, 2, 3, 5, 8, 1000])


@given(parted(), LONGEST)
def test_regions_do_not_depend_on_how_frames_arrive(
    pair: tuple[Scene, list[int]], longest: int
) -> None:
    scene, ends = pair
    found = fed(RegionFinder(CONFIG, longest), scene.counts, scene.change, ends)
    assert found.tolist() == expected_regions(scene, longest)
    frame_by_frame = list(range(1, len(scene.counts)))
    one_by_one = fed(RegionFinder(CONFIG, longest), scene.counts, scene.change, frame_by_frame)
    assert one_by_one.tolist() == found.tolist()


@given(parted(), LONGEST)
def test_no_region_is_longer_than_the_longest_and_no_frame_is_lost(
    pair: tuple[Scene, list[int]], longest: int
) -> None:
    scene, ends = pair
    regions = fed(RegionFinder(CONFIG, longest), scene.counts, scene.change, ends)
    covered = [frame for first, last in regions.tolist() for frame in range(first, last)]
    alone = np.flatnonzero(scene.counts == 1).tolist()
    assert covered == (alone or np.flatnonzero(scene.counts).tolist())
    assert (regions[:, 1] - regions[:, 0] <= longest).all()


@given(parted(), LONGEST)
def test_regions_never_include_a_frame_that_was_not_needed_any_more(
    pair: tuple[Scene, list[int]], longest: int
) -> None:
    scene, ends = pair
    finder, needed = RegionFinder(CONFIG, longest), 0
    change = scene.change
    for first, last in pairwise([0, *ends, len(scene.counts)]):
        regions = finder.feed(scene.counts[first:last], change[first:last])
        assert (regions >= needed).all()
        assert needed <= finder.needed <= last
        assert last - finder.needed <= longest  # so an open region is bounded
        needed = finder.needed
    assert (finder.close() >= needed).all()
    assert len(finder.close()) == 0


@given(parted(), LONGEST)
def test_regions_are_void_once_a_single_speaker_is_found_and_never_again(
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
            numbers = set(scene.counts[start:end].tolist())
            assert numbers == {1} if seen else numbers <= {1, 2}


def test_a_region_is_returned_when_it_has_ended() -> None:
    finder = RegionFinder(CONFIG, 100)
    assert finder.feed(np.ones(5, np.int32), np.zeros(5)).tolist() == []
    assert finder.needed == 0
    assert finder.feed(np.array([1, 1, 0, 0], np.int32), np.zeros(4)).tolist() == [[0, 7]]
    assert finder.needed == 9
    assert finder.feed(np.array([0, 1], np.int32), np.zeros(2)).tolist() == []
    assert finder.needed == 10
    assert finder.close().tolist() == [[10, 11]]


def test_a_long_region_is_cut_where_it_exceeds_the_longest() -> None:
    finder = RegionFinder(CONFIG, 4)
    assert finder.feed(np.ones(4, np.int32), np.zeros(4)).tolist() == []
    assert finder.feed(np.ones(1, np.int32), np.zeros(1)).tolist() == [[0, 4]]
    assert finder.needed == 4
    assert finder.feed(np.ones(8, np.int32), np.zeros(8)).tolist() == [[4, 8], [8, 12]]
    assert finder.close().tolist() == [[12, 13]]


def test_overlapping_speech_counts_until_a_single_speaker_is_found() -> None:
    finder = RegionFinder(CONFIG, 100)
    assert finder.feed(np.array([2, 2, 0], np.int32), np.zeros(3)).tolist() == [[0, 2]]
    assert not finder.found_single
    assert finder.feed(np.array([2, 1, 1, 0, 2], np.int32), np.zeros(5)).tolist() == [[4, 6]]
    assert finder.found_single
    assert finder.feed(np.array([2, 2, 0], np.int32), np.zeros(3)).tolist() == []
    assert finder.close().tolist() == []
