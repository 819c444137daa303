"""`hocket diarize` on parts, channels and tracks; notices, and what `--strict` makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hocket import Result, diarize
from hocket.corrections.constraints import Named, Segment
from hocket.errors import ConfigError
from hocket.notices import KINDS
from tests.helpers.command_line import hocket
from tests.helpers.containers import CONTAINERS, muxed
from tests.helpers.paths import CONVERSATION, ROOT

RATE = 16_000


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    found, _ = soundfile.read(CONVERSATION, dtype="float32")
    return found


def turns(text: str) -> list[tuple[float, float]]:
    return [(turn["start"], turn["end"]) for turn in json.loads(text)["turns"]]


def test_a_part_has_the_times_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--start", "0:10", "--end", "25", "--format", "json")
    assert hocket("diarize", CONVERSATION, *options) == 0
    content = capsys.readouterr().out
    assert json.loads(content)["duration"] == 25
    part = turns(content)
    assert 10 <= part[0][0] < 11
    assert 24 < part[-1][1] <= 25
    assert hocket("diarize", CONVERSATION, "--format", "json") == 0
    whole = turns(capsys.readouterr().out)
    inside = [turn for turn in whole if turn[0] > 12 and turn[1] < 23]
    near = [min(abs(a - c) + abs(b - d) for c, d in part) for a, b in inside]
    assert max(near) < 0.5


def test_only_regions_of_a_uem_file_have_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uem = tmp_path / "all.uem"
    uem.write_text("other 1 0 30\nconversation 1 7 13\nconversation 1 20 26\n")
    assert hocket("diarize", CONVERSATION, "--regions", uem, "--format", "json") == 0
    for start, end in turns(capsys.readouterr().out):
        assert 6.9 < start < end < 13.1 or 19.9 < start < end < 26.1


def test_constraints_have_the_times_of_the_whole() -> None:
    named = [Named(Segment(14.5, 17.5), "Anna"), Named(Segment(22, 26), "Anna")]
    result = diarize(CONVERSATION, start=10, end=28, constraints=named)
    spoken = [turn for turn in result.turns if turn.speaker == "Anna"]
    assert any(turn.start < 16 < turn.end for turn in spoken)
    assert all(turn.start >= 10 for turn in result.turns)
    outside = [Named(Segment(1, 2), "Ben")]
    with pytest.raises(ConfigError, match=r"segment \[1, 2\] is outside the part"):
        diarize(CONVERSATION, start=10, constraints=outside)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--start", "31"), "start is 31 s, but the recording ends at 30 s"),
        (("--start", "1:75"), "'1:75' is not a time; give seconds, m:ss or h:mm:ss"),
        (("--start", "20", "--end", "10"), "give a later end"),
        (("--channels", "2"), "--channels is 2, but there is 1 channel"),
        (("--channels", "left"), "--channels is 'left'; give mix"),
        (("--track", "2"), "--track is 2, but there is 1 track"),
    ],
)
def test_a_part_that_is_not_there_is_one_line(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("diarize", CONVERSATION, *options) in (1, 2)
    error = capsys.readouterr().err
    assert message.removeprefix("--") in error
    assert error.count("\n") == 1


def test_a_channel_alone_is_diarized(
    speech: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([np.zeros_like(speech), speech], axis=1), RATE)
    assert hocket("diarize", path, "--channels", "2", "--format", "json") == 0
    found = turns(capsys.readouterr().out)
    assert hocket("diarize", path, "--channels", "1", "--format", "json") == 0
    assert turns(capsys.readouterr().out) == []
    assert hocket("diarize", CONVERSATION, "--format", "json") == 0
    assert found == turns(capsys.readouterr().out)


def test_notices_reach_the_result_json_and_the_exit_code(
    speech: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.mkv"
    halves = [(0.0, speech[: 12 * RATE]), (20.0, speech[12 * RATE :])]
    path.write_bytes(muxed(halves, CONTAINERS["mkv"]))
    assert hocket("diarize", path, "--format", "json") == 0
    out, err = capsys.readouterr()
    [notice] = json.loads(out)["notices"]
    assert notice["kind"] == "gap"
    assert 11.9 < notice["start"] < 12.1
    assert 19.9 < notice["end"] < 20.1
    assert err == f"hocket: {path}: {notice['text']}\n"
    assert hocket("diarize", path, "--strict", "--format", "json", "-o", tmp_path / "a.json") == 1
    assert [vars(each) for each in Result.load(tmp_path / "a.json").notices] == [notice]
    assert hocket("diarize", CONVERSATION, "--strict") == 0


def test_notices_of_a_part_have_the_times_of_the_whole(speech: np.ndarray) -> None:
    wild = speech.copy()
    wild[20 * RATE] = 1e5
    [notice] = diarize(np.stack([wild, -speech], 1), sample_rate=RATE, channels=1, start=8).notices
    assert (notice.kind, round(notice.start or 0, 3)) == ("outliers", 20)
    inverted = diarize(np.stack([speech, -speech], 1), sample_rate=RATE, start=8)
    [notice] = inverted.notices
    assert notice.kind == "cancelling"
    assert 8 <= (notice.start or 0) < 20


def test_sound_without_a_voice_is_noted() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 12 * RATE).astype(np.float32)
    result = diarize(noise, sample_rate=RATE)
    assert result.turns == ()
    assert [notice.kind for notice in result.notices] == ["nobody"]
    assert diarize(np.zeros(12 * RATE, np.float32), sample_rate=RATE).notices == ()


def test_the_page_has_every_kind_of_notice() -> None:
    page = (ROOT / "docs" / "sound.md").read_text(encoding="utf-8")
    for kind, meaning in KINDS.items():
        assert f"| {kind} | {meaning} |" in page
