"""Layouts of public corpora: audio, references and regions in separate folders."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.annotations import Region, Turn
from bench.corpus import Layout, Recording, find_recordings
from bench.errors import BenchError
from bench.tests.helpers import results_of, run, write_recording, write_rttm

ANNA = [Turn(0.0, 1.0, "anna")]
BEN = [Turn(0.5, 2.0, "ben")]


def write_audio(path: Path, sort: str | None = None) -> Path:
    """Two seconds of silence, without a reference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(path), np.zeros(16_000, np.float32), 8000, format=sort)
    return path


def write_list(path: Path, recordings: dict[str, list[Turn]]) -> Path:
    """One RTTM file of several recordings."""
    lines = [
        f"SPEAKER {uri} 1 {start} {end - start} <NA> <NA> {speaker} <NA> <NA>"
        for uri, turns in recordings.items()
        for start, end, speaker in turns
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return path


def write_uem(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def facts(recordings: list[Recording]) -> dict[str, tuple[str, str]]:
    """Kind and audio by uri."""
    return {each.uri: (each.kind, each.audio.name) for each in recordings}


@pytest.fixture
def ami(tmp_path: Path) -> Path:
    """Two meetings of two splits, each with two microphones."""
    for meeting, split in (("ES2002a", "train"), ("ES2004a", "test")):
        for microphone in ("Mix-Headset", "Array1-01"):
            write_audio(tmp_path / f"amicorpus/{meeting}/audio/{meeting}.{microphone}.wav")
        for words in ("only_words", "word_and_vocalsounds"):
            write_rttm(tmp_path / f"setup/{words}/rttms/{split}/{meeting}.rttm", ANNA)
        write_uem(tmp_path / f"setup/uems/{split}/{meeting}.uem", f"{meeting} 1 0.0 1.5\n")
    return tmp_path


def test_ami(ami: Path) -> None:
    layout = Layout(ami / "setup/only_words/rttms", ami / "setup/uems", "*.Mix-Headset.wav")
    found = find_recordings(ami / "amicorpus", layout)
    assert facts(found) == {
        "ES2002a": ("train", "ES2002a.Mix-Headset.wav"),
        "ES2004a": ("test", "ES2004a.Mix-Headset.wav"),
    }
    assert found[0].turns() == ANNA
    assert found[0].regions() == [Region(0.0, 1.5)]


def test_ami_headset_or_array_must_be_chosen(ami: Path) -> None:
    layout = Layout(ami / "setup/only_words/rttms", ami / "setup/uems")
    with pytest.raises(BenchError, match=r"ES2002a: found .*Array1-01.*choose with --audio"):
        find_recordings(ami / "amicorpus", layout)


def test_ami_words_or_sounds_must_be_chosen(ami: Path) -> None:
    with pytest.raises(BenchError, match=r"found references in .* give one of the folders"):
        find_recordings(ami, Layout(audio="*.Mix-Headset.wav"))


def test_a_split_without_the_rest_must_be_selected(ami: Path) -> None:
    layout = Layout(ami / "setup/only_words/rttms/test", None, "*.Mix-Headset.wav")
    with pytest.raises(
        BenchError, match=r"no reference for 1 of 2 \(for example ES2002a.Mix-Headset.wav\)"
    ):
        find_recordings(ami / "amicorpus", layout)


def test_voxconverse_is_found_by_itself(tmp_path: Path) -> None:
    for name, turns in (("abjxc", ANNA), ("afjiv", BEN)):
        write_audio(tmp_path / f"audio/{name}.wav")
        write_rttm(tmp_path / f"dev/{name}.rttm", turns)
    found = find_recordings(tmp_path)
    assert facts(found) == {"abjxc": ("dev", "abjxc.wav"), "afjiv": ("dev", "afjiv.wav")}
    assert found[1].turns() == BEN
    assert found[1].regions() == [Region(0.0, 2.0)]


def test_callhome_is_found_by_itself(tmp_path: Path) -> None:
    for name in ("iaaa", "iaab"):
        write_audio(tmp_path / f"data/{name}.sph", "NIST")
    write_list(tmp_path / "fullref.rttm", {"iaab": BEN, "iaaa": ANNA})
    found = find_recordings(tmp_path)
    assert facts(found) == {"iaaa": ("", "iaaa.sph"), "iaab": ("", "iaab.sph")}
    assert [each.turns() for each in found] == [ANNA, BEN]
    assert found[0].duration_s() == 2.0


def test_one_file_of_all_references_and_one_of_all_regions(tmp_path: Path) -> None:
    for name in ("iaaa", "iaab"):
        write_audio(tmp_path / f"audio/{name}.wav")
    references = write_list(tmp_path / "lists/all.rttm", {"iaab": BEN, "iaaa": ANNA})
    regions = write_uem(tmp_path / "lists/all.uem", "iaaa 1 0 1\niaab 1 0.5 1\niaab 1 1.5 2\n")
    found = find_recordings(tmp_path / "audio", Layout(references, regions))
    assert [each.regions() for each in found] == [
        [Region(0.0, 1.0)],
        [Region(0.5, 1.0), Region(1.5, 2.0)],
    ]
    assert [each.turns() for each in found] == [ANNA, BEN]


def test_a_named_file_of_one_recording_goes_by_its_lines(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio/iaaa.wav")
    references = write_list(tmp_path / "ref.rttm", {"iaaa": ANNA})
    assert facts(find_recordings(tmp_path / "audio", Layout(references))) == {
        "iaaa": ("", "iaaa.wav")
    }


def test_a_file_may_go_by_the_name_in_its_lines(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio/day1.wav")
    write_list(tmp_path / "truth/first.rttm", {"day1": ANNA})
    assert facts(find_recordings(tmp_path)) == {"first": ("truth", "day1.wav")}


def test_a_recording_in_which_nobody_speaks_has_an_empty_reference(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio/quiet.wav")
    write_rttm(tmp_path / "dev/quiet.rttm", [])
    assert find_recordings(tmp_path)[0].turns() == []


def test_of_two_formats_the_first_is_used(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio/one.wav")
    write_audio(tmp_path / "audio/one.flac")
    write_rttm(tmp_path / "dev/one.rttm", ANNA)
    assert facts(find_recordings(tmp_path)) == {"one": ("dev", "one.flac")}


def test_pairs_side_by_side_go_before_what_lies_elsewhere(tmp_path: Path) -> None:
    write_recording(tmp_path, "real/one", ANNA)
    write_rttm(tmp_path / "other/two.rttm", BEN)
    write_audio(tmp_path / "audio/two.wav")
    assert facts(find_recordings(tmp_path)) == {"real/one": ("real", "one.wav")}


def test_named_references_go_before_those_beside_the_audio(tmp_path: Path) -> None:
    write_recording(tmp_path / "audio", "one", ANNA)
    write_rttm(tmp_path / "better/one.rttm", BEN)
    found = find_recordings(tmp_path / "audio", Layout(tmp_path / "better"))
    assert found[0].turns() == BEN


def test_regions_elsewhere_for_pairs_side_by_side(tmp_path: Path) -> None:
    write_recording(tmp_path / "audio", "day/one", ANNA)
    write_uem(tmp_path / "audio/day/one.uem", "one 1 0 2\n")
    regions = write_uem(tmp_path / "regions/one.uem", "one 1 0.5 1.0\n")
    found = find_recordings(tmp_path / "audio", Layout(regions=regions.parent))
    assert found[0].regions() == [Region(0.5, 1.0)]
    regions.rename(regions.with_name("two.uem")).write_text("two 1 0 1\n")
    with pytest.raises(BenchError, match=r"found no \.uem for one"):
        find_recordings(tmp_path / "audio", Layout(regions=regions.parent))


def test_a_reference_without_audio(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio/one.wav")
    for name in ("one", "two", "zwei"):
        write_rttm(tmp_path / f"dev/{name}.rttm", ANNA)
    with pytest.raises(BenchError, match=r"no audio for 2 of 3 \(for example two\) references"):
        find_recordings(tmp_path)


def test_audio_without_a_reference(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio/one.wav")
    write_audio(tmp_path / "audio/two.wav")
    write_rttm(tmp_path / "dev/one.rttm", ANNA)
    with pytest.raises(BenchError, match=r"no reference for 1 of 2 \(for example two.wav\)"):
        find_recordings(tmp_path)
    assert list(facts(find_recordings(tmp_path, Layout(select=("one",))))) == ["one"]


def test_one_missing_uem_among_others(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_audio(tmp_path / f"audio/{name}.wav")
        write_rttm(tmp_path / f"dev/{name}.rttm", ANNA)
    write_uem(tmp_path / "dev/one.uem", "one 1 0 1\n")
    with pytest.raises(BenchError, match=r"found no \.uem for two"):
        find_recordings(tmp_path)


def test_two_uem_of_one_recording(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio/one.wav")
    write_rttm(tmp_path / "dev/one.rttm", ANNA)
    for place in ("a", "b"):
        write_uem(tmp_path / f"uems/{place}/one.uem", "one 1 0 1\n")
    with pytest.raises(BenchError, match=r"one: found regions in .*--regions"):
        find_recordings(tmp_path)


def test_selected_pairs(tmp_path: Path) -> None:
    for name in ("real/one", "real/two", "panel/one"):
        write_recording(tmp_path, name, ANNA)
    chosen = find_recordings(tmp_path, Layout(select=("real/one", "two")))
    assert [each.uri for each in chosen] == ["real/one", "real/two"]


@pytest.mark.parametrize("beside", [True, False])
def test_selecting_what_is_not_there(tmp_path: Path, beside: bool) -> None:
    write_recording(tmp_path, "audio/one", ANNA)
    layout = Layout(None if beside else tmp_path, select=("one", "three"))
    with pytest.raises(BenchError, match=r"no recording for 1 of 2 \(for example three\) selected"):
        find_recordings(tmp_path, layout)


def test_the_command_finds_a_split_by_its_list(ami: Path) -> None:
    meetings = ami / "setup/lists/test.meetings.txt"
    meetings.parent.mkdir()
    meetings.write_text("ES2004a\n\n")
    write_rttm(ami / "stored/ES2004a.rttm", ANNA)
    places = ("--references", ami / "setup/only_words/rttms", "--regions", ami / "setup/uems")
    chosen = ("--audio", "*.Mix-Headset.wav", "--select", meetings)
    stored = ("--hypotheses", ami / "stored")
    words = ("der", ami / "amicorpus", *places, *chosen, *stored)
    assert list(results_of(*words, output=ami / "out.json")["files"]) == ["ES2004a"]


def test_a_list_without_names_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n")
    result = run("der", tmp_path, "--select", tmp_path / "list.txt")
    assert result.exit_code == 1
    assert "found no name; write one per line" in result.stderr
