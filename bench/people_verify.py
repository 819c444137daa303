"""Short clips against people in a store, and against each other: how often either error is made."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.people_mixing import in_room
from bench.people_stores import ENROLMENTS, ROOM, enrol_all, store_of
from bench.people_voices import RATE, Clips, Sound, divide

if TYPE_CHECKING:
    from hocket import Diarizer, SpeakerStore
    from hocket.result import EmbeddingModel

CLIP_S = 3.0
CLIPS_OF_ONE = 20  # at most, so that people with much to say do not outweigh the others
EQUAL_ERROR_ALLOWED_PERCENT = 3.0
LEAST_PAIRS = 1_000

BY_STORE = "clip and speaker"
OTHER_CLIPS = "clip and speaker of several clips"
CLIP_AND_CLIP = "clip and clip"

Progress = Callable[[str], None]
Distances = NDArray[np.float64]
Pairs = NDArray[np.bool_]


class Compared(NamedTuple):
    """Pairs of voices: how far apart they are, and whether they are one person's; of one shape."""

    distances: Distances
    same: Pairs


class Heard(NamedTuple):
    """Clips that were heard: whose each is, (clips,), and embeddings, (clips, dimension)."""

    owners: tuple[str, ...]
    embeddings: NDArray[np.float32]
    refused: int


def measure_verification(clips: Clips, threads: int | None, progress: Progress) -> dict[str, Any]:
    """Compare clips of 3 s with speakers enrolled from up to 20 s of other sound, and in pairs.

    Both the clips and what is enrolled are as they are, or in simple rooms of their own.
    """
    from hocket import Diarizer
    from hocket.config import Runtime

    diarizer = Diarizer(runtime=Runtime(threads=threads)).load()
    model = diarizer.embedding_model
    divided = {name: divide(each) for name, each in clips.items()}
    short = {name: cut(parts.said) for name, parts in divided.items()}
    rows = []
    for place in ENROLMENTS:
        progress(f"enrolling {len(divided)} people, {place}")
        sounds = {name: parts.enrolled for name, parts in divided.items()}
        enrolled = enrol_all(sounds, place, len(sounds), diarizer)
        progress(f"hearing {sum(map(len, short.values()))} clips, {place}")
        heard = embed_clips(short, place, diarizer)
        several = [len(clips[owner]) > 1 for owner in heard.owners]
        about = {
            "place": place,
            "people": len(enrolled.names),
            "clips": len(heard.owners),
            "clips_refused": heard.refused,
        }
        with store_of(enrolled, enrolled.names) as store:
            found = against_store(store, heard, model)
        by_store = found[BY_STORE]
        found[OTHER_CLIPS] = Compared(by_store.distances[several], by_store.same[several])
        found[CLIP_AND_CLIP] = against_each_other(heard)
        for pairs, compared in found.items():
            rows.append({**about, "pairs": pairs, **errors(compared, model.verify_distance)})
    return {
        "clip_s": CLIP_S,
        "embedding": model.name,
        "verify_distance": model.verify_distance,
        "rows": rows,
        "equal_error_allowed_percent": EQUAL_ERROR_ALLOWED_PERCENT,
        "least_pairs": LEAST_PAIRS,
    }


def cut(said: tuple[Sound, ...]) -> list[Sound]:
    """The first clips of 3 s in what somebody said, 20 at most; none spans two recordings."""
    size = round(CLIP_S * RATE)
    found = [
        sound[first : first + size]
        for sound in said
        for first in range(0, len(sound) - size + 1, size)
    ]
    return found[:CLIPS_OF_ONE]


def embed_clips(short: Mapping[str, list[Sound]], place: str, diarizer: "Diarizer") -> Heard:
    """What `hocket speakers verify` hears in clips; those that it refuses are counted."""
    from hocket.errors import AudioVoiceError
    from hocket.speakers.enroll import LEAST_COMPARED_S, extract_voice

    rng = np.random.default_rng(ENROLMENTS.index(place))
    owners, embeddings, refused = list[str](), list[NDArray[np.float32]](), 0
    for name, clips in short.items():
        for clip in clips:
            sound = in_room(clip, rng) if place == ROOM else clip
            try:
                voice = extract_voice(
                    sound, diarizer, least_s=LEAST_COMPARED_S, sample_rate=RATE, name=name
                )
            except AudioVoiceError:
                refused += 1
                continue
            owners.append(name)
            embeddings.append(voice.embedding)
    return Heard(tuple(owners), np.stack(embeddings), refused)


def against_store(
    store: "SpeakerStore", heard: Heard, model: "EmbeddingModel"
) -> dict[str, Compared]:
    """Every clip and every speaker, by hocket's distance and by either half of it."""
    people = [speaker.name for speaker in store.speakers()]
    distances = np.empty((len(heard.owners), len(people)))
    for row, embedding in enumerate(heard.embeddings):
        for speaker, distance in store.nearest(embedding, model, len(people)):
            distances[row, people.index(speaker.name)] = distance
    vectors = [np.stack([e.embedding for e in store.exemplars(name)]) for name in people]
    nearest = [(heard.embeddings @ each.T).max(axis=1) for each in vectors]
    sums = [each.sum(axis=0) for each in vectors]
    towards = [heard.embeddings @ each / np.linalg.norm(each) for each in sums]
    same = np.array(heard.owners)[:, None] == np.array(people)
    return {
        BY_STORE: Compared(distances, same),
        "the same by the nearest exemplar": Compared(1 - np.stack(nearest, axis=1), same),
        "the same by the direction of all": Compared(1 - np.stack(towards, axis=1), same),
    }


def against_each_other(heard: Heard) -> Compared:
    """Every two clips."""
    first, second = np.triu_indices(len(heard.owners), 1)
    owners = np.array(heard.owners)
    cosines = (heard.embeddings @ heard.embeddings.T)[first, second]
    return Compared(1 - cosines.astype(np.float64), owners[first] == owners[second])


def errors(compared: Compared, threshold: float) -> dict[str, Any]:
    """The equal error rate and where it lies, and both kinds of error at a threshold."""
    right = compared.distances[compared.same]
    wrong = compared.distances[~compared.same]
    rate, where = equal_error(right, wrong)
    return {
        "right_pairs": len(right),
        "wrong_pairs": len(wrong),
        "equal_error_percent": round(100 * rate, 3),
        "equal_error_distance": round(where, 4),
        "refused_percent": round(100 * float(np.mean(right > threshold)), 3),
        "accepted_percent": round(100 * float(np.mean(wrong <= threshold)), 3),
    }


def equal_error(right: Distances, wrong: Distances) -> tuple[float, float]:
    """The share of right pairs above and of wrong pairs up to the distance where they are nearest.

    Returns:
        The mean of the two shares, and the distance: of several that do as well, the middle.
    """
    limits = np.unique(np.concatenate([right, wrong]))
    refused = 1 - np.searchsorted(np.sort(right), limits, side="right") / len(right)
    accepted = np.searchsorted(np.sort(wrong), limits, side="right") / len(wrong)
    gaps = np.abs(refused - accepted)
    best = np.flatnonzero(gaps == gaps.min())
    first = int(best[0])
    # up to the next distance that occurs nothing changes
    after = limits[min(int(best[-1]) + 1, len(limits) - 1)]
    return float(refused[first] + accepted[first]) / 2, float(limits[first] + after) / 2
