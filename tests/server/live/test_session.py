"""Sessions without a service: what comes in pieces of any size gives what a stream gives."""

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket import SpeakerStore, Stream
from hocket.audio.reading import read_audio
from hocket.errors import (
    AudioContentError,
    AudioError,
    AudioFormatError,
    Cancelled,
    CapacityError,
    ExtraError,
)
from hocket.online.rows import UpdateRows
from hocket.recognition.engine import Recognizer
from hocket.recognition.live import LiveTranscriber
from hocket.recognition.settings import RecognitionConfig
from hocket.server.live import session
from hocket.server.live.incoming import FairSlots, Incoming
from hocket.server.live.options import LiveOptions, LiveSettings
from hocket.server.live.session import LiveResources, LiveSession, Message
from tests.helpers.audio import encode, wav
from tests.helpers.live import pieces, recorded
from tests.helpers.paths import CONVERSATION
from tests.helpers.recognizers import Clock
from tests.helpers.shared import ONE_THREAD, RATE, result_of, samples_of

PART = samples_of(CONVERSATION)[: 13 * RATE]
SHORTS = (PART * 2**15).astype("<i2")
WEBM = recorded(PART)
RESOURCES = LiveResources(LiveSettings())


def fed(
    chunks: Iterable[bytes],
    resources: LiveResources = RESOURCES,
    **options: Any,
) -> list[Message]:
    """All messages of a session; it must end within a minute, with its sound or its error."""
    incoming, found = Incoming(), list[Message]()
    for chunk in chunks:
        incoming.give(chunk)
    incoming.end()
    LiveSession(LiveOptions(**options), incoming, found.append, resources).run()
    assert [message["type"] for message in found].count("end") == 1
    assert (found[0]["type"], found[-1]["type"]) == ("ready", "end")
    return found


def expected(samples: np.ndarray, rate: int = RATE) -> list[Message]:
    """The updates of a stream that is fed everything at once, as messages."""
    stream = Stream(rate, runtime=ONE_THREAD, refinable=False)
    rows = UpdateRows(lambda: stream.notices)
    updates = stream.feed(samples) + stream.finish()
    return [{"type": "update", **rows.row(update)} for update in updates]


def test_messages_are_those_of_the_contract() -> None:
    ready, *updates, end = fed([SHORTS.tobytes()], format="s16le")
    assert ready == {"type": "ready", "rate": RATE, "words": False}
    assert end == {"type": "end", "duration": 13.0}
    for update in updates:
        assert [*update] == ["type", "time", "final", "tentative", "events", "notices"]
        for turn in [*update["final"], *update["tentative"]]:
            assert [*turn] == ["start", "end", "speaker", "id", "confidence"]
    assert updates == expected(SHORTS)


@settings(max_examples=5)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=6))
def test_samples_in_pieces_of_any_size_give_the_same(sizes: list[int]) -> None:
    content = SHORTS.tobytes() + b"x"  # half a sample at the end
    assert fed(pieces(content, sizes), format="s16le")[1:-1] == expected(SHORTS)


@settings(max_examples=5)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=6))
def test_webm_in_pieces_of_any_size_gives_the_same(sizes: list[int]) -> None:
    decoded = read_audio(WEBM, target_rate=48_000).samples
    found = fed(pieces(WEBM, sizes), format="webm")
    assert found[1:-1] == expected(decoded, 48_000)
    assert found[-1]["duration"] == pytest.approx(13, abs=0.1)


@pytest.mark.parametrize("form", ["webm", "ogg"])
def test_what_browsers_record_is_recognized_and_has_the_turns_of_the_sound(form: str) -> None:
    found = fed(pieces(recorded(PART, form), [999]), format="auto")
    assert spoken_s(found[1:-1]) == pytest.approx(spoken_s(expected(SHORTS)), rel=0.1)


def spoken_s(updates: Sequence[Message]) -> float:
    """Length of all final turns."""
    return sum(turn["end"] - turn["start"] for each in updates for turn in each["final"])


def test_samples_as_floats_of_several_channels_at_another_rate() -> None:
    stereo = np.repeat(PART[:, None], 2, axis=1)[::2].astype("<f4")
    given = {"format": "f32le", "rate": 8_000, "channels": 2}
    assert fed(pieces(stereo.tobytes(), [1_001]), **given)[1:-1] == expected(stereo, 8_000)


def test_a_header_is_read_in_a_session_too() -> None:
    assert fed([encode(SHORTS, RATE)], format="wav")[1:-1] == expected(SHORTS)


def test_nothing_at_all_is_the_end_of_a_session_without_sound() -> None:
    for form in ("s16le", "webm", "auto"):
        assert fed([], format=form)[-1] == {"type": "end", "duration": 0.0}


def test_silence_gives_updates_without_turns() -> None:
    *_, end = found = fed([bytes(32_000 * 30)], format="s16le")
    assert all(not (each["final"] or each["tentative"]) for each in found[1:-1])
    assert end["duration"] == 30


def test_numbers_that_are_none_are_noticed_and_taken_as_silence() -> None:
    sound = PART.copy()
    sound[RATE : 2 * RATE] = np.nan
    sound[3 * RATE : 3 * RATE + 99] = np.inf
    found = fed([sound.astype("<f4").tobytes()], format="f32le")
    [notice] = [each for message in found[1:-1] for each in message["notices"]]
    assert notice["kind"] == "not a number"


NOISE = np.random.default_rng(5).bytes(200_000)


def damaged(content: bytes, seed: int, changes: int) -> bytes:
    """The content with some bytes changed behind its first few."""
    rng, found = np.random.default_rng(seed), bytearray(content)
    for place in rng.integers(4, len(found), changes):
        found[place] = rng.integers(256)
    return bytes(found)


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        (NOISE, {"format": "webm"}, "sound: does not begin as webm does"),
        (WEBM[:4] + NOISE, {"format": "webm"}, "sound: looks like WebM/Matroska, but"),
        (WEBM[:4] + bytes(1 << 23), {"format": "auto"}, "sound: looks like WebM/Matroska, but"),
        (WEBM[:2_000] + bytes(1 << 23), {"format": "webm"}, "bytes hold no sound; send"),
        (encode(SHORTS, RATE), {"format": "s16le"}, "sound: looks like WAV, not like s16le"),
        (WEBM, {"format": "f32le"}, "sound: looks like WebM/Matroska, not like f32le"),
        (b"OggS" + NOISE, {"format": "auto"}, "sound: looks like Ogg, but is truncated or"),
        (wav(NOISE, 0, rate=3), {"format": "auto"}, "states 1 channels at 3 Hz; give at most"),
    ],
)
def test_what_is_no_sound_is_an_error_that_teaches(
    content: bytes, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(AudioError, match=problem):
        fed(pieces(content, [30_000]), **options)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_webm_ends_with_its_sound_or_an_error(seed: int) -> None:
    content = damaged(WEBM, seed, changes=3 * 4**seed if seed < 6 else 60)
    with suppress(AudioFormatError, AudioContentError):
        fed(pieces(content, [4_000]), format="webm")


def test_sound_longer_than_a_session_ends_it_behind_its_last_turns() -> None:
    resources, found = LiveResources(LiveSettings(most_s=8.0)), list[Message]()
    incoming = Incoming()
    incoming.give(SHORTS.tobytes())
    with pytest.raises(CapacityError, match="sound: is longer than 8 s, the most of a session"):
        LiveSession(LiveOptions(format="s16le"), incoming, found.append, resources).run()
    assert found[-1]["time"] == pytest.approx(8.1, abs=0.1)
    assert found[-1]["final"]


def test_a_session_that_is_stopped_computes_nothing_more() -> None:
    incoming, found = Incoming(), list[Message]()

    def send(message: Message) -> None:
        found.append(message)
        if message["type"] == "update":
            incoming.stop()

    incoming.give(SHORTS.tobytes())
    with pytest.raises(Cancelled):
        LiveSession(LiveOptions(format="s16le"), incoming, send, RESOURCES).run()
    assert [message["type"] for message in found] == ["ready", "update"]


@pytest.mark.parametrize("size", [1, 4_096])
def test_bytes_are_counted_as_they_are_read(size: int) -> None:
    taken: list[int] = []
    incoming = Incoming(taken.append)
    for chunk in (b"abc", b"", b"defgh"):
        incoming.give(chunk)
    incoming.end()
    assert incoming.has_any()
    assert b"".join(iter(lambda: incoming.read(size), b"")) == b"abcdefgh"
    assert sum(taken) == 8


def test_a_reader_waits_for_bytes_and_for_the_end() -> None:
    incoming, found = Incoming(), list[bytes]()
    thread = threading.Thread(target=lambda: found.extend(iter(lambda: incoming.read(9), b"")))
    thread.start()
    for chunk in (b"one", b"two"):
        incoming.give(chunk)
        while b"".join(found)[-3:] != chunk:
            time.sleep(0.001)
    incoming.end()
    thread.join(5)
    assert not thread.is_alive()


def test_slots_are_given_in_the_order_of_waiting() -> None:
    slots, order = FairSlots(1), list[int]()

    def work(number: int) -> None:
        for _ in range(3):
            with slots:
                order.append(number)
                time.sleep(0.02)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.005)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2] * 3


# --- words and names


def with_recognizer(monkeypatch: pytest.MonkeyPatch, recognizer: Recognizer) -> LiveResources:
    monkeypatch.setattr(session, "open_recognizer", lambda config, runtime: recognizer)
    return LiveResources(LiveSettings())


def of_kind(messages: Sequence[Message], kind: str) -> list[Message]:
    return [message for message in messages if message["type"] == kind]


def test_words_come_beside_the_updates_of_the_same_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    resources = with_recognizer(monkeypatch, Clock())
    options = {"format": "s16le", "words": True, "language": "tlh"}
    found = fed(pieces(SHORTS.tobytes(), [3_200]), resources, **options)
    assert found[0]["words"]
    assert of_kind(found, "update") == expected(SHORTS)
    live = LiveTranscriber(RATE, RecognitionConfig(language="tlh"), recognizer=Clock())
    segments = [*live.feed(SHORTS), *live.finish()]
    rows = [row for message in of_kind(found, "segments") for row in message["segments"]]
    assert [(row["speaker"], row["text"]) for row in rows] == [
        (segment.turn.speaker, segment.text) for segment in segments
    ]
    assert {*rows[0]["words"][0]} >= {"word", "start", "end"}


@pytest.mark.parametrize(("language", "expected"), [(None, "de"), ("tlh", "tlh")])
def test_the_language_and_prompt_of_the_service_are_used_unless_a_client_gives_its_own(
    monkeypatch: pytest.MonkeyPatch, language: str | None, expected: str
) -> None:
    given: set[tuple[str | None, str | None]] = set()

    class Noting(Clock):
        def recognize(self, clips: Any, language: str | None, prompt: str | None) -> Any:
            given.add((language, prompt))
            return [[] for _ in clips]

    monkeypatch.setattr(session, "open_recognizer", lambda config, runtime: Noting())
    recognition = RecognitionConfig(language="de", prompt="Diane")
    resources = LiveResources(LiveSettings(recognition=recognition))
    fed([SHORTS.tobytes()], resources, format="s16le", words=True, language=language)
    assert given == {(expected, "Diane")}


def test_updates_do_not_wait_for_words(monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()

    class Slow(Clock):
        def recognize(self, clips: Any, language: str | None, prompt: str | None = None) -> Any:
            free.wait(30)
            return super().recognize(clips, language, prompt)

    resources = with_recognizer(monkeypatch, Slow())
    incoming, found = Incoming(), list[Message]()
    options = LiveOptions(format="s16le", words=True, language="tlh")
    running = LiveSession(options, incoming, found.append, resources)
    thread = threading.Thread(target=running.run)
    thread.start()
    incoming.give(SHORTS.tobytes())
    incoming.end()
    until = time.monotonic() + 30
    while len(of_kind(found, "update")) < len(expected(SHORTS)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not of_kind(found, "segments")
    free.set()
    thread.join(30)
    assert found[-1]["type"] == "end"
    assert of_kind(found, "segments")


def test_a_recognizer_that_fails_is_noticed_and_the_turns_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resources = with_recognizer(monkeypatch, Clock(fails_at=1))
    thrice = np.concatenate([SHORTS] * 3).tobytes()
    found = fed(pieces(thrice, [32_000]), resources, format="s16le", words=True, language="tlh")
    notices = [each for message in of_kind(found, "update") for each in message["notices"]]
    assert any("the recognizer failed (no memory left)" in each["text"] for each in notices)
    assert of_kind(found, "segments")


def test_words_that_nothing_recognizes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(config: object, runtime: object) -> Recognizer:
        raise ExtraError("no speech recognizer is installed; run something")

    monkeypatch.setattr(session, "open_recognizer", missing)
    found = fed([SHORTS.tobytes()], LiveResources(LiveSettings()), format="s16le", words=True)
    assert found[0] == {
        "type": "ready",
        "rate": RATE,
        "words": False,
        "problem": "no speech recognizer is installed; run something",
    }
    assert of_kind(found, "update") == expected(SHORTS)


def test_speakers_of_the_store_are_named(tmp_path: Path) -> None:
    place = tmp_path / "team.db"
    with SpeakerStore(place) as store:
        offline = result_of(CONVERSATION)
        store.enroll_cluster("Diane", offline, offline.speakers[0])
    resources = LiveResources(LiveSettings(store=place))
    whole = (samples_of(CONVERSATION) * 2**15).astype("<i2").tobytes()
    found = fed([whole], resources, format="s16le")
    events = [event for message in of_kind(found, "update") for event in message["events"]]
    assert {event["name"] for event in events if event["kind"] == "named"} == {"Diane"}
