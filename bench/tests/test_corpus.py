"""Audio next to its reference, and files of turns and regions."""

import re
from pathlib import Path

import pytest

from bench.annotations import Region, Turn, read_rttm, read_uem
from bench.corpus import find_recordings
from bench.errors import BenchError
from bench.tests.helpers import write_recording, write_rttm

ANNA_THEN_BEN = [Turn(0.0, 6.0, "anna"), Turn(6.0, 10.0, "ben")]


def test_recordings_are_audio_with_an_rttm_beside_it(tmp_path: Path) -> None:
    write_recording(tmp_path, "real/two", ANNA_THEN_BEN)
    write_recording(tmp_path, "meeting/day/one", ANNA_THEN_BEN, suffix=".flac")
    write_recording(tmp_path, "top.with.dots", ANNA_THEN_BEN, suffix=".WAV")
    write_rttm(tmp_path / "timelines/three.rttm", ANNA_THEN_BEN)
    write_recording(tmp_path, "voices/four", []).unlink()
    (tmp_path / "real/two.uem").write_text("two 1 0.5 1.5\n")
    found = find_recordings(tmp_path)
    assert [(recording.uri, recording.kind) for recording in found] == [
        ("meeting/day/one", "meeting"),
        ("real/two", "real"),
        ("top.with.dots", ""),
    ]
    assert found[1].regions() == [Region(0.5, 1.5)]
    assert found[0].regions() == [Region(0.0, 2.0)]
    assert found[0].turns() == ANNA_THEN_BEN


def test_a_recording_in_two_formats_counts_once(tmp_path: Path) -> None:
    write_recording(tmp_path, "one", ANNA_THEN_BEN)
    write_recording(tmp_path, "one", ANNA_THEN_BEN, suffix=".flac")
    assert [recording.audio.name for recording in find_recordings(tmp_path)] == ["one.flac"]


def test_a_folder_without_recordings_says_so(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"found no audio with an \.rttm"):
        find_recordings(tmp_path)


def test_audio_libsndfile_does_not_read_needs_a_uem(tmp_path: Path) -> None:
    write_rttm(tmp_path / "phone.rttm", ANNA_THEN_BEN)
    (tmp_path / "phone.m4a").write_bytes(b"not for libsndfile")
    with pytest.raises(BenchError, match="phone: cannot read the duration"):
        find_recordings(tmp_path)[0].duration_s()
    (tmp_path / "phone.uem").write_text("phone 1 0 4\nphone 1 6 9.5\n")
    assert find_recordings(tmp_path)[0].duration_s() == 9.5


def test_rttm_lines_that_are_no_turns_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "one.rttm"
    path.write_text(
        ";; a comment\n"
        "SPKR-INFO one 1 <NA> <NA> <NA> unknown NA <NA> <NA>\n"
        "SPEAKER one 1 1.5 0 <NA> <NA> nobody <NA> <NA>\n\n"
        "SPEAKER one 1 1.5 0.25 <NA> <NA> NA <NA> <NA>\n"
    )
    assert read_rttm(path) == [Turn(1.5, 1.75, "NA")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SPEAKER one 1 1.5\n", "one.rttm:1: found 4 fields"),
        ("\nSPEAKER one 1 x 2 <NA> <NA> a <NA> <NA>\n", "one.rttm:2: found 'x'"),
        ("SPEAKER one 1 nan 2 <NA> <NA> a <NA> <NA>\n", "found 'nan'"),
        ("SPEAKER one 1 1 -2 <NA> <NA> a <NA> <NA>\n", "found '-2'"),
        ("SPEAKER one 1 1 2 0 0 a\nSPEAKER two 1 1 2 0 0 a\n", "found 2 recordings"),
        ("SPEAKER one 1 1 2 0 0 \udce9\n", "not UTF-8"),
    ],
)
def test_unusable_rttm(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "one.rttm"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BenchError, match=re.escape(message)):
        read_rttm(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no region"),
        ("one 1 0\n", "one.uem:1: found 3 fields"),
        ("one 1 5 5\n", "ends before it starts"),
        ("one 1 0 5\ntwo 1 0 5\n", "found 2 recordings"),
    ],
)
def test_unusable_uem(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "one.uem"
    path.write_text(text)
    with pytest.raises(BenchError, match=message):
        read_uem(path)
