"""The command that says where to listen first: hocket review."""

import json
import sys
from dataclasses import asdict

import click

from hocket.cli.display import progress_bar, show_review
from hocket.config import PRESETS, Config
from hocket.errors import one_line
from hocket.offline.diarizer import Diarizer
from hocket.report.review import SECONDS, Review, ReviewSegment, read_result, review

RESULT_SUFFIX = ".json"


@click.command(name="review")
@click.argument("source", metavar="RESULT|AUDIO")
@click.option(
    "--seconds",
    type=float,
    default=SECONDS,
    show_default=True,
    help="How much sound to listen to, at most.",
)
@click.option(
    *("--format", "form"),
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="A table for people, or one object.",
)
@click.option("--num-speakers", type=int, help="Exact number of speakers, if known. For AUDIO.")
@click.option(
    "--preset",
    type=click.Choice(tuple(PRESETS)),
    default="balanced",
    show_default=True,
    help="For AUDIO, as of diarize.",
)
def review_command(
    source: str, seconds: float, form: str, num_speakers: int | None, preset: str
) -> int:
    """Show where to listen first, to put most errors right in little time.

    RESULT is a file that 'hocket diarize --format json' wrote; anything that does not end with
    .json is AUDIO and is diarized.
    """
    if source.lower().endswith(RESULT_SUFFIX):
        result = read_result(source)
    else:
        with progress_bar(one_line(source), sys.stderr) as report:
            diarizer = Diarizer(Config.preset(preset))
            result = diarizer(source, num_speakers=num_speakers, progress=report)
    found = review(result, seconds=seconds)
    if form == "json":
        click.echo(_document(found))
    else:
        show_review(found, one_line(source), sys.stdout)
    return 0


def _document(found: Review) -> str:
    content = {
        "uri": found.uri,
        "seconds": round(found.seconds, 3),
        "expected_error": round(found.expected_error, 3),
        "remaining_error": round(found.remaining_error, 3),
        "questions": [_row(segment) for segment in found.segments],
    }
    return json.dumps(content, ensure_ascii=False)


def _row(segment: ReviewSegment) -> dict[str, object]:
    """Times without their unit in the name, as in results."""
    return {
        name.removesuffix("_s"): round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(segment).items()
    }
