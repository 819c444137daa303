"""The live sessions of a service, as its event loop sees them.

client --> LiveConnection --queue, thread--> the process of live sound
client <-- LiveConnection <--thread, loop---
"""

import asyncio
import multiprocessing
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from queue import SimpleQueue

from hocket.errors import BackendError, CapacityError, HocketError
from hocket.server.live.host import (
    Answer,
    Ended,
    Failure,
    Open,
    Request,
    Sound,
    Stop,
    Taken,
    Text,
    run_sessions,
)
from hocket.server.live.options import LiveOptions, LiveSettings

MOST_BYTES = 1 << 18  # of a session's sound that were sent and are not read yet
MOST_UNREAD = 100  # messages that a client has not got, before its sound waits
JOIN_S = 5.0  # for the process, when the service ends


class LiveConnection:
    """A session in the process of live sound, used by tasks of one event loop.

    Attributes:
        is_over: whether the process has ended the session.
    """

    def __init__(self, number: int, put: Callable[[Request], None]) -> None:
        self._number, self._put = number, put
        self._bytes = 0
        self._answers = deque[str | HocketError | None]()
        self._changed = asyncio.Event()
        self.is_over = False

    async def send(self, chunk: bytes) -> None:
        """Send bytes of sound, once those before are read and their messages are taken."""
        while not (self.is_over or self._has_room(len(chunk))):
            await self._change()
        if not self.is_over:
            self._bytes += len(chunk)
            self._put(Sound(self._number, chunk))

    def end(self) -> None:
        """No more sound will come."""
        self._put(Ended(self._number))

    def stop(self) -> None:
        """End the session at once; nobody waits for its messages."""
        if not self.is_over:
            self._put(Stop(self._number))

    async def messages(self) -> AsyncIterator[str]:
        """The messages of the session, as JSON, until it is over.

        Raises:
            HocketError: why it ended early.
        """
        while True:
            while not self._answers:
                await self._change()
            answer = self._answers.popleft()
            self._changed.set()
            if answer is None:
                return
            if isinstance(answer, HocketError):
                raise answer
            yield answer

    def take(self, answer: Answer) -> None:
        """An answer of the process; on the event loop."""
        if isinstance(answer, Taken):
            self._bytes -= answer.size
        elif isinstance(answer, Text):
            self._answers.append(answer.text)
        elif isinstance(answer, Failure):
            self._answers.append(answer.error)
        else:
            self.is_over = True
            self._answers.append(None)
        self._changed.set()

    def _has_room(self, size: int) -> bool:
        has_room = not self._bytes or self._bytes + size <= MOST_BYTES
        return has_room and len(self._answers) < MOST_UNREAD

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class LiveProcess:
    """The live sessions of a service.

    Their process is started with the first of them, and again after it was lost. It ends with the
    service, even if that was killed.

    Args:
        settings: what the service allows.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self.settings = settings
        self._running: _Running | None = None
        self._opening = asyncio.Lock()

    @property
    def sessions(self) -> int:
        """How many there are."""
        return len(self._running.sessions) if self._running else 0

    @property
    def process(self) -> int | None:
        """Number of the process; None while there is none."""
        return self._running.number if self._running and not self._running.is_lost else None

    async def open(self, options: LiveOptions) -> LiveConnection:
        """Begin a session; CapacityError if there are as many as may be."""
        async with self._opening:
            most = self.settings.most_sessions
            if self.sessions >= most:
                raise CapacityError(f"{most} live sessions, the most there may be; try later")
            if self._running is None or self._running.is_lost:
                loop = asyncio.get_running_loop()
                self._running = await asyncio.to_thread(_Running, self.settings, loop)
            return self._running.open(options)

    def close(self) -> None:
        """End the process, and all sessions in it."""
        if self._running:
            self._running.close()


class _Running:
    """A process that runs sessions.

    Attributes:
        sessions: that are not over, by number; to be used on the event loop only.
        is_lost: whether the process has ended.
    """

    def __init__(self, settings: LiveSettings, loop: asyncio.AbstractEventLoop) -> None:
        self.sessions: dict[int, LiveConnection] = {}
        self.is_lost = False
        self._opened, self._loop = 0, loop
        context = multiprocessing.get_context("spawn")  # networks do not survive a fork
        theirs_in, self._out = context.Pipe(duplex=False)
        self._in, theirs_out = context.Pipe(duplex=False)
        self._process = context.Process(
            target=run_sessions, args=(theirs_in, theirs_out, settings), name="hocket-live",
            daemon=True,
        )  # fmt: skip
        self._process.start()
        theirs_in.close()
        theirs_out.close()
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        for work in (self._write, self._read):
            threading.Thread(target=work, name="hocket-live", daemon=True).start()

    @property
    def number(self) -> int | None:
        return self._process.pid

    def open(self, options: LiveOptions) -> LiveConnection:
        """Begin a session; on the event loop."""
        self._opened += 1
        found = self.sessions[self._opened] = LiveConnection(self._opened, self._requests.put)
        self._requests.put(Open(self._opened, options))
        return found

    def close(self) -> None:
        """End the process."""
        self._requests.put(None)
        self._process.join(JOIN_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _write(self) -> None:
        """Pass requests on; the process ends when its pipe is closed."""
        with suppress(OSError):
            while (request := self._requests.get()) is not None:
                self._out.send(request)
        self._out.close()

    def _read(self) -> None:
        """Pass answers on to the event loop, until the process ends."""
        try:
            while True:
                self._call(self._deliver, self._in.recv())
        except (EOFError, OSError):
            pass
        finally:
            self._call(self._lose)

    def _call(self, function: Callable[..., None], *arguments: Answer) -> None:
        """Call a function on the event loop; once that has ended, there are no sessions."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _deliver(self, answer: Answer) -> None:
        session = self.sessions.get(answer.session)
        if isinstance(answer, Ended):
            del self.sessions[answer.session]
        if session:
            session.take(answer)

    def _lose(self) -> None:
        self.is_lost = True
        problem = "the process of live sound has ended; begin a new session"
        for number, session in self.sessions.items():
            session.take(Failure(number, BackendError(problem)))
            session.take(Ended(number))
        self.sessions.clear()
        self._requests.put(None)
