"""A report in a browser: `make test-page` makes reports with hocket and runs these.

Nothing here imports hocket, and `make test` does not collect it.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "src" / "hocket" / "example"
MADE = ROOT / "build" / "report"
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
SCHEMES, WIDTHS = ("light", "dark"), (1280, 390)
LOCAL = ("file:", "data:", "blob:")
WORDS_PER_S = 2.5
PATIENCE_S = 10


def transcript() -> dict[str, Any]:
    """The turns of the example with numbered words in place of what is said."""
    segments: list[dict[str, Any]] = []
    for line in (EXAMPLE / "conversation.rttm").read_text().splitlines():
        _, _, _, start, length, _, _, speaker, *_ = line.split()
        first, lasts = float(start), float(length)
        number = max(1, int(lasts * WORDS_PER_S))
        words = [
            {
                "word": f"word{n}",
                "start": first + lasts * n / number,
                "end": first + lasts * (n + 0.9) / number,
            }
            for n in range(number)
        ]
        said = " ".join(str(word["word"]) for word in words)
        segments.append(
            {"start": first, "end": first + lasts, "speaker": speaker, "text": said, "words": words}
        )
    return {"uri": "conversation", "duration": 30.0, "segments": segments}


def made(name: str, *options: str | Path) -> Path:
    """A report of the example conversation."""
    place = MADE / f"{name}.html"
    recording = EXAMPLE / "conversation.flac"
    command = [os.environ["HOCKET"], "report", recording, "-o", place, "--overwrite", *options]
    subprocess.run(command, check=True)
    return place


@pytest.fixture(scope="session")
def reports() -> dict[str, Path]:
    """Reports by name: with turns alone, with words, and without sound."""
    MADE.mkdir(parents=True, exist_ok=True)
    words = MADE / "words.json"
    words.write_text(json.dumps(transcript()))
    return {
        "turns": made("turns"),
        "words": made("words", "--turns", words),
        "silent": made("silent", "--turns", words, "--no-audio"),
    }


NOTEBOOK = """
import sys
from hocket import diarize
from hocket.report.notebook import player
recording, place = sys.argv[1:]
cell = player(diarize(recording), recording)._repr_html_()
print("<!doctype html>", cell, cell, file=open(place, "w", encoding="utf-8"))
"""


@pytest.fixture(scope="session")
def notebook() -> Path:
    """A page with the player of a notebook in it twice."""
    MADE.mkdir(parents=True, exist_ok=True)
    place = MADE / "notebook.html"
    python = Path(os.environ["HOCKET"]).with_name("python")
    command = [python, "-c", NOTEBOOK, EXAMPLE / "conversation.flac", place]
    subprocess.run(command, check=True)
    return place


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, f"none of {', '.join(BROWSERS)} is installed"
    with sync_playwright() as playwright:
        alone = [] if os.getuid() else ["--no-sandbox"]  # which root cannot have
        with playwright.chromium.launch(executable_path=found, args=alone) as launched:
            yield launched


@pytest.fixture
def opened(browser: Browser) -> Iterator[Any]:
    """Opens a file; afterwards, nothing was requested and nothing went wrong."""
    problems: list[str] = []
    contexts = []

    def show(path: Path, moment: str = "", **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requested(request.url))
        page.goto(f"{path.as_uri()}{moment}")
        return page

    def requested(address: str) -> None:
        if not address.startswith(LOCAL):
            problems.append(address)

    yield show
    for context in contexts:
        context.close()
    assert problems == []


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the page's policy forbids the browser's own way of waiting."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def time_of(page: Page) -> float:
    return float(page.evaluate("document.querySelector('#audio').currentTime"))


def is_paused(page: Page) -> bool:
    return bool(page.evaluate("document.querySelector('#audio').paused"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["turns", "words", "silent"])
def test_everybody_can_use_it(
    opened: Any, reports: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 860}
    page = opened(reports[name], "#t=7.5", color_scheme=scheme, viewport=size)
    page.screenshot(path=MADE / f"{name}-{width}-{scheme}.png", full_page=True)
    page.locator("summary").click()  # settings count too
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    page.evaluate((Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_keys_play_and_move(opened: Any, reports: dict[str, Path]) -> None:
    page = opened(reports["words"])
    starts = [segment["start"] for segment in transcript()["segments"]]
    page.keyboard.press("Space")
    until(lambda: time_of(page) > 0.3)
    page.keyboard.press("Space")
    assert is_paused(page)
    before = time_of(page)
    page.keyboard.press("ArrowRight")
    assert time_of(page) == pytest.approx(before + 5, abs=0.01)
    page.keyboard.press("ArrowLeft")
    assert time_of(page) == pytest.approx(before, abs=0.01)
    for start in starts[:3]:
        page.keyboard.press("ArrowDown")
        assert time_of(page) == pytest.approx(start, abs=0.01)
    page.keyboard.press("ArrowUp")
    assert time_of(page) == pytest.approx(starts[1], abs=0.01)


def test_a_lane_is_one_stop_and_arrows_reach_its_turns(
    opened: Any, reports: dict[str, Path]
) -> None:
    page = opened(reports["words"])
    bars = page.locator(".bars").first.locator("a")
    assert bars.count() > 2
    bars.first.focus()
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.getAttribute('href')")
    assert focused == bars.nth(1).get_attribute("href")
    assert time_of(page) == pytest.approx(float(focused[3:]), abs=0.01)
    assert page.locator(".bars").first.locator("a[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    until(lambda: not is_paused(page))


def test_words_and_turns_play_from_there(opened: Any, reports: dict[str, Path]) -> None:
    page = opened(reports["words"])
    segment = transcript()["segments"][2]
    row = page.locator(".segments > li").nth(2)
    row.locator("p > span").nth(1).click()
    until(lambda: not is_paused(page))
    assert time_of(page) >= segment["words"][1]["start"] - 0.01
    page.keyboard.press("Space")
    assert "now" in str(row.get_attribute("class"))
    assert page.locator(".segments p span.now").count() <= 1
    row.locator("a.time").click()
    page.keyboard.press("Space")
    assert time_of(page) == pytest.approx(segment["start"], abs=0.5)
    assert page.locator(".segments p span.now").inner_text() == "word0"


def test_the_waveform_is_a_slider(opened: Any, reports: dict[str, Path]) -> None:
    page = opened(reports["words"])
    slider = page.get_by_role("slider", name="Position")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    assert time_of(page) == pytest.approx(15.0, abs=0.2)
    assert slider.get_attribute("aria-valuetext") == "0:15"


def test_the_transcript_scrolls_along_until_the_reader_scrolls(
    opened: Any, reports: dict[str, Path]
) -> None:
    page = opened(reports["words"], viewport={"width": 390, "height": 300})
    top = "document.querySelector('#scroller').scrollTop"
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    until(lambda: page.evaluate(top) > 50)
    page.locator("#scroller").hover()
    page.mouse.wheel(0, -2000)
    until(lambda: page.evaluate(top) == 0)
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert page.evaluate(top) == 0
    page.get_by_role("button", name="Follow playback").click()
    until(lambda: page.evaluate(top) > 50)


def test_without_sound_the_recording_can_be_opened(opened: Any, reports: dict[str, Path]) -> None:
    page = opened(reports["silent"])
    assert not page.get_by_role("button", name="Play", exact=True).is_visible()
    page.keyboard.press("ArrowRight")
    assert page.locator("#now").inner_text() == "0:05"
    page.locator("#file").set_input_files(EXAMPLE / "conversation.flac")
    page.get_by_role("button", name="Play", exact=True).click()
    until(lambda: time_of(page) > 5.2)


def test_without_a_script_everything_is_there(opened: Any, reports: dict[str, Path]) -> None:
    page = opened(reports["words"], java_script_enabled=False)
    assert page.locator("audio[controls]").is_visible()
    assert page.locator(".bars rect").count() == page.locator(".segments > li").count()
    assert page.get_by_role("heading", name="Transcript").is_visible()
    assert page.locator(".segments p").first.inner_text().startswith("word0")
    assert not page.locator("#controls").is_visible()


def test_a_click_on_a_turn_plays_one_player_of_a_notebook(opened: Any, notebook: Path) -> None:
    page = opened(notebook)
    page.screenshot(path=MADE / "notebook.png")
    of_both = "[...document.querySelectorAll('audio')].map(each => [each.currentTime, each.paused])"
    cursors = "[...document.querySelectorAll('svg > path')].map(each => each.getBBox().x"
    cursors += " + each.transform.baseVal.consolidate().matrix.e)"
    turn = page.locator(".hocket-player").nth(1).locator("rect").nth(2)
    start, left = float(turn.get_attribute("data-start")), float(turn.get_attribute("x"))
    resting = page.evaluate(cursors)
    assert len(resting) == 2
    turn.click()
    until(lambda: page.evaluate(of_both)[1][0] > start + 0.3)
    (first, _), (other, is_other_paused) = page.evaluate(of_both)
    assert first == 0
    assert start < other < start + PATIENCE_S
    assert not is_other_paused
    moved = page.evaluate(cursors)
    assert moved[0] == resting[0] < left < moved[1]
