"""The command `hocket score`."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import click

from hocket.audio.excerpts import read_uem
from hocket.errors import FormatError, one_line
from hocket.formats.files import READABLE, format_of, read_transcripts
from hocket.report.scoring import Score, score, total
from hocket.report.words import REQUIREMENT, WordScore, word_score
from hocket.transcript import Transcript
from hocket.turns import Turn

COLUMNS = ("DER %", "miss", "false alarm", "confusion", "JER %", "speakers", "found")
TOTAL = "all"

Transcripts: TypeAlias = Mapping[str, Transcript]


@click.command(name="score")
@click.argument("hypothesis", metavar="HYP", type=click.Path(exists=True, path_type=Path))
@click.argument("reference", metavar="REF", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--regions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="UEM",
    help="Score only the regions of a UEM file. Default: from the first turn to the last.",
)
@click.option(
    "--collar",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    metavar="S",
    help="Seconds left out on each side of every start and end in REF.",
)
@click.option(
    "--overlap/--no-overlap", default=True, help="Score where several people speak. Default: yes."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def score_command(
    hypothesis: Path,
    reference: Path,
    regions: Path | None,
    collar: float,
    overlap: bool,
    as_json: bool,
) -> int:
    """Score the turns in HYP against those in REF, files of any readable format or folders.

    Recordings are matched by name. Without --collar and --no-overlap the protocol is strict: every
    moment counts, and recordings count by the length of their speech.
    """
    found, truth = _transcripts(hypothesis), _transcripts(reference)
    if len(found) == len(truth) == 1:  # names of the only recordings need not agree
        found = dict(zip(truth, found.values(), strict=True))
    missing = [uri for uri in truth if uri not in found]
    if missing or not truth:
        problem = f"has no turns of {one_line(missing[0])}" if missing else "cannot be scored"
        raise FormatError(f"{hypothesis}: {problem}; {reference} has {len(truth)} recordings")
    scores = {
        uri: score(
            *(_turns(each), _turns(found[uri])),
            None if regions is None else read_uem(regions, uri),
            collar=collar,
            overlap=overlap,
        )
        for uri, each in truth.items()
    }
    words = _word_scores(truth, found)
    protocol = {"collar_s": collar, "overlap": overlap, "regions": bool(regions)}
    shown = (
        _as_json(scores, words, protocol) if as_json else _table(scores, collar, overlap=overlap)
    )
    click.echo(shown)
    if words and not as_json:
        click.echo(_word_table(words))
    return 0


def _word_scores(truth: Transcripts, found: Transcripts) -> dict[str, WordScore]:
    """Scores of the recordings whose words are known on both sides; none without meeteval."""
    spoken = [uri for uri, each in truth.items() if each.has_text and found[uri].has_text]
    if not spoken:
        return {}
    if find_spec(REQUIREMENT) is None:
        click.echo(f'hocket: cpWER needs meeteval; run "pip install {REQUIREMENT}"', err=True)
        return {}
    return {uri: word_score(truth[uri], found[uri]) for uri in spoken}


def _word_table(words: Mapping[str, WordScore]) -> str:
    shown = {one_line(uri): each for uri, each in words.items()}
    if len(words) > 1:
        shown[TOTAL] = sum(words.values(), WordScore())
    width = max(len("recording"), *map(len, shown))
    lines = [f"\n{'recording':{width}}  {'cpWER %':>11}  {'words':>11}"]
    for name, each in shown.items():
        lines.append(f"{name:{width}}  {100 * each.rate:11.2f}  {each.words:11d}")
    return "\n".join([*lines, "words with their speakers; case and punctuation do not count"])


def _turns(transcript: Transcript) -> list[Turn]:
    return [segment.turn for segment in transcript.segments]


def _transcripts(place: Path) -> dict[str, Transcript]:
    """The transcript of each recording in a file, or in all files of a folder."""
    found: dict[str, Transcript] = {}
    for path in sorted(place.iterdir()) if place.is_dir() else [place]:
        if place.is_dir() and format_of(path) not in READABLE:
            continue
        transcripts = {each.uri: each for each in read_transcripts(path)}
        empty = Transcript(path.stem, 0.0, ())
        for uri, transcript in (transcripts or {path.stem: empty}).items():
            if uri in found:
                raise FormatError(f"{path}: {one_line(uri)} is in another file too; remove one")
            found[uri] = transcript
    return found


def _numbers(found: Score) -> dict[str, float | None]:
    return {
        "der": found.der,
        "miss": found.share(found.missed_s),
        "false_alarm": found.share(found.false_alarm_s),
        "confusion": found.share(found.confusion_s),
        "jer": found.jer,
    }


def _as_json(
    scores: Mapping[str, Score], words: Mapping[str, WordScore], protocol: Mapping[str, object]
) -> str:
    def row(found: Score, spoken: WordScore | None) -> dict[str, object]:
        rates = {key: None if v is None else round(v, 6) for key, v in _numbers(found).items()}
        speakers = {"reference": found.speakers_reference, "found": found.speakers_found}
        cp = {} if spoken is None else {"cpwer": round(spoken.rate, 6), "words": spoken.words}
        return {**rates, "speech_s": round(found.speech_s, 3), "speakers": speakers, **cp}

    together = total(scores.values())
    right = {"files": together.files, "files_right_count": together.files_right_count}
    rows = {uri: row(found, words.get(uri)) for uri, found in scores.items()}
    all_words = sum(words.values(), WordScore()) if words else None
    whole = {**row(together, all_words), **right}
    content = {"protocol": protocol, "recordings": rows, "total": whole}
    return json.dumps(content, ensure_ascii=False)


def _table(scores: Mapping[str, Score], collar: float, *, overlap: bool) -> str:
    shown = {one_line(uri): found for uri, found in scores.items()}
    if len(scores) > 1:
        shown[TOTAL] = total(scores.values())
    width = max(len("recording"), *map(len, shown))
    lines = [f"{'recording':{width}}  {'  '.join(f'{name:>11}' for name in COLUMNS)}"]
    for name, found in shown.items():
        rates = ["-" if v is None else f"{100 * v:.2f}" for v in _numbers(found).values()]
        cells = [*rates, str(found.speakers_reference), str(found.speakers_found)]
        lines.append(f"{name:{width}}  {'  '.join(f'{cell:>11}' for cell in cells)}")
    together = total(scores.values())
    scored = "scored" if overlap else "left out"
    lines.append(
        f"collar {collar:g} s, overlap {scored}, weighted by speech; "
        f"{together.files_right_count} of {together.files} with the right number of speakers"
    )
    return "\n".join(lines)
