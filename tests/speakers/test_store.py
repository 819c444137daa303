"""The store: enrolling, updating, matching, renaming, merging, splitting, forgetting."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hocket.errors import SpeakerError, StoreError
from hocket.speakers import MOST_EXEMPLARS, SpeakerStore
from tests.helpers.voice_vectors import (
    DIMENSION,
    MODEL,
    OTHER,
    axis,
    between,
    exemplar,
    noisy,
    result_of,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpeakerStore]:
    """An empty store."""
    with SpeakerStore(tmp_path / "team.db") as made:
        yield made


def enroll(store: SpeakerStore, name: str, *voices: int) -> int:
    return store.enroll(name, [exemplar(axis(voice)) for voice in voices], MODEL).id


def names(store: SpeakerStore) -> list[str]:
    return [speaker.name for speaker in store.speakers()]


def test_a_new_store_is_empty(store: SpeakerStore) -> None:
    assert store.speakers() == ()
    assert store.model is None
    assert store.nearest(axis(0), MODEL) == []
    (match,) = store.identify(result_of([axis(0)]))
    assert (match.speaker, match.distance, match.certain) == (None, np.inf, False)


def test_an_enrolled_speaker_has_all_details(store: SpeakerStore) -> None:
    given = [exemplar(7 * axis(2), 4.0, "a.wav"), exemplar(axis(3), 6.5, "b.wav")]
    speaker = store.enroll("  Anna  Maria ", given, MODEL)
    assert store.speakers() == (speaker,)
    assert (speaker.name, speaker.exemplars, speaker.speech_s) == ("Anna Maria", 2, 10.5)
    assert speaker.created_at == speaker.seen_at
    assert speaker.created_at.endswith("+00:00")
    first, second = store.exemplars("Anna Maria")
    np.testing.assert_array_equal(first.embedding, axis(2))
    assert (first.source, first.start, first.end, first.consent) == (
        ("a.wav", 1.0, 5.0, "asked on paper")
    )
    assert second.id > first.id
    assert store.model is not None
    assert store.model.sha256 == MODEL.sha256


def test_an_enrolled_speaker_is_there_after_closing(store: SpeakerStore) -> None:
    before = enroll(store, "Anna", 1)
    store.close()
    with SpeakerStore(store.path, create=False) as again:
        assert again.speaker("Anna").id == before
    with pytest.raises(StoreError, match="was closed; open the store again"):
        store.speakers()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf, 1e-4])
def test_a_nan_embedding_creates_no_speaker(store: SpeakerStore, value: float) -> None:
    odd = exemplar(np.full(DIMENSION, value, np.float32))
    with pytest.raises(SpeakerError, match=r"NaN or infinite|no direction"):
        store.enroll("Anna", [exemplar(axis(0)), odd], MODEL)
    assert store.speakers() == ()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_nan_embedding_matches_and_updates_nobody(store: SpeakerStore, value: float) -> None:
    enroll(store, "Anna", 0)
    odd = np.full(DIMENSION, value, np.float32)
    assert store.nearest(odd, MODEL) == []
    assert store.verify("Anna", odd, MODEL).distance == np.inf
    assert not store.verify("Anna", odd, MODEL).same
    (match,) = store.identify(result_of([odd]))
    assert match.speaker is None
    before = store.speaker("Anna"), store.exemplars("Anna")[0].embedding.tobytes()
    with pytest.raises(SpeakerError):
        store.add("Anna", [exemplar(odd)], MODEL)
    assert (store.speaker("Anna"), store.exemplars("Anna")[0].embedding.tobytes()) == before


@pytest.mark.parametrize("size", [0, 8, 17])
def test_an_embedding_of_another_size_is_refused_with_both_sizes(
    store: SpeakerStore, size: int
) -> None:
    enroll(store, "Anna", 0)
    odd = np.ones(size, np.float32)
    both = f"{size}.* {DIMENSION}"
    for attempt in (
        lambda: store.enroll("Ben", [exemplar(odd)], MODEL),
        lambda: store.add("Anna", [exemplar(odd)], MODEL),
        lambda: store.nearest(odd, MODEL),
        lambda: store.verify("Anna", odd, MODEL),
    ):
        with pytest.raises(SpeakerError, match=both):
            attempt()
    assert names(store) == ["Anna"]


def test_an_added_exemplar_is_normalized_and_the_same_one_changes_nothing(
    store: SpeakerStore,
) -> None:
    given = np.arange(1, DIMENSION + 1, dtype=np.float32) * 40
    store.enroll("Anna", [exemplar(given)], MODEL)
    store.add("Anna", [exemplar(given / 9)], MODEL)
    (one,) = store.exemplars("Anna")
    np.testing.assert_allclose(np.linalg.norm(one.embedding), 1, atol=1e-6)
    store.add("Anna", [exemplar(given[::-1] / 9)], MODEL)
    assert len(store.exemplars("Anna")) == 2


def test_names_that_are_numbers_never_collide_with_ids(store: SpeakerStore) -> None:
    ids = [enroll(store, name, index) for index, name in enumerate(["7", "2", "Anna"])]
    assert len(set(ids)) == 3
    assert enroll(store, "1", 3) not in ids
    assert {speaker.name: speaker.id for speaker in store.speakers()}["7"] == ids[0]


def test_an_id_is_never_used_again(store: SpeakerStore) -> None:
    last = enroll(store, "Anna", 0)
    store.forget("Anna")
    store.compact()
    assert enroll(store, "Ben", 1) > last


def test_names_and_ids_are_distinct(store: SpeakerStore) -> None:
    anna, seven = enroll(store, "Anna", 0), enroll(store, "1", 1)
    assert store.speaker("1").id == seven
    assert store.speaker(1).id == anna
    assert names(store) == ["Anna", "1"]


@pytest.mark.parametrize("again", ["Anna", " Anna ", "Anna\n"])
def test_a_name_is_used_once(store: SpeakerStore, again: str) -> None:
    enroll(store, "Anna", 0)
    enroll(store, "Ben", 1)
    with pytest.raises(SpeakerError, match="Anna: is in the store already"):
        enroll(store, again, 2)
    with pytest.raises(SpeakerError, match="Anna: is in the store already"):
        store.rename("Ben", again)
    assert names(store) == ["Anna", "Ben"]


def test_names_that_rttm_cannot_distinguish_are_one(store: SpeakerStore) -> None:
    enroll(store, "Anna B", 0)
    with pytest.raises(SpeakerError, match="already"):
        enroll(store, "Anna_B", 1)


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "SPEAKER_03", "speaker_3", "id:3", "x" * 201])
def test_reserved_names_are_refused(store: SpeakerStore, name: str) -> None:
    enroll(store, "Anna", 0)
    with pytest.raises(SpeakerError, match=r"give|leave"):
        enroll(store, name, 1)
    with pytest.raises(SpeakerError, match=r"give|leave"):
        store.rename("Anna", name)
    assert names(store) == ["Anna"]


@pytest.mark.parametrize("who", ["Zoe", 99, -1, "", 2**70])
def test_an_unknown_speaker_is_refused(store: SpeakerStore, who: int | str) -> None:
    enroll(store, "Anna", 0)
    attempts: list[Any] = [
        lambda: store.speaker(who),
        lambda: store.exemplars(who),
        lambda: store.add(who, [exemplar(axis(1))], MODEL),
        lambda: store.rename(who, "Ben"),
        lambda: store.merge(who, "Anna"),
        lambda: store.merge("Anna", who),
        lambda: store.split(who, [1], "Ben"),
        lambda: store.move([1], who),
        lambda: store.forget(who),
        lambda: store.set_permanent(who),
        lambda: store.verify(who, axis(0), MODEL),
    ]
    for attempt in attempts:
        with pytest.raises(SpeakerError, match="no such speaker; 'hocket speakers list'"):
            attempt()
    assert names(store) == ["Anna"]


def test_another_models_embeddings_are_refused_with_the_remedy(store: SpeakerStore) -> None:
    enroll(store, "Anna", 0)
    way_out = f"'hocket speakers reembed --store {store.path} --embedding another'"
    attempts: list[Any] = [
        lambda: store.enroll("Ben", [exemplar(axis(1))], OTHER),
        lambda: store.add("Anna", [exemplar(axis(1))], OTHER),
        lambda: store.nearest(axis(0), OTHER),
        lambda: store.verify("Anna", axis(0), OTHER),
        lambda: store.identify(result_of([axis(0)], model=OTHER)),
        lambda: store.check_model(OTHER),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError) as caught:
            attempt()
        assert way_out in str(caught.value)
    assert names(store) == ["Anna"]


def test_models_of_the_same_weights_are_one(store: SpeakerStore) -> None:
    enroll(store, "Anna", 0)
    rounded = replace(MODEL, name="synthetic-int8")
    store.add("Anna", [exemplar(axis(1))], rounded)
    assert store.speaker("Anna").exemplars == 2


def test_an_emptied_store_accepts_another_model(store: SpeakerStore) -> None:
    enroll(store, "Anna", 0)
    store.forget("Anna")
    store.enroll("Ben", [exemplar(axis(1))], OTHER)
    assert store.model is not None
    assert store.model.sha256 == OTHER.sha256


def test_replacing_all_exemplars_changes_the_model(store: SpeakerStore) -> None:
    anna, ben = enroll(store, "Anna", 0), enroll(store, "Ben", 1)
    store.replace_exemplars({anna: [exemplar(axis(5))]}, OTHER)
    assert store.nearest(axis(5), OTHER)[0][0].id == anna
    assert store.speaker(ben).exemplars == 0
    assert len(store.nearest(axis(1), OTHER, most=5)) == 1


def test_weights_that_were_not_added_enroll_nobody(store: SpeakerStore) -> None:
    with pytest.raises(StoreError, match="not placed; 'hocket models add'"):
        store.enroll("Anna", [exemplar(axis(0))], replace(MODEL, sha256=""))


def test_without_an_exemplar_there_is_no_speaker(store: SpeakerStore) -> None:
    with pytest.raises(SpeakerError, match="no exemplar"):
        store.enroll("Anna", [], MODEL)


@pytest.mark.parametrize(
    "times", [{"seconds": 0.0}, {"seconds": -1.0}, {"seconds": np.nan}, {"start": np.inf}]
)
def test_times_must_be_finite(store: SpeakerStore, times: dict[str, float]) -> None:
    with pytest.raises(SpeakerError, match="finite times"):
        store.enroll("Anna", [replace(exemplar(axis(0)), **times)], MODEL)


def test_at_most_ten_exemplars_stay_the_longest_and_most_diverse(store: SpeakerStore) -> None:
    diverse = [exemplar(axis(i), 3.0, f"{i}.wav") for i in range(9)]
    alike = [exemplar(between(9, 10, 1 - 1e-3 * i), 4.0 + i, f"long{i}.wav") for i in range(4)]
    store.enroll("Anna", [*diverse, *alike], MODEL)
    kept = [kept.source for kept in store.exemplars("Anna")]
    assert kept == [*(f"{i}.wav" for i in range(9)), "long3.wav"]
    assert store.speaker("Anna").exemplars == MOST_EXEMPLARS


def test_moving_an_exemplar_recomputes_both_voices(store: SpeakerStore) -> None:
    enroll(store, "Anna", 0, 1)
    enroll(store, "Ben", 2)
    before = store.verify("Ben", axis(1), MODEL).distance
    assert before == pytest.approx(1)
    store.move([store.exemplars("Anna")[1].id], "Ben")
    # nearest exemplar 1, mean of two at right angles 1/sqrt(2)
    assert store.verify("Ben", axis(1), MODEL).distance == pytest.approx(1 - (1 + 0.5**0.5) / 2)
    assert store.verify("Anna", axis(0), MODEL).distance == pytest.approx(0, abs=1e-6)
    assert store.verify("Anna", axis(1), MODEL).distance == pytest.approx(1)


def test_moving_respects_the_limit(store: SpeakerStore) -> None:
    store.enroll("Anna", [exemplar(noisy(0, seed)) for seed in range(10)], MODEL)
    store.enroll("Ben", [exemplar(noisy(1, seed)) for seed in range(10)], MODEL)
    moved = [kept.id for kept in store.exemplars("Anna")[:3]]
    assert store.move(moved, "Ben").exemplars == MOST_EXEMPLARS
    assert store.speaker("Anna").exemplars == 7
    assert store.merge("Anna", "Ben").exemplars == MOST_EXEMPLARS
    with pytest.raises(SpeakerError, match="exemplar 999: no such exemplar"):
        store.move([999], "Ben")


def test_a_renamed_speaker_keeps_the_voice(store: SpeakerStore) -> None:
    anna = enroll(store, "Anna", 0)
    assert store.rename("Anna", "anna").name == "anna"
    assert store.rename("anna", "Anna Maria").id == anna
    assert store.nearest(axis(0), MODEL)[0][0].name == "Anna Maria"


def test_a_merge_keeps_all_exemplars_and_one_name(store: SpeakerStore) -> None:
    enroll(store, "Anna", 0)
    ben = enroll(store, "Ben", 1)
    store.set_permanent("Anna")
    with pytest.raises(SpeakerError, match="is permanent; add --force"):
        store.merge("Anna", "Ben")
    with pytest.raises(SpeakerError, match="into itself"):
        store.merge("Ben", "Ben")
    merged = store.merge("Anna", "Ben", force=True)
    assert (merged.id, merged.name, merged.exemplars, merged.permanent) == (ben, "Ben", 2, True)
    assert names(store) == ["Ben"]


def test_a_split_moves_some_exemplars_to_a_new_speaker(store: SpeakerStore) -> None:
    anna = enroll(store, "Anna", 0, 1)
    first, second = (kept.id for kept in store.exemplars("Anna"))
    for wrong in ([], [first, second], [999]):
        with pytest.raises(SpeakerError, match="give some of them, not all"):
            store.split("Anna", wrong, "Ben")
    assert names(store) == ["Anna"]
    ben = store.split("Anna", [second], "Ben")
    assert store.nearest(axis(1), MODEL)[0] == (ben, pytest.approx(0, abs=1e-6))
    assert store.exemplars(anna)[0].id == first


def test_permanent_speakers_stay(store: SpeakerStore) -> None:
    for index, name in enumerate(["Anna", "Ben", "Cleo"]):
        enroll(store, name, index)
    store.set_permanent("Ben")
    with pytest.raises(SpeakerError, match="Ben: is permanent"):
        store.forget("Ben")
    assert store.purge(timedelta(days=1)) == ()
    gone = store.purge(timedelta(0))
    assert [speaker.name for speaker in gone] == ["Anna", "Cleo"]
    assert names(store) == ["Ben"]
    store.set_permanent("Ben", False)
    store.forget("Ben")
    assert names(store) == []
    with pytest.raises(SpeakerError, match="0 or more"):
        store.purge(timedelta(days=-1))


def test_a_speaker_who_was_seen_is_not_inactive(store: SpeakerStore) -> None:
    anna, _ = enroll(store, "Anna", 0), enroll(store, "Ben", 1)
    with store.file.writing() as database:
        database.execute("UPDATE speakers SET seen_at = '2020-01-01T00:00:00.000+00:00'")
    store.mark_seen([anna])
    assert [speaker.name for speaker in store.purge(timedelta(days=30))] == ["Ben"]


def test_speakers_are_ordered_by_id(store: SpeakerStore) -> None:
    for name in ("Zoe", "Anna", "Ben"):
        enroll(store, name, 0)
    assert names(store) == ["Zoe", "Anna", "Ben"]
    found = store.nearest(axis(0), MODEL, most=3)
    assert [speaker.name for speaker, _ in found] == ["Zoe", "Anna", "Ben"]


def test_a_read_only_store_refuses_changes(store: SpeakerStore) -> None:
    enroll(store, "Anna", 0)
    with SpeakerStore(store.path, read_only=True) as reader:
        assert reader.nearest(axis(0), MODEL)[0][0].name == "Anna"
        with pytest.raises(StoreError, match="may only be read; nothing was changed; make"):
            reader.rename("Anna", "Ben")


def test_changes_by_others_are_visible_at_once(store: SpeakerStore) -> None:
    enroll(store, "Anna", 0)
    assert store.nearest(axis(1), MODEL)[0][0].name == "Anna"
    with SpeakerStore(store.path) as other:
        enroll(other, "Ben", 1)
        assert store.nearest(axis(1), MODEL)[0][0].name == "Ben"
        other.forget("Ben")
    assert store.nearest(axis(1), MODEL, most=9)[0][0].name == "Anna"


def test_the_matrix_is_read_again_only_after_a_change(
    store: SpeakerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hocket.speakers import rows

    usual, calls = rows.read_known, []
    monkeypatch.setattr(rows, "read_known", lambda *given: calls.append(1) or usual(*given))
    enroll(store, "Anna", 0)
    for _ in range(3):
        store.nearest(axis(0), MODEL)
    assert len(calls) == 1
    store.rename("Anna", "Ben")
    store.nearest(axis(0), MODEL)
    assert len(calls) == 2


def test_a_cluster_of_a_result_can_be_enrolled(store: SpeakerStore) -> None:
    result = result_of([axis(0), axis(1)], [10.0, 2.0])
    anna = store.enroll_cluster("Anna", result, "SPEAKER_00", "asked")
    (kept,) = store.exemplars(anna.id)
    assert (kept.source, kept.seconds, kept.alone, kept.consent) == ("talk", 10.0, False, "asked")
    with pytest.raises(SpeakerError, match=r"SPEAKER_01: speaks for 2\.0 s"):
        store.enroll_cluster("Ben", result, "SPEAKER_01")
    with pytest.raises(SpeakerError, match="give one of SPEAKER_00, SPEAKER_01"):
        store.enroll_cluster("Ben", result, "SPEAKER_02")
    with pytest.raises(SpeakerError, match="does not name the model of its embeddings"):
        store.enroll_cluster("Ben", replace(result, embedding_model=None), "SPEAKER_00")
    assert names(store) == ["Anna"]
