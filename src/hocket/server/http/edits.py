"""Edits of results over HTTP: look, apply, undo, redo; and where to listen first."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, RootModel

from hocket.corrections.actions import action_of
from hocket.corrections.constraints import entries_of
from hocket.errors import ConfigError, EditError, OutdatedEditError
from hocket.report.review import SECONDS
from hocket.server.edits import State
from hocket.server.http.access import scope
from hocket.server.http.failures import Refused, responses
from hocket.server.http.jobs import Shared

MOST_REVIEW_S = 86_400.0

router = APIRouter(prefix="/v1", tags=["edits"], dependencies=[scope("jobs")])

Name = Annotated[str, Field(min_length=1, max_length=1000, examples=["Anna"])]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False, examples=[12.5])]
Stretch = Annotated[tuple[Seconds, Seconds], Field(examples=[[10.0, 12.5]])]


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RenameAction(_Action):
    """A speaker gets another name, which no other speaker has."""

    kind: Literal["rename"]
    speaker: Annotated[Name, Field(examples=["SPEAKER_00"])]
    name: Name


class MergeAction(_Action):
    """Speakers are one person: with the last name that a person gave, or that of most speech."""

    kind: Literal["merge"]
    speakers: Annotated[
        list[Name], Field(min_length=2, max_length=100, examples=[["SPEAKER_01", "Anna"]])
    ]


class SplitAction(_Action):
    """Different people speak in a turn before and after a time."""

    kind: Literal["split"]
    speaker: Name
    start: Seconds
    end: Seconds
    at: Seconds


class BoundaryAction(_Action):
    """An edge of a turn is moved."""

    kind: Literal["boundary"]
    speaker: Name
    start: Seconds
    end: Seconds
    edge: Literal["start", "end"]
    to: Seconds


class AssignAction(_Action):
    """A speaker, who may be new, speaks in a stretch."""

    kind: Literal["assign"]
    start: Seconds
    end: Seconds
    speaker: Name


class SilenceAction(_Action):
    """Nobody speaks in a stretch."""

    kind: Literal["silence"]
    start: Seconds
    end: Seconds


class ApartAction(_Action):
    """Different people speak in two stretches."""

    kind: Literal["apart"]
    one: Stretch
    other: Stretch


AnyAction = Annotated[
    RenameAction
    | MergeAction
    | SplitAction
    | BoundaryAction
    | AssignAction
    | SilenceAction
    | ApartAction,
    Field(discriminator="kind"),
]


class Revision(BaseModel):
    """The state that a change is about."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"revision": 3}]})

    revision: int = Field(ge=0, description="Of the state; refused if it has another one by now.")


class Edit(Revision):
    """An action on the result of a job."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "revision": 0,
                    "action": {"kind": "rename", "speaker": "SPEAKER_00", "name": "Anna"},
                },
                {
                    "revision": 3,
                    "action": {"kind": "assign", "start": 10, "end": 12, "speaker": "Anna"},
                },
            ]
        },
    )

    action: AnyAction


class ConstraintEntry(RootModel[dict[str, Any]]):
    """A constraint, as `hocket diarize --constraints` reads it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"is": "Anna", "at": [18.2, 21.0]}, {"nobody": [0, 2]}]}
    )


class EditedResult(BaseModel):
    """The result of a job with its edits."""

    revision: int = Field(description="Of this state; it grows with every change.")
    can_undo: bool
    can_redo: bool
    undo_label: str | None = Field(examples=["Rename SPEAKER_00 to Anna"])
    redo_label: str | None
    constraints: list[ConstraintEntry]
    notices: list[str] = Field(description="What the last edit could not do.")
    result: dict[str, Any] = Field(description="As `GET .../result?format=json`.")


class ReviewRow(BaseModel):
    """A part of a turn to listen to."""

    start: float
    end: float
    speaker: str
    alternatives: list[str] = Field(description="Others that it may be, the likeliest first.")
    confidence: float
    expected_error: float = Field(description="Seconds that are wrong on average.")


class ReviewRows(BaseModel):
    """What to listen to, the most valuable first."""

    seconds: float = Field(description="Length of all segments together.")
    expected_error: float = Field(description="Seconds of the result that are expected wrong.")
    remaining_error: float = Field(description="The same, once all segments are corrected.")
    segments: list[ReviewRow]


Found = TypeVar("Found")

_STATE: dict[str, Any] = {"response_class": Response, "response_model": None}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"model": EditedResult, "description": "The result with its edits"}
}
_CHANGED = _ANSWER | responses(404, 409, 422, 507)


@router.get(
    "/jobs/{job_id}/edits",
    summary="The result with its edits",
    responses=_ANSWER | responses(404, 409),
    **_STATE,
)
def state(job_id: str, context: Shared) -> Response:
    """The result as it is now, what was done to it, and its revision."""
    return _answered(lambda: context.editor.state(job_id))


@router.post("/jobs/{job_id}/edits", summary="Edit the result", responses=_CHANGED, **_STATE)
def apply(job_id: str, body: Edit, context: Shared) -> Response:
    """Do an action. It is kept before it is answered; a later one wins over an earlier one."""
    given = body.action.model_dump()
    return _answered(lambda: context.editor.apply(job_id, body.revision, action_of(given)))


@router.post("/jobs/{job_id}/undo", summary="Undo an edit", responses=_CHANGED, **_STATE)
def undo(job_id: str, body: Revision, context: Shared) -> Response:
    """Take the last edit back: the result is the one before it, to the byte."""
    return _answered(lambda: context.editor.undo(job_id, body.revision))


@router.post("/jobs/{job_id}/redo", summary="Redo an edit", responses=_CHANGED, **_STATE)
def redo(job_id: str, body: Revision, context: Shared) -> Response:
    """Do again what was undone."""
    return _answered(lambda: context.editor.redo(job_id, body.revision))


@router.get(
    "/jobs/{job_id}/review", summary="Where to listen first", responses=responses(404, 409, 422)
)
def review(
    job_id: str,
    context: Shared,
    seconds: Annotated[float, Query(gt=0, le=MOST_REVIEW_S)] = SECONDS,
) -> ReviewRows:
    """The segments of the edited result whose correction is worth most for their length."""
    found = _explained(lambda: context.editor.review(job_id, seconds), "no_confidence")
    return ReviewRows(
        seconds=found.seconds,
        expected_error=found.expected_error,
        remaining_error=found.remaining_error,
        segments=[
            ReviewRow(
                start=each.start,
                end=each.end,
                speaker=each.speaker,
                alternatives=list(each.alternatives),
                confidence=each.confidence,
                expected_error=each.expected_error,
            )
            for each in found.segments
        ],
    )


def _answered(act: Callable[[], State]) -> Response:
    """A state as it is answered; the result is sent as it is kept."""
    found = _explained(act, "impossible_edit")
    history = found.history
    content = {
        "revision": history.revision,
        "can_undo": history.undo_label is not None,
        "can_redo": history.redo_label is not None,
        "undo_label": history.undo_label,
        "redo_label": history.redo_label,
        "constraints": entries_of(history.constraints),
        "notices": found.notices,
    }
    text = json.dumps(content, ensure_ascii=False).removesuffix("}")
    whole = f'{text}, "result": {found.document.strip()}}}'
    return Response(whole.encode(), media_type="application/json")


def _explained(act: Callable[[], Found], code: str) -> Found:
    """What an action returns; Refused if it cannot be, with that code if it never can."""
    try:
        return act()
    except OutdatedEditError as error:
        raise Refused(409, "edited_elsewhere", str(error), "revision") from error
    except EditError as error:
        raise Refused(409, "not_editable", str(error)) from error
    except ConfigError as error:
        raise Refused(422, code, str(error)) from error
