"""Who spoke when, with the sound, as notebooks show it."""

import base64
from dataclasses import dataclass
from html import escape
from importlib import resources

from hocket.arguments import check_type, known_names_only
from hocket.audio.reading import WHOLE, AudioSource, Selection, name_of
from hocket.errors import one_line
from hocket.lanes import LANE, NAME_WIDTH, WIDTH, lanes, pixels_per_second
from hocket.report.recording import LONGEST_S, Recorded, check_turns, record
from hocket.report.sound import MIME
from hocket.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Player:
    """A result with the sound of its recording, which a notebook shows and plays.

    result: who speaks when.
    recorded: the recording; its sound is empty if it is left out.
    """

    result: Result
    recorded: Recorded

    def __repr__(self) -> str:
        return f"<Player of {self.result!r}>"

    def _repr_html_(self) -> str:
        """A lane a speaker above the controls; a click on a turn plays from there."""
        result = self.result
        return (
            f'<div class="hocket-player" style="max-width:{WIDTH}px" data-left="{NAME_WIDTH}" '
            f'data-scale="{pixels_per_second(result.duration)}" '
            f'data-height="{LANE * max(1, len(result.speakers))}">'
            f"{lanes(result.turns, result.speakers, result.duration)}{self._sound()}</div>"
        )

    def _sound(self) -> str:
        sound = self.recorded.sound
        if not sound:
            is_long = self.recorded.duration > LONGEST_S
            why = f", since it is longer than {LONGEST_S / 3600:g} hours" if is_long else ""
            return f"<p>The sound of the recording is left out{why}.</p>"
        script = (resources.files("hocket") / "report" / "notebook.js").read_text("utf-8")
        data = base64.b64encode(sound).decode()
        return (
            f'<audio controls aria-label="{escape(one_line(self.result.uri))}" style="width:100%" '
            f'src="data:{MIME};base64,{data}"></audio><script>{script}</script>'
        )


@known_names_only
def player(
    result: Result,
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    selection: Selection = WHOLE,
    audio: bool | None = None,
) -> Player:
    """A result with the sound of its recording, for a notebook.

    The sound is in the output of the cell, so it is saved with the notebook.

    Args:
        result: what `diarize` returned.
        source: the recording: a path, the bytes of an audio file, a binary file object, or an array
            as `diarize` takes it.
        sample_rate: Hz, of an array.
        selection: what of the source was diarized, where it has several tracks or channels.
        audio: whether the sound is embedded, as MP3: 3.2 MB of text for ten minutes. Default: if
            the recording is no longer than two hours.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        AudioError: the recording cannot be read.
        ConfigError: the turns end behind the recording, so they are those of another one.
        BackendError: the PyAV that is installed cannot write MP3.
    """
    check_type("result", result, Result)
    check_type("audio", audio, bool | None)
    name = name_of(source)
    recorded = record(
        source,
        sample_rate=sample_rate,
        name=name,
        selection=selection,
        audio=audio,
        known=result.notices,
    )
    check_turns(result.turns, recorded.duration, result.uri if name == "audio" else name)
    return Player(result, recorded)
