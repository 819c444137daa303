"""Parts of a recording: what is used, where it begins, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.audio.excerpts import Excerpt
from hocket.audio.reading import select
from hocket.errors import ConfigError

RATE = 100


def used(excerpt: Excerpt, samples: Any, size: int) -> Any:
    blocks = [samples[first : first + size, None] for first in range(0, len(samples), size)]
    found = [block[:, 0] for block in excerpt.blocks(iter(blocks), RATE)]
    return np.concatenate([np.zeros(0, np.float32), *found])


times = st.integers(0, 1_000).map(lambda value: value / RATE)
spans = st.tuples(times, times).filter(lambda span: span[0] < span[1])


@given(
    regions=st.lists(spans, min_size=1, max_size=5),
    start=st.none() | times,
    end=st.none() | times,
    size=st.integers(1, 700),
)
def test_what_is_outside_is_silent_or_left_out(
    regions: list[tuple[float, float]], start: float | None, end: float | None, size: int
) -> None:
    samples = np.arange(1, 901, dtype=np.float32)
    expected = np.zeros(len(samples), np.float32)
    for first, last in regions:
        part = slice(round(first * RATE), round(last * RATE))
        expected[part] = samples[part]
    first = max(start or 0.0, min(region[0] for region in regions))
    last = max(region[1] for region in regions)
    last = last if end is None else min(last, end)
    if (
        last <= first
        or round(first * RATE) >= len(samples)
        or (end is not None and end <= (start or 0))
    ):
        with pytest.raises(ConfigError):
            used(Excerpt.of(start, end, regions, "a"), samples, size)
        return
    excerpt = Excerpt.of(start, end, regions, "a")
    found = used(excerpt, samples, size)
    np.testing.assert_array_equal(found, expected[round(first * RATE) : round(last * RATE)])
    assert excerpt.start == first
    assert excerpt.frames(len(samples), RATE) == len(found)


def test_nothing_behind_the_end_is_decoded() -> None:
    def blocks() -> Any:
        yield np.ones((50, 1), np.float32)
        yield np.ones((50, 1), np.float32)
        pytest.fail("decoded more than is needed")

    found = list(Excerpt.of(0.2, 0.8, None, "a").blocks(blocks(), RATE))
    assert sum(map(len, found)) == 60


UEM = ";; a comment\none 1 0.5 2\n\ntwo 1 3.0 4.0 ;; another\none 1 5 6\n"


def test_a_uem_file_gives_the_lines_of_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "all.uem"
    path.write_text(UEM, "utf-8-sig")
    assert Excerpt.of(None, None, path, "one").regions == ((0.5, 2.0), (5.0, 6.0))
    assert Excerpt.of(None, None, str(path), "two").regions == ((3.0, 4.0),)
    assert Excerpt.of(None, None, path, "other").regions == ((0.5, 2), (3, 4), (5, 6))


def selected(**values: Any) -> Any:
    usual = {"track": None, "channels": "mix", "start": None, "end": None, "regions": None}
    return select(**{**usual, **values}, name=None, source="a.wav")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": -1}, "start is -1; give seconds, 0 or more"),
        ({"start": np.nan}, "start is nan"),
        ({"end": np.inf}, "end is inf"),
        ({"start": "5"}, "start is '5'; give seconds"),
        ({"start": True}, "start is True; give seconds"),
        ({"start": 5, "end": 5}, "start is 5 s and end 5 s; give a later end"),
        ({"regions": []}, "regions holds no region"),
        ({"regions": [(1, 2, 3)]}, r"a region is \(1, 2, 3\)"),
        ({"regions": [5]}, "a region is 5"),
        ({"regions": [(2, 1)]}, "give a later end"),
        ({"regions": [(1, 2)], "start": 3}, "regions hold nothing from start 3"),
        ({"regions": "none.uem"}, "none.uem: cannot be read"),
        ({"channels": "both"}, "channels is 'both'; give mix, each or a channel's number"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        selected(**values)


@pytest.mark.parametrize("line", ["a 1 2", "a 1 x 3", "a 1 2 3 4"])
def test_a_line_that_is_not_uem_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.uem"
    path.write_text(f"a 1 0 1\n{line}\n")
    with pytest.raises(ConfigError, match=r"bad\.uem, line 2: found .*; give URI CHANNEL"):
        selected(regions=path)
