"""Jobs over HTTP: submitted, followed, answered in any format, deleted."""

import json
import os
import zipfile
from io import BytesIO
from typing import Any

import httpx
import pytest

from hocket import diarize
from hocket.formats import FORMATS
from tests.helpers.paths import CONVERSATION
from tests.helpers.services import Running, is_refused, submit


def test_a_job_gives_what_the_library_gives(client: httpx.Client, done: str) -> None:
    job = client.get(f"/v1/jobs/{done}").json()
    assert (job["status"], job["options"], job["position"]) == ("done", {"num_speakers": 2}, None)
    assert job["size"] == len(CONVERSATION.read_bytes())
    expected = diarize(CONVERSATION, num_speakers=2).to_rttm().replace(CONVERSATION.stem, "talk")
    answer = client.get(f"/v1/jobs/{done}/result", params={"format": "rttm"})
    assert answer.text == expected
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''talk.rttm"
    assert done in [each["id"] for each in client.get("/v1/jobs?status=done").json()["jobs"]]


def test_results_come_in_every_format(client: httpx.Client, done: str) -> None:
    names = [each["name"] for each in client.get("/v1/formats").json()["formats"]]
    assert names == [*FORMATS]
    for name in names:
        answer = client.get(f"/v1/jobs/{done}/result", params={"format": name})
        assert answer.status_code == 200, name
        assert answer.content
    folder = client.get(f"/v1/jobs/{done}/result", params={"format": "kaldi"}).content
    assert "segments" in zipfile.ZipFile(BytesIO(folder)).namelist()
    wrong = client.get(f"/v1/jobs/{done}/result", params={"format": "../x"})
    is_refused(wrong, 422, "invalid_option")


def test_a_page_can_show_and_play_a_recording(client: httpx.Client, done: str) -> None:
    content = CONVERSATION.read_bytes()
    part = client.get(f"/v1/jobs/{done}/audio", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["content-type"] == "audio/flac"
    assert "sandbox" in part.headers["content-security-policy"]
    sound = client.get(f"/v1/jobs/{done}/sound")
    assert sound.headers["content-type"] == "audio/mpeg"
    assert len(sound.content) > 10_000
    peaks = client.get(f"/v1/jobs/{done}/peaks").json()
    assert peaks["duration"] == pytest.approx(diarize(CONVERSATION).duration, abs=0.1)
    assert all(-1 <= low <= high <= 1 for low, high in peaks["peaks"])


def test_progress_comes_as_events_until_the_end(client: httpx.Client) -> None:
    job_id = submit(client, CONVERSATION.read_bytes())
    with client.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        rows = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert {row["id"] for row in rows} == {job_id}
    assert rows[-1]["status"] == "done"
    assert [row["status"] for row in rows[:-1]] == sorted(
        (row["status"] for row in rows[:-1]), key=["queued", "running"].index
    )


def test_all_jobs_can_be_followed_and_deleted(client: httpx.Client, service: Running) -> None:
    found: list[tuple[str, Any]] = []
    with client.stream("GET", "/v1/events") as answer:
        job_id = submit(client, CONVERSATION.read_bytes())
        kind = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            elif line.startswith("data: "):
                found.append((kind, json.loads(line[6:])))
                if found[-1][1].get("status") == "done":
                    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
                if kind == "removed":
                    break
    assert found[-1] == ("removed", {"id": job_id})
    is_refused(client.get(f"/v1/jobs/{job_id}"), 404, "unknown_job")
    assert not [*service.context.spool.folder.glob(f"{job_id}*")]


def test_jobs_that_wait_or_run_are_cancelled(client: httpx.Client) -> None:
    jobs = [submit(client, CONVERSATION.read_bytes()) for _ in range(3)]
    assert client.post(f"/v1/jobs/{jobs[-1]}/cancel").json()["status"] == "cancelled"
    is_refused(client.get(f"/v1/jobs/{jobs[-1]}/result"), 409, "not_done")
    assert [client.delete(f"/v1/jobs/{each}").status_code for each in jobs] == [204] * 3


def test_figures_and_health_tell_nothing_of_content(client: httpx.Client, done: str) -> None:
    figures = client.get("/metrics").text
    assert 'hocket_jobs{status="done"}' in figures
    assert 'route="/v1/jobs/{job_id}"' in figures
    assert done not in figures
    assert "talk" not in figures
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").json() == {"status": "ok", "workers": 1}


def test_the_page_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("app.js", "app.css", "favicon.svg", "microphone.js"):
        assert client.get(f"/assets/{name}").status_code == 200
    assert client.get("/assets/index.html").status_code == 404


def test_the_description_names_every_endpoint(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/jobs", "/v1/jobs/{job_id}/edits", "/v1/speakers", "/v1/audio/transcriptions"} <= {
        *paths
    }
    for methods in paths.values():
        for each in methods.values():
            assert each["summary"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_the_folder_is_its_owner_s_alone(service: Running, done: str) -> None:
    folder = service.context.service.folder
    for place in (folder / "jobs.db", *service.context.spool.folder.glob(f"{done}.result*")):
        assert place.stat().st_mode & 0o077 == 0
