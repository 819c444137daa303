"""Pictures of turns, of turns beside a reference, and of embeddings: figures of matplotlib.

They are shown by notebooks, saved by `Figure.savefig`, or made into the bytes of a file by
`hocket.report.figures.encoded`.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type, known_names_only
from hocket.arrays import SubsegmentEmbeddings, Subsegments, segments_of, unit_length
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.lanes import COLORS, opacity
from hocket.report.points import Points, draw_points
from hocket.report.projection import principal_components
from hocket.report.rows import Bars, Patch, Row, Window, draw_rows
from hocket.report.scoring import Comparison, compare
from hocket.result import Result
from hocket.turns import Turn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNNAMED = "unknown"  # transcripts leave the speaker empty where nobody is known to speak
OVERLAP, OVERLAP_COLOR = "overlap", "#222222"
OVERLAP_HEIGHT, ERROR_HEIGHT, GAP = 0.5, 2.0, 0.25  # of a lane
ERRORS = {
    "missed": ("missed", "#004488", "////"),
    "false_alarm": ("false alarm", "#ddaa33", "----"),
    "confusion": ("confusion", "#bb5566", "xxxx"),
}
"""Fields of a Comparison: name, color and hatch. The colors are Paul Tol's high contrast."""
MARKERS = "os^DvP"
NOBODY, NOBODY_LOOK = "no turn", ("#aaaaaa", "X")
FAINTER = "fainter: less confident"
SHORTEST = 1e-3  # seconds that a time axis has at least

Spans = NDArray[np.float64]


class Embedded(Protocol):
    """What is used of `hocket.offline.artifacts.Artifacts`."""

    @property
    def geometry(self) -> Geometry:
        """Frame grid."""

    @property
    def subsegments(self) -> Subsegments:
        """What was embedded, in frames."""

    @property
    def embeddings(self) -> SubsegmentEmbeddings:
        """(subsegments, dimension)."""

    @property
    def start_s(self) -> float:
        """Where the frames begin in the recording, in seconds."""


@known_names_only
def plot_turns(
    turns: Sequence[Turn],
    duration: float | None = None,
    *,
    title: str = "",
    start: float | None = None,
    end: float | None = None,
) -> "Figure":
    """A lane for each speaker, in order of appearance; fainter where confidence is lower.

    A thin row at the top shows where several speakers speak.

    Args:
        turns: who speaks when, in any order.
        duration: of the recording in seconds. Default: up to the end of the last turn.
        title: of the picture.
        start: of what is shown, in seconds. Default: 0.
        end: of what is shown, in seconds. Default: the duration.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        ConfigError: a time is negative or not finite, a turn or the picture ends before it starts,
            or a confidence is not within 0 and 1.
        ExtraError: matplotlib is not installed.
    """
    check_type("title", title, str)
    lanes = _lanes_of("turns", turns)
    window = _window([turns], duration, start, end)
    rows = [
        Row(speaker or UNNAMED, (_bars(f"lane-{number}", own, number),))
        for number, (speaker, own) in enumerate(lanes.items())
    ]
    several = _overlaps(lanes.values())
    if len(several):
        bars = Bars(OVERLAP, several, OVERLAP_COLOR, np.ones(len(several)))
        rows.insert(0, Row(OVERLAP, (bars,), OVERLAP_HEIGHT))
    rated = any(turn.confidence is not None for turn in turns)
    return draw_rows(rows, window, title, aside=FAINTER if rated else "")


@known_names_only
def plot_against(
    turns: Sequence[Turn],
    reference: Sequence[Turn],
    duration: float | None = None,
    *,
    title: str = "",
    start: float | None = None,
    end: float | None = None,
) -> "Figure":
    """Turns beside a reference: a lane of the reference above that of the speaker it agrees with.

    A row below shows where speech is missed, where there is a false alarm, and where somebody else
    is found; the legend has the figures of `hocket.report.scoring.score`. With a start or an end
    they are those of the part that is shown.

    Args:
        turns: who was found when, in any order.
        reference: who speaks when, in any order; names need not agree.
        duration: of the recording in seconds. Default: up to the end of the last turn of both.
        title: of the picture.
        start: of what is shown and scored, in seconds. Default: 0.
        end: of what is shown and scored, in seconds. Default: the duration.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        ConfigError: a time is negative or not finite, a turn or the picture ends before it starts,
            or a confidence is not within 0 and 1.
        ExtraError: matplotlib is not installed.
    """
    check_type("title", title, str)
    found, truth = _lanes_of("turns", turns), _lanes_of("reference", reference)
    window = _window([turns, reference], duration, start, end)
    regions = None if start is None and end is None else [window]
    compared = compare(reference, turns, regions)
    rows = _paired_rows(found, truth, dict(compared.pairs))
    errors = [_error_bars(kind, compared) for kind in ERRORS]
    rows.append(Row("errors", tuple(errors), ERROR_HEIGHT))
    legend = [
        Patch(_error_text(kind, compared), bars) for kind, bars in zip(ERRORS, errors, strict=True)
    ]
    rate = f"DER {100 * compared.score.der:.2f} %"
    return draw_rows(rows, window, title, aside=rate, legend=legend)


@known_names_only
def plot_embeddings(result: Result, artifacts: Embedded, *, title: str = "") -> "Figure":
    """The embedding of every subsegment in two dimensions, by its principal components.

    A point has the color of the speaker of the exclusive turn at the middle of its subsegment, and
    the area of its length. Subsegments without an embedding are left out.

    Args:
        result: who speaks when.
        artifacts: what the result was made of: `Diarizer.infer` returns it.
        title: of the picture.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        ExtraError: matplotlib is not installed.
    """
    check_type("result", result, Result)
    check_type("title", title, str)
    usable = artifacts.embeddings.any(axis=1) & np.isfinite(artifacts.embeddings).all(axis=1)
    points, shares = principal_components(unit_length(artifacts.embeddings[usable]))
    spans = _subsegment_spans(artifacts)[usable]
    speakers = list(_speakers_at(spans.mean(axis=1), result))
    groups = []
    for number, name in enumerate((*result.speakers, None)):
        own = np.array([speaker == name for speaker in speakers], np.bool_)
        if own.any():
            color, marker = NOBODY_LOOK if name is None else _look(number)
            label = NOBODY if name is None else name or UNNAMED
            seconds = spans[own, 1] - spans[own, 0]
            groups.append(Points(f"speaker-{number}", label, points[own], seconds, color, marker))
    first, second = (f"{100 * share:.0f} % of the variance" for share in shares)
    return draw_points(groups, title, (first, second))


def _lanes_of(name: str, turns: Sequence[Turn]) -> dict[str, list[Turn]]:
    """Turns of each speaker in order of time, the first to speak first; errors if any is odd."""
    check_type(name, turns, Sequence)
    for turn in turns:
        check_type(f"one of {name}", turn, Turn)
        if not 0 <= turn.start <= turn.end < math.inf:  # NaN fails too
            raise ConfigError(
                f"{name}: a turn of {turn.speaker} lasts from {turn.start:g} to {turn.end:g}; "
                "give seconds, 0 or more, and an end that is not before the start"
            )
        if turn.confidence is not None and not 0 <= turn.confidence <= 1:
            about = f"{name}: a turn of {turn.speaker} has confidence {turn.confidence:g}"
            raise ConfigError(f"{about}; give 0 to 1")
    lanes: dict[str, list[Turn]] = {}
    for turn in sorted(turns):
        lanes.setdefault(turn.speaker, []).append(turn)
    return lanes


def _window(
    turns: Iterable[Sequence[Turn]],
    duration: float | None,
    start: float | None,
    end: float | None,
) -> Window:
    """Start and end of the time axis in seconds; ConfigError if it ends before it starts."""
    for name, value in (("duration", duration), ("start", start), ("end", end)):
        check_type(name, value, float | None)
        if value is not None and not 0 <= value < math.inf:
            raise ConfigError(f"{name} is {value:g}; give seconds, 0 or more")
    last = max((turn.end for each in turns for turn in each), default=0.0)
    whole = last if duration is None else duration
    first, until = start or 0.0, whole if end is None else end
    if start is None and end is None:
        return 0.0, until if until >= SHORTEST else 1.0
    if until - first < SHORTEST:
        what = f"end is {end:g}" if end is not None else f"the recording ends at {whole:g}"
        raise ConfigError(f"start is {first:g} but {what}; give an end after the start")
    return first, until


def _bars(key: str, turns: Sequence[Turn], number: int) -> Bars:
    """Bars of the speaker of this number."""
    opacities = np.array([opacity(turn.confidence) for turn in turns], np.float64)
    return Bars(key, _spans(turns), COLORS[number % len(COLORS)], opacities)


def _spans(turns: Sequence[Turn]) -> Spans:
    return np.array([(turn.start, turn.end) for turn in turns], np.float64).reshape(-1, 2)


def _overlaps(lanes: Iterable[Sequence[Turn]]) -> Spans:
    """Where two speakers or more speak, (overlaps, 2) in seconds; `lanes` are in order of time."""
    spans = np.concatenate([np.zeros((0, 2)), *(_joined(_spans(own)) for own in lanes)])
    times = spans.T.ravel()  # all starts, then all ends
    steps = np.repeat((1, -1), len(spans))
    order = np.lexsort((steps, times))  # at one time, who ends comes before who starts
    several = segments_of(np.cumsum(steps[order]) >= 2)
    return times[order][several]


def _joined(spans: Spans) -> Spans:
    """Spans in order of their starts; those that touch or overlap are one."""
    if not len(spans):
        return spans
    ends = np.maximum.accumulate(spans[:, 1])
    begins = np.append(True, spans[1:, 0] > ends[:-1])
    lasts = np.append(begins[1:], True)
    return np.stack([spans[begins, 0], ends[lasts]], axis=1)


def _paired_rows(
    found: dict[str, list[Turn]], truth: dict[str, list[Turn]], pairs: dict[str, str]
) -> list[Row]:
    """Lanes of the reference, each with that of its pair; then the speakers without one."""
    rows: list[Row] = []
    for number, (speaker, own) in enumerate(truth.items()):
        bars = _bars(f"reference-{number}", own, number)
        rows.append(Row(speaker or UNNAMED, (bars,), note="reference"))
        if speaker in pairs:
            bars = _bars(f"found-{number}", found[pairs[speaker]], number)
            rows.append(Row(pairs[speaker] or UNNAMED, (bars,), note="found"))
        rows.append(Row("", (), GAP))
    alone = [speaker for speaker in found if speaker not in pairs.values()]
    for number, speaker in enumerate(alone, start=len(truth)):
        bars = _bars(f"found-{number}", found[speaker], number)
        rows += [Row(speaker or UNNAMED, (bars,), note="found"), Row("", (), GAP)]
    return rows


def _error_bars(kind: str, compared: Comparison) -> Bars:
    _, color, hatch = ERRORS[kind]
    spans = _joined(compared.spans[getattr(compared, kind) > 0])
    return Bars(kind, spans, color, np.ones(len(spans)), hatch)


def _error_text(kind: str, compared: Comparison) -> str:
    """Seconds of an error, and percent of the reference speech if there is any."""
    seconds = getattr(compared.score, f"{kind}_s")
    share = compared.score.share(seconds)
    percent = "" if share is None else f", {100 * share:.2f} %"
    return f"{ERRORS[kind][0]} {seconds:.2f} s{percent}"


def _subsegment_spans(artifacts: Embedded) -> Spans:
    """Start and end of each subsegment in seconds of the recording, (subsegments, 2)."""
    geometry = artifacts.geometry
    frames = np.stack([artifacts.subsegments.first, artifacts.subsegments.last], axis=1)
    samples = geometry.frame_start(0) + frames * geometry.frame_step
    found: Spans = artifacts.start_s + samples / geometry.sample_rate
    return found


def _speakers_at(times: NDArray[np.float64], result: Result) -> Iterator[str | None]:
    turns = result.exclusive_turns  # in order of time, without overlap
    starts = [turn.start for turn in turns]
    for time in times:
        place = bisect_right(starts, time) - 1
        yield turns[place].speaker if place >= 0 and time < turns[place].end else None


def _look(number: int) -> tuple[str, str]:
    """Color and marker of a speaker; those of one color have different markers."""
    return COLORS[number % len(COLORS)], MARKERS[number // len(COLORS) % len(MARKERS)]
