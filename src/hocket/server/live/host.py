"""The process in which all live sessions are: a thread for each, fair among each other.

The service sends what clients send, and gets messages. Sound that brings a decoder down ends this
process, not the service; and the service answers at once, whatever is computed here.
"""

import json
import logging
import os
import signal
import threading
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from hocket.errors import BackendError, HocketError
from hocket.server.live.incoming import Incoming
from hocket.server.live.options import LiveOptions, LiveSettings
from hocket.server.live.session import LiveResources, LiveSession

_log = logging.getLogger("hocket")


class Open(NamedTuple):
    """To this process: a session begins."""

    session: int
    options: LiveOptions


class Sound(NamedTuple):
    """To this process: bytes of a session's sound."""

    session: int
    chunk: bytes


class Ended(NamedTuple):
    """To this process: no more sound will come. From it: the session is over."""

    session: int


class Stop(NamedTuple):
    """To this process: a session is to end at once."""

    session: int


class Taken(NamedTuple):
    """From this process: bytes were read, and there is room for as many."""

    session: int
    size: int


class Text(NamedTuple):
    """From this process: a message, as JSON."""

    session: int
    text: str


class Failure(NamedTuple):
    """From this process: why a session ends."""

    session: int
    error: HocketError


Request: TypeAlias = Open | Sound | Ended | Stop
Answer: TypeAlias = Taken | Text | Failure | Ended


def run_sessions(requests: Any, answers: Any, settings: LiveSettings) -> None:
    """Run sessions until the service closes its pipe, as it does when it ends.

    Args:
        requests: connection that `Request` come through.
        answers: connection that takes `Answer`.
        settings: of the service.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then ends this
    host = _Host(answers, LiveResources(settings))
    with suppress(EOFError, OSError):
        while True:
            host.take(requests.recv())
    os._exit(0)  # whatever is computed


class _Host:
    """The sessions of this process."""

    def __init__(self, answers: Any, resources: LiveResources) -> None:
        self._answers, self._resources = answers, resources
        self._sending = threading.Lock()
        self._incoming: dict[int, Incoming] = {}

    def take(self, request: Request) -> None:
        """Do what the service wants; what concerns a session that is over is ignored."""
        number = request.session
        if isinstance(request, Open):
            self._incoming[number] = Incoming(lambda size: self._answer(Taken(number, size)))
            threading.Thread(
                target=self._run, args=(number, request.options), name=f"hocket-live-{number}",
                daemon=True,
            ).start()  # fmt: skip
        elif incoming := self._incoming.get(number):
            if isinstance(request, Sound):
                incoming.give(request.chunk)
            elif isinstance(request, Stop):
                incoming.stop()
            else:
                incoming.end()

    def _run(self, number: int, options: LiveOptions) -> None:
        incoming = self._incoming[number]

        def send(message: dict[str, Any]) -> None:
            text = json.dumps(message, ensure_ascii=False, allow_nan=False)
            self._answer(Text(number, text))

        try:
            LiveSession(options, incoming, send, self._resources).run()
        except HocketError as error:
            self._answer(Failure(number, error))
        except Exception:  # noqa: BLE001 - one session must not end the others
            _log.exception("a defect in hocket ended a live session")
            self._answer(Failure(number, BackendError("a defect in hocket; its log has more")))
        finally:
            del self._incoming[number]
            self._answer(Ended(number))

    def _answer(self, answer: Answer) -> None:
        with self._sending, suppress(OSError):  # the service has ended, and so does this process
            self._answers.send(answer)
