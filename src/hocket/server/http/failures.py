"""Errors as the service answers them: one shape, which OpenAI's clients read too."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from hocket import errors
from hocket.errors import (
    ArgumentError,
    AudioError,
    CapacityError,
    ConfigError,
    ExtraError,
    FormatError,
    HocketError,
    JobError,
    OutputError,
    SpeakerError,
    StoreError,
    UnknownJobError,
    one_line,
)
from hocket.server.http.logs import log_defect, log_problem
from hocket.server.jobs import Job

RETRY_S = 5  # where nothing better is known
OWN = (OutputError, StoreError)  # about files of the operator, whose places are not answered

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
_LACKS = {"queue": (429, "queue_full"), "disk": (507, "disk_full"), "size": (413, "too_large")}
_KINDS: tuple[tuple[type[HocketError], int, str], ...] = (  # the first that fits
    (UnknownJobError, 404, "unknown_job"),
    (JobError, 409, "job_status"),
    (ExtraError, 501, "not_installed"),
    (OutputError, 507, "cannot_write"),
    (AudioError, 422, "unusable_audio"),
    (FormatError, 422, "unusable_file"),
    (SpeakerError, 422, "invalid_speaker"),
    (ConfigError, 422, "invalid_option"),
    (ArgumentError, 422, "invalid_option"),
)


class ErrorContent(BaseModel):
    """What went wrong."""

    message: str = Field(description="One line: what was found, and what to do.")
    type: str = Field(examples=["not_found_error"])
    code: str = Field(examples=["unknown_job"])
    param: str | None = Field(default=None, description="The field or parameter in question.")


class ErrorAnswer(BaseModel):
    """The answer to every request that fails."""

    error: ErrorContent


class Refused(Exception):  # noqa: N818 - a request that is refused
    """A request is refused.

    Args:
        status: of the answer.
        code: of the error, in words joined by underscores.
        message: one line: what was found, and what to do.
        param: the field in question.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, one_line(message)
        self.param, self.headers = param, dict(headers or {})


def refusal_of(error: HocketError) -> Refused:
    """What the service answers to an error of the library."""
    message = str(error)
    if isinstance(error, CapacityError):
        status, code = _LACKS[error.lack]
        return Refused(status, code, message)
    status, code = _status_of(type(error)) or (503, "unavailable")
    if isinstance(error, OWN):
        message = "the service cannot use a file of its own; its log tells the operator why"
    return Refused(status, code, message)


def refusal_of_job(job: Job) -> Refused:
    """What the service answers to a client who waits for a job that did not end as done."""
    headers = {"x-should-retry": "false"}  # OpenAI's clients would send the recording again
    if job.status == "cancelled":
        text = "the job was cancelled in the service; send the recording again"
        return Refused(409, "cancelled", text, headers=headers)
    kind = getattr(errors, job.error, None)
    status, code = (kind and _status_of(kind)) or (500, "job_failed")
    return Refused(status, code, job.problem, headers=headers)


def _status_of(kind: type[BaseException]) -> tuple[int, str] | None:
    found = ((status, code) for each, status, code in _KINDS if issubclass(kind, each))
    return next(found, None)


def content_of(refused: Refused) -> dict[str, Any]:
    """The error as plain values."""
    general = "server_error" if refused.status >= 500 else "invalid_request_error"
    content = {
        "message": refused.message,
        "type": _TYPES.get(refused.status, general),
        "code": refused.code,
        "param": refused.param,
    }
    return {"error": content}


def answer_of(refused: Refused) -> JSONResponse:
    """The answer to a request that is refused."""
    headers = refused.headers
    if refused.status in (429, 503) and "Retry-After" not in headers:
        headers = {**headers, "Retry-After": str(RETRY_S)}
    return JSONResponse(content_of(refused), refused.status, headers)


Responses: TypeAlias = dict[int | str, dict[str, Any]]


def responses(*statuses: int, content: Mapping[str, Any] | None = None) -> Responses:
    """Answers in the description of an endpoint.

    Args:
        statuses: of errors, beside those that any endpoint may have.
        content: of the answer where nothing fails, by media type, if it is not JSON.
    """
    found: Responses = {
        status: {"model": ErrorAnswer, "description": HTTPStatus(status).phrase}
        for status in (*statuses, 401, 403, 503)
    }
    return found | ({200: {"content": dict(content)}} if content else {})


def add_handlers(app: FastAPI) -> None:
    """Have all errors of an application answered in one shape."""

    async def refuse(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)
        return answer_of(error)

    async def explain(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HocketError)
        if isinstance(error, OWN):
            log_problem(request, error)
        return answer_of(refusal_of(error))

    async def reject(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return answer_of(invalid(error.errors()))

    async def plain(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        text = f"{error.detail or phrase}; see /openapi.json for what there is"
        return answer_of(Refused(error.status_code, code, text, headers=error.headers))

    async def defect(request: Request, error: Exception) -> JSONResponse:
        log_defect(request, error)
        return answer_of(Refused(500, "defect", "a defect in hocket; its log has more"))

    app.add_exception_handler(Refused, refuse)
    app.add_exception_handler(HocketError, explain)
    app.add_exception_handler(RequestValidationError, reject)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, defect)


def invalid(problems: Sequence[Any]) -> Refused:
    """The refusal for the first of what a model of pydantic rejects."""
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    reason = str(first["msg"])
    text = f"{place or 'the request'}: {reason[:1].lower()}{reason[1:]}; see /openapi.json"
    return Refused(422, "invalid_request", text, place or None)
