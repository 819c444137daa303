"""The page: files that the package carries."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from hocket.server.http.failures import Refused

FOLDER = files("hocket.server") / "page"
MEDIA_TYPES = {
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/")
def page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_content("index.html"), headers={"Content-Security-Policy": POLICY})


@router.get("/assets/{name}")
def asset(name: str) -> Response:
    """A file of the page."""
    kind = MEDIA_TYPES.get(name.rpartition(".")[2])
    if kind is None or "/" in name or name not in _names():
        raise Refused(404, "not_found", "there is no such file; reload the page")
    # of this version of the package; the page is asked for each time
    return Response(_content(name), media_type=kind, headers={"Cache-Control": "no-cache"})


@cache
def _names() -> frozenset[str]:
    return frozenset(each.name for each in FOLDER.iterdir())


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
