"""Edits of the results of done jobs: applied, undone and redone, and kept in the spool.

The history of a job is one file, written before an edit is answered. The result after it is another
file, which can be made again. Nothing is computed in this process.
"""

import json
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from hocket.config import SpeakerCount
from hocket.corrections.actions import Action
from hocket.corrections.constraints import Constraint
from hocket.corrections.history import History
from hocket.errors import ConfigError, EditError, JobError, OutdatedEditError
from hocket.formats import json_document
from hocket.report.review import SECONDS, Review, review
from hocket.server.jobs import Job
from hocket.server.options import JobOptions
from hocket.server.side import SideProcess
from hocket.server.solving import Solvable, Solved, solve
from hocket.server.spool import Spool
from hocket.server.table import JobTable
from hocket.transcript import Transcript

LOCKS = 64  # jobs share them; two of one job never have two


class State(NamedTuple):
    """The result of a job with its edits.

    history: what was done.
    notices: what the last edit could not do.
    document: the result in hocket's JSON.
    """

    history: History
    notices: tuple[str, ...]
    document: str


class Editor:
    """Edits results of done jobs; threads may share it.

    Args:
        table: of jobs.
        spool: with their results.
        side: where results are found again.
    """

    def __init__(self, table: JobTable, spool: Spool, side: SideProcess) -> None:
        self._table, self._spool, self._side = table, spool, side
        self._locks = tuple(Lock() for _ in range(LOCKS))

    def state(self, job_id: str) -> State:
        """The result as it is now.

        Raises:
            JobError: there is no such job, or it has no result.
        """
        job = self._job(job_id)
        with self._lock(job.id):
            return self._state(job)

    def apply(self, job_id: str, revision: int, action: Action) -> State:
        """Do an action.

        Args:
            job_id: whose result is edited.
            revision: of the state that the action is about.
            action: what is done.

        Raises:
            JobError: as for `state`.
            OutdatedEditError: the state has another revision now.
            EditError: the results of this job cannot be edited.
            ConfigError: the action is impossible.
        """
        job = self._job(job_id)
        with self._lock(job.id):
            history = self._history(job, revision)
            found = self._solved(job, history.constraints, action)
            return self._keep(job, history.did(action.label, found.constraints), found)

    def undo(self, job_id: str, revision: int) -> State:
        """Take the last action back; errors as for `apply`, EditError also if there is none."""
        job = self._job(job_id)
        with self._lock(job.id):
            history = self._history(job, revision).undone()
            return self._keep(job, history, self._solved(job, history.constraints))

    def redo(self, job_id: str, revision: int) -> State:
        """Do again what was undone; errors as for `undo`."""
        job = self._job(job_id)
        with self._lock(job.id):
            history = self._history(job, revision).redone()
            return self._keep(job, history, self._solved(job, history.constraints))

    def transcript(self, job_id: str) -> Transcript:
        """The result with its edits; errors as for `state`."""
        job = self._job(job_id)
        return json_document.read(self.state(job_id).document, job.name)[0]

    def review(self, job_id: str, seconds: float = SECONDS) -> Review:
        """Where to listen first in the result with its edits.

        Raises:
            JobError: as for `state`.
            EditError: the result does not say how certain it is.
            ConfigError: `seconds` is not above 0.
        """
        result = self.transcript(job_id).result
        if result is None:
            raise EditError(f"job {job_id}: its result has no confidence; diarize it again")
        return review(result, seconds=seconds)

    def _lock(self, job_id: str) -> Lock:
        return self._locks[hash(job_id) % LOCKS]

    def _job(self, job_id: str) -> Job:
        job = self._table.get(job_id)
        if job.status != "done":
            raise JobError(f"job {job.id} is {job.status}; it has no result to edit")
        return job

    def _state(self, job: Job) -> State:
        history, notices = self._read(job)
        place = self._spool.edited(job.id)
        if not history.constraints:
            return State(history, notices, self._spool.result(job.id).read_text("utf-8"))
        if place.exists():
            revision, _, document = place.read_text("utf-8").partition("\n")
            if revision == str(history.revision):
                return State(history, notices, document)
        return State(history, notices, self._solved(job, history.constraints).document)

    def _history(self, job: Job, revision: int) -> History:
        """The history of a job, to be changed; OutdatedEditError unless of this revision."""
        history, _ = self._read(job)
        if history.revision != revision:
            raise OutdatedEditError(
                f"the result was edited elsewhere: it has revision {history.revision}, not "
                f"{revision}; load it again, then edit it"
            )
        return history

    def _read(self, job: Job) -> tuple[History, tuple[str, ...]]:
        place = self._spool.edits(job.id)
        if not place.exists():
            return History(), ()
        try:
            content = json.loads(place.read_text("utf-8"))
            return History.from_dict(content), tuple(map(str, content.get("notices", ())))
        except (OSError, ValueError, RecursionError, AttributeError, ConfigError) as error:
            raise EditError(
                f"job {job.id}: its edits cannot be read ({error}); delete {place.name} in the "
                "folder of the service to begin anew"
            ) from error

    def _solved(
        self, job: Job, constraints: Sequence[Constraint], action: Action | None = None
    ) -> Solved:
        return self._side.call(solve, self._solvable(job), constraints, action)

    def _solvable(self, job: Job) -> Solvable:
        options = JobOptions.of(job.options)
        if options.channels == "each":
            raise EditError(
                f"job {job.id}: channels were diarized each by itself, so its result cannot be "
                "edited here; submit it with channels=mix, or with the number of one"
            )
        artifacts = self._spool.artifacts(job.id)
        if not artifacts.exists():
            raise EditError(
                f"job {job.id}: what its networks computed is not kept, so its result cannot be "
                "edited; submit the recording again"
            )
        count = SpeakerCount.of(options.num_speakers, options.min_speakers, options.max_speakers)
        return Solvable(
            artifacts, self._spool.result(job.id), options.preset, count, options.whole_sentences
        )

    def _keep(self, job: Job, history: History, found: Solved) -> State:
        """Write the result, and then the history, which says that it is so."""
        self._job(job.id)  # it may have been deleted in the meantime
        content = json.dumps({**history.to_dict(), "notices": found.notices}, ensure_ascii=False)
        self._spool.write_edits(job.id, content, f"{history.revision}\n{found.document}")
        return State(history, found.notices, found.document)
