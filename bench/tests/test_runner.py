"""A system in a process of its own: its task, its result, and its failures."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from bench.annotations import Turn
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.process import UnusableOutputError
from bench.runner import Outcome, Runner, _outcome

HELLO = '{"python": "3.11", "packages": {"thing": "1.0"}, "settings": {"threads": 2}}'


def command(folder: Path, body: str) -> list[str]:
    """A system whose script writes its versions, and then executes `body` for every `task`."""
    script = folder / "runner.py"
    script.write_text(
        dedent(f"""
            import json, os, sys, time
            print('{HELLO}', flush=True)
            for line in sys.stdin:
                task = json.loads(line)
                result = {{"uri": task["uri"], "seconds": 0.5, "turns": []}}
        """)
        + "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())
    )
    return [sys.executable, str(script)]


def diarize(folder: Path, body: str) -> Outcome:
    with Runner("fake", command(folder, body)) as runner:
        return runner.diarize("real/one", folder / "one.wav")


def test_a_recording_is_processed_by_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OTHER", "kept")
    body = """
        names = [task["audio"], task["uri"], *os.environ]
        result["turns"] = [[0, 1, name] for name in names]
        print(json.dumps(result), flush=True)
    """
    with Runner("fake", command(tmp_path, body)) as runner:
        assert runner.info.packages == {"thing": "1.0"}
        assert runner.info.settings == {"threads": 2}
        assert 0 < runner.info.startup_s < 60
        outcome = runner.diarize("ü/1", tmp_path / "one.wav")
    audio, uri, *variables = [turn.speaker for turn in outcome.turns]
    assert (audio, uri, outcome.seconds) == (str(tmp_path / "one.wav"), "ü/1", 0.5)
    assert "OTHER" in variables
    assert "OMP_NUM_THREADS" not in variables


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "raise MemoryError('too long')",
            r"^fake: ended with status 1 at real/one \(MemoryError: too long\)$",
        ),
        ("os.kill(os.getpid(), 9)", r"ended with status -9 at real/one \(no error message\)"),
        ("print('loading…', flush=True)", "found 'loading…' as the result for real/one"),
        (r"sys.stdout.buffer.write(b'\xff\n'); sys.stdout.flush()", "found '\ufffd' as the result"),
    ],
)
def test_a_system_that_fails(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        diarize(tmp_path, body)


def test_a_system_that_ended_between_two_recordings(tmp_path: Path) -> None:
    body = "print(json.dumps(result), flush=True); break"
    with Runner("fake", command(tmp_path, body)) as runner:
        runner.diarize("one", tmp_path)
        with pytest.raises(BenchError, match="ended with status 0 at two"):
            runner.diarize("two", tmp_path)


@pytest.mark.parametrize("hello", ["", "print('{}')", "raise OSError('no model')"])
def test_a_system_that_does_not_start(tmp_path: Path, hello: str) -> None:
    (tmp_path / "runner.py").write_text(hello)
    with pytest.raises(BenchError, match=r"^fake: .*(its start|no model)"):
        Runner("fake", [sys.executable, str(tmp_path / "runner.py")])
    with pytest.raises(BenchError, match="fake: cannot be started"):
        Runner("fake", [str(tmp_path / "nothing")])


AUDIO = Path("/corpus/one.wav")


def test_turns_and_failures_are_read() -> None:
    turns = [[0, 1.5, "a"], [1.5, 1.5, "b"], [1.0, 2.0, 7]]
    found = _outcome({"uri": "one", "seconds": 0.5, "turns": turns}, "one", AUDIO)
    assert found == Outcome([Turn(0.0, 1.5, "a"), Turn(1.0, 2.0, "7")], 0.5)
    failed = _outcome({"uri": "one", "error": f"no\n speech in {AUDIO}"}, "one", AUDIO)
    assert failed == Outcome(failure="no speech in one")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uri": "other"}, "found one for 'other'"),
        ({"seconds": None}, "found no seconds"),
        ({"seconds": float("nan")}, "found no seconds"),
        ({"turns": [[0, 1]]}, "found no seconds and"),
        ({"turns": [[-1, 1, "a"]]}, "found no seconds and"),
        ({"turns": [["0", 1, "a"]]}, "found no seconds and"),
        ({"turns": [[2, 1, "a"]]}, "a turn that ends before it starts"),
    ],
)
def test_unusable_results(change: dict[str, object], message: str) -> None:
    with pytest.raises(UnusableOutputError, match=message):
        _outcome({"uri": "one", "seconds": 0.5, "turns": [], **change}, "one", AUDIO)


def test_output_of_libraries_is_no_result(tmp_path: Path) -> None:
    """The other side: bench/systems/protocol.py."""
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

            serve(lambda **given: Engine(diarize, given), "preset", "other")
        """)
    )
    start = f"import sys; sys.path.insert(0, '{REPOSITORY}'); import runpy; "
    run = f"sys.argv = ['runner', '--threads', '3', '--preset', 'x']; runpy.run_path('{script}')"
    with Runner("fake", [sys.executable, "-c", start + run]) as runner:
        assert runner.info.settings == {"threads": 3, "preset": "x", "other": None}
        assert "pytest" in runner.info.packages
        assert runner.diarize("one", tmp_path / "one.wav").turns == [Turn(0.0, 1.0, "a")]
        assert runner.diarize("bad", tmp_path / "bad.wav").failure == "ValueError: bad bad"
        assert runner.diarize("two", tmp_path / "two.wav").seconds is not None
