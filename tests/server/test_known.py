"""Known speakers of a job: what a client may send, and whose name wins."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.errors import ConfigError
from hocket.server.known import MOST_REFERENCES, as_text, of_text, references_of, with_names
from hocket.speakers import SpeakerStore
from hocket.speakers.references import KnownVoice, Reference
from tests.helpers.voice_vectors import MODEL, axis, exemplar, result_of
from tests.helpers.voices import url


@given(st.lists(st.binary(min_size=1), max_size=MOST_REFERENCES))
def test_clips_come_as_they_were_sent_and_are_kept_so(clips: list[bytes]) -> None:
    names = [f"Ann\u0103 {number}" for number in range(len(clips))]
    found = references_of(names, [url(clip) for clip in clips])
    assert found == tuple(map(Reference, names, clips))
    assert of_text(as_text(found)) == found


def test_a_job_without_references_has_none() -> None:
    assert of_text(None) == ()


GOOD = url(b"sound")


@pytest.mark.parametrize(
    ("names", "clips", "problem"),
    [
        (["A", "B"], [GOOD], "2 names of known speakers and 1 references; give a reference for"),
        (["A"], [GOOD, GOOD], "1 names of known speakers and 2 references"),
        ([f"P{n}" for n in range(17)], [GOOD] * 17, "17 known speakers; give 16 at most"),
        (["A", "A"], [GOOD, GOOD], "known speaker 2: 'A' is there twice"),
        (["A", " "], [GOOD, GOOD], "known speaker 2: a name of 0 characters"),
        (["A" * 10_000], [GOOD], "known speaker 1: a name of 10000 characters"),
        (["\u202eevil"], [GOOD], "known speaker 1: \\u202eevil: holds characters that cannot be"),
        (["SPEAKER_00"], [GOOD], "known speaker 1: SPEAKER_00: is what unknown speakers are"),
        (["A", "B"], [GOOD, "https://elsewhere/a.wav"], "reference 2: is no data URL; give data:"),
        (["A"], ["data:audio/wav,plain"], "reference 1: is no data URL"),
        (["A", "B"], [GOOD, "data:audio/wav;base64,%%%"], "reference 2: is no base64"),
        (["A"], ["data:audio/wav;base64,QUJ"], "reference 1: is no base64"),
        (["A"], ["data:;base64,"], "reference 1: is empty; give a clip"),
        (["A"], ["data:;base64," + "A" * (15 << 20)], "reference 1: is larger than 10 MB"),
    ],
)
def test_what_is_no_reference_is_named(names: list[str], clips: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        references_of(names, clips)
    assert str(caught.value).startswith(problem)
    assert len(str(caught.value)) < 250


def test_line_breaks_in_base64_are_no_harm() -> None:
    content = base64.encodebytes(b"sound" * 99).decode()
    assert references_of(["A"], [f"data:audio/wav;base64,{content}"])[0].clip == b"sound" * 99


def test_names_come_from_the_clips_of_the_job_then_from_the_store(tmp_path: Path) -> None:
    store = tmp_path / "team.db"
    result = result_of([axis(0), axis(1), axis(2)])
    voices = [KnownVoice("Guest", axis(0)[None])]
    assert with_names(result, voices, store).speakers == ("Guest", "SPEAKER_01", "SPEAKER_02")
    assert not store.exists()
    with SpeakerStore(store) as made:
        made.enroll("Anna", [exemplar(axis(0))], MODEL)
        made.enroll("Ben", [exemplar(axis(1))], MODEL)
    found = with_names(result, voices, store)
    assert found.speakers == ("Guest", "Ben", "SPEAKER_02")
    assert [each.name for each in found.identities if each.certain] == ["Guest", "Ben"]


def test_a_store_that_cannot_be_used_is_a_notice_without_its_place(tmp_path: Path) -> None:
    store = tmp_path / "secret.db"
    store.write_text("no store" * 999)
    found = with_names(result_of([axis(0)]), (), store)
    assert found.speakers == ("SPEAKER_00",)
    assert [notice.kind for notice in found.notices] == ["store"]
    assert "secret" not in found.notices[0].text
