"""What constraints are worth: true ones, drawn at random, and the error before and after."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from bench.annotations import Region, Turn
from bench.corpus import Recording
from bench.errors import BenchError
from bench.scoring import score
from hocket import Diarizer
from hocket.corrections.constraints import Constraint, Different, Named, Nobody, Same, Segment
from hocket.offline.artifacts import Artifacts

LEAST_S, MOST_S = 1.0, 3.0  # of a stretch that somebody points at
MARGIN_S = 0.3  # from silence to speech: labels are no better
TRIES = 20  # to draw a constraint that a recording has anything for
WORSE = 0.2  # points of DER by which a true constraint may cost something

Draws = np.random.Generator


class Known(NamedTuple):
    """What is true of a recording, long enough to point at.

    alone: stretches in which each person speaks alone.
    silent: stretches in which nobody speaks.
    """

    alone: Mapping[str, Sequence[Segment]]
    silent: Sequence[Segment]


def measure_corrections(
    recordings: Sequence[Recording], number: int, seed: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Change of DER by true constraints, one at a time, as many in all, spread over recordings.

    Raises:
        BenchError: no recording has anything to point at.
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
        known = index_exemplars(turns, recording.duration_s())
        drawn = (draw(known, rng) for _ in range(TRIES * share))
        constraints = list(islice((each for each in drawn if each), share))
        changes = changes_by(diarizer, diarizer.infer(sound), constraints, turns, regions)
        rows += [{"recording": recording.uri, **row} for row in changes]
        progress(f"{recording.uri}: {len(rows)} of {number}")
    if not rows:
        raise BenchError("found nobody alone for a second; name more recordings")
    change = np.array([row["change"] for row in rows])
    return {
        "audio_minutes": round(sum(each.duration_s() for each in recordings) / 60, 3),
        "recordings": len(recordings),
        "constraints": len(rows),
        "mean_change": float(change.mean()),
        "worst_change": float(change.max()),
        "worse": int(np.count_nonzero(change > WORSE)),
        "better": int(np.count_nonzero(change < -WORSE)),
        "rows": rows,
    }


def index_exemplars(turns: Sequence[Turn], duration_s: float) -> Known:
    """Where one person speaks alone, and where nobody does, LEAST_S or longer."""
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
    return Known(alone, silent)


def draw(known: Known, rng: Draws) -> Constraint | None:
    """A true constraint of any kind; None if the recording has nothing for the kind drawn."""
    people = sorted(known.alone)
    kind = rng.choice(["same", "different", "is", "nobody"])
    if kind == "nobody":
        return Nobody(_part(known.silent, rng)) if known.silent else None
    if len(people) < (2 if kind == "different" else 1):
        return None
    one, other = rng.permutation(people)[:2] if kind == "different" else [rng.choice(people)] * 2
    first, second = _part(known.alone[one], rng), _part(known.alone[other], rng)
    if kind == "is":
        return Named(first, f"name of {one}")
    if kind == "different":
        return Different(first, second)
    return None if first.shared_s(second) else Same((first, second))


def changes_by(
    diarizer: Diarizer,
    artifacts: Artifacts,
    constraints: Sequence[Constraint],
    turns: Sequence[Turn],
    regions: Sequence[Region],
) -> list[dict[str, Any]]:
    """DER without constraints, and its change by each alone, in percent."""

    def der(*given: Constraint) -> float:
        result = diarizer.finish(artifacts, constraints=given)
        found = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
        return float(score(turns, found, regions).as_row()["der_percent"] or 0)

    without = der() if constraints else 0.0
    return [
        {"constraint": str(each), "der_percent": without, "change": der(each) - without}
        for each in constraints
    ]


def _part(segments_of: Sequence[Segment], rng: Draws) -> Segment:
    """A part of one of the stretches, the longer the likelier."""
    lengths = np.array([each.length_s for each in segments_of])
    within = segments_of[int(rng.choice(len(segments_of), p=lengths / lengths.sum()))]
    length = min(within.length_s, rng.uniform(LEAST_S, MOST_S))
    start = within.start + rng.uniform(0, max(0.0, within.length_s - length))
    return Segment(float(start), float(start + length))
