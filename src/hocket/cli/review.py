"""The command `hocket review`."""

import json
import sys
from dataclasses import asdict

import click

from hocket.cli.display import progress_bar, show_review
from hocket.cli.options import check_source, preset_option
from hocket.errors import one_line
from hocket.offline.diarizer import Diarizer
from hocket.report.review import SECONDS, Review, review
from hocket.result import Result

RESULT_SUFFIX = ".json"


@click.command(name="review")
@click.argument("source", metavar="RESULT|AUDIO")
@click.option(
    "--seconds",
    type=float,
    default=SECONDS,
    show_default=True,
    help="Most sound to listen to.",
)
@click.option(
    *("--format", "form"),
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="A table for people, or one JSON object.",
)
@click.option("--num-speakers", type=int, help="Exact number of speakers, if known. For AUDIO.")
@preset_option
def review_command(
    source: str, seconds: float, form: str, num_speakers: int | None, preset: str
) -> int:
    """Show where to listen first, to correct the most errors in little time.

    RESULT is a file that 'hocket diarize --format json' wrote. Anything that does not end with
    .json is AUDIO and is diarized.
    """
    if source.lower().endswith(RESULT_SUFFIX):
        result = Result.load(source)
    else:
        check_source(source, "hocket diarize - --format json -o FILE.json")
        with progress_bar(one_line(source), sys.stderr) as progress:
            diarizer = Diarizer(preset=preset)
            result = diarizer(source, num_speakers=num_speakers, progress=progress)
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
        "segments": [_rounded(asdict(segment)) for segment in found.segments],
    }
    return json.dumps(content, ensure_ascii=False)


def _rounded(row: dict[str, object]) -> dict[str, object]:
    return {
        name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()
    }
