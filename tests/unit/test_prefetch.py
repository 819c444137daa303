"""An iterator ahead of its consumer: order, errors, bounds, and nothing left when it is over."""

import threading
import time
from collections.abc import Iterator

import pytest

from hocket.concurrency import prefetched
from hocket.errors import AudioFormatError


class Source:
    """Counts up; tells how far it got, on which thread, and whether it was closed."""

    def __init__(self, number: int, error: BaseException | None = None) -> None:
        self.number, self.error = number, error
        self.made = 0
        self.closed = False
        self.threads: set[str] = set()

    def items(self) -> Iterator[int]:
        try:
            for number in range(self.number):
                self.threads.add(threading.current_thread().name)
                self.made += 1
                yield number
            if self.error:
                raise self.error
        finally:
            self.closed = True


def take_all(source: Iterator[int], taken: list[int]) -> None:
    """Keep what is taken even if an error follows."""
    with prefetched(source, 2) as items:
        for item in items:
            taken.append(item)  # noqa: PERF402


def decoders_left() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("hocket")]


def wait_for(source: Source, made: int) -> None:
    for _ in range(1000):
        if source.made >= made:
            break
        time.sleep(0.01)


@pytest.mark.parametrize("ahead", [1, 3, 100])
@pytest.mark.parametrize("number", [0, 1, 2, 50])
def test_items_come_in_order_and_all_of_them(number: int, ahead: int) -> None:
    source = Source(number)
    with prefetched(source.items(), ahead) as items:
        assert list(items) == list(range(number))
    assert source.closed
    assert decoders_left() == []


def test_items_that_say_nothing_come_too() -> None:
    with prefetched(iter([None, 0, (), None]), 2) as items:
        assert list(items) == [None, 0, (), None]


def test_items_are_made_on_another_thread() -> None:
    source = Source(3)
    with prefetched(source.items(), 1) as items:
        list(items)
    assert source.threads == {"hocket-decode"}


@pytest.mark.parametrize("ahead", [1, 4])
def test_the_source_is_ahead_and_only_so_far(ahead: int) -> None:
    source = Source(100)
    with prefetched(source.items(), ahead) as items:
        for taken in range(20):
            wait_for(source, taken + ahead + 1)
            assert source.made == taken + ahead + 1  # so many wait, and one is in its hand
            time.sleep(0.02)
            assert source.made == taken + ahead + 1
            assert next(items) == taken


@pytest.mark.parametrize("error", [AudioFormatError("a.wav", "is odd", "none"), MemoryError()])
@pytest.mark.parametrize("number", [0, 1, 7])
def test_an_error_comes_where_its_item_would_have(number: int, error: BaseException) -> None:
    source, taken = Source(number, error), list[int]()
    with pytest.raises(type(error)) as caught:
        take_all(source.items(), taken)
    assert caught.value is error
    assert taken == list(range(number))
    assert source.closed
    assert decoders_left() == []


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_a_consumer_may_stop_early(taken: int) -> None:
    source = Source(1_000_000)
    with prefetched(source.items(), 3) as items:
        for number in range(taken):
            assert next(items) == number
    assert source.closed
    assert source.made <= taken + 4
    assert decoders_left() == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_consumer_may_raise(error: type[BaseException]) -> None:
    source = Source(1_000_000)

    def take_one() -> None:
        with prefetched(source.items(), 3) as items:
            next(items)
            raise error

    with pytest.raises(error):
        take_one()
    assert source.closed
    assert decoders_left() == []


def test_leaving_does_not_wait_for_more_than_one_item() -> None:
    def slowly() -> Iterator[int]:
        for number in range(1000):
            time.sleep(0.05)
            yield number

    started = time.perf_counter()
    with prefetched(slowly(), 2) as items:
        next(items)
    assert time.perf_counter() - started < 5


def test_a_source_that_cannot_be_closed_is_only_left() -> None:
    with prefetched(iter(range(1_000_000)), 2) as items:
        assert next(items) == 0
    assert decoders_left() == []


class Stubborn:
    """Fails when it is closed."""

    def __init__(self, number: int) -> None:
        self.numbers = iter(range(number))

    def __iter__(self) -> "Stubborn":
        return self

    def __next__(self) -> int:
        return next(self.numbers)

    def close(self) -> None:
        raise OSError("cannot be closed")


def test_a_source_that_fails_to_close_ends_with_that_error() -> None:
    taken: list[int] = []
    with pytest.raises(OSError, match="cannot be closed"):
        take_all(Stubborn(2), taken)
    assert taken == [0, 1]
    assert decoders_left() == []
