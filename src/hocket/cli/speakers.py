"""The commands `hocket speakers`."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import get_args

import click
import numpy as np
from click.core import ParameterSource

from hocket.cli.options import Command, store_option, threads_option, threshold_option
from hocket.config import Config, GraphConfig, Runtime
from hocket.errors import AudioNotFoundError, SpeakerError, one_line
from hocket.files import write_whole
from hocket.offline.diarizer import Diarizer
from hocket.result import EmbeddingModel, Result
from hocket.speakers import (
    ID_PREFIX,
    Existing,
    Match,
    Speaker,
    SpeakerStore,
    checked_name,
    export_speakers,
    import_speakers,
    name_speakers,
    read_document,
    unnamed,
)
from hocket.speakers.enroll import check_voices, enroll, extract_clips, nobody, verify
from hocket.speakers.reembedding import reembed


def _engine_options(command: Command) -> Command:
    """Options of commands that process recordings."""
    command = threads_option(command)
    return click.option(
        "--embedding",
        default=GraphConfig.embedding,
        show_default=True,
        help="Embedding model; a store holds embeddings of one.",
    )(command)


@click.group(name="speakers")
def speakers_group() -> None:
    """Manage known speakers, in a file that is yours.

    A speaker is given by name, or by number as id:NUMBER.
    """


@speakers_group.command(name="enroll")
@click.argument("name")
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...")
@store_option(required=True)
@click.option("--consent", default="", help="What the speaker agreed to; kept with the voice.")
@click.option(
    "--speaker", "cluster", help="Whose voice, if several speakers speak: SPEAKER_00, ..."
)
@click.option("--add", is_flag=True, help="Add to a speaker who is in the store.")
@click.option("--force", is_flag=True, help="Even if the voice is not clear, or not the speaker's.")
@_engine_options
def enroll_command(
    name: str,
    clips: tuple[str, ...],
    store: Path,
    consent: str,
    cluster: str | None,
    add: bool,
    force: bool,
    embedding: str,
    threads: int | None,
) -> int:
    """Enroll NAME from CLIPs, each with 2 s or more of that voice alone; 20 s is better."""
    diarizer = _diarizer(embedding, threads)
    if add or store.exists():
        with SpeakerStore(store, create=not add) as known:
            speaker = enroll(
                known, name, clips, diarizer, consent=consent, cluster=cluster, add=add, force=force
            )
    else:  # a clip or a name that is refused leaves no file
        name = checked_name(name)
        voices = extract_clips(clips, diarizer, consent, cluster, clear=not force)
        check_voices(voices, nobody(), [], force=force)
        exemplars = [exemplar for voice in voices for exemplar in voice.exemplars]
        with SpeakerStore(store) as new:
            speaker = new.enroll(name, exemplars, diarizer.embedding_model)
    click.echo(f"{speaker.name}: {_amount(speaker)}")
    return 0


@speakers_group.command(name="list")
@store_option(required=True)
def list_speakers(store: Path) -> int:
    """List the speakers: number, name, exemplars, speech, when last seen."""
    with _existing(store) as opened:
        for speaker in opened.speakers():
            click.echo(_row(speaker))
    return 0


@speakers_group.command()
@click.argument("who", metavar="NAME")
@store_option(required=True)
def show(who: str, store: Path) -> int:
    """Show a speaker, and the source of every exemplar."""
    with _existing(store) as opened:
        speaker, exemplars = opened.speaker(_who(who)), opened.exemplars(_who(who))
        model = opened.model
    click.echo(_row(speaker))
    click.echo(f"in the store since {speaker.created_at}, by {model.name if model else 'no model'}")
    for number, e in enumerate(exemplars, start=1):
        note = f", consent: {one_line(e.consent)}" if e.consent else ""
        place = f"{one_line(e.source)} {e.start:.1f} - {e.end:.1f} s"
        click.echo(f"exemplar {number}: {e.seconds:.1f} s of {place}, {e.added_at}{note}")
    return 0


@speakers_group.command()
@click.argument("who", metavar="NAME")
@click.argument("name", metavar="NEW")
@store_option(required=True)
def rename(who: str, name: str, store: Path) -> int:
    """Rename a speaker."""
    with _existing(store) as opened:
        click.echo(_row(opened.rename(_who(who), name)))
    return 0


@speakers_group.command()
@click.argument("source", metavar="NAME")
@click.argument("into", metavar="INTO")
@store_option(required=True)
@click.option("--force", is_flag=True, help="Even if NAME is permanent.")
def merge(source: str, into: str, store: Path, force: bool) -> int:
    """Move all exemplars of NAME to INTO, and delete NAME."""
    with _existing(store) as opened:
        click.echo(_row(opened.merge(_who(source), _who(into), force=force)))
    return 0


@speakers_group.command()
@click.argument("who", metavar="NAME")
@click.argument("name", metavar="NEW")
@click.argument("exemplars", nargs=-1, required=True, type=int, metavar="EXEMPLAR...")
@store_option(required=True)
def split(who: str, name: str, exemplars: tuple[int, ...], store: Path) -> int:
    """Move EXEMPLARs of NAME, numbered as in show, to a new speaker NEW."""
    with _existing(store) as opened:
        own = opened.exemplars(_who(who))
        if not all(1 <= number <= len(own) for number in exemplars):
            there = f"1 to {len(own)}" if len(own) > 1 else f"{len(own)}"
            raise SpeakerError(f"{who}: has {there} exemplars; 'hocket speakers show' lists them")
        ids = [own[number - 1].id for number in exemplars]
        click.echo(_row(opened.split(_who(who), ids, name)))
    return 0


@speakers_group.command()
@click.argument("who", metavar="NAME")
@store_option(required=True)
@click.option("--off", is_flag=True, help="End the protection.")
def permanent(who: str, store: Path, off: bool) -> int:
    """Protect a speaker from purge, and from forget and merge without --force."""
    with _existing(store) as opened:
        click.echo(_row(opened.set_permanent(_who(who), not off)))
    return 0


@speakers_group.command()
@click.argument("who", nargs=-1, required=True, metavar="NAME...")
@store_option(required=True)
@click.option("--force", is_flag=True, help="Even if permanent.")
def forget(who: tuple[str, ...], store: Path, force: bool) -> int:
    """Delete speakers; no byte of their voices stays in the file."""
    with _existing(store) as opened:
        for one in who:
            click.echo(f"forgot {opened.forget(_who(one), force=force).name}")
    return 0


@speakers_group.command()
@click.option("--inactive-days", type=click.FloatRange(0), required=True)
@click.option("--dry-run", is_flag=True, help="Only show who would be forgotten.")
@store_option(required=True)
def purge(inactive_days: float, dry_run: bool, store: Path) -> int:
    """Forget speakers not seen for so many days, unless they are permanent."""
    verb = "would forget" if dry_run else "forgot"
    with _existing(store) as opened:
        for speaker in opened.purge(timedelta(days=inactive_days), dry_run=dry_run):
            click.echo(f"{verb} {speaker.name}, last seen {speaker.seen_at}")
    return 0


@speakers_group.command()
@store_option(required=True)
def compact(store: Path) -> int:
    """Rewrite the file without deleted data."""
    with _existing(store) as opened:
        opened.compact()
    click.echo(f"wrote {store}")
    return 0


@speakers_group.command()
@click.argument("recording")
@store_option(required=True)
@threshold_option
@_engine_options
def identify(
    recording: str, store: Path, threshold: float | None, embedding: str, threads: int | None
) -> int:
    """Show which speakers of the store speak in RECORDING."""
    diarizer = _diarizer(embedding, threads)
    with _existing(store) as opened:
        opened.check_model(diarizer.embedding_model)
        matches = opened.identify(diarizer(recording), threshold=threshold)
    for match in matches:
        click.echo(f"{match.cluster:<12} {match.seconds:>7.1f} s  {_identity(match)}")
    if not matches:
        click.echo("nobody speaks")
    return 0


@speakers_group.command(name="verify")
@click.argument("who", metavar="NAME")
@click.argument("clip")
@store_option(required=True)
@threshold_option
@_engine_options
def verify_speaker(
    who: str,
    clip: str,
    store: Path,
    threshold: float | None,
    embedding: str,
    threads: int | None,
) -> int:
    """Verify that the one speaker in CLIP is NAME."""
    with _existing(store) as opened:
        found = verify(opened, _who(who), clip, _diarizer(embedding, threads), threshold=threshold)
    answer = "yes" if found.same else "no"
    limit = f"distance {found.distance:.3f}, {found.threshold:g} at most"
    if np.isfinite(found.margin):
        limit += f", next {found.margin:+.3f}"
    click.echo(f"{answer}: {one_line(clip)} is {'' if found.same else 'not '}"
               f"{found.speaker.name} ({limit})")  # fmt: skip
    return 0


@speakers_group.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@store_option(required=True)
def export(file: Path, store: Path) -> int:
    """Write all speakers as JSON to FILE, or to standard output."""
    with _existing(store) as opened:
        document = export_speakers(opened)
    if str(file) == "-":
        click.echo(document, nl=False)
    else:
        write_whole(file, document, "choose another place", private=True)
        click.echo(f"wrote {file}")
    return 0


@speakers_group.command(name="import")
@click.argument("file")
@store_option(required=True)
@click.option(
    "--existing",
    type=click.Choice(get_args(Existing)),
    default="refuse",
    show_default=True,
    help="Names that are in the store: refuse to import, skip them, or add to them.",
)
@click.option("--force", is_flag=True, help="Add even what is not the speaker's voice.")
def import_file(file: str, store: Path, existing: Existing, force: bool) -> int:
    """Import the speakers of FILE, written by export; - reads standard input."""
    document = _read(file)
    if not store.exists():
        read_document(document)  # a document that is refused leaves no file
    with SpeakerStore(store) as opened:
        for speaker in import_speakers(opened, document, existing, force=force):
            click.echo(_row(speaker))
    return 0


@speakers_group.command(name="reembed")
@store_option(required=True)
@click.option("--drop", is_flag=True, help="Drop exemplars whose source cannot be read.")
@_engine_options
def reembed_all(store: Path, drop: bool, embedding: str, threads: int | None) -> int:
    """Embed all exemplars again, from their sources, with another embedding model."""
    with _existing(store) as opened:
        dropped = reembed(opened, _diarizer(embedding, threads), drop=drop)
    click.echo(f"wrote {store}, {dropped} exemplars dropped")
    return 0


def open_known(store: Path | None, model: EmbeddingModel) -> SpeakerStore | None:
    """The store with known speakers, if one is given; StoreError if it is another model's."""
    context = click.get_current_context()
    # the variable may be set before the first speaker is enrolled
    by_variable = context.get_parameter_source("store") == ParameterSource.ENVIRONMENT
    if store is None or (by_variable and not store.exists()):
        return None
    opened = _existing(store)
    context.call_on_close(opened.close)
    opened.check_model(model)
    return opened


def name_known(store: SpeakerStore, result: Result, source: str, threshold: float | None) -> Result:
    """A result with the names of certain speakers; suggestions go to standard error."""
    matches = unnamed(result, store.identify(result, threshold=threshold))
    for match in matches:
        if match.speaker and not match.certain:
            click.echo(f"hocket: {one_line(source)}: {match.cluster} {_identity(match)}", err=True)
    return name_speakers(result, matches)


def _identity(match: Match) -> str:
    far = f"distance {match.distance:.3f}, {match.threshold:g} at most"
    if np.isfinite(match.margin):
        far += f", next {match.margin:+.3f}"
    if match.speaker is None:
        taken = f"; {match.shared_with} has that name" if match.shared_with else ""
        return f"not in the store (nearest: {far}{taken})"
    verb = "is" if match.certain else "may be"
    return f"{verb} {match.speaker.name} ({far}, {match.probability:.0%} sure)"


def _diarizer(embedding: str, threads: int | None) -> Diarizer:
    config = Config(graphs=GraphConfig(embedding=embedding))
    return Diarizer(config, Runtime(threads=threads)).load()


def _existing(store: Path) -> SpeakerStore:
    return SpeakerStore(store, create=False)


def _who(text: str) -> int | str:
    """A speaker as the command line gives it: a name, or id:NUMBER."""
    number = text.removeprefix(ID_PREFIX)
    return int(number) if number != text and number.isascii() and number.isdigit() else text


def _row(speaker: Speaker) -> str:
    kept = ", permanent" if speaker.permanent else ""
    return f"{speaker.id:>4} {speaker.name:<24} {_amount(speaker)}, {speaker.seen_at}{kept}"


def _amount(speaker: Speaker) -> str:
    return f"{speaker.exemplars} exemplars, {speaker.speech_s:.1f} s"


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        return Path(file).read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        reason = error.strerror or str(error)
        raise AudioNotFoundError(file, f"cannot be read: {reason}", "check its name") from error
