"""Every code block of the pages runs, or at least names commands and options that exist.

A block of text right after another block is what that one prints. A comment, `checked: options`,
marks blocks that need what is not here, such as a microphone; `checked: words`, text of a speech
recognizer, which may differ in a few words between processors.
"""

import contextlib
import glob
import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hocket.offline import diarizer
from tests.helpers.command_line import hocket
from tests.helpers.pages import (
    OPTIONS_ONLY,
    READ,
    SPOKEN,
    Block,
    blocks_of,
    check_command,
    commands_of,
    inline_commands,
)
from tests.helpers.panel import write_clips
from tests.helpers.paths import CONVERSATION, ROOT
from tests.helpers.recognizers import TINY

RECORDING = re.compile(r"\b[\w-]+\.(?:mp3|wav|flac|ogg)\b")
NUMBER = re.compile(r"(?<![A-Za-z_\d])\d+(?:\.\d+)?")
TOLERANCE = 0.1  # processors round in different precisions
WITH_CONVERSATION = {
    "README.md",
    "corrections.md",
    "transcripts.md",
}  # in place of the shorter meeting
CORRECTIONS = '[{"is": "Anna", "at": [0.1, 1.8]}]'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the recordings that pages name; the current one."""
    write_clips(tmp_path)
    (tmp_path / "corrections.json").write_text(CORRECTIONS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("HOCKET_ASR_MODEL", TINY)
    return tmp_path


@pytest.fixture(autouse=True, scope="module")
def _recordings_processed_once() -> Iterator[None]:
    """The networks process the same recording with the same settings once."""
    usual, known = diarizer.infer, {}

    def infer(stream, networks, config, runtime, watch, advance, cancel):
        if cancel is not None:
            return usual(stream, networks, config, runtime, watch, advance, cancel)
        blocks = list(stream.blocks)
        key = hashlib.sha256(b"".join(block.tobytes() for block in blocks)).digest(), config
        if key not in known:
            again = replace(stream, blocks=iter(blocks))
            known[key] = usual(again, networks, config, runtime, watch, advance, cancel)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diarizer, "infer", infer)
        yield


@pytest.mark.parametrize("page", READ, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_one_after_another(page: Path, folder: Path) -> None:
    blocks = blocks_of(page)
    prepare(folder, page, blocks)
    shown = ""
    for block in blocks:
        place = f"{page.relative_to(ROOT)}:{block.line}"
        if block.kind == "text" and block.follows:
            check = words_alike if block.mark == SPOKEN else alike
            assert check(block.text, shown), f"{place}: it prints\n{shown}"
        elif block.kind == "python":
            shown = output_of(lambda block=block, place=place: run_python(block, place))
        elif block.kind == "sh":
            shown = output_of(lambda block=block, place=place: run_shell(block, place))


def prepare(folder: Path, page: Path, blocks: list[Block]) -> None:
    """Write the recordings that a page names, beside those that are there."""
    if page.name in WITH_CONVERSATION:
        (folder / "meeting.flac").write_bytes(CONVERSATION.read_bytes())
    if page.name == "corrections.md":
        (entries,) = [block.text for block in blocks if block.kind == "json"]
        (folder / "corrections.json").write_text(entries, encoding="utf-8")
    samples, rate = soundfile.read(folder / "meeting.flac")
    for block in blocks:
        names = RECORDING.findall(block.text) if block.kind in {"python", "sh"} else []
        if "*.mp3" in block.text:
            names += ["day.mp3", "call.mp3"]
        for name in names:
            if not (folder / name).exists():
                soundfile.write(folder / name, np.asarray(samples), rate)


def output_of(run: Callable[[], None]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        run()
    return stream.getvalue()


def run_python(block: Block, place: str) -> None:
    exec(compile(block.text, place, "exec"), {"__name__": "__main__"})


def run_shell(block: Block, place: str) -> None:
    for line in block.text.splitlines():
        commands = commands_of(line)
        runs = block.mark != OPTIONS_ONLY and bool(commands) and commands[-1][0] == "hocket"
        if runs and (len(commands) == 1 or commands[0][0] == "cat"):
            run_hocket(commands, f"{place}: {line}")
            continue
        for command in commands:
            check_command(command)


def run_hocket(commands: list[list[str]], place: str) -> None:
    words = [found for word in commands[-1][1:] for found in expanded(word)]
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), standard_input(commands[:-1]):
        code = hocket(*words)
    assert code == 0, f"{place}: {errors.getvalue()}"


def expanded(word: str) -> list[str]:
    return sorted(glob.glob(word)) if "*" in word else [word]


@contextlib.contextmanager
def standard_input(before: list[list[str]]) -> Iterator[None]:
    """What `cat FILE |` gives to the next command."""
    content = b"".join(Path(name).read_bytes() for _cat, *names in before for name in names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        yield


def words_alike(expected: str, shown: str) -> bool:
    """Whether at least four of five words of two texts are the same, one behind the other."""
    one, other = (NUMBER.sub("0", text).split() for text in (expected, shown))
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= 0.8


def alike(expected: str, shown: str) -> bool:
    """Whether two texts are equal but for small differences of numbers and blanks at line ends."""
    one, other = (
        "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
        for text in (expected, shown)
    )
    if NUMBER.sub("0", one) != NUMBER.sub("0", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs)


@pytest.mark.parametrize("page", READ, ids=lambda page: page.stem)
def test_commands_in_the_text_of_a_page_exist(page: Path) -> None:
    for line in inline_commands(page):
        for command in commands_of(line):
            check_command(command, whole=False)


def test_a_number_may_differ_a_little_and_nothing_else() -> None:
    assert alike("a 1.00\nb\n", "a 1.04  \nb")
    assert not alike("a 1.00", "a 1.20")
    assert not alike("a 1", "b 1")
    assert not alike("SPEAKER_01", "SPEAKER_00")
    assert words_alike("a b c d e f g h i 1.0", "a b c d e f g h i 2.0")
    assert not words_alike("a b c d e", "a b c x y")


@pytest.mark.parametrize(
    "line",
    [
        "hocket diarise a.wav",
        "hocket diarize --formt json a.wav",
        "hocket diarize --format odt a.wav",
        "hocket speakers show --store team.db",
        "python -m bench derr DIR",
        "make tests",
        "pip install '.[nothing]'",
        "wget URL",
    ],
)
def test_what_does_not_exist_is_found(line: str) -> None:
    (command,) = commands_of(line)
    with pytest.raises(AssertionError):
        check_command(command)
