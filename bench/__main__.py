"""Commands of the benchmark, and the only place that prints."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bench.corpus import find_recordings
from bench.environment import describe
from bench.errors import BenchError
from bench.report import RESULTS, number, table, write_results

Folder = click.Path(exists=True, file_okay=False, path_type=Path)
File = click.Path(dir_okay=False, path_type=Path)
Count = click.IntRange(min=1)
OUTPUT_HELP = "Results file; by default bench/results/COMMAND-LABEL.json."
PARTS = {"der": "DER", "miss": "miss", "false_alarm": "false alarm", "confusion": "confusion"}


class _Commands(click.Group):
    """Commands whose expected failures end in one line, not in a stack trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BenchError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
def main() -> None:
    """Benchmarks of hocket; results go to bench/results as JSON."""


@main.command()
@click.argument("folder", metavar="DIR", type=Folder)
@click.option("--output", type=File, help=OUTPUT_HELP)
@click.option("--label", help="Name of this measurement; by default the name of DIR.")
@click.option("--num-speakers", type=click.Choice(["oracle"]), help="Tell hocket the true number.")
@click.option("--threads", type=Count, help="Processor threads; by default hocket's choice.")
@click.option("--hypotheses", type=Folder, help="Score these RTTM files; hocket is not run.")
def der(
    folder: Path,
    output: Path | None,
    label: str | None,
    num_speakers: str | None,
    threads: int | None,
    hypotheses: Path | None,
) -> None:
    """Diarization error rate over the recordings below DIR (audio with an .rttm beside it)."""
    # Imported here: scoring brings pandas, which `speed` has no use for.
    from bench.der import Hocket, StoredHypotheses, System, measure_errors

    if hypotheses is not None and (num_speakers or threads):
        raise click.UsageError("--hypotheses excludes --num-speakers and --threads")
    label = _label(label, folder)
    recordings = find_recordings(folder)
    system: System = (
        StoredHypotheses(hypotheses)
        if hypotheses is not None
        else Hocket(threads, oracle=num_speakers == "oracle")
    )
    results = measure_errors(recordings, system, _progress)
    click.echo(_der_table(results))
    _finish("der", label, folder, output, results)


@main.command()
@click.argument("folder", metavar="DIR", type=Folder)
@click.option("--repeats", type=Count, default=3, show_default=True, help="Medians of this many.")
@click.option("--threads", type=Count, default=2, show_default=True, help="Processor threads.")
@click.option("--output", type=File, help=OUTPUT_HELP)
@click.option("--label", help="Name of this measurement; by default the name of DIR.")
def speed(folder: Path, repeats: int, threads: int, output: Path | None, label: str | None) -> None:
    """Speed, cold start and peak memory over the recordings below DIR."""
    from bench.speed import measure_speed

    label = _label(label, folder)
    results = measure_speed(find_recordings(folder), repeats, threads)
    click.echo(_speed_table(results))
    _finish("speed", label, folder, output, results)


@main.command()
def front_page() -> None:
    """Write the README's table from bench/results/{der,speed}-development.json."""
    from bench.front_page import README, with_table

    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


def _label(label: str | None, folder: Path) -> str:
    if label is None:
        return re.sub(r"[^\w.-]+", "-", folder.resolve().name) or "corpus"
    if not re.fullmatch(r"[\w.-]+", label):
        raise click.BadParameter(f"found '{label}'; use letters, digits, '.', '_' and '-'")
    return label


def _progress(uri: str) -> None:
    click.echo(uri, err=True)


def _finish(
    command: str, label: str, folder: Path, output: Path | None, results: Mapping[str, object]
) -> None:
    path = output or RESULTS / f"{command}-{label}.json"
    header = {
        "command": command,
        "label": label,
        "corpus": folder.resolve().name,
        "environment": describe(),
    }
    write_results(path, {**header, **results})
    click.echo(f"written to {path}", err=True)


def _der_table(results: Mapping[str, Any]) -> str:
    header = ("recording", *(f"{part} %" for part in PARTS.values()), "speech s", "speakers")
    rows = [
        _der_row(uri, row, f"{row['speakers_found']} of {row['speakers_reference']}")
        for uri, row in results["files"].items()
    ]
    groups = {kind or "(top)": row for kind, row in results["kinds"].items()}
    for name, row in {**groups, "all": results["all"]}.items():
        rows.append(_der_row(name, row, f"{row['files_right_count']} of {row['files']} right"))
    return f"{table(header, rows)}\n{results['protocol']}; {results['audio_minutes']} min of audio"


def _der_row(name: str, row: Mapping[str, Any], speakers: str) -> tuple[str, ...]:
    rates = (number(row[f"{part}_percent"], 2) for part in PARTS)
    return (name, *rates, number(row["speech_s"]), speakers)


def _speed_table(results: Mapping[str, Any]) -> str:
    timed = {**results["stages"], "end to end": results["end_to_end"]}
    rows = [
        (name, number(row["seconds"], 3), number(row["x_real_time"])) for name, row in timed.items()
    ]
    cold, memory = results["cold_start"], results["peak_rss_mb"]
    return "\n".join(
        [
            table(("stage", "seconds", "x real time"), rows),
            f"{results['audio_minutes']} min of audio, median of {results['repeats']}",
            f"cold start: {cold['seconds']:.3f} s for a clip of {cold['clip_s']:g} s",
            f"peak memory: {memory['corpus']:.0f} MB, {memory['clip']:.0f} MB for the clip alone",
        ]
    )


if __name__ == "__main__":
    main()
