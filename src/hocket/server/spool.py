"""The folder of the service: uploads and results, each under the id of its job.

A name that a client gave is never part of a path. A file has its name only once it is complete.
"""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Self

from hocket.errors import CapacityError, JobError, OutputError
from hocket.files import write_whole

ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
RECORDING, RESULT, PART = ".recording", ".result.json", ".part"
ARTIFACTS, EDITS, EDITED = ".artifacts.npz", ".edits.json", ".edited"
REFERENCES = ".references"
DERIVED = (".mp3", ".peaks")  # that can be made again
KEPT = (RECORDING, REFERENCES, RESULT, ARTIFACTS, EDITS, EDITED, *DERIVED)
SUFFIXES = (RECORDING, REFERENCES, ".json", PART, ".npz", EDITED, *DERIVED)


class Spool:
    """Files of jobs.

    Args:
        folder: which is created if it does not exist; only its owner may read it.
        most_bytes: of one upload.
        free_bytes: that stay free on the disk.

    Raises:
        OutputError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, *, most_bytes: int, free_bytes: int = 1 << 30) -> None:
        self.folder, self.most_bytes, self.free_bytes = folder, most_bytes, free_bytes
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / f"probe{PART}").write_bytes(b"")
            (folder / f"probe{PART}").unlink()
        except OSError as error:
            raise _unusable(folder, error) from error

    def recording(self, job_id: str) -> Path:
        """Where the recording of a job is."""
        return self._place(job_id, RECORDING)

    def result(self, job_id: str) -> Path:
        """Where the result of a job is, once it is complete."""
        return self._place(job_id, RESULT)

    def artifacts(self, job_id: str) -> Path:
        """Where what the networks computed is kept, if the result can be edited."""
        return self._place(job_id, ARTIFACTS)

    def edits(self, job_id: str) -> Path:
        """Where the history of edits is, once there are any."""
        return self._place(job_id, EDITS)

    def edited(self, job_id: str) -> Path:
        """Where the result with its edits is, after the revision that it belongs to."""
        return self._place(job_id, EDITED)

    def derived(self, job_id: str, suffix: str) -> Path:
        """Where a file is that can be made again; one of DERIVED."""
        return self._place(job_id, suffix)

    def limited(self, most_bytes: int) -> Self:
        """The same folder, for uploads of fewer bytes."""
        other = copy(self)
        other.most_bytes = min(most_bytes, self.most_bytes)
        return other

    def receive(self, job_id: str, chunks: Iterable[bytes]) -> int:
        """Write an upload as it comes, and return its size; nothing is left of one that fails.

        Args:
            job_id: whose recording it is.
            chunks: of the upload.

        Raises:
            CapacityError: it is larger than may be, or the disk is full.
            OutputError: it cannot be written.
        """
        with self.upload(job_id) as upload:
            for chunk in chunks:
                upload.write(chunk)
            return upload.keep()

    def upload(self, job_id: str) -> "Upload":
        """Begin an upload; errors as in `receive`."""
        return Upload(self, self.recording(job_id))

    def link(self, job_id: str, path: Path) -> int:
        """Have a file of the operator's as the recording of a job, where it lies; its size.

        Raises:
            OutputError: it cannot be linked.
        """
        place = self.recording(job_id)
        try:
            place.symlink_to(path)
            self.keep_names()
            return path.stat().st_size
        except OSError as error:
            raise _unusable(place, error) from error

    def write_result(self, job_id: str, content: str) -> None:
        """Write the result of a job, whole or not at all; OutputError if that cannot be done."""
        write_whole(self.result(job_id), content, "free some disk space", private=True)

    def write_edits(self, job_id: str, history: str, edited: str) -> None:
        """Write the result with edits, then their history; OutputError if that cannot be done."""
        for place, content in ((self.edited(job_id), edited), (self.edits(job_id), history)):
            write_whole(place, content, "free some disk space", private=True)

    def write_references(self, job_id: str, content: str) -> None:
        """Write the voices that came with a job; errors as in `write_result`."""
        place = self._place(job_id, REFERENCES)
        write_whole(place, content, "free some disk space", private=True)

    def read_references(self, job_id: str) -> str | None:
        """The voices that came with a job; None if it came without."""
        place = self._place(job_id, REFERENCES)
        return place.read_text("utf-8") if place.exists() else None

    def finished(self) -> list[str]:
        """The jobs whose results are complete."""
        return sorted(each.name.removesuffix(RESULT) for each in self.folder.glob(f"*{RESULT}"))

    def remove(self, job_id: str) -> None:
        """Delete all files of a job."""
        for suffix in (*KEPT, PART):
            self._place(job_id, suffix).unlink(missing_ok=True)

    def clean(self, known: Iterable[str]) -> list[str]:
        """Delete files of jobs that are not known: uploads that were never accepted.

        To be called before any upload is received. Returns the names of the files.
        """
        kept = {f"{each}{suffix}" for each in known for suffix in KEPT}
        ours = [each.name for each in self.folder.iterdir() if each.suffix in SUFFIXES]
        orphans = sorted(name for name in ours if name not in kept)
        for name in orphans:
            (self.folder / name).unlink(missing_ok=True)
        return orphans

    def _place(self, job_id: str, suffix: str) -> Path:
        if not ID.fullmatch(job_id):
            raise JobError(f"'{job_id[:40]}' is no id of a job; give letters, digits, '-' and '_'")
        return self.folder / f"{job_id}{suffix}"

    def check_size(self, size: int) -> None:
        """Raise CapacityError if an upload of so many bytes is larger than may be."""
        if size > self.most_bytes:
            problem = f"the upload is larger than {self.most_bytes} bytes; send less"
            raise CapacityError(problem, "size")

    def check_disk(self, size: int) -> None:
        """Raise CapacityError unless the disk has room for so many bytes."""
        if shutil.disk_usage(self.folder).free - size < self.free_bytes:
            raise CapacityError("the disk of the service is full; try later", "disk")

    def keep_names(self) -> None:
        """Have the names of files on disk, too, where the system can do that."""
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


class Upload:
    """A recording that comes piece by piece; without `keep`, nothing is left of it."""

    def __init__(self, spool: Spool, place: Path) -> None:
        self._spool, self._place, self._part = spool, place, place.with_suffix(PART)
        self._size = 0
        try:
            self._file = self._part.open("xb")
        except OSError as error:
            raise _unusable(place, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of what is not written yet, on a full disk
            self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Write the next piece; errors as in `Spool.receive`."""
        self._size += len(chunk)
        self._spool.check_size(self._size)
        self._spool.check_disk(len(chunk))
        try:
            self._file.write(chunk)
        except OSError as error:
            raise _unusable(self._place, error) from error

    def keep(self) -> int:
        """Have the whole recording on disk, under its name; returns its size."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.rename(self._place)
            self._spool.keep_names()
        except OSError as error:
            raise _unusable(self._place, error) from error
        return self._size


def _unusable(place: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{place}: cannot be written: {reason}; free some space, or give another folder"
    )
