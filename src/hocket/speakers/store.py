"""The store: speakers by name, across recordings, in one file that several processes may use."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.errors import SpeakerError, StoreError
from hocket.result import EmbeddingModel, Result
from hocket.speakers import rows
from hocket.speakers.file import SpeakerFile
from hocket.speakers.matching import assign, distances, probabilities
from hocket.speakers.naming import clusters_of, model_of
from hocket.speakers.values import (
    Exemplar,
    Match,
    Speaker,
    Verification,
    checked_exemplar,
    checked_name,
    key_of,
    timestamp,
)

LEAST_SPEECH_S = 3.0  # of a cluster; with less nobody is named or suggested


class SpeakerStore:
    """Speakers and exemplars of their voices.

    Args:
        path: the file.
        create: make it if there is none.
        read_only: refuse every change.
        timeout_s: how long to wait for another process that writes.

    A speaker is given as a name or, being an `int`, as an id. Every method may raise StoreError,
    whose message names the file and what to do; a method that fails has changed nothing. One store
    may be used by several threads.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        create: bool = True,
        read_only: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        self.path = Path(path)
        self.file = SpeakerFile(self.path, create=create, read_only=read_only, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; it may be opened again."""
        self.file.close()

    # --- who there is

    @property
    def model(self) -> rows.StoredModel | None:
        """Whose embeddings there are; None if there are none."""
        with self.file.reading() as database:
            return rows.stored_model(database)

    def speakers(self) -> tuple[Speaker, ...]:
        """Everybody, in the order in which they came."""
        with self.file.reading() as database:
            return rows.all_speakers(database)

    def speaker(self, who: int | str) -> Speaker:
        """One speaker; SpeakerError if there is none."""
        with self.file.reading() as database:
            return rows.speaker_of(database, who)

    def exemplars(self, who: int | str) -> tuple[Exemplar, ...]:
        """A speaker's exemplars, in the order in which they came; SpeakerError if there is none."""
        with self.file.reading() as database:
            return rows.exemplars_of(database, rows.speaker_of(database, who).id)

    def check_model(self, model: EmbeddingModel) -> None:
        """Raise StoreError if the store holds another model's embeddings."""
        with self.file.reading() as database:
            rows.check_model(database, model, str(self.path))

    # --- who is added

    def enroll(self, name: str, exemplars: Sequence[Exemplar], model: EmbeddingModel) -> Speaker:
        """Add somebody.

        Args:
            name: nobody's yet; case and blanks do not tell names apart.
            exemplars: of this one voice; of more than 10 the shorter of two that are alike go.
            model: what made their embeddings.

        Raises:
            SpeakerError: the name is taken, or an embedding is zero, NaN or of the wrong size.
            StoreError: the store holds another model's embeddings.
        """
        ready = _checked(exemplars, model)
        if not ready:
            raise SpeakerError("no exemplar of the voice; give at least one")
        with self.file.writing() as database:
            rows.admit_model(database, model, str(self.path))
            speaker = rows.insert_speaker(database, name)
            rows.insert_exemplars(database, speaker, ready, model.sha256)
            return rows.speaker_of(database, speaker)

    def add(self, who: int | str, exemplars: Sequence[Exemplar], model: EmbeddingModel) -> Speaker:
        """Add exemplars to a speaker; errors as in `enroll`."""
        ready = _checked(exemplars, model)
        with self.file.writing() as database:
            speaker = rows.speaker_of(database, who).id
            rows.admit_model(database, model, str(self.path))
            rows.insert_exemplars(database, speaker, ready, model.sha256)
            rows.heard(database, [speaker])
            return rows.speaker_of(database, speaker)

    def enroll_cluster(self, name: str, result: Result, cluster: str, consent: str = "") -> Speaker:
        """Add somebody who was found in a recording, by the mean of the voice there.

        Raises:
            SpeakerError: there is no such cluster, it says too little, or as in `enroll`.
        """
        for found in clusters_of(result):
            if found.name == cluster:
                if found.seconds < LEAST_SPEECH_S:
                    raise SpeakerError(
                        f"{cluster}: speaks for {found.seconds:.1f} s in {result.uri}; "
                        f"give somebody who speaks for {LEAST_SPEECH_S:g} s"
                    )
                exemplar = Exemplar(
                    found.embedding, found.seconds, result.uri, found.start, found.end,
                    alone=False, consent=consent,
                )  # fmt: skip
                return self.enroll(name, [exemplar], model_of(result))
        raise SpeakerError(
            f"{cluster}: nobody in {result.uri} is called that; give one of "
            f"{', '.join(result.speakers) or 'another recording, nobody speaks in this one'}"
        )

    # --- who is who

    def identify(self, result: Result) -> tuple[Match, ...]:
        """Which speaker every cluster of a result is, in the order of `result.speakers`.

        A cluster is one speaker and a speaker one cluster: of all ways to pair them the nearest.
        Nearer than the model's `name_distance` is certain, nearer than its `suggest_distance` a
        suggestion. A cluster that speaks for less than 3 s, or has no embedding, is nobody.

        Raises:
            SpeakerError: the result has embeddings, but does not say of which model.
            StoreError: the store holds another model's embeddings.
        """
        clusters = clusters_of(result)
        if not clusters:
            return ()
        model = model_of(result)
        with self.file.reading() as database:
            known = self.file.known(database, model)
            found = distances(np.stack([cluster.embedding for cluster in clusters]), known)
            enough = np.array([cluster.seconds >= LEAST_SPEECH_S for cluster in clusters])
            pairs = dict(assign(np.where(enough[:, None], found, np.inf), model.suggest_distance))
            right = probabilities(found, model.match)
            matches = []
            for index, cluster in enumerate(clusters):
                speaker, distance, probability = None, np.inf, 0.0
                if index in pairs:
                    speaker = rows.speaker_of(database, int(known.ids[pairs[index]]))
                if len(known.ids):
                    place = pairs.get(index, int(found[index].argmin()))
                    distance, probability = float(found[index, place]), float(right[index, place])
                certain = speaker is not None and distance <= model.name_distance
                matches.append(
                    Match(cluster.name, cluster.seconds, speaker, distance, certain, probability)
                )
            return tuple(matches)

    def nearest(
        self, embedding: NDArray[np.float32], model: EmbeddingModel, most: int = 1
    ) -> list[tuple[Speaker, float]]:
        """The speakers nearest to a voice with their distances, nearest first, at most `most`.

        A zero or NaN embedding is infinitely far from everybody, and nobody is nearest to it.

        Raises:
            SpeakerError: the embedding is of another size.
            StoreError: the store holds another model's embeddings.
        """
        with self.file.reading() as database:
            known = self.file.known(database, model)
            (found,) = distances(np.asarray(embedding)[None], known)
            order = np.argsort(found, kind="stable")[:most]
            return [
                (rows.speaker_of(database, int(known.ids[index])), float(found[index]))
                for index in order.tolist()
                if np.isfinite(found[index])
            ]

    def verify(
        self, who: int | str, embedding: NDArray[np.float32], model: EmbeddingModel
    ) -> Verification:
        """Whether a voice is a speaker's; errors as in `nearest`, or there is no such speaker."""
        with self.file.reading() as database:
            known, speaker = self.file.known(database, model), rows.speaker_of(database, who)
            (found,) = distances(np.asarray(embedding)[None], known)
            distance = float(found[known.ids == speaker.id].min(initial=np.inf))
            return Verification(speaker, distance, model.verify_distance)

    # --- what is corrected

    def rename(self, who: int | str, name: str) -> Speaker:
        """Give a speaker another name; SpeakerError if somebody else has it."""
        name = checked_name(name)
        with self.file.writing() as database:
            speaker = rows.speaker_of(database, who).id
            rows.check_free(database, name, own=speaker)
            database.execute(
                "UPDATE speakers SET name = ?, name_key = ? WHERE id = ?",
                (name, key_of(name), speaker),
            )
            return rows.speaker_of(database, speaker)

    def set_permanent(self, who: int | str, permanent: bool = True) -> Speaker:
        """Keep a speaker through `purge`, `forget` and `merge`, or no longer."""
        with self.file.writing() as database:
            speaker = rows.speaker_of(database, who).id
            database.execute(
                "UPDATE speakers SET permanent = ? WHERE id = ?", (int(permanent), speaker)
            )
            return rows.speaker_of(database, speaker)

    def merge(self, source: int | str, into: int | str, *, force: bool = False) -> Speaker:
        """Give all that is `source`'s to `into`, and delete `source`.

        Raises:
            SpeakerError: they are one, or `source` is permanent and `force` is not given.
        """
        with self.file.writing() as database:
            one, other = rows.speaker_of(database, source), rows.speaker_of(database, into)
            if one.id == other.id:
                raise SpeakerError(f"{one.name}: cannot be merged into itself; give two speakers")
            _check_removable(one, force)
            moved = [exemplar.id for exemplar in rows.exemplars_of(database, one.id)]
            rows.move_exemplars(database, moved, other.id)
            database.execute("DELETE FROM speakers WHERE id = ?", (one.id,))
            database.execute(
                "UPDATE speakers SET created_at = ?, heard_at = ?, permanent = ? WHERE id = ?",
                (
                    min(one.created_at, other.created_at),
                    max(one.seen_at, other.seen_at),
                    int(one.permanent or other.permanent),
                    other.id,
                ),
            )
            return rows.speaker_of(database, other.id)

    def move(self, exemplars: Iterable[int], to: int | str) -> Speaker:
        """Give exemplars, by id, to a speaker who is there; what is then too many goes."""
        with self.file.writing() as database:
            speaker, numbers = rows.speaker_of(database, to).id, list(exemplars)
            rows.check_exemplars(database, numbers)
            rows.move_exemplars(database, numbers, speaker)
            return rows.speaker_of(database, speaker)

    def split(self, who: int | str, exemplars: Iterable[int], name: str) -> Speaker:
        """Give some of a speaker's exemplars, by id, to somebody new.

        Raises:
            SpeakerError: the exemplars are none, all, or not this speaker's; the name is taken.
        """
        with self.file.writing() as database:
            speaker, numbers = rows.speaker_of(database, who), set(exemplars)
            own = {exemplar.id for exemplar in rows.exemplars_of(database, speaker.id)}
            if not numbers or not numbers < own:
                raise SpeakerError(
                    f"{speaker.name}: has the exemplars {sorted(own)}; give some of them, not all"
                )
            new = rows.insert_speaker(database, name)
            rows.move_exemplars(database, sorted(numbers), new)
            return rows.speaker_of(database, new)

    def replace_exemplars(
        self, exemplars: Mapping[int, Sequence[Exemplar]], model: EmbeddingModel
    ) -> None:
        """Put another model's embeddings in the place of all that there are.

        Args:
            exemplars: by id of the speaker; who is not in it has none afterwards.
            model: what made their embeddings.
        """
        ready = {speaker: _checked(own, model) for speaker, own in exemplars.items()}
        with self.file.writing() as database:
            database.execute("DELETE FROM exemplars")
            rows.admit_model(database, model, str(self.path))
            for speaker, own in ready.items():
                rows.insert_exemplars(database, speaker, own, model.sha256)

    # --- who is forgotten

    def forget(self, who: int | str, *, force: bool = False) -> Speaker:
        """Delete a speaker: no byte of the voice is left in the file or in its log.

        Raises:
            SpeakerError: the speaker is permanent and `force` is not given.
            StoreError: the speaker is gone, but another process keeps the log from being emptied.
        """
        with self.file.writing() as database:
            speaker = rows.speaker_of(database, who)
            _check_removable(speaker, force)
            voices = rows.delete_speakers(database, [speaker.id])
        self.file.erase(voices)
        return speaker

    def purge(self, inactive: timedelta) -> tuple[Speaker, ...]:
        """Delete who was not heard for that long and is not permanent, as `forget` does."""
        if inactive < timedelta(0):
            raise SpeakerError(f"inactive for {inactive}; give a time of 0 or more")
        latest = timestamp(datetime.now(UTC) - inactive)
        with self.file.writing() as database:
            gone = tuple(
                speaker
                for speaker in rows.all_speakers(database)
                if not speaker.permanent and speaker.seen_at <= latest
            )
            voices = rows.delete_speakers(database, [speaker.id for speaker in gone])
        if gone:
            self.file.erase(voices)
        return gone

    def compact(self) -> None:
        """Write the file anew, without anything that was deleted."""
        self.file.erase(())

    def mark_seen(self, speakers: Iterable[int]) -> None:
        """Note that speakers, by id, were heard just now."""
        with self.file.writing() as database:
            rows.heard(database, speakers)


def _checked(exemplars: Sequence[Exemplar], model: EmbeddingModel) -> list[Exemplar]:
    if not model.sha256:
        raise StoreError(f"{model.name}: its weights are not placed; 'hocket models add' does that")
    return [checked_exemplar(exemplar, model.dimension) for exemplar in exemplars]


def _check_removable(speaker: Speaker, force: bool) -> None:
    if speaker.permanent and not force:
        raise SpeakerError(f"{speaker.name}: is permanent; add --force if you mean it")
