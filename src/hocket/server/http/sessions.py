"""Sessions of browsers: a token once, then a cookie that pages cannot read."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from hocket.server.http.access import COOKIE, SCOPES, SESSION_S
from hocket.server.http.failures import Refused, responses
from hocket.server.http.jobs import Shared

router = APIRouter(prefix="/v1", tags=["session"])


class Session(BaseModel):
    """What a client may do, and what the service can."""

    scopes: list[str] = Field(description=f"Among {', '.join(SCOPES)}; none without a valid token.")
    needs_token: bool
    recognizer: bool = Field(description="Whether words can be recognized.")
    store: bool = Field(description="Whether there is a store of known speakers.")


@router.get("/session", summary="What a client may do")
def looked_at(request: Request, context: Shared) -> Session:
    """Answered without a token, too."""
    token = context.access.token_of(request)
    return Session(
        scopes=list(token.scopes) if token else [],
        needs_token=bool(context.access.tokens),
        recognizer=context.abilities.get("recognizer", False),
        store=context.abilities.get("store", False),
    )


@router.post("/session", status_code=204, summary="Log a browser in", responses=responses())
def begun(request: Request, response: Response, context: Shared) -> None:
    """Exchange a token for a cookie, which ends with the browser or after twelve hours."""
    token = context.access.token_of(request)
    if token is None:
        raise Refused(401, "no_token", "no valid token; send 'Authorization: Bearer TOKEN'")
    response.set_cookie(
        COOKIE,
        context.access.begin_session(token),
        max_age=int(SESSION_S),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


@router.delete("/session", status_code=204, summary="Log a browser out")
def ended(request: Request, response: Response, context: Shared) -> None:
    """End the session of the cookie."""
    context.access.end_session(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE)
