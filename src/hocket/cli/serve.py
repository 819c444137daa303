"""The command `hocket serve`."""

import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

import click
import platformdirs

from hocket.bridges import extra
from hocket.cli.options import AnyDecorator, store_option
from hocket.cli.outcome import UNUSABLE
from hocket.cli.recognizers import recognition_options
from hocket.errors import ConfigError
from hocket.recognition.settings import RecognitionConfig
from hocket.server.service import HOUR_S, Service

TOKEN_VARIABLE = "HOCKET_TOKEN"  # noqa: S105 - its name
GIGABYTE = 1 << 30
DAY_S = 24 * HOUR_S
CLOSE_S = 5  # for answers that are being sent when the service ends
KEEP_ALIVE_S = 20
BACKLOG = 2048  # connections that wait to be accepted
FOLDER = Path(platformdirs.user_data_dir("hocket", appauthor=False)) / "service"


def _limit(name: str, usual: float, text: str) -> AnyDecorator:
    """An option that is a number above 0, whole if the usual one is."""
    kind = click.IntRange(1) if isinstance(usual, int) else click.FloatRange(0, min_open=True)
    return click.option(name, type=kind, default=usual, show_default=True, help=text)


@click.command(name="serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--host",
    "address",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen at. One that other machines reach needs a token.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    help="Of jobs and their recordings. Default: in the user's data.",
)
@click.option("--workers", type=click.IntRange(1, 256), default=1, help="Jobs at once.")
@click.option("--threads", type=click.IntRange(1), help="Cores of a worker. Default: a fair share.")
@_limit("--queue", 100, "Most jobs that wait.")
@_limit("--max-gb", 2.0, "Of an upload.")
@_limit("--max-hours", 24.0, "Of a recording.")
@_limit("--max-job-hours", 12.0, "That a job may run.")
@_limit("--max-live", 16, "Live sessions at once.")
@_limit("--free-gb", 1.0, "That stay free on the disk.")
@_limit("--keep-days", 30.0, "Until ended jobs are deleted.")
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder below which clients may name files.",
)
@store_option(required=False)
@click.option(
    "--tokens",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"File of tokens (TOML). {TOKEN_VARIABLE} holds one that allows all.",
)
@click.option(
    "--new-token", metavar="NAME", help="Print a new token and its entry for the file, and end."
)
@click.option("--host-name", "hosts", multiple=True, help="Name that the service is called by.")
@click.option(
    "--allow-origin", "origins", multiple=True, metavar="URL", help="Site whose pages may use it."
)
@recognition_options
def serve_command(
    port: int,
    address: str,
    folder: Path,
    workers: int,
    threads: int | None,
    queue: int,
    max_gb: float,
    max_hours: float,
    max_job_hours: float,
    max_live: int,
    free_gb: float,
    keep_days: float,
    recordings: Path | None,
    store: Path | None,
    tokens: Path | None,
    new_token: str | None,
    hosts: Sequence[str],
    origins: Sequence[str],
    recognition: RecognitionConfig,
) -> int:
    """Offer diarization over HTTP, with a page, on this machine.

    Open http://127.0.0.1:8000 in a browser once it runs.
    """
    for module in ("fastapi", "uvicorn", "sse_starlette", "prometheus_client", "python_multipart"):
        extra(module, "server")
    if new_token is not None:
        return _print_token(new_token)
    service = Service(
        folder=folder,
        slots=workers,
        threads=threads,
        most_waiting=queue,
        most_bytes=round(max_gb * GIGABYTE),
        most_sound_s=max_hours * HOUR_S,
        most_job_s=max_job_hours * HOUR_S,
        most_live=max_live,
        free_bytes=round(free_gb * GIGABYTE),
        keep_s=keep_days * DAY_S,
        recordings=recordings,
        store=store,
        recognition=recognition,
    )
    return _serve(service, address, port, tokens, hosts, origins)


def _print_token(name: str) -> int:
    """A secret for the client on standard output, and the entry for the file."""
    from hocket.server.http.access import SCOPES, hash_of

    secret = secrets.token_urlsafe(32)
    scopes = ", ".join(f'"{scope}"' for scope in SCOPES)
    click.echo(f"hocket: for the client, shown only now: {secret}", err=True)
    click.echo(f'["{name}"]\nsha256 = "{hash_of(secret)}"\nscopes = [{scopes}]')
    return 0


def _serve(
    service: Service,
    address: str,
    port: int,
    tokens: Path | None,
    hosts: Sequence[str],
    origins: Sequence[str],
) -> int:
    """Serve until a signal ends it."""
    import uvicorn

    from hocket.server.http.access import Access, Token, is_loopback, read_tokens
    from hocket.server.http.app import create_app

    known = read_tokens(tokens) if tokens else ()
    if secret := os.environ.get(TOKEN_VARIABLE):
        known = (*known, Token.of(secret, TOKEN_VARIABLE))
    if not known and not is_loopback(address):
        raise ConfigError(
            f"address is {address}, which other machines reach; give --tokens FILE or "
            f"{TOKEN_VARIABLE}, or serve at 127.0.0.1"
        )
    access = Access(known, hosts=hosts, origins=origins, address=address)
    listener = _listener(address, port)
    settings = uvicorn.Config(
        create_app(service, access),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSE_S,
        ws_max_size=1 << 20,
        ws_per_message_deflate=False,  # sound shrinks little
        ws_ping_interval=None,  # an answer would wait behind sound that is not read yet
    )
    server = uvicorn.Server(settings)
    shown = f"[{address}]" if ":" in address else address
    click.echo(f"hocket: http://{shown}:{listener.getsockname()[1]} until Ctrl-C", err=True)
    server.run([listener])
    return 0 if server.started else UNUSABLE


def _listener(address: str, port: int) -> socket.socket:
    """A socket at an address; ConfigError if it cannot be had."""
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"cannot listen at {address}, port {port} ({reason}); give another port or address"
        ) from error
