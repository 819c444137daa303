"""Edits over HTTP: the contract of the page."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from hocket.server.http.access import Access
from hocket.server.http.app import create_app
from hocket.server.service import Service
from tests.helpers.paths import CONVERSATION

PATIENCE_S = 120


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("service")
    app = create_app(Service(folder, threads=1, free_bytes=0), Access())
    with TestClient(app, base_url="http://127.0.0.1") as found:
        yield found


@pytest.fixture(scope="module")
def job(client: TestClient) -> str:
    return submit(client)


def submit(client: TestClient, **options: str) -> str:
    files = {"file": ("talk.flac", CONVERSATION.read_bytes())}
    found: str = client.post("/v1/jobs", files=files, data=options).json()["id"]
    until = time.monotonic() + PATIENCE_S
    while client.get(f"/v1/jobs/{found}").json()["status"] != "done":
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def edit(client: TestClient, job: str, revision: int, **action: Any) -> Any:
    content = {"revision": revision, "action": action}
    return client.post(f"/v1/jobs/{job}/edits", json=content)


def revision_of(client: TestClient, job: str) -> int:
    found: int = client.get(f"/v1/jobs/{job}/edits").json()["revision"]
    return found


def test_a_result_is_edited_exported_undone_and_redone(client: TestClient, job: str) -> None:
    first = client.get(f"/v1/jobs/{job}/edits").json()
    original = client.get(f"/v1/jobs/{job}/result").json()
    assert first == {
        "revision": 0,
        "can_undo": False,
        "can_redo": False,
        "undo_label": None,
        "redo_label": None,
        "constraints": [],
        "notices": [],
        "result": original,
    }
    answer = edit(client, job, 0, kind="rename", speaker="SPEAKER_00", name="Änna")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    renamed = answer.json()
    assert (renamed["revision"], renamed["undo_label"]) == (1, "Rename SPEAKER_00 to Änna")
    assert renamed["result"]["speakers"] == ["Änna", "SPEAKER_01"]
    assert {"is", "at"} == set(renamed["constraints"][0])
    assert client.get(f"/v1/jobs/{job}/edits").json() == renamed
    assert client.get(f"/v1/jobs/{job}/result").json() == renamed["result"]
    assert "Änna" in client.get(f"/v1/jobs/{job}/result?format=srt").text
    whole = client.get(f"/v1/jobs/{job}/result?original=true")
    assert whole.json() == original
    undone = client.post(f"/v1/jobs/{job}/undo", json={"revision": 1}).json()
    assert undone["result"] == original
    assert (undone["revision"], undone["redo_label"]) == (2, "Rename SPEAKER_00 to Änna")
    redone = client.post(f"/v1/jobs/{job}/redo", json={"revision": 2}).json()
    assert redone == {**renamed, "revision": 3}


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "split", "speaker": "SPEAKER_01", "start": 21.76, "end": 28.49, "at": 25},
        {
            "kind": "boundary",
            "speaker": "SPEAKER_01",
            "start": 21.76,
            "end": 28.49,
            "edge": "start",
            "to": 22.5,
        },
        {"kind": "assign", "start": 12, "end": 14, "speaker": "Bob"},
        {"kind": "silence", "start": 0, "end": 2},
        {"kind": "apart", "one": [12, 14], "other": [22, 24]},
        {"kind": "merge", "speakers": ["SPEAKER_01", "Zoe"]},
    ],
    ids=lambda action: action["kind"],
)
def test_every_action_is_accepted_or_impossible(
    client: TestClient, job: str, action: dict[str, Any]
) -> None:
    revision = revision_of(client, job)
    answer = edit(client, job, revision, **action)
    if action["kind"] == "merge":
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert error["code"] == "impossible_edit"
        assert "no speaker 'Zoe'" in error["message"]
        assert revision_of(client, job) == revision
    else:
        assert answer.status_code == 200, answer.text
        assert answer.json()["revision"] == revision + 1
        client.post(f"/v1/jobs/{job}/undo", json={"revision": revision + 1})


@pytest.mark.parametrize(
    ("action", "place"),
    [
        ({"kind": "none"}, "action"),
        ({"kind": "silence", "start": 1}, "action.silence.end"),
        ({"kind": "silence", "start": "soon", "end": 2}, "action.silence.start"),
        ({"kind": "silence", "start": 1, "end": 2, "extra": 3}, "action.silence.extra"),
        ({"kind": "rename", "speaker": "A", "name": ""}, "action.rename.name"),
        ({"kind": "silence", "start": -1, "end": 2}, "action.silence.start"),
    ],
    ids=str,
)
def test_what_is_no_action_is_refused(
    client: TestClient, job: str, action: dict[str, Any], place: str
) -> None:
    answer = edit(client, job, 0, **action)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_request", place)
    assert "\n" not in error["message"]


def test_an_outdated_edit_is_a_conflict(client: TestClient, job: str) -> None:
    revision = revision_of(client, job)
    for answer in (
        edit(client, job, revision + 1, kind="silence", start=1, end=2),
        client.post(f"/v1/jobs/{job}/undo", json={"revision": revision + 1}),
        client.post(f"/v1/jobs/{job}/redo", json={"revision": revision + 1}),
    ):
        assert answer.status_code == 409
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("conflict_error", "edited_elsewhere")
        assert "load it again" in error["message"]


def test_what_cannot_be_edited_is_a_conflict(client: TestClient) -> None:
    each = submit(client, channels="each")
    assert client.get(f"/v1/jobs/{each}/edits").json()["revision"] == 0
    answer = edit(client, each, 0, kind="silence", start=1, end=2)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_editable")
    undo = client.post(f"/v1/jobs/{each}/undo", json={"revision": 0})
    assert (undo.status_code, undo.json()["error"]["code"]) == (409, "not_editable")
    assert client.get("/v1/jobs/unknown00/edits").status_code == 404
    assert client.get("/v1/jobs/unknown00/review").status_code == 404


def test_the_review_says_where_to_listen_first(client: TestClient, job: str) -> None:
    found = client.get(f"/v1/jobs/{job}/review?seconds=3").json()
    assert 0 < found["seconds"] <= 3
    assert found["remaining_error"] < found["expected_error"]
    first = found["segments"][0]
    assert set(first) == {
        *("start", "end", "speaker", "alternatives", "confidence", "expected_error")
    }
    for wrong in ("0", "-1", "nan", "x"):
        answer = client.get(f"/v1/jobs/{job}/review?seconds={wrong}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "seconds")


def test_the_description_has_every_action(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    posted = schema["paths"]["/v1/jobs/{job_id}/edits"]["post"]
    body = json.dumps(posted["requestBody"])
    assert "#/components/schemas/Edit" in body
    kinds = schema["components"]["schemas"]["Edit"]["properties"]["action"]["discriminator"]
    assert set(kinds["mapping"]) == {
        *("rename", "merge", "split", "boundary", "assign", "silence", "apart")
    }
    assert set(posted["responses"]) >= {"200", "401", "403", "404", "409", "422"}
    answer = posted["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/EditedResult"}


def test_a_deleted_job_leaves_no_file(client: TestClient) -> None:
    job = submit(client)
    assert edit(client, job, 0, kind="silence", start=12, end=13).status_code == 200
    spool: Path = client.app.state.context.spool.folder  # type: ignore[attr-defined]
    assert len(list(spool.glob(f"{job}.*"))) == 5
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    assert not list(spool.glob(f"{job}.*"))
