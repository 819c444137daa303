"""Recordings, commands, and stand-ins for hocket and other systems."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from click.testing import CliRunner, Result

from bench.__main__ import main
from bench.annotations import Turn


def write_recording(
    folder: Path, name: str, turns: list[Turn], duration_s: float = 2.0, suffix: str = ".wav"
) -> Path:
    """A silent recording and its RTTM below a folder; the path of the RTTM."""
    audio = folder / f"{name}{suffix}"
    audio.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(audio), np.zeros(round(duration_s * 8000), np.float32), 8000)
    return write_rttm(audio.with_suffix(".rttm"), turns)


def write_rttm(path: Path, turns: list[Turn]) -> Path:
    """The turns as an RTTM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"SPEAKER {path.stem} 1 {start:.3f} {end - start:.3f} <NA> <NA> {speaker} <NA> <NA>\n"
        for start, end, speaker in turns
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    """Run a command of the benchmark in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def results_of(*arguments: object, output: Path) -> dict[str, Any]:
    """The results of a command that must succeed."""
    result = run(*arguments, "--output", output)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


FAKE_HOCKET = """
import os
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

@dataclass(frozen=True)
class Graphs:
    embedding: str = "campplus"
    precision: str = "float32"

@dataclass(frozen=True)
class Config:
    graphs: Graphs = field(default_factory=Graphs)
    name: str | None = None

    @classmethod
    def preset(cls, name):
        return cls(name=name)

@dataclass(frozen=True)
class Runtime:
    threads: int | None = None

class Graph:
    def run(self, inputs):
        return {}

class Diarizer:
    counts = []

    def __init__(self, config, runtime):
        self.config = config
        self.geometry = SimpleNamespace(sample_rate=100)
        self.segmentation_graph = self.embedding_graph = Graph()

    def __call__(self, audio, num_speakers=None, progress=None):
        if "broken" in audio:
            raise ValueError("broken audio")
        Diarizer.counts.append(num_speakers)
        turns = (SimpleNamespace(start=0.0, end=1.0, speaker="speaker_0"),)
        seconds = {"decode": 0.25, "embedding": 0.5}
        if cache := os.environ.get("XDG_CACHE_HOME"):
            path = os.path.join(cache, "compiled")
            seconds["cached"] = float(os.path.exists(path))
            open(path, "w").close()
        self.segmentation_graph.run({"waveform": np.empty((15, 1, 200))})
        self.embedding_graph.run({"waveform": np.empty((1, 1, 150)), "masks": None})
        for done in range(1, 5):
            np.ones(done * 100_000, np.uint8)
            if progress:
                progress("embedding", done, 4)
        np.ones(2_000_000, np.uint8)
        return SimpleNamespace(turns=turns, seconds=seconds, copied={"embedding": 1000})
"""

# appends its name and the uri of every task to a log; `outcome(task)` returns the result
FAKE_SYSTEM = """
import json, sys
name, log = {name!r}, {log!r}
{body}
packages = {{name: "9.1"}}
print(json.dumps({{"python": "3.11", "packages": packages, "settings": {{}}}}), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    with open(log, "a") as file:
        file.write(name + " " + task["uri"] + "\\n")
    print(json.dumps({{"uri": task["uri"], **outcome(task)}}), flush=True)
"""
FAILS_ONCE = """
def outcome(task):
    if task["uri"] == "real/full":
        return {"error": "out of luck"}
    return {"seconds": 1.0, "turns": [[0.5, 1, "x"], [1, 1.5, "y"]]}
"""
