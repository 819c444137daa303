"""Export and import of stores as JSON: exact, and damaged documents change nothing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hocket.errors import SpeakerError, StoreError
from hocket.speakers import SpeakerStore, export_speakers, import_speakers
from tests.helpers.voice_vectors import MODEL, OTHER, axis, exemplar, noisy


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpeakerStore]:
    """Anna is permanent and has three exemplars, Zoë one."""
    with SpeakerStore(tmp_path / "team.db") as made:
        made.enroll("Anna", [exemplar(noisy(0, seed)) for seed in range(3)], MODEL)
        made.enroll("Zoë", [exemplar(noisy(1, 9))], MODEL)
        made.set_permanent("Anna")
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SpeakerStore]:
    """Another store, empty."""
    with SpeakerStore(tmp_path / "other.db") as made:
        yield made


def names(store: SpeakerStore) -> list[str]:
    return [speaker.name for speaker in store.speakers()]


def test_an_imported_document_equals_the_exported_one_bit_for_bit(
    store: SpeakerStore, other: SpeakerStore
) -> None:
    written = export_speakers(store)
    taken = import_speakers(other, written)
    assert taken == other.speakers()
    assert export_speakers(other) == written
    for name in ("Anna", "Zoë"):
        mine = [kept.embedding.tobytes() for kept in store.exemplars(name)]
        assert [kept.embedding.tobytes() for kept in other.exemplars(name)] == mine
    assert other.speaker("Anna").permanent
    assert other.model == store.model


def test_an_empty_store_is_exported_and_imported(other: SpeakerStore, tmp_path: Path) -> None:
    with SpeakerStore(tmp_path / "third.db") as third:
        assert import_speakers(third, export_speakers(other)) == ()


def test_ids_belong_to_a_store(store: SpeakerStore, other: SpeakerStore) -> None:
    own = other.enroll("Ben", [exemplar(axis(5))], MODEL)
    import_speakers(other, export_speakers(store))
    assert names(other) == ["Ben", "Anna", "Zoë"]
    assert other.speaker(own.id).name == "Ben"


def test_a_name_in_use_is_refused_skipped_or_added_to(
    store: SpeakerStore, other: SpeakerStore
) -> None:
    other.enroll("Anna", [exemplar(axis(5))], MODEL)
    written = export_speakers(store)
    with pytest.raises(SpeakerError, match="Anna: is in the store already"):
        import_speakers(other, written)
    assert names(other) == ["Anna"]
    assert [s.name for s in import_speakers(other, written, "skip")] == ["Zoë"]
    assert other.speaker("Anna").exemplars == 1
    import_speakers(other, written, "add")
    assert other.speaker("Anna").exemplars == 4
    import_speakers(other, written, "add")  # exemplars that exist already are not added twice
    assert other.speaker("Anna").exemplars == 4


def test_embeddings_of_another_model_are_refused(store: SpeakerStore, other: SpeakerStore) -> None:
    other.enroll("Ben", [exemplar(axis(5))], OTHER)
    with pytest.raises(StoreError, match="'hocket speakers reembed"):
        import_speakers(other, export_speakers(store))
    assert names(other) == ["Ben"]


def changed(written: str, *path: Any, to: Any) -> str:
    """The document with one value changed, or with None removed."""
    content = json.loads(written)
    place = content
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(content)


EXEMPLAR = ("speakers", 0, "exemplars", 0)


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("format",), "other", "not a document of speakers"),
        (("version",), 3, "version 3, this hocket reads up to 2; run 'pip install --upgrade"),
        (("model",), None, "damaged .*model"),
        (("model", "sha256"), "", "damaged"),
        (("model", "dimension"), "x", "damaged"),
        (("speakers",), 7, "damaged"),
        (("speakers",), None, "damaged"),
        (("speakers", 0), "Anna", "damaged"),
        (("speakers", 0, "name"), "", "a name of 0 characters"),
        (("speakers", 0, "name"), 7, "damaged"),
        (("speakers", 0, "name"), "Zoë", "names a speaker twice"),
        (("speakers", 0, "seen_at"), "yesterday", "damaged"),
        ((*EXEMPLAR, "embedding"), [1.0, 2.0], "size 2, where the model's have 16"),
        ((*EXEMPLAR, "embedding"), [0.0] * 16, "no direction"),
        ((*EXEMPLAR, "embedding"), [float("nan")] * 16, "NaN"),
        ((*EXEMPLAR, "embedding"), ["a"] * 16, "damaged"),
        ((*EXEMPLAR, "seconds"), -1, "finite times"),
        ((*EXEMPLAR, "source"), None, "damaged .*source"),
    ],
)
def test_a_damaged_document_changes_nothing(
    store: SpeakerStore, other: SpeakerStore, path: tuple[Any, ...], to: Any, message: str
) -> None:
    with pytest.raises(SpeakerError, match=message):
        import_speakers(other, changed(export_speakers(store), *path, to=to))
    assert other.speakers() == ()


@pytest.mark.parametrize("document", ["", "{", "[]", "null", '"text"', "[" * 100_000])
def test_text_that_is_no_document_is_refused(other: SpeakerStore, document: str) -> None:
    with pytest.raises(SpeakerError, match=r"not JSON|not a document of speakers"):
        import_speakers(other, document)


def test_file_names_that_are_no_text_are_escaped(store: SpeakerStore, other: SpeakerStore) -> None:
    odd = replace(exemplar(axis(7)), source="caf\udce9.wav", consent="\udcff")
    store.add("Anna", [odd], MODEL)
    import_speakers(other, export_speakers(store))
    assert other.exemplars("Anna")[-1].source == r"caf\udce9.wav"
    with pytest.raises(SpeakerError, match="no such speaker"):
        store.speaker("caf\udce9")


def test_embeddings_are_numbers_that_other_programs_can_read(store: SpeakerStore) -> None:
    content = json.loads(export_speakers(store))
    assert content["model"] == {"name": "synthetic", "sha256": "a" * 64, "dimension": 16}
    embedding = content["speakers"][0]["exemplars"][0]["embedding"]
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-6)
