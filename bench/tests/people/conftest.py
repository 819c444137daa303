"""A fixture that replaces the networks."""

from types import SimpleNamespace

import pytest

import hocket
import hocket.speakers.enroll
from bench.people import names, online, stores
from bench.people.stores import MEETING, PANEL, Scenario
from bench.tests.people.doubles import CONVERSATION, FEW, SOUNDS, FakeDiarizer, fake_voice


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enrolled voices are numbers, and the speakers of conversations are known."""
    monkeypatch.setattr(hocket, "Diarizer", FakeDiarizer, raising=False)
    monkeypatch.setattr(hocket.speakers.enroll, "extract_voice", fake_voice)
    monkeypatch.setattr(stores, "in_room", lambda sound, _: sound)
    strangers = {f"stranger{index}": sound for index, sound in enumerate(SOUNDS.values())}
    for module in (names, online):
        monkeypatch.setattr(
            module, "by_kind", lambda _: {MEETING: strangers, PANEL: {**FEW, **SOUNDS}}
        )
        monkeypatch.setattr(module, "divide", lambda sound: SimpleNamespace(enrolled=sound))
    monkeypatch.setattr(
        names,
        "make_scenario",
        lambda kind, _, seed, __: Scenario(kind, seed, CONVERSATION, SOUNDS),
    )
