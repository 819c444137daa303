"""The log of the service: a JSON object a line, about requests, never about their content."""

import json
import sys
import time
import traceback
from typing import Any, TextIO

from starlette.requests import HTTPConnection


class Log:
    """Writes lines; `stream` is standard error unless another is given, and None writes nothing."""

    def __init__(self, stream: TextIO | None = sys.stderr) -> None:
        self._stream = stream

    def write(self, event: str, **values: Any) -> None:
        """Write an event with its values."""
        if self._stream:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            line = json.dumps({"time": stamp, "event": event, **values})
            print(line, file=self._stream, flush=True)


def route_of(connection: HTTPConnection) -> str:
    """The path of the route, without the values in it: ids are nobody else's business."""
    route = connection.scope.get("route")
    return str(getattr(route, "path", "")) or "none"


def log_problem(connection: HTTPConnection, error: Exception) -> None:
    """Write what the operator has to do something about, such as a full disk."""
    log: Log = connection.app.state.context.log
    log.write("problem", route=route_of(connection), problem=str(error))


def log_defect(request: HTTPConnection, error: Exception) -> None:
    """Write where a defect is: places in the code, and no values."""
    places = [
        f"{frame.filename.rsplit('hocket', 1)[-1]}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)[-8:]
    ]
    log: Log = request.app.state.context.log
    log.write("defect", route=route_of(request), error=type(error).__name__, places=places)
