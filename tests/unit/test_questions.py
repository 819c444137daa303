"""Questions to workers: answers in the order of asking, errors in turn, nobody left behind."""

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from hocket.concurrency import WAITING, Questions
from hocket.errors import BackendError


def workers_left() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("hocket")]


def after(event: threading.Event, answer: int) -> Callable[[], int]:
    def work() -> int:
        assert event.wait(20)
        return answer

    return work


def failing() -> int:
    raise BackendError("ONNX Runtime failed: out of memory")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_answers_come_in_the_order_of_asking(workers: int) -> None:
    """The last asked are the first done."""
    taken: list[int] = []
    with Questions.to(workers) as questions:
        events = [threading.Event() for _ in range(workers)]
        for number, event in enumerate(events):
            questions.ask(after(event, number), taken.append)
        for event in reversed(events):
            questions.take()
            assert taken == []
            event.set()
            if event is not events[0]:
                time.sleep(0.02)
        questions.take_all()
    assert taken == list(range(workers))


def doze(number: int) -> int:
    time.sleep(0.002 * (number % 3 == 0))
    return number


def test_many_answers_come_in_the_order_of_asking() -> None:
    taken: list[int] = []
    with Questions.to(3) as questions:
        for number in range(200):
            questions.ask(partial(doze, number), taken.append)
            questions.take()
        questions.take_all()
    assert taken == list(range(200))


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_workers_are_at_work_at_the_same_time(workers: int) -> None:
    together = threading.Barrier(workers)
    with Questions.to(workers) as questions:
        for _ in range(workers):
            questions.ask(lambda: together.wait(20), lambda _: None)
        questions.take_all()
        assert len(workers_left()) == workers
    assert workers_left() == []


def test_answers_are_taken_by_the_thread_that_asks_and_found_by_others() -> None:
    threads: list[threading.Thread] = []

    def work() -> threading.Thread:
        return threading.current_thread()

    def take(worker: threading.Thread) -> None:
        threads.extend((worker, threading.current_thread()))

    with Questions.to(1) as questions:
        questions.ask(work, take)
        questions.take_all()
    assert threads[0].name.startswith("hocket")
    assert threads[1] is threading.current_thread()


def test_no_more_than_so_many_are_open_after_taking() -> None:
    most, open_ = (1 + WAITING) * 2, threading.Event()
    taken: list[int] = []
    with Questions.to(2) as questions:
        for number in range(most):
            questions.ask(after(open_, number), taken.append)
            questions.take()  # does not wait
        assert not taken
        questions.ask(lambda: most, taken.append)
        threading.Timer(0.1, open_.set).start()
        questions.take()  # waits for some
        assert len(taken) >= 1
        assert taken[:1] == [0]
        questions.take_all()
    assert taken == list(range(most + 1))


def test_taking_leaves_what_is_not_done() -> None:
    first, second = threading.Event(), threading.Event()
    taken: list[int] = []
    with Questions.to(2) as questions:
        questions.ask(after(first, 1), taken.append)
        questions.ask(after(second, 2), taken.append)
        first.set()
        while not taken:
            questions.take()
        questions.take()
        assert taken == [1]
        second.set()
        questions.take_all()
        assert taken == [1, 2]


def test_an_answer_may_lead_to_further_questions() -> None:
    taken: list[int] = []
    with Questions.to(2) as questions:

        def ask(number: int) -> None:
            taken.append(number)
            if number < 16:
                for each in (2 * number, 2 * number + 1):
                    questions.ask(lambda each=each: each, ask)

        questions.ask(lambda: 1, ask)
        questions.take_all()
    assert taken == list(range(1, 32))


def test_what_a_worker_raises_is_raised_in_its_turn() -> None:
    taken: list[int] = []
    with Questions.to(2) as questions:
        questions.ask(lambda: 0, taken.append)
        questions.ask(failing, taken.append)
        questions.ask(lambda: 2, taken.append)
        with pytest.raises(BackendError, match="out of memory"):
            questions.take_all()
        assert taken == [0]
        questions.take_all()
        assert taken == [0, 2]


@pytest.mark.parametrize("error", [BackendError("failed"), MemoryError(), KeyboardInterrupt()])
def test_nobody_is_left_when_an_error_passes(error: BaseException) -> None:
    def fail() -> None:
        raise error

    def ask() -> None:
        with Questions.to(3) as questions:
            for _ in range(9):
                questions.ask(lambda: time.sleep(0.01), lambda _: None)
            questions.ask(fail, lambda _: None)
            questions.take_all()

    with pytest.raises(type(error)):
        ask()
    assert workers_left() == []


def test_what_is_done_with_an_answer_may_fail_too() -> None:
    def fail(_: int) -> None:
        raise ZeroDivisionError

    def ask() -> None:
        with Questions.to(1) as questions:
            questions.ask(lambda: 1, fail)
            questions.take_all()

    with pytest.raises(ZeroDivisionError):
        ask()
    assert workers_left() == []


def test_leaving_waits_for_work_begun_and_begins_no_other() -> None:
    begun, ended = list[int](), list[int]()
    first = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        first.set()
        time.sleep(0.1)
        ended.append(number)

    with Questions.to(1) as questions:
        for number in range(50):
            questions.ask(lambda number=number: work(number), lambda _: None)
        assert first.wait(20)
    assert begun == ended
    assert len(begun) < 5
    assert workers_left() == []
