"""A worker does jobs: the result is that of the library, and failures are lines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hocket import Diarizer
from hocket.errors import ArgumentError, ConfigError, HocketError
from hocket.formats import json_document
from hocket.recognition.settings import RecognitionConfig
from hocket.server import work
from hocket.server.known import as_text
from hocket.server.options import JobOptions
from hocket.server.spool import Spool
from hocket.server.table import JobTable
from hocket.server.work import Worker
from hocket.speakers.references import Reference
from hocket.transcript import Transcript
from tests.helpers.paths import CONVERSATION
from tests.helpers.recognizers import Clock
from tests.helpers.voices import DIANE, clip


@pytest.fixture
def table(tmp_path: Path) -> JobTable:
    return JobTable(tmp_path / "jobs.db")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", most_bytes=1 << 24, free_bytes=0)


def accept(
    table: JobTable, spool: Spool, content: bytes, name: str = "talk.flac", **options: Any
) -> str:
    job_id = f"job{len(table.every()):013d}"
    size = spool.receive(job_id, [content])
    table.add(job_id, name, size, JobOptions.of(options).as_values())
    return job_id


def result_of(spool: Spool, job_id: str) -> Transcript:
    [found] = json_document.read(spool.result(job_id).read_text("utf-8"), job_id)
    return found


def test_a_job_gives_what_the_library_gives(table: JobTable, spool: Spool) -> None:
    job_id = accept(table, spool, CONVERSATION.read_bytes(), num_speakers=2)
    worker = Worker(table, spool, name="first")
    done = worker.do_next()
    assert done is not None
    assert (done.id, done.status, done.worker) == (job_id, "done", "first")
    assert done.stage in ("segmentation", "embedding")
    found = result_of(spool, job_id)
    expected = Diarizer()(CONVERSATION, num_speakers=2)
    assert found.result is not None
    assert found.uri == "talk"
    assert found.result.to_rttm() == replace(expected, uri="talk").to_rttm()
    assert worker.do_next() is None


def test_words_are_recognized_where_a_job_asks_for_them(
    table: JobTable, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[RecognitionConfig] = []

    def open_clock(settings: RecognitionConfig, _runtime: object) -> Clock:
        opened.append(settings)
        return Clock()

    monkeypatch.setattr(work, "open_recognizer", open_clock)
    worker = Worker(table, spool)
    for _ in range(2):
        job_id = accept(table, spool, CONVERSATION.read_bytes(), transcribe=True, language="tlh")
        done = worker.do_next()
        assert done is not None
        assert done.status == "done"
        found = result_of(spool, job_id)
        assert found.has_text
        assert found.language == "tlh"
    assert len(opened) == 1


def test_prompts_and_known_speakers_are_those_of_each_job(
    table: JobTable, spool: Spool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock = Clock()
    monkeypatch.setattr(work, "open_recognizer", lambda *_: clock)
    worker = Worker(table, spool, store=tmp_path / "nobody.db")
    common = {"transcribe": True, "language": "tlh"}
    first = accept(table, spool, CONVERSATION.read_bytes(), prompt="Diane", **common)
    spool.write_references(first, as_text([Reference("Diane", clip(DIANE))]))
    second = accept(table, spool, CONVERSATION.read_bytes(), **common)
    for _ in range(2):
        done = worker.do_next()
        assert done is not None
        assert done.status == "done"
    assert clock.prompts == {"Diane", None}
    assert set(result_of(spool, first).speakers) == {"Diane", "SPEAKER_01"}
    assert set(result_of(spool, second).speakers) == {"SPEAKER_00", "SPEAKER_01"}


def test_a_bad_reference_fails_before_the_recording_is_diarized(
    table: JobTable, spool: Spool
) -> None:
    job_id = accept(table, spool, CONVERSATION.read_bytes())
    spool.write_references(job_id, as_text([Reference("Diane", b"no sound" * 99)]))
    failed = Worker(table, spool).do_next()
    assert failed is not None
    assert (failed.status, failed.stage, failed.error) == ("failed", "", "AudioFormatError")
    assert failed.problem.startswith("reference 1 (Diane): ")


def test_what_fails_is_a_line_and_the_next_job_is_done(table: JobTable, spool: Spool) -> None:
    odd = accept(table, spool, b"no sound at all" * 99, name="../../odd\nname.flac")
    good = accept(table, spool, CONVERSATION.read_bytes())
    worker = Worker(table, spool)
    failed, done = worker.do_next(), worker.do_next()
    assert failed is not None
    assert done is not None
    assert (failed.id, failed.status, failed.error) == (odd, "failed", "AudioFormatError")
    assert "\n" not in failed.problem
    assert "odd" in failed.problem
    assert str(spool.folder) not in failed.problem
    assert not spool.result(odd).exists()
    assert (done.id, done.status) == (good, "done")


def test_a_running_job_is_cancelled(
    table: JobTable, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = accept(table, spool, CONVERSATION.read_bytes())
    monkeypatch.setattr(work, "NOTE_S", 0.0)
    usual = table.advance

    def advance(name: str, stage: str, done: int, total: int) -> bool:
        table.cancel(name)
        return usual(name, stage, done, total)

    monkeypatch.setattr(table, "advance", advance)
    job = Worker(table, spool).do_next()
    assert job is not None
    assert (job.id, job.status) == (job_id, "cancelled")
    assert not spool.result(job_id).exists()


@pytest.mark.parametrize(
    ("given", "error", "problem"),
    [
        ({"num_speaker": 2}, ConfigError, "there is no option 'num_speaker'; did you mean 'num_sp"),
        ({"x" * 999: 2}, ConfigError, "there is no option 'xxx"),
        ({"preset": "best"}, ConfigError, "preset is 'best'; give one of accurate"),
        ({"num_speakers": "2"}, ArgumentError, "num_speakers is '2', a str"),
        ({"num_speakers": 0}, ConfigError, "num_speakers is 0; give 1 or more"),
        ({"channels": "left"}, ConfigError, "channels is 'left'; give mix, each"),
        ({"start": "1:00"}, ArgumentError, "start is '1:00', a str; give a number or None"),
        ({"prompt": "x" * 9999}, ConfigError, "the prompt has 9999 characters; give 4000"),
        ({"transcribe": 1}, ArgumentError, "transcribe is 1, an int"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_kept(
    given: dict[str, Any], error: type[HocketError], problem: str
) -> None:
    with pytest.raises(error) as caught:
        JobOptions.of(given)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 400


def test_only_unusual_options_are_kept() -> None:
    options = JobOptions.of({"preset": "balanced", "end": 3, "channels": "each"})
    assert options.as_values() == {"end": 3, "channels": "each"}
    assert JobOptions.of(options.as_values()) == options


@pytest.mark.parametrize("channels", ["mix", "each"])
def test_a_recording_that_is_too_long_fails_whatever_it_announces(
    table: JobTable, spool: Spool, channels: str
) -> None:
    job_id = accept(table, spool, CONVERSATION.read_bytes(), channels=channels)
    failed = Worker(table, spool, most_sound_s=3.0).do_next()
    assert failed is not None
    assert (failed.id, failed.status) == (job_id, "failed")
    assert failed.problem.endswith(
        "is longer than 3 s, the most that this service takes; send parts of it"
    )
    assert spool.finished() == []
