"""Verification of short clips against speakers of a store and each other: its error rates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.people.mixing import in_room
from bench.people.stores import ENROLLMENTS, ROOM, enroll_all, store_of
from bench.people.voices import RATE, Clips, Sound, divide
from bench.report import Progress

if TYPE_CHECKING:
    from hocket import Diarizer, SpeakerStore
    from hocket.result import EmbeddingModel

CLIP_S = 3.0
CLIPS_OF_ONE = 20  # at most, so that speakers with much speech do not dominate
EQUAL_ERROR_ALLOWED_PERCENT = 3.0
LEAST_PAIRS = 1_000

BY_STORE = "clip and speaker"
OTHER_CLIPS = "clip and speaker of several clips"
CLIP_AND_CLIP = "clip and clip"

Distances = NDArray[np.float64]


class Pairs(NamedTuple):
    """Distances of pairs of voices, and whether they have the same speaker; of the same shape."""

    distances: Distances
    same: NDArray[np.bool_]


class EmbeddedClips(NamedTuple):
    """Speakers of clips, (clips,), and their embeddings, (clips, dimension)."""

    speakers: tuple[str, ...]
    embeddings: NDArray[np.float32]
    refused: int


def measure_verification(clips: Clips, threads: int | None, progress: Progress) -> dict[str, Any]:
    """Compare clips of 3 s with speakers enrolled from up to 20 s of other sound, and in pairs.

    Both the clips and the enrolled sound are as they are, or each in a simple room of its own.
    """
    from hocket import Diarizer
    from hocket.config import Runtime

    diarizer = Diarizer(runtime=Runtime(threads=threads)).load()
    model = diarizer.embedding_model
    divided = {name: divide(each) for name, each in clips.items()}
    short = {name: cut(parts.rest) for name, parts in divided.items()}
    rows = []
    for place in ENROLLMENTS:
        progress(f"enrolling {len(divided)} speakers, {place}")
        sounds = {name: parts.enrolled for name, parts in divided.items()}
        enrolled = enroll_all(sounds, place, len(sounds), diarizer)
        progress(f"embedding {sum(map(len, short.values()))} clips, {place}")
        embedded = embed_clips(short, place, diarizer)
        several = [len(clips[speaker]) > 1 for speaker in embedded.speakers]
        about = {
            "place": place,
            "people": len(enrolled.names),
            "clips": len(embedded.speakers),
            "clips_refused": embedded.refused,
        }
        with store_of(enrolled, enrolled.names) as store:
            found = pairs_with_store(store, embedded, model)
        by_store = found[BY_STORE]
        found[OTHER_CLIPS] = Pairs(by_store.distances[several], by_store.same[several])
        found[CLIP_AND_CLIP] = pairs_of_clips(embedded)
        for name, pairs in found.items():
            rows.append({**about, "pairs": name, **errors(pairs, model.verify_distance)})
    return {
        "clip_s": CLIP_S,
        "embedding": model.name,
        "verify_distance": model.verify_distance,
        "rows": rows,
        "equal_error_allowed_percent": EQUAL_ERROR_ALLOWED_PERCENT,
        "least_pairs": LEAST_PAIRS,
    }


def cut(sounds: tuple[Sound, ...]) -> list[Sound]:
    """The first 20 clips of 3 s in the sounds of a speaker; none spans two sounds."""
    size = round(CLIP_S * RATE)
    found = [
        sound[first : first + size]
        for sound in sounds
        for first in range(0, len(sound) - size + 1, size)
    ]
    return found[:CLIPS_OF_ONE]


def embed_clips(
    short: Mapping[str, list[Sound]], place: str, diarizer: "Diarizer"
) -> EmbeddedClips:
    """Embed clips as `hocket speakers verify` does; refused clips are counted."""
    from hocket.errors import AudioVoiceError
    from hocket.speakers.enroll import LEAST_COMPARED_S, extract_voice

    rng = np.random.default_rng(ENROLLMENTS.index(place))
    speakers, embeddings, refused = list[str](), list[NDArray[np.float32]](), 0
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
            speakers.append(name)
            embeddings.append(voice.embedding)
    return EmbeddedClips(tuple(speakers), np.stack(embeddings), refused)


def pairs_with_store(
    store: "SpeakerStore", clips: EmbeddedClips, model: "EmbeddingModel"
) -> dict[str, Pairs]:
    """Every clip with every speaker, by hocket's distance and by each of its two terms."""
    known = [speaker.name for speaker in store.speakers()]
    distances = np.empty((len(clips.speakers), len(known)))
    for row, embedding in enumerate(clips.embeddings):
        for speaker, distance in store.nearest(embedding, model, len(known)):
            distances[row, known.index(speaker.name)] = distance
    vectors = [np.stack([e.embedding for e in store.exemplars(name)]) for name in known]
    nearest = [(clips.embeddings @ each.T).max(axis=1) for each in vectors]
    sums = [each.sum(axis=0) for each in vectors]
    towards = [clips.embeddings @ each / np.linalg.norm(each) for each in sums]
    same = np.array(clips.speakers)[:, None] == np.array(known)
    return {
        BY_STORE: Pairs(distances, same),
        "the same by the nearest exemplar": Pairs(1 - np.stack(nearest, axis=1), same),
        "the same by the direction of all": Pairs(1 - np.stack(towards, axis=1), same),
    }


def pairs_of_clips(clips: EmbeddedClips) -> Pairs:
    """All pairs of clips."""
    first, second = np.triu_indices(len(clips.speakers), 1)
    speakers = np.array(clips.speakers)
    cosines = (clips.embeddings @ clips.embeddings.T)[first, second]
    return Pairs(1 - cosines.astype(np.float64), speakers[first] == speakers[second])


def errors(pairs: Pairs, threshold: float) -> dict[str, Any]:
    """The equal error rate and its distance, and both error rates at a threshold."""
    right = pairs.distances[pairs.same]
    wrong = pairs.distances[~pairs.same]
    rate, distance = equal_error(right, wrong)
    return {
        "right_pairs": len(right),
        "wrong_pairs": len(wrong),
        "equal_error_percent": round(100 * rate, 3),
        "equal_error_distance": round(distance, 4),
        "refused_percent": round(100 * float(np.mean(right > threshold)), 3),
        "accepted_percent": round(100 * float(np.mean(wrong <= threshold)), 3),
    }


def equal_error(right: Distances, wrong: Distances) -> tuple[float, float]:
    """The distance at which refused right pairs and accepted wrong pairs are equally frequent.

    Returns:
        The mean of the two error rates, and the distance; of several distances, the middle.
    """
    limits = np.unique(np.concatenate([right, wrong]))
    refused = 1 - np.searchsorted(np.sort(right), limits, side="right") / len(right)
    accepted = np.searchsorted(np.sort(wrong), limits, side="right") / len(wrong)
    gaps = np.abs(refused - accepted)
    best = np.flatnonzero(gaps == gaps.min())
    first = int(best[0])
    # nothing changes up to the next distance that occurs
    after = limits[min(int(best[-1]) + 1, len(limits) - 1)]
    return float(refused[first] + accepted[first]) / 2, float(limits[first] + after) / 2
