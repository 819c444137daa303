"""What notebooks show of a result with its sound."""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

from hocket.audio.reading import read_audio
from hocket.errors import ArgumentError, ConfigError
from hocket.lanes import NAME_WIDTH
from hocket.report import recording
from hocket.report.notebook import Player, player
from hocket.report.sound import MIME, RATE
from hocket.turns import Turn
from tests.formats.test_formats import result_of
from tests.helpers.audio import tone
from tests.helpers.paths import CONVERSATION
from tests.report.test_page import ATTACKS, Parsed

DIALOGUE = result_of([Turn(0.5, 1.0, "Anna", 0.9), Turn(1.25, 2.0, "Ben")], 2.0)


def shown(player: Player) -> Parsed:
    return Parsed(player._repr_html_())


def test_lanes_stand_above_the_sound() -> None:
    samples = tone(2.0)
    page = shown(player(DIALOGUE, samples, sample_rate=RATE))
    kinds = [tag for tag, _ in page.tags if tag in {"div", "svg", "audio", "script"}]
    assert kinds == ["div", "svg", "audio", "script"]
    assert [bar["data-start"] for bar in page.named("rect")] == ["0.500", "1.250"]
    (box,), (sound,) = page.named("div"), page.named("audio")
    assert float(box["data-scale"] or 0) * 2.0 + NAME_WIDTH == pytest.approx(950)  # of 960
    assert "controls" in sound
    head, _, content = str(sound["src"]).partition(",")
    assert head == f"data:{MIME};base64"
    played = read_audio(base64.b64decode(content), target_rate=RATE).samples
    assert np.corrcoef(played, samples)[0, 1] > 0.99


def test_players_of_one_page_share_no_id_and_no_name() -> None:
    html = player(DIALOGUE, tone(2.0), sample_rate=RATE)._repr_html_()
    page = Parsed(html + html)
    assert not [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[0]
    assert not re.search(r"(?m)^(const|let|var|function)\b", script)  # a page has these once
    assert not re.search(r"\b(?:window|globalThis)\b", script)


@pytest.mark.parametrize("name", ATTACKS)
def test_names_are_never_markup(name: str) -> None:
    turns = (Turn(0.5, 1.0, name),)
    hostile = replace(DIALOGUE, uri=name, turns=turns, speakers=(name,))
    page = shown(player(hostile, tone(2.0), sample_rate=RATE))
    tags = [tag for tag, _ in page.tags if tag not in {"line", "text"}]
    assert tags == ["div", "svg", "g", "rect", "title", "audio", "script"]
    assert {
        key for _, attributes in page.tags for key in attributes if key.startswith("on")
    } == set()


def test_long_sound_is_left_out_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        "is left out.<" in player(DIALOGUE, tone(2.0), sample_rate=RATE, audio=False)._repr_html_()
    )
    monkeypatch.setattr(recording, "LONGEST_S", 1.5)
    monkeypatch.setattr("hocket.report.notebook.LONGEST_S", 1.5)
    page = shown(player(DIALOGUE, tone(2.0), sample_rate=RATE))
    assert not page.named("audio")
    assert not page.named("script")
    assert "left out, since it is longer than" in page.text
    assert shown(player(DIALOGUE, tone(2.0), sample_rate=RATE, audio=True)).named("audio")


def test_a_player_is_short_where_there_is_no_notebook() -> None:
    assert repr(player(DIALOGUE, CONVERSATION)) == f"<Player of {DIALOGUE!r}>"


def test_wrong_arguments_are_errors() -> None:
    late = replace(DIALOGUE, turns=(Turn(40.0, 50.0, "Anna"),))
    with pytest.raises(ConfigError, match=r"conversation\.flac lasts 30\.0 s.* 50\.0 s; give the"):
        player(late, CONVERSATION)
    with pytest.raises(ConfigError, match=r"^talk lasts 2\.0 s"):
        player(late, tone(2.0), sample_rate=RATE)
    with pytest.raises(ArgumentError, match="result is 'x', a str; give Result"):
        player("x", CONVERSATION)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="did you mean 'audio'"):
        player(DIALOGUE, CONVERSATION, audios=True)  # type: ignore[call-arg]
