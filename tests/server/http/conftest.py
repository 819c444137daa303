"""One service for the tests of a file."""

from collections.abc import Iterator

import httpx
import pytest

from tests.helpers.paths import CONVERSATION
from tests.helpers.services import Running, ended, serving, settings, submit


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    shown = folder / "shown"
    shown.mkdir()
    (shown / "talk.flac").write_bytes(CONVERSATION.read_bytes())
    (folder / "secret.flac").write_bytes(CONVERSATION.read_bytes())
    (shown / "out.flac").symlink_to(folder / "secret.flac")
    (shown / "circle.flac").symlink_to(shown / "circle.flac")
    given = {"recordings": shown, "most_waiting": 20, "most_bytes": 1 << 22}
    with serving(settings(folder / "jobs", **given)) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=60) as found:
        yield found


@pytest.fixture(scope="module")
def done(client: httpx.Client) -> str:
    return ended(client, submit(client, CONVERSATION.read_bytes(), num_speakers="2"))["id"]
