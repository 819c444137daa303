"""What every request passes: whom it is for, where it comes from, and what is noted of it."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response

from hocket.server.http.access import Access
from hocket.server.http.failures import Refused, answer_of
from hocket.server.http.logs import Log, route_of
from hocket.server.http.metrics import Metrics

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Scope: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY_CLOSE = 1008  # of a WebSocket that is refused
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cache-Control": "no-store",
}
"""Of every answer that does not set its own: what is sent is data, and nobody else's."""
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}


class Guard:
    """An application behind its checks.

    Args:
        app: the application.
        access: whom requests may be for and where they may come from.
        log: of the requests.
        metrics: counted.
    """

    def __init__(self, app: Application, access: Access, log: Log, metrics: Metrics) -> None:
        self._app, self._access, self._log, self._metrics = app, access, log, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(headers, scope)
        if scope["type"] == "websocket":
            if refused:
                await send({"type": "websocket.close", "code": POLICY_CLOSE})
                return
            await self._app(scope, receive, send)
            return
        noted = _Noted(send, headers.get("origin") if self._is_allowed(headers) else None)
        began = time.monotonic()
        try:
            await self._answer(scope, receive, noted, refused)
        finally:
            self._note(scope, noted.status, time.monotonic() - began)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, refused: Refused | None
    ) -> None:
        if refused:
            await answer_of(refused)(scope, receive, send)
        elif scope["method"] == "OPTIONS" and "origin" in Headers(scope=scope):
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, headers: Headers, scope: Scope) -> Refused | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._access.is_host(host):
            text = "this service has another name; give it with --host-name when it is started"
            return Refused(403, "unknown_host", text)
        if origin is not None and not self._access.is_origin(origin, host, scope["scheme"]):
            text = "pages of this origin may not use the service; see --allow-origin"
            return Refused(403, "unknown_origin", text)
        return None

    def _is_allowed(self, headers: Headers) -> bool:
        return headers.get("origin") in self._access.origins

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = route_of(HTTPConnection(scope)), str(scope["method"])
        self._metrics.request(method, route, status, seconds)
        if route not in ("/health", "/ready", "/metrics"):
            self._log.write(
                "request", method=method, route=route, status=status, seconds=round(seconds, 4)
            )


class _Noted:
    """Sends an answer with the headers that all have, and keeps its status."""

    def __init__(self, send: Send, origin: str | None) -> None:
        self._send, self._origin, self.status = send, origin, 499  # unless an answer begins

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._origin:
                headers["Access-Control-Allow-Origin"] = self._origin
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
                headers.add_vary_header("Origin")
        await self._send(message)
