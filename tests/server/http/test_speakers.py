"""Known speakers over HTTP: voices go in and names come out, whatever clients send."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from hocket import Diarizer
from hocket.server.http.access import Token
from hocket.speakers import SpeakerStore
from tests.helpers.paths import CONVERSATION
from tests.helpers.services import PATIENCE_S, Running, serving, settings
from tests.helpers.voice_vectors import MODEL, axis, exemplar
from tests.helpers.voices import BOTH, DIANE, NOBODY, SHEILA, clip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    with serving(settings(folder, store=folder / "team.db")) as running:
        yield running


@pytest.fixture
def store(service: Running) -> Iterator[Path]:
    place = service.context.service.store
    assert place is not None
    yield place
    for file in place.parent.glob("team.db*"):
        file.unlink()


@pytest.fixture
def client(service: Running, store: Path) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{service.url}/v1", timeout=PATIENCE_S) as client:
        yield client


def refused(answer: httpx.Response, status: int, problem: str) -> None:
    """Check that a request was refused with one line."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert problem in error["message"]
    assert "\n" not in error["message"]
    assert len(error["message"]) < 400
    assert "team.db" not in answer.text


def enroll(client: httpx.Client, name: str, content: bytes, **fields: str) -> httpx.Response:
    files = {"file": ("../../voice.wav", content)}
    return client.post("speakers", data={"name": name} | fields, files=files)


def test_a_voice_is_enrolled_found_renamed_and_forgotten(
    client: httpx.Client, service: Running, store: Path
) -> None:
    assert client.get("speakers").json() == {"speakers": []}
    assert client.post("speakers/identify", files={"file": clip(DIANE)}).json() == {"matches": []}
    assert not store.exists()
    before = time.time()
    made = enroll(client, "Diane", clip(DIANE), consent="by mail")
    assert made.status_code == 201
    row = made.json()
    assert (row["name"], row["exemplars"]) == ("Diane", 1)
    assert 3 < row["seconds"] < 4
    assert before - 1 < row["created"] <= row["updated"] < time.time() + 1
    assert client.get("speakers").json() == {"speakers": [row]}
    [match] = client.post("speakers/identify", files={"file": CONVERSATION.read_bytes()}).json()[
        "matches"
    ]
    assert (match["id"], match["name"], match["certain"]) == (row["id"], "Diane", True)
    assert match["speaker"] == "SPEAKER_00"
    assert match["distance"] < 0.3
    added = enroll(client, "Diane", clip((11.2, 14.1)), add="true").json()
    assert (added["id"], added["exemplars"]) == (row["id"], 2)
    renamed = client.patch(f"speakers/{row['id']}", json={"name": "../../etc/passwd"})
    assert renamed.json()["name"] == "../../etc/passwd"  # text, and part of no path
    with SpeakerStore(store) as opened:
        first, *_ = opened.exemplars(row["id"])
        assert (first.source, first.consent) == ("upload:voice.wav", "by mail")
    assert client.delete(f"speakers/{row['id']}").status_code == 204
    refused(client.delete(f"speakers/{row['id']}"), 404, "there is no speaker 1; GET /v1/speakers")
    assert list(service.context.spool.folder.iterdir()) == []


def test_no_answer_has_a_voiceprint(client: httpx.Client) -> None:
    answers = [
        enroll(client, "Diane", clip(DIANE)).text,
        client.get("speakers").text,
        client.post("speakers/identify", files={"file": clip(DIANE)}).text,
    ]
    for text in answers:
        assert "embedding" not in text
        assert "vector" not in text
        assert len(text) < 300


def test_a_speaker_of_a_done_job_is_enrolled(client: httpx.Client, service: Running) -> None:
    jobs = f"{service.url}/v1/jobs"
    sound = {"file": ("talk.flac", CONVERSATION.read_bytes())}
    job = client.post(jobs, files=sound).json()["id"]
    given = {"name": "Sheila", "job": job, "speaker": "SPEAKER_01"}
    refused(client.post("speakers", json=given | {"job": "0" * 32}), 404, "there is no job")
    until = time.monotonic() + PATIENCE_S
    while client.get(f"{jobs}/{job}").json()["status"] != "done":
        assert time.monotonic() < until
        time.sleep(0.05)
    made = client.post("speakers", json=given)
    assert made.status_code == 201
    assert made.json()["seconds"] > 9
    refused(client.post("speakers", json=given), 422, "Sheila: is in the store already")
    other = given | {"name": "Ben", "speaker": "SPEAKER_07"}
    refused(
        client.post("speakers", json=other),
        422,
        "SPEAKER_07: does not speak in talk.flac; give one",
    )
    again = client.post(jobs, files=sound).json()["id"]
    while client.get(f"{jobs}/{again}").json()["status"] != "done":
        assert time.monotonic() < until
        time.sleep(0.05)
    result = client.get(f"{jobs}/{again}/result").json()
    assert result["speakers"] == ["SPEAKER_00", "Sheila"]
    for each in (job, again):
        client.delete(f"{jobs}/{each}")


def test_two_speakers_who_are_one_are_merged(client: httpx.Client, store: Path) -> None:
    with SpeakerStore(store) as made:
        for number, name in enumerate(("Anna", "Ann", "Ben")):
            made.enroll(name, [exemplar(axis(number))], MODEL)
    merged = client.post("speakers/merge", json={"from": 2, "into": 1}).json()
    assert (merged["name"], merged["exemplars"]) == ("Anna", 2)
    assert [row["name"] for row in client.get("speakers").json()["speakers"]] == ["Anna", "Ben"]
    refused(
        client.post("speakers/merge", json={"from": 1, "into": 1}),
        422,
        "cannot be merged into itself",
    )
    refused(
        client.post("speakers/merge", json={"from": 1, "into": 2}), 404, "there is no speaker 2"
    )
    refused(client.patch("speakers/1", json={"name": "Ben"}), 422, "Ben: is in the store already")
    with SpeakerStore(store) as made:
        made.set_permanent("Ben")
    refused(client.delete("speakers/3"), 422, "Ben: is permanent")
    assert client.delete("speakers/3?force=true").status_code == 204


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "the form has no field 'name'"),
        (" ", "a name of 0 characters"),
        ("A" * 10_000, "a name of 10000 characters; give 1 to 200"),
        ("\u202egnp.exe", "holds characters that cannot be printed"),
        ("Ann\x00a", "holds characters that cannot be printed"),
        ("SPEAKER_00", "is what unknown speakers are called"),
        ("id:7", "is for numbers of speakers"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_the_clip_is_used(
    client: httpx.Client, store: Path, name: str, problem: str
) -> None:
    refused(enroll(client, name, b"no sound"), 422, problem)
    assert not store.exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no sound" * 99, "voice.wav: "),
        (clip(NOBODY), "voice.wav: contains no speech"),
        (clip(BOTH), "give a clip of one person, or the speaker of a job"),
        (clip((0.0, 30.0), times=21), "voice.wav: is longer than 600 s"),
    ],
)
def test_a_clip_that_shows_no_voice_is_refused_and_leaves_nothing(
    client: httpx.Client, service: Running, store: Path, content: bytes, problem: str
) -> None:
    refused(enroll(client, "Anna", content), 422, problem)
    assert not store.exists()
    assert list(service.context.spool.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "body", "status", "problem"),
    [
        ("/merge", b"{", 422, "invalid JSON"),
        ("/merge", b'{"from": 1}', 422, "into: field required"),
        ("/merge", b'{"from": "one", "into": 2}', 422, "from: input should be a valid integer"),
        ("/merge", b'{"from": 1, "into": 1' + b"0" * 40 + b"}", 404, "there is no speaker 1"),
        ("/merge", b'"' + b"x" * (1 << 17) + b'"', 413, "the JSON is larger than 64 kB"),
        ("", b'{"name": "A", "job": "x", "speaker": "y", "more": 1}', 422, "more: extra"),
        ("", b'{"name": "A", "job": "../../etc/pass", "speaker": "y"}', 404, "there is no job"),
    ],
)
def test_a_body_that_cannot_be_is_refused(
    client: httpx.Client, path: str, body: bytes, status: int, problem: str
) -> None:
    answer = client.post(
        f"speakers{path}", content=body, headers={"content-type": "application/json"}
    )
    refused(answer, status, problem)


def test_a_field_or_number_that_cannot_be_is_refused(client: httpx.Client) -> None:
    refused(enroll(client, "Anna", b"x", ad="true"), 422, "there is no field 'ad'; give file, name")
    refused(enroll(client, "Anna", b"x", add="maybe"), 422, "add is 'maybe'; give true or false")
    refused(client.delete("speakers/0"), 422, "number: input should be greater than")
    refused(client.delete("speakers/" + "9" * 40), 404, "there is no speaker 99999999999999999999;")
    refused(
        client.post("speakers", data={"name": "Anna"}, files={"other": b"x"}),
        422,
        "no field 'file'",
    )
    refused(enroll(client, "Anna", b"x" * (65 << 20)), 413, "the upload is larger than 67108864")


def test_a_store_that_cannot_be_used_is_one_line_without_its_place(
    client: httpx.Client, store: Path
) -> None:
    store.write_text("no store" * 999)
    for answer in (
        client.get("speakers"),
        client.delete("speakers/1"),
        enroll(client, "Anna", clip(DIANE)),
    ):
        refused(answer, 503, "the store of known speakers cannot be used now")


def test_health_is_answered_while_voices_are_computed(
    client: httpx.Client, service: Running
) -> None:
    found: list[httpx.Response] = []
    sound = clip((0.0, 30.0), times=8)
    thread = threading.Thread(
        target=lambda: found.append(client.post("speakers/identify", files={"file": sound}))
    )
    enroll(client, "Sheila", clip(SHEILA))
    thread.start()
    times: list[float] = []
    with httpx.Client() as other:
        while thread.is_alive():
            began = time.monotonic()
            assert other.get(f"{service.url}/health").status_code == 200
            times.append(time.monotonic() - began)
            time.sleep(0.01)
    assert found[0].json()["matches"][0]["name"] == "Sheila"
    assert len(times) > 10
    assert float(np.quantile(times, 0.99)) < 1  # the computation takes several


def test_a_service_without_a_store_and_a_token_without_the_scope(tmp_path: Path) -> None:
    tokens = (Token.of("of-speakers-only-1", "one", ("speakers",)), Token.of("of-jobs-only-12345",
              "two", ("jobs",)))  # fmt: skip
    with serving(settings(tmp_path), tokens) as service, httpx.Client() as client:
        for method, path in (("GET", ""), ("POST", ""), ("POST", "/identify"), ("DELETE", "/1")):
            address = f"{service.url}/v1/speakers{path}"
            answers = [
                client.request(method, address, headers={"Authorization": f"Bearer {secret}"})
                for secret in ("of-speakers-only-1", "of-jobs-only-12345", "wrong")
            ]
            assert [answer.status_code for answer in answers] == [404, 403, 401]
            assert answers[0].json()["error"]["code"] == "no_store"
        described = client.get(f"{service.url}/openapi.json").json()["paths"]
    assert json.dumps(described["/v1/speakers"]).count("multipart/form-data") == 1


def test_networks_are_not_loaded_where_requests_are_answered(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> None:
        raise AssertionError("loaded in the process of the service")

    monkeypatch.setattr(Diarizer, "load", load)
    assert enroll(client, "Diane", clip(DIANE)).status_code == 201
    assert client.post("speakers/identify", files={"file": clip(DIANE)}).status_code == 200


def test_no_more_is_computed_at_once_than_there_are_places(
    client: httpx.Client, service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = threading.BoundedSemaphore(1)
    monkeypatch.setattr(service.context.side, "_places", places)
    with places:
        refused(enroll(client, "Diane", clip(DIANE)), 429, "too much is computed at once")
    assert enroll(client, "Diane", clip(DIANE)).status_code == 201
