"""Files of conversations: sound, turns, scored region, and a manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from bench.errors import BenchError
from bench.people.mixing import Conversation
from bench.people.voices import RATE
from bench.report import Progress, write_results
from bench.simulation.making import simulate
from bench.simulation.voices import VoicePool


@dataclass(frozen=True)
class Batch:
    """Conversations of one kind over one channel.

    count: how many, with indices from 0.
    half: half of the voices, for the names of files; None: all.
    """

    kind: str
    channel: str
    seed: int
    count: int
    half: str | None = None

    @property
    def folder(self) -> str:
        """Folder of the files."""
        return f"{self.kind}-{self.channel}"

    def name(self, index: int) -> str:
        """Name of a conversation, unique among all seeds and halves."""
        return f"{self.half or 'all'}-{self.seed}-{index:04d}"


def write_conversations(
    out: Path,
    batch: Batch,
    voices: VoicePool,
    timelines: Sequence[Path],
    progress: Progress,
) -> Path:
    """Write OUT/KIND-CHANNEL/NAME.flac, .rttm and .uem of every conversation, and a manifest.

    Returns:
        Path of the manifest, OUT/manifest-KIND-CHANNEL-HALF-SEED.json.

    Raises:
        BenchError: as by `simulate`, or a file cannot be written.
    """
    rows = []
    for index in range(batch.count):
        made = simulate(batch.kind, batch.channel, batch.seed, index, voices, timelines)
        write_conversation(out / batch.folder, batch.name(index), made)
        rows.append(_row(batch, index, made))
        progress(f"{rows[-1]['uri']}: {made.duration_s:.0f} s, {rows[-1]['speakers']} speakers")
    manifest = out / f"manifest-{batch.folder}-{batch.half or 'all'}-{batch.seed}.json"
    write_results(manifest, {"files": rows})
    return manifest


def write_conversation(folder: Path, name: str, conversation: Conversation) -> None:
    """Write the sound as 16-bit FLAC, the turns as RTTM, and its whole length as scored region."""
    lines = [
        f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} "
        f"<NA> <NA> {turn.speaker} <NA> <NA>\n"
        for turn in conversation.turns
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{name}.flac", conversation.sound, RATE, subtype="PCM_16")
        (folder / f"{name}.rttm").write_text("".join(lines), encoding="utf-8")
        region = f"{name} 1 0.000 {conversation.duration_s:.3f}\n"
        (folder / f"{name}.uem").write_text(region, encoding="utf-8")
    except (OSError, soundfile.LibsndfileError) as error:
        raise BenchError(f"{folder / name}: cannot be written ({error})") from error


def _row(batch: Batch, index: int, conversation: Conversation) -> dict[str, Any]:
    names = list(dict.fromkeys(turn.speaker for turn in conversation.turns))
    return {
        "uri": f"{batch.folder}/{batch.name(index)}",
        "seconds": round(conversation.duration_s, 3),
        "speakers": len(names),
        "voices": names,
        "kind": batch.kind,
        "channel": batch.channel,
        "seed": batch.seed,
    }
