"""The folder of the service: uploads and results, each under the id of its job.

A name that a client gave is never part of a path. A file has its name only once it is complete.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from hocket.errors import CapacityError, JobError, OutputError
from hocket.files import write_whole

ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
RECORDING, RESULT, PART = ".recording", ".result.json", ".part"
REFERENCES = ".references"
SUFFIXES = (RECORDING, REFERENCES, ".json", PART)


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

    def receive(self, job_id: str, chunks: Iterable[bytes]) -> int:
        """Write an upload as it comes, and return its size; nothing is left of one that fails.

        Args:
            job_id: whose recording it is.
            chunks: of the upload.

        Raises:
            CapacityError: it is larger than may be, or the disk is full.
            OutputError: it cannot be written.
        """
        place = self.recording(job_id)
        part = place.with_suffix(PART)
        try:
            with part.open("xb") as file:
                size = 0
                for chunk in chunks:
                    size += len(chunk)
                    self._check(size, len(chunk))
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            part.rename(place)
            self._keep_names()
        except OSError as error:
            raise _unusable(place, error) from error
        finally:
            part.unlink(missing_ok=True)
        return size

    def write_result(self, job_id: str, content: str) -> None:
        """Write the result of a job, whole or not at all; OutputError if that cannot be done."""
        write_whole(self.result(job_id), content, "free some disk space", private=True)

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
        for suffix in (RECORDING, REFERENCES, RESULT, PART):
            self._place(job_id, suffix).unlink(missing_ok=True)

    def clean(self, known: Iterable[str]) -> list[str]:
        """Delete files of jobs that are not known: uploads that were never accepted.

        To be called before any upload is received. Returns the names of the files.
        """
        kept = {f"{each}{suffix}" for each in known for suffix in (RECORDING, REFERENCES, RESULT)}
        ours = [each.name for each in self.folder.iterdir() if each.suffix in SUFFIXES]
        orphans = sorted(name for name in ours if name not in kept)
        for name in orphans:
            (self.folder / name).unlink(missing_ok=True)
        return orphans

    def _place(self, job_id: str, suffix: str) -> Path:
        if not ID.fullmatch(job_id):
            raise JobError(f"'{job_id[:40]}' is no id of a job; give letters, digits, '-' and '_'")
        return self.folder / f"{job_id}{suffix}"

    def _check(self, size: int, chunk: int) -> None:
        if size > self.most_bytes:
            raise CapacityError(f"the upload is larger than {self.most_bytes} bytes; send less")
        if shutil.disk_usage(self.folder).free - chunk < self.free_bytes:
            raise CapacityError("the disk of the service is full; try later")

    def _keep_names(self) -> None:
        """Have the names of files on disk, too, where the system can do that."""
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _unusable(place: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(
        f"{place}: cannot be written: {reason}; free some space, or give another folder"
    )
