"""A service that really listens, in a thread of the test's process, with workers of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import uvicorn

from hocket.recognition.settings import RecognitionConfig
from hocket.server.http.access import Access, Token
from hocket.server.http.app import create_app
from hocket.server.http.context import Context
from hocket.server.http.logs import Log
from hocket.server.service import Service
from tests.helpers.recognizers import TINY

PATIENCE_S = 120


class Running(NamedTuple):
    """A service that runs."""

    url: str
    context: Context


def settings(folder: Path, **given: Any) -> Service:
    """A small service that recognizes with Whisper tiny.en."""
    usual: dict[str, Any] = {
        "threads": 1,
        "free_bytes": 0,
        "recognition": RecognitionConfig(engine="faster-whisper", model=TINY),
    }
    return Service(folder, **(usual | given))


@contextmanager
def serving(service: Service, tokens: tuple[Token, ...] = ()) -> Iterator[Running]:
    """Serve on loopback, at a port that is free, until the end of `with`."""
    app = create_app(service, Access(tokens), Log(None))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="on")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + PATIENCE_S
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(f"http://127.0.0.1:{port}", app.state.context)
    finally:
        server.should_exit = True
        thread.join()


def submit(client: httpx.Client, content: bytes, name: str = "talk.flac", **options: str) -> str:
    answer = client.post("/v1/jobs", files={"file": (name, content)}, data=options)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/jobs/{job_id}"
    return job_id


def ended(client: httpx.Client, job_id: str) -> Any:
    until = time.monotonic() + PATIENCE_S
    while (job := client.get(f"/v1/jobs/{job_id}").json())["finished"] is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    return job


def is_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "code", "param"}
    assert "\n" not in error["message"]
    assert ";" in error["message"]
