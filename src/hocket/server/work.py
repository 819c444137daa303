"""What a worker does with a job: diarize or transcribe its recording, and write the result."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from hocket.arrays import Waveform
from hocket.audio.reading import EACH, MIX, AudioStream, open_audio, select
from hocket.config import Runtime, SpeakerCount
from hocket.errors import AudioContentError, Cancelled, HocketError, OutputError
from hocket.formats import written
from hocket.offline.diarizer import Diarizer
from hocket.offline.kept import write_artifacts
from hocket.recognition.engine import Recognizer, open_recognizer
from hocket.recognition.settings import RecognitionConfig
from hocket.recognition.transcribe import Transcriber
from hocket.result import Result
from hocket.server.jobs import Job
from hocket.server.known import of_text, with_names
from hocket.server.options import JobOptions
from hocket.server.spool import Spool
from hocket.server.table import JobTable
from hocket.speakers.references import known_voices
from hocket.transcript import Transcript, transcript_of

_log = logging.getLogger("hocket")

NOTE_S = 0.25  # between notes of how far a job has come; each is written to the disk


class Worker:
    """Does jobs one after the other, with graphs that are loaded once.

    Args:
        table: of jobs.
        spool: with their recordings, which gets their results.
        threads: processor threads of this worker; None: all.
        recognition: how speech is recognized, where a job asks for it.
        store: of known speakers, who get their names in all jobs; None: there is none.
        most_sound_s: length of a recording, in seconds; a longer one fails.
        name: of this worker, as the jobs have it that it runs.
    """

    def __init__(
        self,
        table: JobTable,
        spool: Spool,
        *,
        threads: int | None = None,
        recognition: RecognitionConfig | None = None,
        store: Path | None = None,
        most_sound_s: float = math.inf,
        name: str = "",
    ) -> None:
        self._table, self._spool, self._name = table, spool, name
        self._runtime, self._most_sound_s = Runtime(threads=threads), most_sound_s
        self._recognition, self._store = recognition or RecognitionConfig(), store
        self._diarizers: dict[str, Diarizer] = {}
        self._recognizer: Recognizer | None = None

    def load(self) -> None:
        """Load the graphs that most jobs need."""
        self._diarizer("balanced").load()

    def do_next(self) -> Job | None:
        """Do the job that has waited longest; None if none waits."""
        job = self._table.take(self._name)
        if job is None:
            return None
        try:
            transcript = self._transcript(job)
            self._spool.write_result(job.id, str(written(transcript, "json")))
        except Cancelled:
            return self._table.end(job.id, "cancelled")
        except (HocketError, MemoryError) as error:
            problem = str(error) or "there is not enough memory"
            if isinstance(error, OutputError):  # which tells clients where files are
                _log.warning("%s", error)
                problem = "the service cannot write the result; its log tells the operator why"
            return self._table.end(job.id, "failed", problem, type(error).__name__)
        return self._table.end(job.id, "done")

    def _transcript(self, job: Job) -> Transcript:
        options, cancel = JobOptions.of(job.options), Event()
        place = self._spool.recording(job.id)
        common: dict[str, Any] = {
            **{key: getattr(options, key) for key in ("track", "channels", "start", "end")},
            "name": job.name or "recording",
            "progress": _Notes(self._table, job.id, cancel),
            "cancel": cancel,
        }
        voices = known_voices(
            of_text(self._spool.read_references(job.id)), self._diarizer(options.preset)
        )
        result = with_names(self._result(job, options, common), voices, self._store)
        if not options.transcribe:
            return transcript_of(result)
        return self._transcriber(options)(
            place, result=result, whole_sentences=options.whole_sentences, **common
        )

    def _result(self, job: Job, options: JobOptions, common: Mapping[str, Any]) -> Result:
        """Who speaks when; what the networks computed is kept, so that it can be edited."""
        place, diarizer = self._spool.recording(job.id), self._diarizer(options.preset)
        names = ("num_speakers", "min_speakers", "max_speakers")
        numbers: dict[str, Any] = {name: getattr(options, name) for name in names}
        with self._sound(place, diarizer.load().geometry.sample_rate, common) as sound:
            if options.channels == EACH:
                for _ in sound.blocks:  # too long or not; the channels are decoded again
                    pass
                return diarizer(place, **numbers, **common)
            artifacts = diarizer.infer(sound, progress=common["progress"], cancel=common["cancel"])
        result = diarizer.finish(artifacts, SpeakerCount.of(*numbers.values()))
        write_artifacts(artifacts, self._spool.artifacts(job.id))
        return result

    @contextmanager
    def _sound(self, place: Path, rate: int, common: Mapping[str, Any]) -> Iterator[AudioStream]:
        """What is used of a recording, which fails once it is too long; each channel as a mix."""
        channels = MIX if common["channels"] == EACH else common["channels"]
        names = ("name", "track", "start", "end")
        given = {name: common[name] for name in names}
        selection = select(place, **given, channels=channels, regions=None)
        with open_audio(
            place, target_rate=rate, name=common["name"], selection=selection
        ) as stream:
            yield _limited(stream, rate, self._most_sound_s)

    def _diarizer(self, preset: str) -> Diarizer:
        if preset not in self._diarizers:
            self._diarizers[preset] = Diarizer(preset=preset, runtime=self._runtime)
        return self._diarizers[preset]

    def _transcriber(self, options: JobOptions) -> Transcriber:
        usual = self._recognition
        language, prompt = options.language or usual.language, options.prompt or usual.prompt
        settings = replace(usual, language=language, prompt=prompt)
        self._recognizer = self._recognizer or open_recognizer(settings, self._runtime)
        return Transcriber(settings, runtime=self._runtime, recognizer=self._recognizer)


def _limited(stream: AudioStream, rate: int, most_s: float) -> AudioStream:
    """The same sound, which fails once it is too long: a header may announce anything."""

    def blocks() -> Iterator[Waveform]:
        samples = 0
        for block in stream.blocks:
            samples += len(block)
            if samples > most_s * rate:
                problem = f"is longer than {most_s:g} s, the most that this service takes"
                raise AudioContentError(stream.name, problem, "send parts of it")
            yield block

    return replace(stream, blocks=blocks())


class _Notes:
    """Notes in the table how far a job has come, and sets an event once it is to end."""

    def __init__(self, table: JobTable, job_id: str, cancel: Event) -> None:
        self._table, self._job_id, self._cancel = table, job_id, cancel
        self._noted = -NOTE_S

    def __call__(self, stage: str, done: int, total: int) -> None:
        """As a `ProgressCallback`."""
        now = time.monotonic()
        if now - self._noted >= NOTE_S:
            self._noted = now
            if not self._table.advance(self._job_id, stage, done, total):
                self._cancel.set()
