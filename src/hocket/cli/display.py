"""What a person at a terminal sees: a progress bar, and a table of turns."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from hocket.report.review import Review
from hocket.result import Result, Turn

LIVE_ROWS = 12
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def show_table(result: Result, title: str, stream: TextIO) -> None:
    """Print every turn, then how long each speaker spoke."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    turns = Table("start", "end", "length", "speaker", title=Text(title), title_justify="left")
    totals = Table("speaker", "turns", "seconds", "share")
    for column in (*turns.columns[:3], *totals.columns[1:]):
        column.justify = "right"
    spoken = sum(turn.duration for turn in result.turns) or 1.0  # all turns may be left out
    for index, speaker in enumerate(result.speakers):
        own = [turn.duration for turn in result.turns if turn.speaker == speaker]
        name = Text(speaker, style=_COLOURS[index % len(_COLOURS)])
        totals.add_row(name, str(len(own)), f"{sum(own):.1f}", f"{sum(own) / spoken:.0%}")
    colour = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(result.speakers)}
    for turn in result.turns:
        times = (f"{value:.2f}" for value in (turn.start, turn.end, turn.duration))
        turns.add_row(*times, Text(turn.speaker, style=colour[turn.speaker]))
    console = Console(file=stream)
    console.print(turns if result.turns else Text(f"{title}: nobody speaks"))
    if result.turns:
        console.print(totals)


def show_review(review: Review, title: str, stream: TextIO) -> None:
    """Print what to listen to first, and what is expected to remain."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        *("start", "end", "speaker", "sure", "or"), title=Text(title), title_justify="left"
    )
    for column in (*table.columns[:2], table.columns[3]):
        column.justify = "right"
    for segment in review.segments:
        times = (f"{value:.2f}" for value in (segment.start, segment.end))
        others = Text(", ".join(segment.alternatives) or "nobody")
        table.add_row(*times, Text(segment.speaker), f"{segment.confidence:.0%}", others)
    console = Console(file=stream)
    console.print(table if review.segments else Text(f"{title}: nothing to ask"))
    console.print(
        f"{review.seconds:.1f} s of sound; expected to be wrong: {review.expected_error:.1f} s, "
        f"{review.remaining_error:.1f} s after {len(review.segments)} answers",
        highlight=False,
        soft_wrap=True,
    )


def only_sure(
    result: Result, least: float | None, title: str, say: Callable[[str], object]
) -> Result:
    """The result without turns less sure than `least`; says how much speech that leaves out."""
    if least is None:
        return result
    sure = result.at_least(least)
    before, after = (sum(turn.duration for turn in some.turns) for some in (result, sure))
    number = len(result.turns) - len(sure.turns)
    turns = "1 turn" if number == 1 else f"{number} turns"
    say(f"{title}: left out {turns} below {least:g}, {before - after:.1f} s of {before:.1f} s")
    return sure


@contextmanager
def progress_bar(title: str, stream: TextIO) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, nothing in a pipe; gives a function to report stage, done and total."""
    if not stream.isatty():
        yield lambda *_progress: None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(file=stream), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        progress.console.print(title, markup=False, highlight=False)
        yield report


@contextmanager
def live_table(
    stream: TextIO,
) -> Iterator[Callable[[float, Sequence[Turn], Sequence[Turn]], None]]:
    """The last turns of a stream on a terminal; gives a function to show time, final, tentative."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    kept: deque[Turn] = deque(maxlen=LIVE_ROWS)
    with Live(console=Console(file=stream), auto_refresh=False) as live:

        def show(time: float, final: Sequence[Turn], tentative: Sequence[Turn]) -> None:
            kept.extend(final)
            table = Table("start", "end", "speaker", title=f"{time:.1f} s", title_justify="left")
            rows = [(turn, "") for turn in kept] + [(turn, "dim") for turn in tentative]
            for turn, style in rows[-LIVE_ROWS:]:
                times = (f"{value:8.2f}" for value in (turn.start, turn.end))
                table.add_row(*times, Text(turn.speaker), style=style)
            live.update(table, refresh=True)

        yield show
