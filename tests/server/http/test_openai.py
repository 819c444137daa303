"""OpenAI's own client, of which only the base URL is changed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.audio import (
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionTextSegmentEvent,
    TranscriptionVerbose,
)

from hocket.formats.files import read_transcripts
from hocket.recognition import engine
from hocket.server.http.access import Token
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.services import PATIENCE_S, Running, serving, settings
from tests.helpers.voices import BOTH, DIANE, SHEILA, clip, url

SAID = "Diane in New Jersey"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(settings(tmp_path_factory.mktemp("service"))) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Running) -> Iterator[OpenAI]:
    with opened(service) as client:
        yield client


def opened(service: Running, key: str = "unused", **options: Any) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/v1", api_key=key, **{"max_retries": 0} | options)


def test_diarized_json_has_segments_of_speakers_with_letters(client: OpenAI) -> None:
    found = client.audio.transcriptions.create(
        file=CONVERSATION,
        model="gpt-4o-transcribe-diarize",
        response_format="diarized_json",
        chunking_strategy="auto",
        language="en",
    )
    assert isinstance(found, TranscriptionDiarized)
    assert found == TranscriptionDiarized.model_validate(found.model_dump(), strict=True)
    assert found.text == " ".join(segment.text for segment in found.segments)
    assert found.duration == 30.0
    said = {name: said_by(name, found) for name in ("A", "B")}
    assert {segment.speaker for segment in found.segments} == set(said)
    assert SAID in said["A"]
    assert "Yankee down here" in said["B"]
    assert len({segment.id for segment in found.segments}) == len(found.segments)


def said_by(name: str, found: TranscriptionDiarized) -> str:
    return " ".join(segment.text for segment in found.segments if segment.speaker == name)


def test_known_speakers_have_their_names(client: OpenAI, service: Running) -> None:
    found = client.audio.transcriptions.create(
        file=("call.flac", CONVERSATION.read_bytes()),
        model="gpt-4o-transcribe-diarize",
        response_format="diarized_json",
        extra_body={
            "known_speaker_names": ["Sheila", "Zoë Nobody", "Diane"],
            "known_speaker_references": [
                url(clip(SHEILA)),
                url((CLIPS / "trn05.flac").read_bytes()),
                url(clip(DIANE)),
            ],
        },
    )
    assert SAID in said_by("Diane", found)
    assert "Yankee down here" in said_by("Sheila", found)
    assert {segment.speaker for segment in found.segments} == {"Diane", "Sheila"}
    assert service.context.table.every() == []
    assert list(service.context.spool.folder.iterdir()) == []


def test_json_and_text_are_what_is_said(client: OpenAI) -> None:
    make = client.audio.transcriptions.create
    found = make(file=CONVERSATION, model="whisper-1")
    assert SAID in found.text
    assert found.usage is not None
    assert found.usage.type == "duration"
    assert make(file=CONVERSATION, model="whisper-1", response_format="text") == f"{found.text}\n"
    spelled = make(file=CONVERSATION, model="whisper-1", prompt="Sheilah", temperature=0.2)
    assert "Sheilah" in spelled.text
    assert "Sheilah" not in found.text


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_have_speakers(client: OpenAI, tmp_path: Path, form: Any) -> None:
    found = client.audio.transcriptions.create(
        file=CONVERSATION, model="hocket", response_format=form
    )
    assert isinstance(found, str)
    place = tmp_path / f"talk.{form}"
    place.write_text(found)
    [read] = read_transcripts(place)
    assert read.speakers == ("A", "B")
    assert SAID in " ".join(segment.text for segment in read.segments)


@pytest.mark.parametrize("granularities", [["word"], ["segment", "word"], None])
def test_verbose_json_has_times(client: OpenAI, granularities: Any) -> None:
    given = {"timestamp_granularities": granularities} if granularities else {}
    found = client.audio.transcriptions.create(
        file=CONVERSATION, model="whisper-1", response_format="verbose_json", **given
    )
    assert isinstance(found, TranscriptionVerbose)
    assert found == TranscriptionVerbose.model_validate(found.model_dump(), strict=True)
    assert (found.language, found.duration) == ("en", 30.0)
    assert (found.words is None) == (granularities is None)
    assert (found.segments is None) == (granularities == ["word"])
    for each in [*(found.words or []), *(found.segments or [])]:
        assert 0 <= each.start <= each.end <= 30
    if found.words:
        assert " ".join(word.word for word in found.words) == found.text
    for segment in found.segments or []:
        assert segment.avg_logprob < 0
        assert 0.3 < segment.compression_ratio < 2


def test_a_stream_ends_with_the_whole_text(client: OpenAI, service: Running) -> None:
    make = client.audio.transcriptions.create
    *deltas, done = make(file=CONVERSATION, model="gpt-4o-transcribe", stream=True)
    assert all(isinstance(each, TranscriptionTextDeltaEvent) for each in deltas)
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert "".join(each.delta for each in deltas) == done.text
    assert SAID in done.text
    until_empty(service)


def test_a_stream_of_diarized_json_has_segments(client: OpenAI) -> None:
    events = [
        *client.audio.transcriptions.create(
            file=CONVERSATION,
            model="gpt-4o-transcribe-diarize",
            response_format="diarized_json",
            stream=True,
        )
    ]
    segments = [each for each in events if isinstance(each, TranscriptionTextSegmentEvent)]
    assert {segment.speaker for segment in segments} == {"A", "B"}
    assert isinstance(events[-1], TranscriptionTextDoneEvent)
    texts: dict[str, str] = {}
    for each in events:
        if isinstance(each, TranscriptionTextDeltaEvent):
            texts[str(each.segment_id)] = each.delta.strip()
    assert texts == {segment.id: segment.text for segment in segments}


def test_a_stream_of_what_fails_is_an_error(client: OpenAI) -> None:
    stream = client.audio.transcriptions.create(file=b"no sound", model="whisper-1", stream=True)
    with pytest.raises(openai.APIError, match="not audio"):
        list(stream)


def test_silence_has_no_text(client: OpenAI) -> None:
    for form, empty in (("text", "\n"), ("srt", ""), ("vtt", "WEBVTT\n")):
        found = client.audio.transcriptions.create(
            file=clip((0.0, 3.0)), model="whisper-1", response_format=form
        )
        assert found == empty


def test_models_are_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["hocket"]
    assert client.models.retrieve("hocket").object == "model"
    with pytest.raises(openai.NotFoundError, match="there is one model, 'hocket'"):
        client.models.retrieve("whisper-1")


GOOD = url(clip(DIANE))


@pytest.mark.parametrize(
    ("given", "problem", "param"),
    [
        ({"response_format": "xml"}, "response_format is 'xml'; give one of json", "response_fo"),
        ({"temperature": 7}, "temperature is '7'; give 0 to 1", "temperature"),
        ({"timestamp_granularities": ["word"]}, "are for response_format=verbose_json", "timesta"),
        ({"response_format": "srt", "stream": True}, "stream is for response_format", "stream"),
        ({"known_speakers": "A"}, "did you mean 'known_speaker_names'?", "known_speakers"),
        ({"num_speakers": 0}, "num_speakers is 0; give 1 or more", None),
        ({"prompt": "x" * 5000}, "the prompt has 5000 characters", None),
        ({"known_speaker_names": ["A"]}, "1 names of known speakers and 0", "known_speaker_names"),
        (
            {"known_speaker_names": ["A"], "known_speaker_references": ["data:x;base64,%"]},
            "reference 1: is no base64",
            "known_speaker_references",
        ),
        (
            {"known_speaker_names": ["A", "B"], "known_speaker_references": [GOOD, url(b"x" * 99)]},
            "reference 2 (B): ",
            None,
        ),
        (
            {"known_speaker_names": ["A"], "known_speaker_references": [url(clip(BOTH))]},
            "reference 1 (A): contains 2 speakers",
            None,
        ),
    ],
)
def test_what_cannot_be_is_a_bad_request(
    client: OpenAI, service: Running, given: dict[str, Any], problem: str, param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(file=CONVERSATION, model="whisper-1", extra_body=given)
    assert problem in caught.value.message
    assert (caught.value.param or "").startswith(param or "")
    assert caught.value.type == "invalid_request_error"
    assert service.context.table.every() == []
    assert list(service.context.spool.folder.iterdir()) == []


def test_a_recording_that_is_none_is_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"talk\.mp3: ") as caught:
        client.audio.transcriptions.create(file=("talk.mp3", b"no sound" * 999), model="whisper-1")
    assert caught.value.code == "unusable_audio"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_has_its_job_cancelled(service: Running, stream: bool) -> None:
    sound = clip((0.0, 30.0), times=20)
    with opened(service, timeout=1.0) as client, pytest.raises(openai.APITimeoutError):
        list(client.audio.transcriptions.create(file=sound, model="whisper-1", stream=stream))
    until_empty(service)


def until_empty(service: Running) -> None:
    """Wait until there is no job."""
    until = time.monotonic() + PATIENCE_S
    while service.context.table.every() or list(service.context.spool.folder.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_full_queue_is_a_rate_limit_and_a_token_is_needed(tmp_path: Path) -> None:
    limits = settings(tmp_path, most_waiting=1)
    with serving(limits, (Token.of("a-long-secret-of-one", scopes=("jobs",)),)) as service:
        table = service.context.table
        service.context.pool._stop.set()  # so that jobs wait
        until = time.monotonic() + PATIENCE_S
        while service.context.pool.ready < 1:
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)
        table.add("waiting00", "x", 1, {})
        with opened(service, "a-long-secret-of-one") as client:
            with pytest.raises(openai.RateLimitError, match="1 jobs are waiting") as caught:
                client.audio.transcriptions.create(file=CONVERSATION, model="whisper-1")
            assert caught.value.response.headers["retry-after"].isdigit()
        with (
            opened(service, "another-long-secret") as client,
            pytest.raises(openai.AuthenticationError, match="no valid token"),
        ):
            client.audio.transcriptions.create(file=CONVERSATION, model="whisper-1")


def test_without_a_recognizer_it_is_said_how_to_install_one(
    client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(openai.InternalServerError, match="faster-whisper is not") as caught:
        client.audio.transcriptions.create(file=CONVERSATION, model="whisper-1")
    assert caught.value.status_code == 501
    assert "pip install 'hocket[asr]'" in caught.value.message


def test_jobs_without_clients_are_deleted_when_the_service_starts(tmp_path: Path) -> None:
    limits = settings(tmp_path)
    spool = limits.open_spool()
    with limits.open_table() as table:
        for job_id, options in (("orphaned0", {"transient": True}), ("accepted0", {})):
            table.add(job_id, "talk.flac", spool.receive(job_id, [clip(DIANE)]), options)
            table.take()
    with serving(limits) as service:
        assert [job.id for job in service.context.table.every()] == ["accepted0"]
        assert not spool.recording("orphaned0").exists()
