"""Uploads: a form whose recording goes to the disk as it comes, whatever the client declares."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import python_multipart
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from hocket.server.http.failures import Refused, invalid
from hocket.server.spool import Spool, Upload

MOST_FIELDS = 100
MOST_TEXT_BYTES = 32 << 20  # of all fields; clips of known speakers are sent as text
MOST_HEADER_BYTES = 4096
MOST_JSON_BYTES = 1 << 16
PIECE_BYTES = 1 << 20  # that are written at once
SILENCE_S = 60.0  # without a byte
DRAIN_BYTES, DRAIN_S = 64 << 20, 10.0  # of a request that is refused
MOST_NAME = 255  # characters of a name that are kept


Content = TypeVar("Content", bound=BaseModel)
Fields: TypeAlias = Sequence[tuple[str, str]]
"""Names and values of a form, in order; a name may come several times."""


@dataclass
class Form:
    """A form.

    fields: of which the form consists, beside the file.
    name: of the file, as the client gave it; None if there was no file.
    size: of the file, in bytes.
    """

    fields: list[tuple[str, str]] = field(default_factory=list)
    name: str | None = None
    size: int = 0


async def receive_form(
    request: Request, spool: Spool, job_id: str, file_field: str = "file"
) -> Form:
    """Read a form whose file becomes the recording of a job, whole or not at all.

    Args:
        request: a POST of multipart/form-data.
        spool: that gets the recording.
        job_id: whose recording it is.
        file_field: name of the field with the file.

    Raises:
        Refused: it is no form, is broken, or nothing came for SILENCE_S.
        CapacityError, OutputError: as for `Spool.receive`.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        text = "the body is no form; send multipart/form-data with the recording in 'file'"
        raise Refused(415, "no_form", text)
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit():
        spool.check_size(int(length[:18]) - MOST_FIELDS * MOST_HEADER_BYTES)
    with await run_in_threadpool(spool.upload, job_id) as upload:
        parts = _Parts(file_field)
        parser = python_multipart.MultipartParser(options[b"boundary"], parts.callbacks())
        await _pump(request, parser, parts, upload)
        form = parts.form
        if form.name is not None:
            form.size = await run_in_threadpool(upload.keep)
    return form


async def receive_json(request: Request, model: type[Content]) -> Content:
    """Read a small JSON object.

    Raises:
        Refused: it is too large, no JSON, or not what the model has.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_JSON_BYTES:
            text = f"the JSON is larger than {MOST_JSON_BYTES >> 10} kB; send less"
            raise Refused(413, "too_large", text)
    try:
        return model.model_validate_json(bytes(content))
    except ValidationError as error:
        raise invalid(error.errors()) from None


async def drain(request: Request) -> None:
    """Read what is left of a small request that is refused: clients send it before they read."""
    # RuntimeError: it was read to its end before
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(DRAIN_S):
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
                if size > DRAIN_BYTES:
                    return


async def _pump(request: Request, parser: Any, parts: "_Parts", upload: Upload) -> None:
    stream = request.stream().__aiter__()
    try:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(stream), SILENCE_S)
            except StopAsyncIteration:
                break
            parser.write(chunk)
            if len(parts.waiting) >= PIECE_BYTES:
                await run_in_threadpool(upload.write, parts.take())
        parser.finalize()
    except TimeoutError:
        text = f"nothing came for {SILENCE_S:g} s; send the recording again"
        raise Refused(408, "too_slow", text) from None
    except (FormParserError, ClientDisconnect) as error:
        raise _broken(str(error) or "it ended early") from None
    if not parts.is_complete:
        raise _broken("it ended early")
    if parts.waiting:
        await run_in_threadpool(upload.write, parts.take())


def _broken(reason: str) -> Refused:
    return Refused(400, "broken_form", f"the form cannot be read ({reason}); send it again")


class _Parts:
    """What a parser finds, part by part."""

    def __init__(self, file_field: str) -> None:
        self.form, self.is_complete = Form(), False
        self.waiting = bytearray()
        self._file_field = file_field
        self._header, self._value = bytearray(), bytearray()
        self._disposition, self._text = b"", bytearray()
        self._name, self._is_file, self._text_bytes = "", False, 0

    def callbacks(self) -> Any:
        """As the parser wants them."""
        names = (
            "part_begin", "part_data", "part_end", "header_begin", "header_field",
            "header_value", "header_end", "headers_finished", "end",
        )  # fmt: skip
        found: dict[str, Callable[..., None]] = {
            f"on_{name}": getattr(self, f"_{name}") for name in names
        }
        return found

    def take(self) -> bytes:
        """The bytes of the file that wait to be written."""
        found, self.waiting = bytes(self.waiting), bytearray()
        return found

    def _part_begin(self) -> None:
        self._disposition, self._text, self._name, self._is_file = b"", bytearray(), "", False

    def _header_begin(self) -> None:
        self._header, self._value = bytearray(), bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._header, data[start:end], MOST_HEADER_BYTES)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._value, data[start:end], MOST_HEADER_BYTES)

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = self._name == self._file_field and b"filename" in options
        if self._is_file:
            if self.form.name is not None:
                raise _broken(f"there are two files '{self._file_field[:40]}'")
            name = options[b"filename"].decode("utf-8", "replace")
            self.form.name = name.replace("\\", "/").rsplit("/", 1)[-1][:MOST_NAME]
        elif len(self.form.fields) >= MOST_FIELDS:
            raise _broken(f"it has more than {MOST_FIELDS} fields")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.waiting += data[start:end]
        else:
            self._text_bytes += end - start
            self._grow(self._text, data[start:end], MOST_TEXT_BYTES)
            if self._text_bytes > MOST_TEXT_BYTES:
                raise _broken(f"its fields are longer than {MOST_TEXT_BYTES} bytes")

    def _part_end(self) -> None:
        if not self._is_file:
            text = self._text.decode("utf-8", "replace")
            self.form.fields.append((self._name[:MOST_NAME], text))

    def _end(self) -> None:
        self.is_complete = True

    @staticmethod
    def _grow(kept: bytearray, more: bytes, most: int) -> None:
        kept += more
        if len(kept) > most:
            raise _broken(f"a field or header is longer than {most} bytes")
