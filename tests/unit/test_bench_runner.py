"""One system in a process of its own: what it is asked, what it may answer, how it may fail."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from bench import installation
from bench.annotations import Turn
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.installation import runner_command
from bench.runner import Answer, Runner
from bench.systems import pyannote_runner

HELLO = '{"python": "3.11", "packages": {"thing": "1.0"}, "settings": {"threads": 2}}'


def command(folder: Path, body: str) -> list[str]:
    """A system whose script says hello and then does `body` for every `task`."""
    script = folder / "runner.py"
    script.write_text(
        dedent(f"""
            import json, os, sys, time
            print('{HELLO}', flush=True)
            for line in sys.stdin:
                task = json.loads(line)
                answer = {{"uri": task["uri"], "seconds": 0.5, "turns": []}}
        """)
        + "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())
    )
    return [sys.executable, str(script)]


def say(message: str) -> str:
    """A body that writes one line."""
    return f"print({message}, flush=True)"


def ask(folder: Path, body: str, uri: str = "real/one") -> Answer:
    with Runner("fake", command(folder, body)) as runner:
        return runner.ask(uri, folder / "one.wav")


def test_turns_and_seconds(tmp_path: Path) -> None:
    body = """
        answer["turns"] = [[0, 1.5, "a"], [1.5, 1.5, "b"], [1.0, 2.0, 7]]
        print(json.dumps(answer), flush=True)
    """
    assert ask(tmp_path, body) == Answer([Turn(0.0, 1.5, "a"), Turn(1.0, 2.0, "7")], 0.5)


def test_it_is_told_the_uri_and_the_audio(tmp_path: Path) -> None:
    body = say("json.dumps({**answer, 'turns': [[0, 1, task['audio']], [0, 1, task['uri']]]})")
    speakers = [turn.speaker for turn in ask(tmp_path, body, "ü/1").turns]
    assert speakers == [str(tmp_path / "one.wav"), "ü/1"]


def test_what_runs_is_known(tmp_path: Path) -> None:
    with Runner("fake", command(tmp_path, "pass")) as runner:
        assert runner.about.packages == {"thing": "1.0"}
        assert runner.about.settings == {"threads": 2}
        assert 0 < runner.about.startup_s < 60


def test_a_failure_on_one_file_is_an_answer_without_a_path(tmp_path: Path) -> None:
    body = say("json.dumps({'uri': task['uri'], 'error': 'no\\n speech in ' + task['audio']})")
    answer = ask(tmp_path, body)
    assert answer == Answer(failure="no speech in real/one")


def test_no_number_of_threads_is_handed_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OTHER", "kept")
    body = say("json.dumps({**answer, 'turns': [[0, 1, name] for name in os.environ]})")
    names = {turn.speaker for turn in ask(tmp_path, body).turns}
    assert "OTHER" in names
    assert "OMP_NUM_THREADS" not in names


def test_a_system_that_ends_gives_its_last_words(tmp_path: Path) -> None:
    body = "print('first'); raise MemoryError('too long')"
    with pytest.raises(BenchError, match=r"^fake: found 'first'"):
        ask(tmp_path, body)
    body = "raise MemoryError('too long')"
    with pytest.raises(
        BenchError, match=r"^fake: ended with status 1 at real/one \(MemoryError: too long\)$"
    ):
        ask(tmp_path, body)


def test_a_system_that_was_killed_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"ended with status -9 at real/one \(it says nothing\)"):
        ask(tmp_path, "os.kill(os.getpid(), 9)")


def test_a_system_that_ended_between_two_recordings(tmp_path: Path) -> None:
    with Runner("fake", command(tmp_path, say("json.dumps(answer)") + "; break")) as runner:
        runner.ask("one", tmp_path)
        with pytest.raises(BenchError, match="ended with status 0 at two"):
            runner.ask("two", tmp_path)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("'loading…'", "found 'loading…' as its answer for real/one"),
        ("'[1, 2]'", r"found '\[1, 2\]' as"),
        ("''", "found '' as"),
        ("json.dumps({**answer, 'uri': 'other'})", "found one for 'other' as"),
        ("json.dumps({'uri': task['uri']})", r"found no seconds and \[start, end, speaker\]"),
        ("json.dumps({**answer, 'seconds': None})", "found no seconds"),
        ("json.dumps({**answer, 'seconds': float('nan')})", "found no seconds"),
        ("json.dumps({**answer, 'turns': [[0, 1]]})", "found no seconds and"),
        ("json.dumps({**answer, 'turns': [[-1, 1, 'a']]})", "found no seconds and"),
        ("json.dumps({**answer, 'turns': [['0', 1, 'a']]})", "found no seconds and"),
        ("json.dumps({**answer, 'turns': [[2, 1, 'a']]})", "a turn that ends before it starts"),
    ],
)
def test_junk_is_no_answer(tmp_path: Path, message: str, found: str) -> None:
    with pytest.raises(BenchError, match=found):
        ask(tmp_path, say(message))


def test_bytes_that_are_no_text_are_no_answer(tmp_path: Path) -> None:
    body = r"sys.stdout.buffer.write(b'\xff\n'); sys.stdout.flush()"
    with pytest.raises(BenchError, match="found '\ufffd' as its answer"):
        ask(tmp_path, body)


@pytest.mark.parametrize(
    "hello", ["", "print('{}')", "print('ready')", "raise OSError('no model')"]
)
def test_a_system_that_does_not_start(tmp_path: Path, hello: str) -> None:
    (tmp_path / "runner.py").write_text(hello)
    with pytest.raises(BenchError, match=r"^fake: .*(its start|no model)"):
        Runner("fake", [sys.executable, str(tmp_path / "runner.py")])


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="fake: cannot be started"):
        Runner("fake", [str(tmp_path / "nothing")])


# The other end: what every script of bench/systems runs


def test_what_a_library_prints_is_no_answer(tmp_path: Path) -> None:
    script = tmp_path / "runner.py"
    script.write_text(
        dedent("""
            import os
            from bench.systems.protocol import Engine, serve

            def diarize(audio):
                os.write(1, b"from C\\n")
                print("from Python")
                if audio.endswith("bad.wav"):
                    raise ValueError("bad " + audio)
                return [(0.0, 1.0, "a")]

            serve(lambda **told: Engine(diarize, told), "preset", "other")
        """)
    )
    start = f"import sys; sys.path.insert(0, '{REPOSITORY}'); import runpy; "
    run = f"sys.argv = ['runner', '--threads', '3', '--preset', 'x']; runpy.run_path('{script}')"
    with Runner("fake", [sys.executable, "-c", start + run]) as runner:
        assert runner.about.settings == {"threads": 3, "preset": "x", "other": None}
        assert "pytest" in runner.about.packages
        assert runner.ask("one", tmp_path / "one.wav").turns == [Turn(0.0, 1.0, "a")]
        assert runner.ask("bad", tmp_path / "bad.wav").failure == "ValueError: bad bad"
        assert runner.ask("two", tmp_path / "two.wav").seconds is not None


# Environments


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have installed something, in a repository of its own."""
    found: list[list[str]] = []
    monkeypatch.setattr(installation, "ENVIRONMENTS", tmp_path / ".venv")
    monkeypatch.setattr(installation, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(installation, "MODELS", tmp_path / "models")
    for name in installation.SYSTEMS:
        (tmp_path / f"{name}.txt").write_text(f"{name}==1.0\n")
        (tmp_path / f".venv/compare-{name}").mkdir(parents=True)
    monkeypatch.setattr(installation, "_call", lambda _, line: found.append(line))
    return found


def quiet(_: str) -> None:
    """Nobody listens."""


def test_an_environment_is_made_once_and_again_when_its_pins_change(
    tmp_path: Path, calls: list[list[str]]
) -> None:
    line = runner_command("senko", 2, quiet)
    assert line[0].startswith(str(tmp_path / ".venv/compare-senko"))
    assert line[1:] == ["-m", "bench.systems.senko_runner", "--threads", "2"]
    assert [call[1:3] for call in calls] == [["-m", "venv"], ["-m", "pip"]]
    assert calls[1][0] == line[0]
    assert calls[1][-1] == str(tmp_path / "senko.txt")
    runner_command("senko", 2, quiet)
    assert len(calls) == 2
    (tmp_path / "senko.txt").write_text("senko==1.1\n")
    runner_command("senko", 2, quiet)
    assert len(calls) == 4


def test_hocket_is_installed_again_when_its_dependencies_change(
    tmp_path: Path, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "REPOSITORY", tmp_path)
    (tmp_path / "hocket.txt").write_text("--editable .\n")
    (tmp_path / "pyproject.toml").write_text("numpy\n")
    (tmp_path / "constraints.txt").write_text("numpy==2\n")
    runner_command("hocket", 1, quiet)
    runner_command("hocket", 1, quiet)
    assert len(calls) == 2
    (tmp_path / "constraints.txt").write_text("numpy==3\n")
    runner_command("hocket", 1, quiet)
    assert len(calls) == 4


@pytest.mark.parametrize("name", sorted(installation.MADE))
def test_models_come_from_the_forge(tmp_path: Path, calls: list[list[str]], name: str) -> None:
    with pytest.raises(BenchError, match=rf"^{name}: .* run 'make \.venv/forge/installed'"):
        runner_command(name, 1, quiet)
    python = tmp_path / ".venv/forge/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    runner_command(name, 1, quiet)
    script, folder, files = installation.MADE[name]
    place = tmp_path / "models" / folder
    assert calls[-1] == [str(python), "-m", f"bench.systems.{script}", str(place)]
    place.mkdir(parents=True)
    for file in files:
        (place / file).write_bytes(b"")
    runner_command(name, 1, quiet)
    assert len(calls) == 3


@pytest.mark.usefixtures("calls")
def test_a_preset_is_hocket_with_its_name_told() -> None:
    plain, fast = (runner_command(name, 2, quiet) for name in ("hocket", "hocket:fast"))
    assert plain[-2:] == ["--threads", "2"]
    assert fast == [*plain, "--preset", "fast"]


@pytest.mark.parametrize("name", ["senko:fast", "hocket:"])
def test_only_hocket_has_presets(name: str) -> None:
    with pytest.raises(BenchError, match="only hocket has presets, as in hocket:fast"):
        runner_command(name, 1, quiet)


def test_what_cannot_be_installed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "ENVIRONMENTS", tmp_path / ".venv")
    fails = "import sys; sys.exit('ERROR: No matching distribution\\nnotice: of itself')"
    with pytest.raises(BenchError, match=r"^senko: cannot be installed \(ERROR: No matching"):
        installation._call("senko", [sys.executable, "-c", fails])


def test_an_unknown_system() -> None:
    with pytest.raises(BenchError, match="no system 'kaldi'; there are hocket, senko, sherpa-onnx"):
        runner_command("kaldi", 1, quiet)


def test_every_system_has_a_script_and_pinned_requirements() -> None:
    for name, script in installation.SYSTEMS.items():
        made, _, _ = installation.MADE.get(name, (script, "", ()))
        for module in (script, made):
            assert (REPOSITORY / "bench" / "systems" / f"{module}.py").is_file()
        lines = (installation.REQUIREMENTS / f"{name}.txt").read_text().split("\n")
        assert all("==" in line or line.startswith("--") or not line for line in lines), name


def test_a_library_built_for_another_torch_is_put_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "torchaudio/lib/_torchaudio.abi3.so"
    library.parent.mkdir(parents=True)
    (tmp_path / "torchaudio/__init__.py").write_text("raise ImportError('never imported')")
    for path in (library, library.with_name("libtorchaudio.so")):
        path.write_bytes(b"")
    monkeypatch.syspath_prepend(str(tmp_path))
    pyannote_runner._leave_out_compiled_part()
    left = sorted(path.name for path in library.parent.iterdir())
    assert left == ["_torchaudio.abi3.unused", "libtorchaudio.so"]
    pyannote_runner._leave_out_compiled_part()
