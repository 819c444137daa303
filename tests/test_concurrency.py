"""An iterator run ahead on a thread, and a map on a pool: order, errors, bounds, no thread left."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from hocket.concurrency import ordered_map, prefetched, worker_pool
from hocket.errors import AudioFormatError, BackendError


def threads_left() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("hocket")]


# --- prefetched


class Source:
    """Counts up, and records its progress, its threads and whether it was closed."""

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
    """Append to `taken` even if an error follows."""
    with prefetched(source, 2) as items:
        for item in items:
            taken.append(item)  # noqa: PERF402


def wait_for(source: Source, made: int) -> None:
    for _ in range(1000):
        if source.made >= made:
            break
        time.sleep(0.01)


@pytest.mark.parametrize("ahead", [1, 100])
@pytest.mark.parametrize("number", [0, 1, 50])
def test_all_items_come_in_order(number: int, ahead: int) -> None:
    source = Source(number)
    with prefetched(source.items(), ahead) as items:
        assert list(items) == list(range(number))
    assert source.closed
    assert source.threads == ({"hocket-decode"} if number else set())
    assert threads_left() == []


def test_empty_and_none_items_come_too() -> None:
    with prefetched(iter([None, 0, (), None]), 2) as items:
        assert list(items) == [None, 0, (), None]


@pytest.mark.parametrize("ahead", [1, 4])
def test_the_source_runs_ahead_by_a_bounded_number_of_items(ahead: int) -> None:
    source = Source(100)
    with prefetched(source.items(), ahead) as items:
        for taken in range(8):
            wait_for(source, taken + ahead + 1)
            assert source.made == taken + ahead + 1  # `ahead` in the queue, and one to put there
            time.sleep(0.02)
            assert source.made == taken + ahead + 1
            assert next(items) == taken


@pytest.mark.parametrize("error", [AudioFormatError("a.wav", "is odd", "none"), MemoryError()])
@pytest.mark.parametrize("number", [0, 7])
def test_an_error_of_the_source_is_raised_in_place_of_its_item(
    number: int, error: BaseException
) -> None:
    source, taken = Source(number, error), list[int]()
    with pytest.raises(type(error)) as caught:
        take_all(source.items(), taken)
    assert caught.value is error
    assert taken == list(range(number))
    assert source.closed
    assert threads_left() == []


@pytest.mark.parametrize("taken", [0, 5])
def test_a_consumer_may_stop_early(taken: int) -> None:
    source = Source(1_000_000)
    with prefetched(source.items(), 3) as items:
        for number in range(taken):
            assert next(items) == number
    assert source.closed
    assert source.made <= taken + 4
    assert threads_left() == []


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
    assert threads_left() == []


def test_leaving_waits_for_one_item_at_most() -> None:
    def slowly() -> Iterator[int]:
        for number in range(1000):
            time.sleep(0.05)
            yield number

    started = time.perf_counter()
    with prefetched(slowly(), 2) as items:
        next(items)
    assert time.perf_counter() - started < 5


def test_a_source_without_close_is_left_unfinished() -> None:
    with prefetched(iter(range(1_000_000)), 2) as items:
        assert next(items) == 0
    assert threads_left() == []


class FailsToClose:
    """An iterator whose `close` raises."""

    def __init__(self, number: int) -> None:
        self.numbers = iter(range(number))

    def __iter__(self) -> "FailsToClose":
        return self

    def __next__(self) -> int:
        return next(self.numbers)

    def close(self) -> None:
        raise OSError("cannot be closed")


def test_an_error_of_close_is_raised_after_the_last_item() -> None:
    taken: list[int] = []
    with pytest.raises(OSError, match="cannot be closed"):
        take_all(FailsToClose(2), taken)
    assert taken == [0, 1]
    assert threads_left() == []


# --- ordered_map on worker_pool


def wait_and_return(event: threading.Event, result: int) -> int:
    assert event.wait(20)
    return result


def call(function: Callable[[], int]) -> int:
    return function()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_items(workers: int) -> None:
    """The last item is finished first; all are in progress at once."""
    events = [threading.Event() for _ in range(workers)]
    tasks = [partial(wait_and_return, event, number) for number, event in enumerate(events)]
    taken: list[int] = []

    def release() -> None:
        for event in reversed(events):
            time.sleep(0.02)
            assert taken == []
            event.set()

    with worker_pool(workers) as pool:
        releasing = threading.Thread(target=release)
        releasing.start()
        taken.extend(ordered_map(call, tasks, pool, workers + 1))
        releasing.join()
    assert taken == list(range(workers))


def doze(number: int) -> int:
    time.sleep(0.002 * (number % 3 == 0))
    return number


@pytest.mark.parametrize("most", [1, 2, 300])
def test_many_results_come_in_the_order_of_items(most: int) -> None:
    with worker_pool(3) as pool:
        assert list(ordered_map(doze, range(200), pool, most)) == list(range(200))
        assert list(ordered_map(doze, [], pool, most)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_a_pool_has_its_number_of_threads_and_leaves_none(workers: int) -> None:
    together = threading.Barrier(workers)
    with worker_pool(workers) as pool:
        list(ordered_map(lambda _: together.wait(20), range(workers), pool, workers))
        assert len(threads_left()) == workers
    assert threads_left() == []


def test_items_are_taken_on_the_callers_thread_and_the_function_runs_on_the_pool() -> None:
    taken_on: set[threading.Thread] = set()

    def items() -> Iterator[int]:
        for number in range(5):
            taken_on.add(threading.current_thread())
            yield number

    with worker_pool(2) as pool:
        ran_on = set(ordered_map(lambda _: threading.current_thread(), items(), pool, 2))
    assert taken_on == {threading.current_thread()}
    assert all(thread.name.startswith("hocket") for thread in ran_on)


@pytest.mark.parametrize("most", [1, 3, 6])
def test_no_more_than_most_results_are_open(most: int) -> None:
    """Consumption, not the source, sets the pace."""
    taken, source = list[int](), Source(50)
    with worker_pool(2) as pool:
        for result in ordered_map(doze, source.items(), pool, most):
            assert source.made - len(taken) <= most
            taken.append(result)
    assert taken == list(range(50))


def test_no_item_is_taken_before_the_first_result_is_consumed() -> None:
    source = Source(50)
    with worker_pool(2) as pool:
        results = ordered_map(doze, source.items(), pool, 4)
        time.sleep(0.02)
        assert source.made == 0
        assert next(results) == 0
        assert 1 <= source.made <= 4


def test_a_finished_result_is_given_out_before_more_items_are_taken() -> None:
    source = Source(50)
    with worker_pool(1) as pool:
        results = ordered_map(lambda number: number, source.items(), pool, 40)
        assert next(results) == 0
        time.sleep(0.2)  # all that was submitted is done by now
        made = source.made
        assert [next(results) for _ in range(made - 1)] == list(range(1, made))
        assert source.made == made


def test_maps_on_one_pool_may_be_chained() -> None:
    with worker_pool(1) as pool:
        first = ordered_map(doze, range(40), pool, 3)
        second = ordered_map(lambda number: 2 * number, first, pool, 3)
        assert list(second) == list(range(0, 80, 2))


@pytest.mark.parametrize("error", [BackendError("failed"), MemoryError(), KeyboardInterrupt()])
def test_an_error_of_the_function_is_raised_in_turn_and_leaves_no_thread(
    error: BaseException,
) -> None:
    taken, done = list[int](), list[int]()

    def fail_at_three(number: int) -> int:
        if number == 3:
            raise error
        done.append(number)
        return doze(number)

    def consume() -> None:
        with worker_pool(3) as pool:
            for result in ordered_map(fail_at_three, range(1000), pool, 6):
                taken.append(result)

    with pytest.raises(type(error)) as caught:
        consume()
    assert caught.value is error
    assert taken == [0, 1, 2]
    assert len(done) < 20  # later items are not begun
    assert threads_left() == []


def test_an_error_of_the_items_is_raised() -> None:
    source = Source(3, AudioFormatError("a.wav", "is odd", "none"))
    with pytest.raises(AudioFormatError), worker_pool(2) as pool:
        list(ordered_map(doze, source.items(), pool, 2))
    assert source.closed
    assert threads_left() == []


def test_leaving_the_pool_finishes_what_has_begun_and_cancels_the_rest() -> None:
    begun, ended, first = list[int](), list[int](), threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        first.set()
        time.sleep(0.1)
        ended.append(number)

    with worker_pool(1) as pool:
        for number in range(50):
            pool.submit(work, number)
        assert first.wait(20)
    assert begun == ended
    assert len(begun) < 5
    assert threads_left() == []
