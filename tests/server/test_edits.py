"""The editor of a service: kept in the spool, one state for all, in a process of its own."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hocket import Diarizer
from hocket.corrections.actions import Assign, Merge, Rename, Silence, Split
from hocket.corrections.constraints import entries_of, read_constraints
from hocket.errors import ConfigError, EditError, JobError, OutdatedEditError
from hocket.formats import json_document
from hocket.server.edits import Editor, State
from hocket.server.options import JobOptions
from hocket.server.side import SideProcess
from hocket.server.spool import Spool
from hocket.server.table import JobTable
from hocket.server.work import Worker
from tests.helpers.paths import CONVERSATION

TALK, EACH, WAITING = "talk00000000", "each00000000", "waiting00000"


@pytest.fixture(scope="module")
def side() -> Iterator[SideProcess]:
    """One for all tests: it takes a second to start."""
    found = SideProcess()
    yield found
    found.close()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a done job, which can be edited, one that cannot, and one that waits."""
    folder = tmp_path_factory.mktemp("service")
    with JobTable(folder / "jobs.db") as table:
        spool = Spool(folder / "spool", most_bytes=1 << 24, free_bytes=0)
        worker = Worker(table, spool)
        for job_id, options in ((TALK, {"end": 28}), (EACH, {"channels": "each"}), (WAITING, {})):
            size = spool.receive(job_id, [CONVERSATION.read_bytes()])
            table.add(job_id, "talk.flac", size, JobOptions.of(options).as_values())
            if job_id != WAITING:
                job = worker.do_next()
                assert job is not None
                assert job.status == "done", job.problem
    return folder


@pytest.fixture
def editor(done: Path, side: SideProcess) -> Iterator[Editor]:
    """An editor of these jobs, without any edits."""
    spool = Spool(done / "spool", most_bytes=1 << 24, free_bytes=0)
    for place in (spool.edits(TALK), spool.edited(TALK)):
        place.unlink(missing_ok=True)
    with JobTable(done / "jobs.db") as table:
        yield Editor(table, spool, side)


def names(state: State) -> list[str]:
    content: dict[str, Any] = json.loads(state.document)
    return content["speakers"]


def test_a_result_is_edited_undone_and_redone(editor: Editor) -> None:
    first = editor.state(TALK)
    assert (first.history.revision, first.history.undo_label, first.notices) == (0, None, ())
    renamed = editor.apply(TALK, 0, Rename("SPEAKER_00", "Anna"))
    assert names(renamed) == ["Anna", "SPEAKER_01"]
    assert (renamed.history.revision, renamed.history.undo_label) == (
        1,
        "Rename SPEAKER_00 to Anna",
    )
    merged = editor.apply(TALK, 1, Merge(("Anna", "SPEAKER_01")))
    assert names(merged) == ["Anna"]
    assert editor.state(TALK) == merged
    assert editor.undo(TALK, 2).document == renamed.document
    back = editor.undo(TALK, 3)
    assert back.document == first.document
    assert (back.history.revision, back.history.redo_label) == (4, "Rename SPEAKER_00 to Anna")
    with pytest.raises(EditError, match="there is nothing to undo"):
        editor.undo(TALK, 4)
    assert editor.redo(TALK, 4).document == renamed.document
    assert editor.redo(TALK, 5).document == merged.document
    assert editor.state(TALK).history.revision == 6


def test_edits_outlive_the_process_that_made_them(editor: Editor, done: Path) -> None:
    state = editor.apply(TALK, 0, Assign(12, 14, "Bob"))
    with JobTable(done / "jobs.db") as table, closing(SideProcess()) as other:
        spool = Spool(done / "spool", most_bytes=1 << 24, free_bytes=0)
        again = Editor(table, spool, other)
        assert again.state(TALK) == state
        spool.edited(TALK).unlink()  # it can be made again
        assert again.state(TALK).document == state.document
        spool.edited(TALK).write_text("0\nof another revision")
        assert again.state(TALK).document == state.document


def test_exported_constraints_are_the_result(editor: Editor, tmp_path: Path) -> None:
    state = editor.apply(TALK, 0, Split("SPEAKER_01", 21.76, 27.9, 25))
    state = editor.apply(TALK, state.history.revision, Silence(12, 13))
    place = tmp_path / "corrections.json"
    place.write_text(json.dumps(entries_of(state.history.constraints)))
    result = Diarizer()(CONVERSATION, name="talk", end=28, constraints=read_constraints(place))
    content = json.loads(state.document)
    assert json.loads(result.to_json())["turns"] == content["turns"]
    assert result.to_json() == json.dumps(content, ensure_ascii=False)


def test_two_pages_cannot_overwrite_each_other(editor: Editor) -> None:
    def edit(number: int) -> int:
        try:
            return editor.apply(TALK, 0, Rename("SPEAKER_00", f"Anna {number}")).history.revision
        except OutdatedEditError:
            return 0

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(edit, range(6))) == [0, 0, 0, 0, 0, 1]
    for act in (editor.undo, editor.redo):
        with pytest.raises(OutdatedEditError, match="has revision 1, not 7; load it again"):
            act(TALK, 7)


def test_an_impossible_edit_changes_nothing(editor: Editor) -> None:
    before = editor.state(TALK)
    with pytest.raises(ConfigError, match="no speaker 'Zoe'"):
        editor.apply(TALK, 0, Rename("Zoe", "Anna"))
    assert editor.state(TALK) == before


def test_what_cannot_be_edited_is_one_line(editor: Editor, done: Path) -> None:
    assert names(editor.state(EACH))
    with pytest.raises(EditError, match="submit it with channels=mix"):
        editor.apply(EACH, 0, Silence(1, 2))
    for act in (editor.state, editor.transcript, editor.review):
        with pytest.raises(JobError, match=f"job {WAITING} is queued; it has no result to edit"):
            act(WAITING)
    with pytest.raises(JobError, match="there is no job 'unknown"):
        editor.state("unknown00000")
    place = done / "spool" / f"{TALK}.artifacts.npz"
    moved = place.rename(done / "moved")
    with pytest.raises(EditError, match="is not kept, so its result cannot be edited; submit"):
        editor.apply(TALK, 0, Silence(1, 2))
    moved.rename(place)
    (done / "spool" / f"{TALK}.edits.json").write_text('{"revision": 1}')
    with pytest.raises(EditError, match=rf"delete {TALK}.edits.json in the folder"):
        editor.state(TALK)


def test_the_review_and_the_exports_are_of_the_edited_result(editor: Editor) -> None:
    before = editor.review(TALK, 10)
    state = editor.apply(TALK, 0, Rename("SPEAKER_00", "Anna"))
    after = editor.review(TALK, 10)
    assert {each.speaker for each in after.segments} <= {"Anna", "SPEAKER_01"}
    assert "SPEAKER_00" in {each.speaker for each in before.segments}
    assert editor.transcript(TALK) == json_document.read(state.document, "talk.flac")[0]
    assert editor.transcript(TALK).speakers == ("Anna", "SPEAKER_01")
    with pytest.raises(ConfigError, match="give a number above 0"):
        editor.review(TALK, 0)


def test_a_deleted_job_leaves_nothing(editor: Editor, done: Path) -> None:
    editor.apply(TALK, 0, Silence(12, 13))
    spool = Spool(done / "spool", most_bytes=1 << 24, free_bytes=0)
    assert spool.clean([TALK, EACH, WAITING]) == []
    assert {place.name.partition(".")[2] for place in spool.folder.glob(f"{TALK}.*")} == {
        "recording",
        "result.json",
        "artifacts.npz",
        "edits.json",
        "edited",
    }
    copies = {place: place.read_bytes() for place in spool.folder.glob(f"{TALK}.*")}
    spool.remove(TALK)
    assert not list(spool.folder.glob(f"{TALK}.*"))
    for place, content in copies.items():
        place.write_bytes(content)
    assert len(spool.clean([EACH, WAITING])) == 5
    for place, content in copies.items():
        place.write_bytes(content)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_process_is_started_again(editor: Editor, side: SideProcess) -> None:
    number = side.call(os.getpid)
    assert number != os.getpid()
    editor.apply(TALK, 0, Silence(12, 13))
    os.kill(number, signal.SIGKILL)
    time.sleep(0.1)
    state = editor.apply(TALK, 1, Silence(12, 14))
    assert state.history.revision == 2
    assert side.call(os.getpid) != number
