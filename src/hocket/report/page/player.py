"""What plays the recording: its sound, controls, and the picture of who speaks when."""

import base64

from hocket.report.page import chart
from hocket.report.page.content import Content
from hocket.report.page.markup import whole
from hocket.report.recording import LONGEST_S
from hocket.report.sound import MIME

RATES = (0.75, 1, 1.25, 1.5, 2)


def player(content: Content) -> str:
    """Sound, controls that the script shows, and the picture of who speaks when."""
    end = whole(content.duration)
    icons = '<path class="icon-play" d="M6 4l14 8-14 8z"/><path class="icon-pause" d="M6 4h4v16H6z'
    rates = "".join(
        f"<option{' selected' if rate == 1 else ''} value={rate}>{rate}&times;</option>"
        for rate in RATES
    )
    return (
        '<section id="player" aria-labelledby="player-title">'
        '<h2 id="player-title" class="unseen">Who speaks when</h2>'
        '<div class="controls" id="controls" hidden>'
        f'<button type="button" id="play" data-sounding aria-label="Play"><svg viewBox="0 0 24 24" '
        f'aria-hidden="true">{icons}M14 4h4v16h-4z"/></svg></button>'
        f'<span class="clock"><span id="now">0:00</span> / {end}</span>'
        f'<label class="rate" data-sounding>Speed <select id="rate">{rates}</select></label>'
        '<p class="keys"><span data-sounding><kbd>Space</kbd> play</span> '
        "<kbd>←</kbd><kbd>→</kbd> 5 s <kbd>↑</kbd><kbd>↓</kbd> turns</p></div>"
        f'{_audio(content)}<p id="problem" role="status"></p>{chart.chart(content)}</section>'
    )


def _audio(content: Content) -> str:
    sound = content.recorded.sound
    if sound:
        data = base64.b64encode(sound).decode()
        return f'<audio id="audio" controls preload="auto" src="data:{MIME};base64,{data}"></audio>'
    hours = LONGEST_S / 3600
    long = content.recorded.duration > LONGEST_S
    why = f", since it is longer than {hours:g} hours" if long else ""
    return (
        '<audio id="audio" hidden></audio><div class="choose">'
        f"<p>The sound of the recording is not in this page{why}.</p>"
        '<label id="choose" hidden>Open the recording to play it '
        '<input type="file" id="file" accept="audio/*,video/*"></label></div>'
    )
