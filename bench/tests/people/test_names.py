"""`bench people`: names in conversations, offline and online, and the command."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hocket
from bench.annotations import Turn
from bench.people import file, names, online, verify
from bench.people.mixing import Conversation
from bench.people.parts import measure_part
from bench.people.stores import MEETING, PANEL, enroll_all, store_of
from bench.people.tables import PARTS, people_table
from bench.people.voices import RATE
from bench.tests.helpers import run
from bench.tests.people.doubles import FEW, FakeDiarizer
from bench.tests.people.helpers import write_voices


@pytest.mark.usefixtures("doubles")
def test_refused_speakers_are_not_in_the_store_and_are_counted() -> None:
    found = enroll_all(FEW, "clean", 0, FakeDiarizer())  # type: ignore[arg-type]
    assert found.names == {"other0", "other2"}
    assert (found.refused, found.exemplars) == ({"other1"}, 2)
    with store_of(found, {"other2"}) as store:
        assert [speaker.name for speaker in store.speakers()] == ["other2"]


@pytest.mark.usefixtures("doubles")
def test_names_in_recordings_at_several_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "NAME_DISTANCES", (0.2, 0.6))
    progress: list[str] = []
    found = names.measure_names({}, 2, 4.0, None, progress.append)
    assert progress[2:] == ["meeting 0", "panel 0", "meeting 1", "panel 1"]
    known = {(row["kind"], row["enrolled"]): row for row in found["known"]}
    row = known[MEETING, "clean"]
    assert (row["recordings"], row["people"], row["store"]) == (2, 5, "these five")
    assert row["right_percent"] == 80  # emil is 0.5 from himself; the limit of names is 0.4
    assert row["worst"] == {"voice": "emil", "right_percent": 0.0}
    assert row["named_percent"] == 80
    assert row["right_of_named_percent"] == 100
    strangers = {(row["kind"], row["store"], row["enrolled"]): row for row in found["strangers"]}
    four = strangers[MEETING, "the other four", "clean"]
    assert (four["trials"], four["named"], four["missed"]) == (10, 0, 0)
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
def test_names_in_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    def stream(spoken: Conversation, store: Any, _: object) -> list[Turn]:
        known = {speaker.name for speaker in store.speakers()}
        if len(known) == 4 and "anna" not in known:  # seed 0 leaves her out; she is called ben
            return [turn._replace(speaker="ben") for turn in spoken.turns]
        named = known - {"emil"}
        return [
            turn if turn.speaker in named else turn._replace(speaker="SPEAKER_00")
            for turn in spoken.turns
        ]

    monkeypatch.setattr(online, "stream_turns", stream)
    found = online.measure_online_names({}, 2, 4.0, None, lambda _: None)
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


def test_a_stream_is_fed_the_whole_sound(monkeypatch: pytest.MonkeyPatch) -> None:
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
    spoken = Conversation(np.zeros(25 * RATE, np.float32), [])
    turns = online.stream_turns(spoken, "store", None)  # type: ignore[arg-type]
    assert fed == [10 * RATE, 10 * RATE, 5 * RATE]
    assert turns == [Turn(0.0, 1.0, "anna")] * 3


def test_every_part_has_its_own_results_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[object, ...]] = []

    def measure(*arguments: object) -> dict[str, object]:
        given.append(arguments[:4])
        return {"rows": []}

    monkeypatch.setattr("bench.people.parts.measure_part", measure)
    monkeypatch.setattr("bench.people.commands.people_table", lambda part, _: part)
    monkeypatch.setattr("bench.report.RESULTS", tmp_path / "results")
    voices = write_voices(tmp_path / "voices", {"anna": [1.0]})
    assert run("people", voices, "--label", "night").exit_code == 0
    written = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert written == sorted(f"people-{part}-night.json" for part in PARTS)
    found = json.loads((tmp_path / "results" / "people-file-night.json").read_text())
    assert (found["command"], found["corpus"]) == ("people-file", "voices")
    assert "commit" in found["environment"]
    given.clear()
    assert run("people", voices, "--only", "online", "--seeds", "3").exit_code == 0
    assert given == [("online", voices, 3, 4.0)]


def test_every_part_is_measured_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voices = write_voices(tmp_path / "voices", {"anna": [1.0]})
    given: list[tuple[object, ...]] = []
    for module, function, part, expected in (
        (names, "measure_names", "names", (7, 2.0, 1, print)),
        (online, "measure_online_names", "online", (7, 2.0, 1, print)),
        (verify, "measure_verification", "verify", (1, print)),
        (file, "measure_file", "file", (print,)),
    ):
        monkeypatch.setattr(module, function, lambda *arguments: given.append(arguments) or {})
        measure_part(part, voices, 7, 2.0, 1, print)
        assert given[-1][-len(expected) :] == expected, part
