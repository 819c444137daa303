"""Speakers on the command line: enrolled from clips, named in meetings, forgotten."""

import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hocket.cli.outcome import FAILED, UNUSABLE, USAGE
from hocket.formats import FORMATS
from tests.helpers.command_line import hocket
from tests.helpers.panel import RATE, write_clips
from tests.helpers.paths import CLIPS, CONVERSATION


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of Anna and Ben, a meeting of both, and a store with both."""
    folder = tmp_path_factory.mktemp("people")
    write_clips(folder)
    store = folder / "team.db"
    for name in ("Anna", "Ben"):
        clip = folder / f"{name.lower()}.flac"
        assert hocket("speakers", "enroll", name, clip, "--store", store, "--consent", "yes") == 0
    return folder


@pytest.fixture
def store(people: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    copy = tmp_path / "team.db"
    copy.write_bytes((people / "team.db").read_bytes())
    return copy


def speakers(*arguments: str | Path, store: Path) -> int:
    return hocket("speakers", *arguments, "--store", store)


@pytest.mark.parametrize("name", sorted(name for name, each in FORMATS.items() if each.streamable))
def test_known_speakers_are_named_in_every_format(
    people: Path, store: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    meeting = people / "meeting.flac"
    assert hocket("diarize", meeting, "--format", name, "--store", store) == 0
    out, err = capsys.readouterr()
    assert "Anna" in out
    assert "Ben" in out
    assert "SPEAKER_0" not in re.sub(r'"id": "SPEAKER_0\d"', "", out)
    assert err == ""


def test_the_right_names_are_given(
    people: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meeting = people / "meeting.flac"
    assert hocket("diarize", meeting, "--format", "json", "--store", store) == 0
    turns = json.loads(capsys.readouterr().out)["turns"]
    during = {turn["speaker"] for turn in turns if turn["start"] < 4 < turn["end"]}
    later = {turn["speaker"] for turn in turns if turn["start"] < 8 < turn["end"]}
    assert (during, later) == ({"Ben"}, {"Anna"})


def test_unknown_speakers_keep_their_numbers(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("diarize", CONVERSATION, "--store", store) == 0
    plain = capsys.readouterr().out
    assert "Anna" not in plain
    assert "Ben" not in plain
    assert hocket("diarize", CONVERSATION) == 0
    assert capsys.readouterr().out == plain


def test_a_named_speaker_counts_as_seen(people: Path, store: Path) -> None:
    database = sqlite3.connect(store)
    database.execute("UPDATE speakers SET seen_at = '2020-01-01T00:00:00.000+00:00'")
    database.commit()
    database.close()
    assert hocket("diarize", people / "meeting.flac", "--store", store) == 0
    assert speakers("purge", "--inactive-days", "30", store=store) == 0
    assert speakers("show", "Anna", store=store) == 0


def test_identify_and_verify_print_the_answer(
    people: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert speakers("identify", people / "meeting.flac", store=store) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2
    assert {name for row in rows for name in ("Anna", "Ben") if f" is {name} (" in row} == {
        "Anna",
        "Ben",
    }
    assert speakers("verify", "Anna", people / "anna.flac", store=store) == 0
    assert capsys.readouterr().out.startswith("yes: ")
    assert speakers("verify", "Anna", people / "ben.flac", store=store) == 0
    assert capsys.readouterr().out.startswith("no: ")


def test_list_show_rename_merge_split_and_permanent(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert speakers("list", store=store) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == ["1", "Anna"]
    assert second.split()[:2] == ["2", "Ben"]
    assert speakers("show", "id:2", store=store) == 0
    shown = capsys.readouterr().out
    assert "ben.flac" in shown
    assert "consent: yes" in shown
    number = shown.splitlines()[2].split(":")[0].split()[1]
    assert speakers("rename", "Anna", "Anna Maria", store=store) == 0
    assert speakers("permanent", "Anna Maria", store=store) == 0
    assert speakers("merge", "Anna Maria", "Ben", store=store) == USAGE
    assert speakers("permanent", "Anna Maria", "--off", store=store) == 0
    assert speakers("split", "Ben", "Benno", number, store=store) == 0
    assert speakers("merge", "Anna Maria", "Ben", store=store) == 0
    assert speakers("compact", store=store) == 0
    capsys.readouterr()
    assert speakers("list", store=store) == 0
    assert [row.split()[1] for row in capsys.readouterr().out.splitlines()] == ["Ben", "Benno"]


def test_forgetting_removes_the_voice(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = sqlite3.connect(store)
    voices = [row[0] for row in database.execute("SELECT embedding FROM exemplars")]
    database.close()
    assert speakers("forget", "Anna", "Ben", store=store) == 0
    assert capsys.readouterr().out == "forgot Anna\nforgot Ben\n"
    content = store.read_bytes()
    assert voices
    assert not any(voice in content for voice in voices)


def test_export_and_import(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, other = tmp_path / "team.json", tmp_path / "other.db"
    assert speakers("export", written, store=store) == 0
    assert written.stat().st_mode & 0o077 == 0  # only its owner may read voices
    assert speakers("import", written, store=other) == 0
    capsys.readouterr()
    assert speakers("export", store=other) == 0
    assert capsys.readouterr().out == written.read_text(encoding="utf-8")
    assert speakers("import", written, store=other) == USAGE
    assert "Anna: is in the store already" in capsys.readouterr().err
    assert speakers("import", written, "--existing", "skip", store=other) == 0
    assert speakers("import", tmp_path / "gone.json", store=other) == FAILED


def test_a_document_that_is_refused_leaves_no_store(store: Path, tmp_path: Path) -> None:
    written, other = tmp_path / "team.json", tmp_path / "other.db"
    assert speakers("export", written, store=store) == 0
    content = written.read_text(encoding="utf-8")
    for damaged in ("", content[:-9], content.replace('"Ben"', '"Anna"'), content.replace("[", "")):
        written.write_text(damaged, encoding="utf-8")
        assert speakers("import", written, store=other) == USAGE
        assert not other.exists()


def sound_of(case: str, people: Path) -> np.ndarray:
    anna, _ = soundfile.read(people / "anna.flac", dtype="float32")
    panel, _ = soundfile.read(CLIPS / "panel03.flac", dtype="float32")
    return {
        "short": anna[: round(1.2 * RATE)],
        "silent": np.zeros(5 * RATE, np.float32),
        "empty": np.zeros(0, np.float32),
        "two": panel[: 19 * RATE],
        "NaN": np.full(5 * RATE, np.nan, np.float32),
    }[case]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("short", "s of speech of one speaker alone; give a clip with 2 s or more"),
        ("silent", "contains no speech; give a clip of one speaker"),
        ("empty", "contains no speech; give a clip of one speaker"),
        ("two", "contains 3 speakers, with "),
        ("NaN", "NaN"),
    ],
)
def test_an_unsuitable_clip_is_refused_with_the_reason(
    people: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    case: str, reason: str,
) -> None:  # fmt: skip
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, sound_of(case, people), RATE, subtype="FLOAT")
    before = store.read_bytes()
    assert speakers("enroll", "Cleo", people / "anna.flac", clip, store=store) == FAILED
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith(f"hocket: {clip}: ")
    assert reason in complaint
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "clip", "options", "code"),
    [
        ("Cleo", "short.wav", (), FAILED),
        ("Cleo", "gone.wav", (), FAILED),
        ("SPEAKER_07", "anna.flac", (), USAGE),
        ("Cleo", "anna.flac", ("--add",), UNUSABLE),
    ],
)
def test_a_refused_enrollment_leaves_no_file(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    name: str, clip: str, options: tuple[str, ...], code: int,
) -> None:  # fmt: skip
    store = tmp_path / "new.db"
    (tmp_path / "anna.flac").write_bytes((people / "anna.flac").read_bytes())
    soundfile.write(tmp_path / "short.wav", sound_of("short", people), RATE)
    assert speakers("enroll", name, tmp_path / clip, *options, store=store) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.glob("new.db*"))


def test_one_of_several_speakers_is_enrolled_by_label(
    people: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meeting = people / "meeting.flac"
    assert speakers("enroll", "Cleo", meeting, "--speaker", "SPEAKER_00", store=store) == 0
    assert speakers("enroll", "Dora", meeting, "--speaker", "SPEAKER_07", store=store) == FAILED
    assert "SPEAKER_07 does not speak in it; found: SPEAKER_00" in capsys.readouterr().err


def test_exemplars_are_added_to_a_known_speaker(
    people: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = people / "anna.flac"
    assert speakers("enroll", "Anna", clip, store=store) == USAGE
    assert "add to that speaker with --add" in capsys.readouterr().err
    assert speakers("enroll", "Anna", clip, "--add", store=store) == 0
    assert capsys.readouterr().out.startswith("Anna: 1 exemplars")  # the same clip
    assert speakers("enroll", "Zoe", clip, "--add", store=store) == USAGE


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "Zoe"], USAGE, "Zoe: no such speaker; 'hocket speakers list' shows them"),
        (["forget", "id:99"], USAGE, "id:99: no such speaker"),
        (["rename", "Anna", "Ben"], USAGE, "Ben: is in the store already"),
        (["rename", "Anna", "SPEAKER_00"], USAGE, "is what unknown speakers are called"),
        (["split", "Anna", "Zoe", "999"], USAGE, "Anna: has 1 exemplars"),
        (["verify", "Zoe", "none.wav"], USAGE, "Zoe: no such speaker"),
        (["verify", "Anna", "none.wav"], FAILED, "none.wav: "),
        (["purge", "--inactive-days", "-1"], USAGE, "-1"),
        (["enroll", "Zoe", "none.wav", "--embedding", "x"], USAGE, "embedding is 'x'"),
    ],
)
def test_wrong_usage_is_one_line(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    before = store.read_bytes()
    assert speakers(*arguments, store=store) == code
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert store.read_bytes() == before


def test_a_store_that_cannot_be_used_is_one_line(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "odd.db"
    odd.write_bytes(b"no store" * 999)
    for path, reason in ((odd, "not a speaker store"), (tmp_path / "gone.db", "no such file")):
        assert speakers("list", store=path) == UNUSABLE
        assert hocket("diarize", people / "meeting.flac", "--store", path) == UNUSABLE
        for line in capsys.readouterr().err.splitlines():
            assert line.startswith(f"hocket: {path}: {reason}")
    assert not (tmp_path / "gone.db").exists()


def test_the_environment_can_name_the_store(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("speakers", "list") == USAGE
    monkeypatch.setenv("HOCKET_STORE", str(store))
    assert hocket("speakers", "list") == 0
    assert "Anna" in capsys.readouterr().out


def test_models_that_share_weights_share_a_store(people: Path, store: Path) -> None:
    clip = people / "ben.flac"
    assert speakers("enroll", "B", clip, "--embedding", "campplus", store=store) == 0
    assert hocket("diarize", clip, "--precision", "float32", "--store", store) == 0


def test_another_model_embeds_all_exemplars_again(
    people: Path, store: Path, tmp_path: Path, resnet34: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    other = ("--embedding", "wespeaker-resnet34")
    remedy = f"run 'hocket speakers reembed --store {store} --embedding wespeaker-resnet34'"
    meeting = people / "meeting.flac"
    for command in (
        ("speakers", "enroll", "Cleo", people / "anna.flac", *other),
        ("speakers", "identify", meeting, *other),
        ("diarize", meeting, *other),
    ):
        assert hocket(*command, "--store", store) == UNUSABLE
        assert remedy in capsys.readouterr().err
    assert speakers("reembed", *other, store=store) == 0
    assert speakers("show", "Anna", store=store) == 0
    assert "by wespeaker-resnet34" in capsys.readouterr().out
    assert speakers("verify", "Anna", people / "anna.flac", *other, store=store) == 0
    assert capsys.readouterr().out.startswith("yes: ")


def test_exemplars_without_their_recording_are_dropped_only_if_requested(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, clip = tmp_path / "team.db", tmp_path / "anna.flac"
    clip.write_bytes((people / "anna.flac").read_bytes())
    assert speakers("enroll", "Anna", clip, store=store) == 0
    assert speakers("enroll", "Ben", people / "ben.flac", store=store) == 0
    clip.unlink()
    assert speakers("reembed", store=store) == USAGE
    assert f"first: Anna: {clip}: " in capsys.readouterr().err
    assert speakers("reembed", "--drop", store=store) == 0
    assert "1 exemplars dropped" in capsys.readouterr().out
    assert speakers("list", store=store) == 0
    assert [row.split()[2] for row in capsys.readouterr().out.splitlines()] == ["0", "2"]
