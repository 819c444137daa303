"""What a terminal shows: a progress bar, and tables of turns."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from hocket.offline.progress import ProgressCallback
from hocket.report.review import Review
from hocket.result import Result
from hocket.turns import Turn

LIVE_ROWS = 12
MOST_ROWS = 40  # on a terminal
HOUR_S = 3600
_COLORS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def clock(hundredths: int, *, hours: bool) -> str:
    """A time of so many hundredths of a second: in seconds, or as h:mm:ss.cc."""
    seconds, rest = divmod(hundredths, 100)
    if not hours:
        return f"{seconds}.{rest:02d}"
    minutes = seconds // 60
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds % 60:02d}.{rest:02d}"


def _hundredths(seconds: float) -> int:
    return round(100 * seconds)


def show_table(result: Result, title: str, stream: TextIO) -> None:
    """Print every turn, then how long each speaker spoke; on a terminal at most MOST_ROWS turns.

    A length is the difference of the times shown.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    hours = result.duration >= HOUR_S
    turns = Table("start", "end", "length", "speaker", title=Text(title), title_justify="left")
    for column in turns.columns[:3]:
        column.justify = "right"
    styles = {name: _COLORS[i % len(_COLORS)] for i, name in enumerate(result.speakers)}
    shown = result.turns[:MOST_ROWS] if stream.isatty() else result.turns
    for turn in shown:
        start, end = _hundredths(turn.start), _hundredths(turn.end)
        times = (clock(each, hours=hours) for each in (start, end, end - start))
        turns.add_row(*times, Text(turn.speaker, style=styles[turn.speaker]))
    console = Console(file=stream)
    console.print(turns if result.turns else Text(f"{title}: nobody speaks"))
    if more := len(result.turns) - len(shown):
        console.print(f"… {more} more; -o FILE writes all of them", highlight=False)
    if result.turns:
        console.print(_totals(result, styles, hours=hours))


def _totals(result: Result, styles: dict[str, str], *, hours: bool) -> object:
    """A table of how long each speaker speaks."""
    from rich.table import Table
    from rich.text import Text

    totals = Table("speaker", "turns", "speech", "share")
    for column in totals.columns[1:]:
        column.justify = "right"
    lengths: dict[str, list[int]] = {speaker: [] for speaker in result.speakers}
    for turn in result.turns:
        lengths[turn.speaker].append(_hundredths(turn.end) - _hundredths(turn.start))
    spoken = sum(map(sum, lengths.values())) or 1
    for speaker, own in lengths.items():
        name = Text(speaker, style=styles[speaker])
        share = f"{sum(own) / spoken:.0%}"
        totals.add_row(name, str(len(own)), clock(sum(own), hours=hours), share)
    return totals


def show_review(review: Review, title: str, stream: TextIO) -> None:
    """Print what to listen to first, and how much error is expected to remain."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = ("start", "end", "speaker", "sure", "or")
    table = Table(*columns, title=Text(title), title_justify="left")
    for column in (*table.columns[:2], table.columns[3]):
        column.justify = "right"
    hours = max((segment.end for segment in review.segments), default=0.0) >= HOUR_S
    for segment in review.segments:
        times = (clock(_hundredths(each), hours=hours) for each in (segment.start, segment.end))
        others = Text(", ".join(segment.alternatives) or "nobody")
        table.add_row(*times, Text(segment.speaker), f"{segment.confidence:.0%}", others)
    console = Console(file=stream)
    console.print(table if review.segments else Text(f"{title}: nothing to check"))
    console.print(
        f"{review.seconds:.1f} s of sound; expected to be wrong: {review.expected_error:.1f} s, "
        f"{review.remaining_error:.1f} s once {len(review.segments)} segments are corrected",
        highlight=False,
        soft_wrap=True,
    )


def only_confident(
    result: Result, least: float | None, title: str, tell: Callable[[str], object]
) -> Result:
    """The result without turns of less confidence than `least`; tells how much speech that is."""
    if least is None:
        return result
    kept = result.at_least(least)
    before, after = (sum(turn.duration for turn in some.turns) for some in (result, kept))
    number = len(result.turns) - len(kept.turns)
    turns = "1 turn" if number == 1 else f"{number} turns"
    tell(f"{title}: left out {turns} below {least:g}, {before - after:.1f} s of {before:.1f} s")
    return kept


@contextmanager
def progress_bar(title: str, stream: TextIO) -> Iterator[ProgressCallback]:
    """A bar on a terminal, nothing in a pipe; gives the callback that moves it."""
    if not stream.isatty():
        yield lambda *_progress: None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    with Progress(console=Console(file=stream), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        progress.console.print(title, markup=False, highlight=False)
        yield advance


@contextmanager
def live_table(
    stream: TextIO,
) -> Iterator[Callable[[float, Sequence[Turn], Sequence[Turn]], None]]:
    """The last turns of a stream; gives a function that shows time, final and tentative turns."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    kept: deque[Turn] = deque(maxlen=LIVE_ROWS)
    with Live(console=Console(file=stream), auto_refresh=False) as live:

        def show(time: float, final: Sequence[Turn], tentative: Sequence[Turn]) -> None:
            kept.extend(final)
            hours = time >= HOUR_S
            title = clock(_hundredths(time), hours=hours)
            table = Table("start", "end", "speaker", title=title, title_justify="left")
            rows = [(turn, "") for turn in kept] + [(turn, "dim") for turn in tentative]
            for turn, style in rows[-LIVE_ROWS:]:
                times = (clock(_hundredths(each), hours=hours) for each in (turn.start, turn.end))
                table.add_row(*times, Text(turn.speaker), style=style)
            live.update(table, refresh=True)

        yield show
