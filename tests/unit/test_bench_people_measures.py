"""`bench people`: what every part measures, by made-up voices and small files."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hocket
import hocket.speakers.enroll
from bench import people_file, people_names, people_online, people_stores, people_verify
from bench.annotations import Turn
from bench.errors import BenchError
from bench.people_mixing import Talk
from bench.people_stores import MEETING, PANEL, Enrolled, Gathering, enrol_all, store_of
from bench.people_tables import PARTS, people_table
from bench.people_verify import Compared, cut, equal_error, errors
from bench.people_voices import RATE
from hocket.errors import AudioVoiceError
from hocket.speakers.enroll import Enrollment
from tests.unit.test_bench_people import tone, write_voices
from tests.unit.test_bench_speed import run
from tests.voices import MODEL, axis, exemplar, result_of

PEOPLE = ("anna", "ben", "cleo", "dora", "emil")
TURNS = [Turn(10.0 * index, 10.0 * (index + 1), name) for index, name in enumerate(PEOPLE)]
TALK = Talk(np.zeros(50 * RATE, np.float32), TURNS)
SOUNDS = {name: np.full(5, index, np.float32) for index, name in enumerate(PEOPLE)}
FEW = {f"other{index}": np.full(5, 8 + index, np.float32) for index in range(3)}


EMIL = 0.5 * axis(4) + 0.5 * axis(8) + np.float32(0.5**0.5) * axis(12)


class Ear:
    """In the place of a Diarizer: five people in turns, the last half like somebody else."""

    embedding_model = MODEL

    def __init__(self, *_: object, **__: object) -> None:
        self.asked: list[str] = []

    def load(self) -> "Ear":
        return self

    def __call__(self, sound: Any, *, sample_rate: int, name: str) -> Any:
        assert sample_rate == RATE
        self.asked.append(name)
        return result_of([axis(0), axis(1), axis(2), axis(3), EMIL])


def hear_number(sound: Any, *_: Any, **named: Any) -> Enrollment:
    """The voice whose number the sound holds; 9 is nobody's."""
    if round(float(sound[-1])) == 9:
        raise AudioVoiceError(named["name"], "nobody speaks in it", "give another")
    return Enrollment((exemplar(axis(round(float(sound[-1])))),), MODEL)


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sound is heard: who is enrolled is a number, who speaks is known."""
    monkeypatch.setattr(hocket, "Diarizer", Ear, raising=False)
    monkeypatch.setattr(hocket.speakers.enroll, "hear_voice", hear_number)
    monkeypatch.setattr(people_stores, "in_room", lambda sound, _: sound)
    strangers = {f"stranger{index}": sound for index, sound in enumerate(SOUNDS.values())}
    for module in (people_names, people_online):
        monkeypatch.setattr(
            module, "by_kind", lambda _: {MEETING: strangers, PANEL: {**FEW, **SOUNDS}}
        )
        monkeypatch.setattr(module, "divide", lambda sound: SimpleNamespace(enrolled=sound))
    monkeypatch.setattr(
        people_names, "gather", lambda kind, _, seed, __: Gathering(kind, seed, TALK, SOUNDS)
    )


def enrolled(sounds: dict[str, Any]) -> Enrolled:
    return enrol_all(sounds, "clean", 0, Ear())  # type: ignore[arg-type]


@pytest.mark.usefixtures("doubles")
def test_who_is_refused_is_not_in_the_store_and_is_counted() -> None:
    found = enrolled(FEW)
    assert found.names == {"other0", "other2"}
    assert (found.refused, found.exemplars) == ({"other1"}, 2)
    with store_of(found, {"other2"}) as store:
        assert [speaker.name for speaker in store.speakers()] == ["other2"]


@pytest.mark.usefixtures("doubles")
def test_names_in_conversations_and_what_other_distances_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(people_names, "NAME_DISTANCES", (0.2, 0.6))
    said: list[str] = []
    found = people_names.measure_names({}, 2, 4.0, None, said.append)
    assert said[2:] == ["meeting 0", "panel 0", "meeting 1", "panel 1"]
    known = {(row["kind"], row["enrolled"]): row for row in found["known"]}
    row = known[MEETING, "clean"]
    assert (row["recordings"], row["people"], row["store"]) == (2, 5, "these five")
    assert row["right_percent"] == 80  # emil is 0.5 from himself, names are given up to 0.4
    assert row["worst"] == {"voice": "emil", "right_percent": 0.0}
    assert row["named_percent"] == 80
    assert row["right_of_named_percent"] == 100
    strangers = {(row["kind"], row["store"], row["enrolled"]): row for row in found["strangers"]}
    four = strangers[MEETING, "the other four", "clean"]
    assert (four["trials"], four["named"], four["unheard"]) == (10, 0, 0)
    swept = {
        (row["store"], row["kind"], row["name_distance"]): row
        for row in found["by_name_distance"]
        if row["enrolled"] == "in a room"
    }
    assert swept["these five", MEETING, 0.6]["right_of_all_percent"] == 100
    assert swept["these five", MEETING, 0.2]["right_of_all_percent"] == 80
    others = [swept["115 others", MEETING, limit]["named"] for limit in (0.2, 0.4, 0.6)]
    assert others == [0, 0, 2]  # emil is 0.5 from other0 too
    assert found["refused"]["clean"] == ["other1"]
    assert found["conversations"][MEETING]["recordings"] == 2
    assert "emil" in people_table("names", found)


@pytest.mark.usefixtures("doubles")
def test_names_online_and_a_stranger_who_is_called_somebody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stream(talk: Talk, store: Any, _: object) -> list[Turn]:
        names = {speaker.name for speaker in store.speakers()}
        if len(names) == 4 and "anna" not in names:  # seed 0 leaves her out; she is taken for ben
            return [turn._replace(speaker="ben") for turn in talk.turns]
        return [t if t.speaker in names - {"emil"} else t._replace(speaker="SPEAKER_00")
                for t in talk.turns]  # fmt: skip

    monkeypatch.setattr(people_online, "stream_turns", stream)
    found = people_online.measure_online_names({}, 2, 4.0, None, lambda _: None)
    assert [row["enrolled"] for row in found["known"]] == ["clean", "in a room"]
    for row in found["known"]:
        assert (row["engine"], row["recordings"]) == ("online", 2)
        assert (row["right_percent"], row["named_percent"]) == (80, 80)
    strangers = {(row["kind"], row["store"], row["enrolled"]): row for row in found["strangers"]}
    four = strangers[MEETING, "the other four", "clean"]
    assert (four["trials"], four["named"], four["named_percent"]) == (2, 1, 50.0)
    five = strangers[PANEL, "five others", "clean"]
    assert (five["trials"], five["named"]) == (10, 0)
    many = strangers[PANEL, "115 others", "in a room"]
    assert (many["trials"], many["named"]) == (10, 0)
    assert found["conversations"][PANEL]["recordings"] == 2


def test_a_stream_is_fed_all_of_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []

    class Fake:
        def __init__(self, rate: int, *, store: object, refinable: bool, **_: object) -> None:
            assert (rate, store, refinable) == (RATE, "store", False)

        def feed(self, sound: Any) -> list[Any]:
            fed.append(len(sound))
            return [SimpleNamespace(final=[hocket.Turn(0.0, 1.0, "anna")])]

        def finish(self) -> list[Any]:
            return [SimpleNamespace(final=[])]

    monkeypatch.setattr(hocket, "Stream", Fake, raising=False)
    talk = Talk(np.zeros(25 * RATE, np.float32), [])
    turns = people_online.stream_turns(talk, "store", None)  # type: ignore[arg-type]
    assert fed == [10 * RATE, 10 * RATE, 5 * RATE]
    assert turns == [Turn(0.0, 1.0, "anna")] * 3


# Verification


def test_the_equal_error_is_where_both_errors_are_as_frequent() -> None:
    right, wrong = np.array([0.1, 0.2, 0.3, 0.7]), np.array([0.25, 0.6, 0.8, 0.9])
    rate, where = equal_error(right, wrong)
    assert rate == 0.25
    assert 0.3 <= where < 0.6
    apart = equal_error(np.array([0.1, 0.2]), np.array([0.6, 0.8]))
    assert apart == (0, pytest.approx(0.4))
    assert equal_error(np.array([0.9]), np.array([0.1]))[0] == 1


def test_errors_at_a_threshold_count_the_threshold_as_near() -> None:
    pairs = Compared(np.array([[0.2, 0.9], [0.5, 0.6]]), np.array([[True, False], [False, True]]))
    found = errors(pairs, 0.5)
    assert (found["right_pairs"], found["wrong_pairs"]) == (2, 2)
    assert (found["refused_percent"], found["accepted_percent"]) == (50, 50)


def test_clips_are_cut_within_recordings() -> None:
    said = (tone(7.0), tone(2.9, 300.0), tone(3.0, 400.0))
    found = cut(said)
    assert [len(clip) for clip in found] == [3 * RATE] * 3
    np.testing.assert_array_equal(found[2], said[2])
    assert len(cut((tone(90.0),))) == people_verify.CLIPS_OF_ONE


@pytest.mark.usefixtures("doubles")
def test_clips_against_the_store_and_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_verify, "in_room", lambda sound, _: sound)
    sounds = {name: np.full(8 * RATE, index, np.float32) for index, name in enumerate(PEOPLE)}
    sounds["nobody"] = np.full(8 * RATE, 9, np.float32)
    monkeypatch.setattr(
        people_verify, "divide", lambda clips: SimpleNamespace(enrolled=clips[0], said=clips)
    )
    clips = {name: (sound,) for name, sound in sounds.items()}
    clips["anna"] = (sounds["anna"], sounds["anna"])
    found = people_verify.measure_verification(clips, None, lambda _: None)  # type: ignore[arg-type]
    rows = {(row["pairs"], row["place"]): row for row in found["rows"]}
    by_store = rows["clip and speaker", "clean"]
    assert (by_store["people"], by_store["clips"], by_store["clips_refused"]) == (5, 12, 2)
    assert (by_store["right_pairs"], by_store["wrong_pairs"]) == (12, 48)
    assert by_store["equal_error_percent"] == 0
    assert rows["clip and speaker of several clips", "clean"]["right_pairs"] == 4
    assert rows["clip and clip", "in a room"]["right_pairs"] == 6 + 4
    assert "clip and clip, in a room" in people_table("verify", found)


# The file


def test_the_file_in_small() -> None:
    said: list[str] = []
    found = people_file.measure_file(said.append, kills=2, writes=3, exemplars=200)
    assert said == ["kills", "writers", "search", "forget"]
    assert found["kills"]["acknowledged"] >= 2
    assert [found["kills"][name] for name in ("lost", "torn", "damaged")] == [0, 0, 0]
    assert (found["writers"]["writes"], found["writers"]["lost"]) == (12, 0)
    search = found["search"]
    assert 0 < search["nearest_ms"] < search["identify_allowed_ms"]
    assert search["identify_ms"] > 0
    forget = found["forget"]
    assert forget["files"] == ["", "-shm", "-wal"]
    assert forget["pieces"] == 150 * 3 * 192 * 4 // 16
    assert (forget["left"], forget["left_after_closing"]) == (0, 0)
    assert "processes killed" in people_table("file", found)


def test_what_was_acknowledged_and_is_gone_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = people_file._writer

    def liar(path: Path, name: str, number: int) -> Any:
        process = usual(path, name, 1)
        process.communicate()
        from hocket import SpeakerStore

        with SpeakerStore(path) as store:
            store.forget(f"{name}-0")
        lines = SimpleNamespace(readline=lambda: f"{name}-0\n")
        return SimpleNamespace(
            stdout=lines, send_signal=lambda _: None, communicate=lambda: ("", ""), returncode=0
        )

    monkeypatch.setattr(people_file, "_writer", liar)
    assert people_file.measure_kills(tmp_path / "a.db", 2)["lost"] == 2
    assert people_file.measure_writers(tmp_path / "b.db", 1)["lost"] == people_file.WRITERS


def test_bytes_that_are_left_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [b"0123456789abcdef", b"fedcba9876543210"]
    (tmp_path / "p.db").write_bytes(b"xx" + pieces[0])
    (tmp_path / "p.db-wal").write_bytes(pieces[1] + b"y")
    assert people_file.count_in_files(tmp_path / "p.db", [*pieces, bytes(16)]) == 2
    monkeypatch.setattr(hocket.SpeakerStore, "forget", lambda *_: None)
    monkeypatch.setattr(people_file, "FORGOTTEN", 2)
    found = people_file.measure_forgetting(tmp_path / "q.db")
    assert found["left"] == found["pieces"] > 0
    monkeypatch.setattr(people_file, "count_in_files", lambda *_: 0)
    with pytest.raises(BenchError, match="found 0 of "):
        people_file.measure_forgetting(tmp_path / "r.db")


def test_a_writer_that_fails_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "p.db").write_bytes(b"no store" * 999)
    with pytest.raises(BenchError, match=r"a process that enrols failed: .*not a file of speakers"):
        people_file.measure_writers(tmp_path / "p.db", 1)


# The command


def test_every_part_is_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def measure(*given: object) -> dict[str, object]:
        asked.append(given[:4])
        return {"rows": []}

    monkeypatch.setattr("bench.people.measure_part", measure)
    monkeypatch.setattr("bench.__main__.people_table", lambda part, _: part)
    monkeypatch.setattr("bench.__main__.RESULTS", tmp_path / "results")
    voices = write_voices(tmp_path / "voices", {"anna": [1.0]})
    assert run("people", voices, "--label", "night").exit_code == 0
    written = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert written == sorted(f"people-{part}-night.json" for part in PARTS)
    found = json.loads((tmp_path / "results" / "people-file-night.json").read_text())
    assert (found["command"], found["corpus"]) == ("people-file", "voices")
    assert "commit" in found["environment"]
    asked.clear()
    assert run("people", voices, "--only", "online", "--seeds", "3").exit_code == 0
    assert asked == [("online", voices, 3, 4.0)]


@pytest.mark.parametrize(
    ("part", "module", "function", "expected"),
    [
        ("names", "people_names", "measure_names", (7, 2.0, 1)),
        ("online", "people_online", "measure_online_names", (7, 2.0, 1)),
        ("verify", "people_verify", "measure_verification", (1,)),
        ("file", "people_file", "measure_file", ()),
    ],
)
def test_a_part_is_measured_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    part: str, module: str, function: str, expected: tuple[object, ...],
) -> None:  # fmt: skip
    from bench.people import measure_part

    voices = write_voices(tmp_path / "voices", {"anna": [1.0]})
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr(f"bench.{module}.{function}", lambda *all_: given.append(all_) or {})
    measure_part(part, voices, 7, 2.0, 1, print)
    assert given[0][-1] is print
    assert given[0][1 if part != "file" else 0 : -1] == expected
