"""Files of talks: sound, truth, scored region, and a manifest of all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from bench.errors import BenchError
from bench.people_mixing import Talk
from bench.people_voices import RATE
from bench.report import write_results
from bench.simulation.making import simulate
from bench.simulation.voices import VoiceVectors


@dataclass(frozen=True)
class Batch:
    """Talks of one kind over one channel.

    count: how many, by index from 0 on.
    half: which voices are meant, for the names of files; None: all.
    """

    kind: str
    channel: str
    seed: int
    count: int
    half: str | None = None

    @property
    def folder(self) -> str:
        """Where they go."""
        return f"{self.kind}-{self.channel}"

    def name(self, index: int) -> str:
        """What a talk is called: no other seed or half has that name."""
        return f"{self.half or 'all'}-{self.seed}-{index:04d}"


def write_talks(
    out: Path,
    batch: Batch,
    voices: VoiceVectors,
    timelines: Sequence[Path],
    progress: Callable[[str], None],
) -> Path:
    """Write OUT/KIND-CHANNEL/NAME.flac, .rttm and .uem of every talk, and a manifest of them.

    Returns:
        The manifest, OUT/manifest-KIND-CHANNEL-HALF-SEED.json.

    Raises:
        BenchError: as from `simulate`, or a file cannot be written.
    """
    rows = []
    for index in range(batch.count):
        talk = simulate(batch.kind, batch.channel, batch.seed, index, voices, timelines)
        write_talk(out / batch.folder, batch.name(index), talk)
        rows.append(_row(batch, index, talk))
        progress(f"{rows[-1]['uri']}: {talk.duration_s:.0f} s, {rows[-1]['speakers']} speakers")
    manifest = out / f"manifest-{batch.folder}-{batch.half or 'all'}-{batch.seed}.json"
    write_results(manifest, {"files": rows})
    return manifest


def write_talk(folder: Path, name: str, talk: Talk) -> None:
    """Write the sound as 16-bit FLAC, the turns as RTTM, and all of it as the scored region."""
    lines = [
        f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} "
        f"<NA> <NA> {turn.speaker} <NA> <NA>\n"
        for turn in talk.turns
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{name}.flac", talk.sound, RATE, subtype="PCM_16")
        (folder / f"{name}.rttm").write_text("".join(lines), encoding="utf-8")
        region = f"{name} 1 0.000 {talk.duration_s:.3f}\n"
        (folder / f"{name}.uem").write_text(region, encoding="utf-8")
    except (OSError, soundfile.LibsndfileError) as error:
        raise BenchError(f"{folder / name}: cannot be written ({error})") from error


def _row(batch: Batch, index: int, talk: Talk) -> dict[str, Any]:
    names = list(dict.fromkeys(turn.speaker for turn in talk.turns))
    return {
        "uri": f"{batch.folder}/{batch.name(index)}",
        "seconds": round(talk.duration_s, 3),
        "speakers": len(names),
        "voices": names,
        "kind": batch.kind,
        "channel": batch.channel,
        "seed": batch.seed,
    }
