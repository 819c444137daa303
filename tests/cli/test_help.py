"""Help texts agree with what was measured, and errors have one style."""

import json
import re

import pytest

from bench.pages.readme import COMPARED
from hocket.cli.diarize import diarize_command
from tests.helpers.command_line import hocket
from tests.helpers.paths import ROOT

RESULTS = ROOT / "bench" / "results"


def test_the_cost_of_presets_is_that_of_the_table_on_the_front_page() -> None:
    (option,) = (each for each in diarize_command.params if each.name == "preset")
    text = str(option.help)  # type: ignore[attr-defined]
    accurate, fast = map(float, re.findall(r"([\d.]+) times", text))
    systems = json.loads((RESULTS / COMPARED).read_text(encoding="utf-8"))["systems"]
    balanced = systems["hocket"]["seconds"]
    assert accurate == round(systems["hocket:accurate"]["seconds"] / balanced, 1)
    assert fast == round(systems["hocket:fast"]["seconds"] / balanced, 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["meeting.flac"], "did you mean 'hocket diarize meeting.flac'?"),
        (["diarise"], "did you mean 'diarize'?"),
        (["photograph"], "give one of backends, convert, diarize"),
        (["diarize", "--numspeakers", "2", "a.wav"], "'--num-speakers'"),
        (["diarize", "--example", "--num-speakers", "0"], "--num-speakers is 0; give 1 or more"),
        (
            ["diarize", "--example", "--min-speakers", "3", "--max-speakers", "2"],
            "--min-speakers is 3 but --max-speakers is 2",
        ),
        (["diarize", "--example", "--clustering", "vbx"], "--clustering is 'vbx' but --plda"),
        (["diarize", "--example", "--threads", "0"], "--threads is 0"),
        (["diarize"], "give FILE..., or --example alone"),
        (["diarize", "--example", "a.wav"], "give FILE..., or --example alone"),
        (["review", "a.json", "--seconds", "0"], "a.json"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_option(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hocket: ")
    assert expected.lower() in line.lower()


@pytest.mark.parametrize("command", ["diarize", "stream", "review"])
def test_an_address_is_refused_with_the_pipe_that_reads_it(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket(command, "https://example.org/meeting.mp3") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "ffmpeg -i https://example.org/meeting.mp3" in line
    assert f"| hocket {'stream' if command == 'stream' else 'diarize'} -" in line


def test_models_list_is_short_and_has_hashes_on_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert hocket("models", "list") == 0
    short = capsys.readouterr().out
    assert hocket("models", "list", "--hashes") == 0
    long = capsys.readouterr().out
    assert not re.search(r"[0-9a-f]{64}", short)
    assert len(re.findall(r"[0-9a-f]{64}", long)) == sum(
        "not placed" not in x for x in long.splitlines()
    )
