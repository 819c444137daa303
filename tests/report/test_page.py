"""The page of a report: complete, self-contained, and safe whatever names and words it shows."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.errors import ArgumentError, ConfigError
from hocket.lanes import FAINTEST
from hocket.notices import Notice
from hocket.report.page import report_page
from hocket.report.page.chart import PIXELS, bars
from hocket.report.page.markup import embedded
from hocket.result import Origin, Result, UncertainSegment
from hocket.transcript import Segment, Transcript, Word, of_segments
from hocket.turns import Turn
from tests.formats.test_formats import ANY_NAME, HOSTILE, result_of

RATE = 8_000
SILENCE = np.zeros(20 * RATE, np.float32)
VOID = {"meta", "link", "input", "path", "use", "rect"}
ATTACKS = [
    "</script><script>alert(1)</script>", "<!--", "-->", '"><img src=x onerror=alert(1)>',
    "]]>", "&lt;b&gt;", "'; alert(1); '", "\u202eannA", "a\u2028b", "</title>", "x" * 500,
    *HOSTILE,
]  # fmt: skip


class Parsed(HTMLParser):
    """Tags of a page in order; AssertionError unless every one is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(content: Transcript | Result, **options: Any) -> str:
    options = {"sample_rate": RATE, "audio": False, **options}
    return report_page(content, SILENCE, **options)


def times_of(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="times">(.*?)</script>', page)
    return json.loads(found)


DIALOGUE = replace(
    result_of(
        [Turn(0.5, 6.0, "Anna", 0.9), Turn(5.0, 9.0, "Ben", 0.5), Turn(10.0, 12.5, "Anna", 0.2)],
        20.0,
    ),
    count_confidence={2: 0.875, 3: 0.125},
    uncertain=(UncertainSegment(10.0, 12.5, "Anna", 0.2, ("Ben",)),),
    notices=(Notice("gap", "2.0 s are missing", 9.0, 11.0),),
    origin=Origin("1.2.3", {"embedding": {"name": "net", "sha256": "ab12"}}, {"vad": {"on": 0.5}}),
)


def test_a_page_has_everything_that_a_result_holds() -> None:
    page = page_of(DIALOGUE, name="meeting.flac")
    parsed = Parsed(page)
    for text in (
        "meeting.flac", "0:20", "2 speakers", "3 turns", "Several people speak at once for 1.0 s",
        "Probability of 2 speakers: 88%; of 3: 12%.", "What to check first", "2.0 s are missing",
        "hocket 1.2.3", "ab12", "vad.on", "before its end.",
    ):  # fmt: skip
        assert text in parsed.text
    drawn = [(rect["x"], float(rect["opacity"] or 0)) for rect in parsed.named("rect")]
    faint = FAINTEST + (1 - FAINTEST) * np.array([0.9, 0.2, 0.5])
    assert [x for x, _ in drawn] == ["2.50%", "50.00%", "25.00%"]
    assert [sure for _, sure in drawn] == pytest.approx(faint, abs=0.01)
    links = [link["href"] for link in parsed.named("a")]
    assert {"#t=0.5", "#t=5", "#t=10"} <= set(links)
    assert times_of(page)["segments"] == [[0.5, 6, 0], [5, 9, 1], [10, 12.5, 0]]


def test_headings_are_in_order_and_tables_have_headers() -> None:
    parsed = Parsed(page_of(DIALOGUE))
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert parsed.named("html")[0]["lang"] == "en"
    assert all(head["scope"] in ("col", "row") for head in parsed.named("th"))
    assert len(parsed.named("caption")) == len(parsed.named("table")) > 3


def test_nothing_is_requested() -> None:
    page = report_page(DIALOGUE, SILENCE, sample_rate=RATE)
    assert set(re.findall(r"https?://[^\s\"'<>]+", page)) == set()
    sources = re.findall(r'\b(?:src|srcset|data|action|poster)="([^"]{0,20})', page)
    assert [source[:15] for source in sources] == ["data:audio/mpeg"]
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|importScripts|\bimport\(", page)
    policy = str(Parsed(page).named("meta")[1]["content"])
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


def test_words_follow_playback() -> None:
    words = (Word(1.0, 1.5, "Hello,"), Word(1.5, 2.25, "world"))
    said = Segment(Turn(1.0, 2.5, "Anna"), "Hello,\n world!", words)
    odd = (Word(3.0, 3.5, "it"), Word(3.5, 4, "was"), Word(4, 4, ""))
    unsaid = Segment(Turn(3.0, 4.0, ""), "so - it is", odd)
    page = page_of(of_segments("talk", [said, unsaid]))
    assert "<span>Hello,</span> <span>world</span> !" in page
    assert "so - <span>it</span> <span>was</span> <span></span> is" in page
    assert times_of(page)["words"] == {
        "0": [[1, 1.5], [1.5, 2.25]],
        "1": [[3, 3.5], [3.5, 4], [4, 4]],
    }
    assert "Unknown" in page
    assert "1 speaker<" in page


def test_words_without_blanks_stay_without() -> None:
    words = (Word(1.0, 1.5, "你好"), Word(1.5, 2.25, "世界"))
    page = page_of(of_segments("talk", [Segment(Turn(1.0, 2.5, "李"), "你好世界", words)]))
    assert '<p dir="auto"><span>你好</span><span>世界</span></p>' in page


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_a_user_is_markup(attack: str) -> None:
    harmless, hostile = (
        Parsed(page_of(_everywhere(text), name=text)) for text in ("Anna Berg", attack)
    )
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    kinds = [set(attributes) for _, attributes in hostile.tags]
    assert kinds == [set(attributes) for _, attributes in harmless.tags]
    page_of(_everywhere(attack), name=attack).encode("utf-8")


def _everywhere(text: str) -> Transcript:
    """A transcript whose every text is this one."""
    turns = [Turn(0.5, 6.0, text or "?", 0.9), Turn(5.0, 9.0, "Ben", 0.5)]
    result = replace(
        result_of(turns, 20.0),
        notices=(Notice("gap", text or "?", 1.0),),
        uncertain=(UncertainSegment(5.0, 9.0, "Ben", 0.5, (text or "?",)),),
        origin=Origin(text, {text: {"name": text}}, {text: {text: text}}),
    )
    said = tuple(Segment(turn, text or "?", (Word(1.0, 2.0, text or "?"),)) for turn in turns)
    return Transcript(text, 20.0, said, text, (), result)


@settings(max_examples=15)
@given(ANY_NAME, ANY_NAME)
def test_any_name_and_any_word_make_a_page(name: str, word: str) -> None:
    said = Segment(Turn(1.0, 2.0, name), word, (Word(1.0, 2.0, word),))
    page = page_of(of_segments(word, [said]), name=name or None)
    Parsed(page)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", page)
    page.encode("utf-8")


@given(st.recursive(st.text(max_size=8), lambda inner: st.lists(inner) | st.dictionaries(
    st.text(max_size=4), inner)))  # fmt: skip
def test_embedded_json_ends_no_script(value: Any) -> None:
    written = embedded(value)
    assert not re.search("[<>&\u2028\u2029]", written)
    assert json.loads(written) == value


@given(st.lists(st.tuples(st.floats(0, 0.3), st.floats(0.001, 5)), max_size=40))
def test_a_bar_is_what_cannot_be_told_apart(pieces: list[tuple[float, float]]) -> None:
    turns, time = [], 0.0
    for gap, length in pieces:
        turns.append(Turn(time + gap, time + gap + length, "a", 0.5))
        time += gap + length
    found = list(bars(turns, 0.1))
    assert sum(bar.turns for bar in found) == len(turns)
    assert all(a.end + 0.1 <= b.start for a, b in pairwise(found))
    assert [bar.start for bar in found[:1]] == [turn.start for turn in turns[:1]]
    assert [bar.end for bar in found[-1:]] == [turn.end for turn in turns[-1:]]
    assert all(bar.confidence == pytest.approx(0.5) for bar in found)


def test_many_turns_are_few_bars() -> None:
    turns = [Turn(n * 0.1, n * 0.1 + 0.05, "ab"[n // 9 % 2]) for n in range(4_000)]
    sound = np.zeros(401_000, np.float32)
    page = report_page(result_of(turns, 401.0), sound, sample_rate=1_000, audio=False)
    assert 400 < page.count("<rect") <= PIXELS
    assert len(times_of(page)["segments"]) == 4_000
    assert len(page) < 1_000_000


def test_a_page_without_anything_to_show() -> None:
    page = page_of(result_of([], 20.0))
    parsed = Parsed(page)
    assert "Nobody is found to speak." in parsed.text
    assert "0 speakers" in parsed.text
    assert "The sound of the recording is not in this page." in parsed.text
    empty = report_page(result_of([], 0.0), SILENCE[:0], sample_rate=RATE)
    Parsed(empty)


def test_turns_of_another_recording_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"lasts 20\.0 s, but its last turn ends at 30\.0 s"):
        page_of(result_of([Turn(1.0, 30.0, "a")], 30.0))


def test_arguments_are_checked() -> None:
    with pytest.raises(ArgumentError, match=r"transcript is 'turns\.json'"):
        page_of("turns.json")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="did you mean 'audio'"):
        page_of(DIALOGUE, sudio=True)
