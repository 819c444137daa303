"""The speaker store: known speakers in one file, which several processes may use."""

import logging
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
from hocket.speakers.matching import checked_threshold, distances
from hocket.speakers.naming import LEAST_SPEECH_S, clusters_of, match_clusters, model_of
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

_log = logging.getLogger("hocket")


class SpeakerStore:
    """Known speakers, with exemplars of their voices.

    Args:
        path: the file.
        create: create it if it does not exist.
        read_only: refuse every change.
        timeout_s: how long to wait for another process that writes.

    Speakers are given by name, or by id as an `int`. Every method may raise StoreError, whose
    message names the file and a remedy; a method that fails has changed nothing. Several threads
    may share one store.
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
        self._is_noted = False  # that the file may not be written
        self.file = SpeakerFile(self.path, create=create, read_only=read_only, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it may be opened again."""
        self.file.close()

    # --- reading

    @property
    def model(self) -> rows.StoredModel | None:
        """The model of the embeddings; None if there are no embeddings."""
        with self.file.reading() as database:
            return rows.stored_model(database)

    def speakers(self) -> tuple[Speaker, ...]:
        """All speakers, in the order in which they were added."""
        with self.file.reading() as database:
            return rows.all_speakers(database)

    def speaker(self, who: int | str) -> Speaker:
        """A speaker; SpeakerError if there is no such speaker."""
        with self.file.reading() as database:
            return rows.speaker_of(database, who)

    def exemplars(self, who: int | str) -> tuple[Exemplar, ...]:
        """A speaker's exemplars, in the order in which they were added; errors as in `speaker`."""
        with self.file.reading() as database:
            return rows.exemplars_of(database, rows.speaker_of(database, who).id)

    def check_model(self, model: EmbeddingModel) -> None:
        """Raise StoreError if the store holds embeddings of another model."""
        with self.file.reading() as database:
            rows.check_model(database, model, str(self.path))

    # --- adding

    def enroll(self, name: str, exemplars: Sequence[Exemplar], model: EmbeddingModel) -> Speaker:
        """Add a speaker.

        Args:
            name: a new name; names that differ only in case or blanks count as equal.
            exemplars: of this voice only; beyond 10, the shorter one of similar pairs is dropped.
            model: the model of their embeddings.

        Raises:
            SpeakerError: the name is in use, or an embedding is zero, NaN or of the wrong size.
            StoreError: the store holds embeddings of another model.
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
            rows.mark_seen(database, [speaker])
            return rows.speaker_of(database, speaker)

    def enroll_cluster(self, name: str, result: Result, cluster: str, consent: str = "") -> Speaker:
        """Add a speaker found in a recording, with the cluster's mean embedding as exemplar.

        Raises:
            SpeakerError: there is no such cluster, it has too little speech, or as in `enroll`.
        """
        for each in clusters_of(result):
            if each.name == cluster:
                if each.seconds < LEAST_SPEECH_S:
                    raise SpeakerError(
                        f"{cluster}: speaks for {each.seconds:.1f} s in {result.uri}; "
                        f"choose a speaker with at least {LEAST_SPEECH_S:g} s"
                    )
                exemplar = Exemplar(
                    each.embedding, each.seconds, result.uri, each.start, each.end,
                    alone=False, consent=consent,
                )  # fmt: skip
                return self.enroll(name, [exemplar], model_of(result))
        found = ", ".join(result.speakers)
        remedy = f"give one of {found}" if found else "it has no speakers, give another recording"
        raise SpeakerError(f"{cluster}: no such speaker in {result.uri}; {remedy}")

    # --- matching

    def identify(
        self, result: Result, *, threshold: float | None = None, mark: bool = True
    ) -> tuple[Match, ...]:
        """Identify every cluster of a result, in the order of `result.speakers`.

        Clusters and speakers are paired one to one, so that the pairs are nearest overall. A pair
        within the threshold is certain, within the model's `suggest_distance` a suggestion, and so
        is a cluster whose turns have a confidence below 0.72 on average: it may mix voices. Then a
        cluster without a speaker shares that of clusters that it never overlaps, if it is within
        the threshold too. A cluster with less than 3 s of speech, or without an embedding, matches
        no speaker.

        Args:
            result: of the same embedding model.
            threshold: largest distance for a name. Default: the model's `name_distance`.
            mark: record that speakers who are certain were seen, if the file may be written.

        Raises:
            SpeakerError: the result does not name the model of its embeddings, or the threshold is
                not between 0 and 2.
            StoreError: the store holds embeddings of another model.
        """
        clusters = clusters_of(result)
        if not clusters:
            return ()
        model = model_of(result)
        limit = checked_threshold(threshold, model.name_distance)
        with self.file.reading() as database:
            known = self.file.known(database, model)
            speakers = {int(each): rows.speaker_of(database, int(each)) for each in known.ids}
        found = distances(np.stack([cluster.embedding for cluster in clusters]), known)
        matches = match_clusters(result, clusters, found, known.ids, model, limit, speakers)
        certain = {match.speaker.id for match in matches if match.speaker and match.certain}
        if mark and certain:
            self._mark(certain)
        return matches

    def nearest(
        self, embedding: NDArray[np.float32], model: EmbeddingModel, most: int = 1
    ) -> list[tuple[Speaker, float]]:
        """The `most` speakers nearest to a voice with their distances, nearest first.

        A zero or NaN embedding is infinitely far from every speaker, so the list is empty.

        Raises:
            SpeakerError: the embedding has the wrong size.
            StoreError: the store holds embeddings of another model.
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
        self,
        who: int | str,
        embedding: NDArray[np.float32],
        model: EmbeddingModel,
        *,
        threshold: float | None = None,
        mark: bool = True,
    ) -> Verification:
        """Whether a voice is a speaker's; errors as in `nearest` and `speaker`.

        Args:
            who: the speaker.
            embedding: of the voice, (dimension,).
            model: of the embedding.
            threshold: largest distance of the speaker's voice. Default: the model's
                `verify_distance`.
            mark: record that the speaker was seen, if it is the speaker and the file is writable.
        """
        limit = checked_threshold(threshold, model.verify_distance)
        with self.file.reading() as database:
            known, speaker = self.file.known(database, model), rows.speaker_of(database, who)
        (found,) = distances(np.asarray(embedding)[None], known)
        own = known.ids == speaker.id
        distance = float(found[own].min(initial=np.inf))
        margin = float(found[~own].min(initial=np.inf)) - distance if own.any() else np.nan
        verification = Verification(speaker, distance, limit, margin)
        if mark and verification.same:
            self._mark([speaker.id])
        return verification

    # --- correcting

    def rename(self, who: int | str, name: str) -> Speaker:
        """Rename a speaker; SpeakerError if another speaker has the name."""
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
        """Protect a speaker from `purge`, `forget` and `merge`, or no longer."""
        with self.file.writing() as database:
            speaker = rows.speaker_of(database, who).id
            database.execute(
                "UPDATE speakers SET permanent = ? WHERE id = ?", (int(permanent), speaker)
            )
            return rows.speaker_of(database, speaker)

    def merge(self, source: int | str, into: int | str, *, force: bool = False) -> Speaker:
        """Move all exemplars of `source` to `into`, and delete `source`.

        Raises:
            SpeakerError: both are the same, or `source` is permanent and `force` is not given.
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
                "UPDATE speakers SET created_at = ?, seen_at = ?, permanent = ? WHERE id = ?",
                (
                    min(one.created_at, other.created_at),
                    max(one.seen_at, other.seen_at),
                    int(one.permanent or other.permanent),
                    other.id,
                ),
            )
            return rows.speaker_of(database, other.id)

    def move(self, exemplars: Iterable[int], to: int | str) -> Speaker:
        """Move exemplars, by id, to an existing speaker; surplus ones there are deleted."""
        with self.file.writing() as database:
            speaker, numbers = rows.speaker_of(database, to).id, list(exemplars)
            rows.check_exemplars(database, numbers)
            rows.move_exemplars(database, numbers, speaker)
            return rows.speaker_of(database, speaker)

    def split(self, who: int | str, exemplars: Iterable[int], name: str) -> Speaker:
        """Move some of a speaker's exemplars, by id, to a new speaker.

        Raises:
            SpeakerError: no or all exemplars are given, or another speaker's; the name is in use.
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
        """Replace all exemplars with embeddings of another model.

        Args:
            exemplars: by speaker id; other speakers have no exemplars afterwards.
            model: the model of their embeddings.
        """
        ready = {speaker: _checked(own, model) for speaker, own in exemplars.items()}
        with self.file.writing() as database:
            database.execute("DELETE FROM exemplars")
            rows.admit_model(database, model, str(self.path))
            for speaker, own in ready.items():
                rows.insert_exemplars(database, speaker, own, model.sha256)

    # --- deleting

    def forget(self, who: int | str, *, force: bool = False) -> Speaker:
        """Delete a speaker, and erase the voice from the file and its log.

        Raises:
            SpeakerError: the speaker is permanent and `force` is not given.
            StoreError: the speaker is deleted, but another process prevents emptying the log.
        """
        with self.file.writing() as database:
            speaker = rows.speaker_of(database, who)
            _check_removable(speaker, force)
            voices = rows.delete_speakers(database, [speaker.id])
        self.file.erase(voices)
        return speaker

    def purge(self, inactive: timedelta, *, dry_run: bool = False) -> tuple[Speaker, ...]:
        """Delete speakers not seen for that long, except permanent ones, as `forget` does.

        Args:
            inactive: how long.
            dry_run: delete nobody; only return who would be deleted.
        """
        if inactive < timedelta(0):
            raise SpeakerError(f"inactive for {inactive}; give a time of 0 or more")
        latest = timestamp(datetime.now(UTC) - inactive)
        if dry_run:
            return tuple(each for each in self.speakers() if _is_inactive(each, latest))
        with self.file.writing() as database:
            gone = tuple(each for each in rows.all_speakers(database) if _is_inactive(each, latest))
            voices = rows.delete_speakers(database, [speaker.id for speaker in gone])
        if gone:
            self.file.erase(voices)
        return gone

    def compact(self) -> None:
        """Rewrite the file, without traces of deleted rows."""
        self.file.erase(())

    def _mark(self, speakers: Iterable[int]) -> None:
        """Mark speakers as seen; what is found is right even if the file may not be written."""
        try:
            self.mark_seen(speakers)
        except StoreError as error:
            if not self._is_noted:
                _log.warning("%s", error)
            self._is_noted = True

    def mark_seen(self, speakers: Iterable[int]) -> None:
        """Record that the voices of speakers, by id, were found in a recording just now."""
        with self.file.writing() as database:
            rows.mark_seen(database, speakers)


def _checked(exemplars: Sequence[Exemplar], model: EmbeddingModel) -> list[Exemplar]:
    if not model.sha256:
        raise StoreError(f"{model.name}: its weights are not placed; 'hocket models add' does that")
    return [checked_exemplar(exemplar, model.dimension) for exemplar in exemplars]


def _is_inactive(speaker: Speaker, latest: str) -> bool:
    return not speaker.permanent and speaker.seen_at <= latest


def _check_removable(speaker: Speaker, force: bool) -> None:
    if speaker.permanent and not force:
        raise SpeakerError(f"{speaker.name}: is permanent; add --force to delete it anyway")
