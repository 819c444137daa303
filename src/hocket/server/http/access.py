"""Who may do what: tokens with scopes, sessions of browsers, and the names of this machine."""

import hashlib
import ipaddress
import secrets
import socket
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from hocket.errors import ConfigError
from hocket.server.http.failures import Refused

SCOPES = ("jobs", "speakers", "live", "metrics")
COOKIE = "hocket_session"
SESSION_S = 12 * 3600.0
MOST_SESSIONS = 1000
LEAST_TOKEN = 16  # characters; what people make up is guessed
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Token:
    """A secret of a client, of which only the hash is known.

    name: of the client, for the operator.
    sha256: of the secret, in hexadecimal digits.
    scopes: what it allows.
    """

    name: str
    sha256: str
    scopes: tuple[str, ...] = SCOPES

    @classmethod
    def of(cls, secret: str, name: str = "token", scopes: Sequence[str] = SCOPES) -> "Token":
        """A token from its secret; ConfigError if that is too short."""
        if len(secret) < LEAST_TOKEN:
            raise ConfigError(f"a token of {len(secret)} characters; give {LEAST_TOKEN} or more")
        return cls(name, hash_of(secret), tuple(scopes))


def hash_of(secret: str) -> str:
    """SHA-256 of a secret: one of 32 random bytes needs no slower hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Tokens of a TOML file: tables `[NAME]` with `sha256` and `scopes`.

    Raises:
        ConfigError: it cannot be read, or an entry is none.
    """
    remedy = "give what 'hocket serve --new-token NAME' prints"
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path}: cannot be read ({reason}); {remedy}") from error
    return tuple(_token(path, name, entry, remedy) for name, entry in content.items())


def _token(path: Path, name: str, entry: object, remedy: str) -> Token:
    values: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    digits, scopes = values.get("sha256"), values.get("scopes", list(SCOPES))
    if (
        not isinstance(digits, str)
        or len(digits) != 64
        or not set(digits) <= set("0123456789abcdef")
    ):
        raise ConfigError(f"{path}: token '{name}' has no sha256 of 64 digits; {remedy}")
    if not isinstance(scopes, list) or not scopes or not set(map(str, scopes)) <= set(SCOPES):
        raise ConfigError(f"{path}: token '{name}' needs scopes among {', '.join(SCOPES)}")
    return Token(name, digits, tuple(map(str, scopes)))


class Access:
    """Who may do what.

    Args:
        tokens: of clients; without any, everything is allowed.
        hosts: names that this service is called by, beside those of this machine.
        origins: other sites whose pages may use the service, such as https://notes.example.
        address: that the service is bound to.
    """

    def __init__(
        self,
        tokens: Sequence[Token] = (),
        *,
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        address: str = "127.0.0.1",
    ) -> None:
        self.tokens, self.origins = tuple(tokens), frozenset(origins)
        self._hosts = {name.lower() for name in (*LOOPBACK, address, *hosts)}
        self._is_open = not is_loopback(address)
        if self._is_open:
            self._hosts.add(socket.gethostname().lower())
        self._sessions: dict[str, tuple[float, Token]] = {}

    def is_host(self, header: str) -> bool:
        """Whether a request with this Host header is for this service.

        A page that has its own name resolved to this machine sends that name.
        """
        name = host_of(header)
        return name in self._hosts or (self._is_open and _is_address(name))

    def is_origin(self, origin: str, host: str, scheme: str) -> bool:
        """Whether a page of that origin may use the service, which was called by `host`."""
        return origin in self.origins or origin.lower() in {
            f"{each}://{host}".lower() for each in (scheme, "http", "https")
        }

    def token_of(self, connection: HTTPConnection) -> Token | None:
        """The token of a request, by its header or its session; None if it has no valid one."""
        if not self.tokens:
            return Token("everybody", "")
        kind, _, secret = connection.headers.get("authorization", "").partition(" ")
        if secret and kind.lower() == "bearer":
            return self._known(secret.strip())
        return self._of_session(connection.cookies.get(COOKIE, ""))

    def check(self, connection: HTTPConnection, scope: str) -> Token:
        """The token of a request, if it allows that; Refused otherwise."""
        token = self.token_of(connection)
        if token is None:
            raise Refused(
                *(401, "no_token", "no valid token; send 'Authorization: Bearer TOKEN'"),
                headers={"WWW-Authenticate": "Bearer"},
            )
        if scope not in token.scopes:
            allowed = ", ".join(token.scopes)
            text = f"the token '{token.name}' allows {allowed}, not {scope}; use another one"
            raise Refused(403, "wrong_scope", text)
        return token

    def begin_session(self, token: Token) -> str:
        """A session of a browser with a token; the oldest end where there are too many."""
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        session = secrets.token_urlsafe(32)
        self._sessions[hash_of(session)] = time.monotonic(), token
        return session

    def end_session(self, session: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(hash_of(session), None)

    def _known(self, secret: str) -> Token | None:
        found, digits = None, hash_of(secret)
        for token in self.tokens:  # all of them, so that the time tells nothing
            if compare_digest(token.sha256, digits):
                found = token
        return found

    def _of_session(self, session: str) -> Token | None:
        began, token = self._sessions.get(hash_of(session), (0.0, None))
        return token if token and time.monotonic() - began < SESSION_S else None


_bearer = HTTPBearer(auto_error=False, description="A token; none is needed if none is configured.")


def scope(name: str) -> Any:
    """A dependency of endpoints whose token must allow something."""

    def check(
        connection: HTTPConnection,
        _token: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> Token:
        access: Access = connection.app.state.context.access
        return access.check(connection, name)

    found: Callable[..., Token] = check
    return Security(found)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address."""
    return address == "localhost" or (
        _is_address(address) and ipaddress.ip_address(address).is_loopback
    )


def host_of(header: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
