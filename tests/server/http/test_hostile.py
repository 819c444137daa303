"""What hostile clients send: one shape of errors, nothing lost, and nothing told."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hocket.formats import json_document
from hocket.server.http import uploads
from hocket.server.http.access import COOKIE, Access, Token
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.services import PATIENCE_S, Running, ended, is_refused, serving, settings, submit

BROKEN = b"RIFF\xff\xff\xff\xffWAVEfmt "


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty.wav"),
        (b"no sound at all" * 100, "song.mp3"),
        (BROKEN, "lying.wav"),
        (b"PK\x03\x04" + bytes(1000), "zip.flac"),
    ],
    ids=["empty", "text", "lying", "zip"],
)
def test_what_is_no_recording_fails_with_its_reason(
    client: httpx.Client, content: bytes, name: str
) -> None:
    job = ended(client, submit(client, content, name))
    if job["status"] == "done":  # a header without samples: nobody speaks, and a notice says so
        [found] = json_document.read(client.get(f"/v1/jobs/{job['id']}/result").text, "x")
        assert found.notices
    else:
        assert job["status"] == "failed"
        assert job["problem"].startswith(name)
        assert "\n" not in job["problem"]
        assert str(Path.home()) not in job["problem"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd", "a\u202egpj.wav", "x" * 5000, "\u0000"],
)
def test_names_are_text_and_never_paths(client: httpx.Client, service: Running, name: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode()
    body += b'"\r\n\r\n' + CONVERSATION.read_bytes() + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/jobs", content=body, headers=kind)
    if answer.status_code == 202:
        job = answer.json()
        assert "/" not in job["name"]
        assert len(job["name"]) <= 255
        assert (service.context.spool.folder / f"{job['id']}.recording").exists()
        client.delete(f"/v1/jobs/{job['id']}")
    else:
        is_refused(answer, 400, "broken_form")
    assert {each.suffix for each in service.context.spool.folder.iterdir()} <= {
        ".recording", ".json", ".npz", ".mp3", ".peaks", ".part",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"num_speaker": "2"}, "did you mean 'num_speakers'?"),
        ({"num_speakers": "many"}, "num_speakers is 'many'; give a number"),
        ({"num_speakers": "0"}, "num_speakers is 0"),
        ({"preset": "best"}, "preset is 'best'"),
        ({"transcribe": "perhaps"}, "give true or false"),
        ({"channels": "left"}, "channels is 'left'"),
    ],
)
def test_options_are_checked_before_a_job_is_accepted(
    client: httpx.Client, service: Running, options: dict[str, str], text: str
) -> None:
    before = len(service.context.table.every())
    answer = client.post("/v1/jobs", files={"file": ("a.wav", b"x")}, data=options)
    is_refused(answer, 422, "invalid_option")
    assert text in answer.json()["error"]["message"]
    assert len(service.context.table.every()) == before


def test_broken_forms_are_refused_and_leave_nothing(client: httpx.Client, service: Running) -> None:
    def send(content: bytes, kind: str) -> httpx.Response:
        return client.post("/v1/jobs", content=content, headers={"Content-Type": kind})

    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    form = "multipart/form-data; boundary=b"
    is_refused(send(b"x", "text/plain"), 415, "no_form")
    is_refused(send(b"x", "multipart/form-data"), 415, "no_form")
    is_refused(send(head + b"sound", form), 400, "broken_form")
    is_refused(send(b"garbage", form), 400, "broken_form")
    is_refused(send(head + b"1\r\n" + head + b"2\r\n--b--\r\n", form), 400, "broken_form")
    fields = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n' % number
        for number in range(uploads.MOST_FIELDS + 1)
    )
    is_refused(send(fields + b"--b--\r\n", form), 400, "broken_form")
    alone = b'--b\r\nContent-Disposition: form-data; name="track"\r\n\r\n1\r\n--b--\r\n'
    is_refused(send(alone, form), 422, "no_file")
    assert not [*service.context.spool.folder.glob("*.part")]


def test_what_is_too_large_is_refused_whatever_it_declares(
    client: httpx.Client, service: Running
) -> None:
    large = bytes((1 << 22) + 1)
    is_refused(client.post("/v1/jobs", files={"file": ("a", large)}), 413, "too_large")

    def pieces() -> Iterator[bytes]:  # without a length
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(8):
            yield bytes(1 << 20)

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    is_refused(client.post("/v1/jobs", content=pieces(), headers=kind), 413, "too_large")
    assert not [*service.context.spool.folder.glob("*.part")]


def test_slow_and_vanished_clients_leave_nothing(
    service: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SILENCE_S", 0.5)
    host, port = service.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    ).encode()
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(head)
        assert client.get("/health").status_code == 200  # nobody waits for it
        answer = http.client.HTTPResponse(slow)
        answer.begin()
        assert answer.status == 408
        assert json.loads(answer.read())["error"]["code"] == "too_slow"
    with socket.create_connection((host, int(port))) as vanished:
        vanished.sendall(head)
    until = time.monotonic() + PATIENCE_S
    while [*service.context.spool.folder.glob("*.part")]:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_full_queue_and_a_full_disk_are_told(tmp_path: Path) -> None:
    with (
        serving(settings(tmp_path / "queue", most_waiting=1)) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        sound = (CLIPS / "panel03.flac").read_bytes()
        answers = [client.post("/v1/jobs", files={"file": ("a", sound)}) for _ in range(5)]
        refused = [answer for answer in answers if answer.status_code != 202]
        assert refused
        for answer in refused:
            is_refused(answer, 429, "queue_full")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        for answer in answers:
            if answer.status_code == 202:
                assert ended(client, answer.json()["id"])["status"] == "done"
        running.context.spool.free_bytes = 1 << 62
        is_refused(client.post("/v1/jobs", files={"file": ("a", sound)}), 507, "disk_full")
        assert client.get("/ready").status_code == 507


def test_other_names_and_other_sites_are_refused(client: httpx.Client) -> None:
    for host in ("evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1.nip.example:80"):
        is_refused(client.get("/health", headers={"Host": host}), 403, "unknown_host")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        answer = client.post("/v1/jobs", headers={"Origin": origin}, files={"file": ("a", b"x")})
        is_refused(answer, 403, "unknown_origin")
        assert "access-control-allow-origin" not in answer.headers
    own = client.get("/v1/jobs", headers={"Origin": str(client.base_url).rstrip("/")})
    assert own.status_code == 200


def test_a_site_that_the_operator_names_may_use_the_service() -> None:
    access = Access(hosts=["diarizer.example"], origins=["https://notes.example"])
    assert access.is_host("diarizer.example:443")
    assert access.is_origin("https://notes.example", "diarizer.example", "http")
    assert not access.is_origin("https://notes.example.evil", "diarizer.example", "http")
    assert not access.is_host("10.0.0.1")
    assert Access(address="0.0.0.0").is_host("10.0.0.1:8000")  # no name was resolved


@pytest.mark.parametrize("path", ["/nothing", "/v1/jobs/none", "/v1/jobs/..%2f..%2fx", "/assets/x"])
def test_what_is_not_there_has_the_same_shape(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found_error"
    assert client.put("/v1/jobs").json()["error"]["code"] == "method_not_allowed"


def test_tokens_have_scopes_and_browsers_sessions(tmp_path: Path) -> None:
    jobs, live = "j" * 20, "l" * 20
    tokens = (Token.of(jobs, "jobs", ["jobs"]), Token.of(live, "live", ["live"]))
    with (
        serving(settings(tmp_path), tokens) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {jobs}"}):
            answer = client.get("/v1/jobs", headers=headers)
            is_refused(answer, 401, "no_token")
            assert answer.headers["www-authenticate"] == "Bearer"
        wrong = client.get("/v1/jobs", headers={"Authorization": f"Bearer {live}"})
        is_refused(wrong, 403, "wrong_scope")
        right = {"Authorization": f"Bearer {jobs}"}
        assert client.get("/v1/jobs", headers=right).status_code == 200
        is_refused(client.get("/metrics", headers=right), 403, "wrong_scope")
        for path in ("/health", "/ready", "/", "/v1/session"):
            assert client.get(path).status_code in (200, 503)
        is_refused(client.post("/v1/session"), 401, "no_token")
        begun = client.post("/v1/session", headers=right)
        assert begun.status_code == 204
        assert {"HttpOnly", "SameSite=strict"} <= {*begun.headers["set-cookie"].split("; ")}
        assert jobs not in begun.headers["set-cookie"]
        assert client.get("/v1/session").json()["scopes"] == ["jobs"]
        assert client.get("/v1/jobs").status_code == 200
        session = client.cookies[COOKIE]
        assert client.delete("/v1/session").status_code == 204
        client.cookies.set(COOKIE, session)
        is_refused(client.get("/v1/jobs"), 401, "no_token")


def test_files_of_the_operator_are_used_where_they_are_allowed(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={"path": "talk.flac", "num_speakers": 2})
    assert ended(client, answer.json()["id"])["status"] == "done"
    for path in ("../secret.flac", "out.flac", "circle.flac", "/etc/passwd", ".", "a\0b", "none"):
        is_refused(client.post("/v1/jobs", json={"path": path}), 404, "no_such_file")
    is_refused(client.post("/v1/jobs", json={"path": ""}), 422, "invalid_request")
    is_refused(client.post("/v1/jobs", json={"path": "x" * 70_000}), 413, "too_large")
