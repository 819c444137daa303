"""Stages are timed on any number of threads."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hocket.timing import Stopwatch, totals


@pytest.fixture
def _hurried() -> Iterator[None]:
    """Let threads interrupt each other as often as possible."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_stages_are_in_order_of_first_use_and_add_up() -> None:
    watch = Stopwatch()
    for name in ("load", "decode", "load"):
        with watch.stage(name):
            time.sleep(0.02)
    assert list(watch.seconds) == ["load", "decode"]
    assert watch.seconds["load"] >= 0.04
    assert 0.02 <= watch.seconds["decode"] < watch.seconds["load"] + 1


def test_a_stage_that_fails_is_timed() -> None:
    watch = Stopwatch()

    def fail() -> None:
        with watch.stage("decode"):
            time.sleep(0.02)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert watch.seconds["decode"] >= 0.02


def test_concurrent_stages_add_up() -> None:
    watch = Stopwatch()

    def work(_: int) -> None:
        with watch.stage("embedding"):
            time.sleep(0.1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert watch.seconds["embedding"] >= 0.4


def test_copies_add_up_per_stage() -> None:
    watch = Stopwatch()
    for name, size in (("decode", 3), ("embedding", 0), ("decode", 4)):
        watch.copy(name, size)
    assert watch.copied == {"decode": 7, "embedding": 0}
    assert watch.seconds == {}


@pytest.mark.usefixtures("_hurried")
def test_no_copy_of_any_thread_is_lost() -> None:
    watch = Stopwatch()

    def work(_: int) -> None:
        for _ in range(3000):
            watch.copy("decode", 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert watch.copied == {"decode": 12_000}


def test_totals_add_stages_of_several_watches() -> None:
    parts = {"load": 1.0, "decode": 2.0}, {"decode": 0.5, "clustering": 4.0}
    assert totals(*parts) == {"load": 1.0, "decode": 2.5, "clustering": 4.0}
    assert totals() == {}
