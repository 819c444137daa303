"""The effect of constraints: true ones are drawn at random, and the DER is compared."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from bench.accuracy.scoring import score
from bench.annotations import Region, Turn
from bench.corpus import Recording
from bench.errors import BenchError
from bench.report import Progress
from hocket import Diarizer
from hocket.corrections.constraints import Constraint, Different, Named, Nobody, Same, Segment
from hocket.offline.artifacts import Artifacts

LEAST_S, MOST_S = 1.0, 3.0  # length of a segment in a constraint
MARGIN_S = 0.3  # between silence and speech, since labels are no more precise
TRIES = 20  # to draw a constraint that is possible in a recording
WORSE = 0.2  # points of DER that count as a change

Draws = np.random.Generator


class Truth(NamedTuple):
    """Segments of a reference that are long enough for a constraint.

    alone: segments in which each speaker speaks alone.
    silent: segments in which nobody speaks.
    """

    alone: Mapping[str, Sequence[Segment]]
    silent: Sequence[Segment]


def measure_corrections(
    recordings: Sequence[Recording], number: int, seed: int, progress: Progress
) -> dict[str, Any]:
    """Change of DER by `number` true constraints, one at a time, spread over the recordings.

    Raises:
        BenchError: no recording has a segment for a constraint.
    """
    from hocket.audio.reading import read_audio

    diarizer = Diarizer().load()
    rng, rows = np.random.default_rng(seed), list[dict[str, Any]]()
    shares = [len(share) for share in np.array_split(np.arange(number), len(recordings))]
    for recording, share in zip(recordings, rng.permutation(shares).tolist(), strict=True):
        if not share:
            continue
        sound = read_audio(str(recording.audio), target_rate=diarizer.geometry.sample_rate)
        turns, regions = recording.turns(), recording.regions()
        truth = truth_of(turns, recording.duration_s())
        drawn = (draw(truth, rng) for _ in range(TRIES * share))
        constraints = list(islice((each for each in drawn if each), share))
        changes = changes_by(diarizer, diarizer.infer(sound), constraints, turns, regions)
        rows += [{"recording": recording.uri, **row} for row in changes]
        progress(f"{recording.uri}: {len(rows)} of {number}")
    if not rows:
        raise BenchError("found no speaker alone for a second; give more recordings")
    change = np.array([row["change"] for row in rows])
    return {
        "audio_minutes": round(sum(each.duration_s() for each in recordings) / 60, 3),
        "recordings": len(recordings),
        "constraints": len(rows),
        "mean_change": float(change.mean()),
        "worst_change": float(change.max()),
        "threshold_points": WORSE,
        "worse": int(np.count_nonzero(change > WORSE)),
        "better": int(np.count_nonzero(change < -WORSE)),
        "rows": rows,
    }


def truth_of(turns: Sequence[Turn], duration_s: float) -> Truth:
    """Segments of LEAST_S or longer in which one speaker speaks alone, or nobody."""
    edges = sorted({0.0, duration_s, *(edge for turn in turns for edge in turn[:2])})
    pieces: list[tuple[frozenset[str], float, float]] = []
    for start, end in pairwise(edges):
        who = frozenset(turn.speaker for turn in turns if turn.start < end and start < turn.end)
        begin = pieces.pop()[1] if pieces and pieces[-1][0] == who else start
        pieces.append((who, begin, end))
    alone, silent = defaultdict[str, list[Segment]](list), list[Segment]()
    for who, start, end in pieces:
        if len(who) == 1 and end - start >= LEAST_S:
            alone[next(iter(who))].append(Segment(start, end))
        if not who and end - start >= LEAST_S + 2 * MARGIN_S:
            silent.append(Segment(start + MARGIN_S, end - MARGIN_S))
    return Truth(alone, silent)


def draw(truth: Truth, rng: Draws) -> Constraint | None:
    """Draw a true constraint; None if the kind that was drawn is not possible here."""
    speakers = sorted(truth.alone)
    kind = rng.choice(["same", "different", "is", "nobody"])
    if kind == "nobody":
        return Nobody(_part(truth.silent, rng)) if truth.silent else None
    if len(speakers) < (2 if kind == "different" else 1):
        return None
    two = kind == "different"
    one, other = rng.permutation(speakers)[:2] if two else [rng.choice(speakers)] * 2
    first, second = _part(truth.alone[one], rng), _part(truth.alone[other], rng)
    if kind == "is":
        return Named(first, f"name of {one}")
    if kind == "different":
        return Different(first, second)
    return None if first.overlap(second) else Same((first, second))


def changes_by(
    diarizer: Diarizer,
    artifacts: Artifacts,
    constraints: Sequence[Constraint],
    turns: Sequence[Turn],
    regions: Sequence[Region],
) -> list[dict[str, Any]]:
    """DER without constraints, and its change by each of them alone, in percent."""

    def der(*given: Constraint) -> float:
        result = diarizer.finish(artifacts, constraints=given)
        found = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
        return float(score(turns, found, regions).as_row()["der_percent"] or 0)

    without = der() if constraints else 0.0
    return [
        {"constraint": str(each), "der_percent": without, "change": der(each) - without}
        for each in constraints
    ]


def _part(segments: Sequence[Segment], rng: Draws) -> Segment:
    """A part of one of the segments; longer segments are more likely."""
    lengths = np.array([each.duration for each in segments])
    within = segments[int(rng.choice(len(segments), p=lengths / lengths.sum()))]
    length = min(within.duration, rng.uniform(LEAST_S, MOST_S))
    start = within.start + rng.uniform(0, max(0.0, within.duration - length))
    return Segment(float(start), float(start + length))
