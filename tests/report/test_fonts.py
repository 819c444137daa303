"""Text in pictures: which fonts it is written in, and what is escaped."""

import pytest

from hocket.report.fonts import BASE, Lettering, lettering

SCRIPT_G = "\u210a"  # matplotlib's STIX has it, DejaVu Sans has not


def test_what_dejavu_has_needs_no_other_font() -> None:
    found = lettering(["Grüße, Ωμέγα, Привет"])
    assert found == Lettering((BASE,), frozenset())
    assert found.shown("Привет") == "Привет"


def test_a_font_that_has_the_character_is_found() -> None:
    found = lettering(["a", SCRIPT_G])
    assert found.families[0] == BASE
    assert len(found.families) == 2
    assert found.shown(SCRIPT_G) == SCRIPT_G


def test_what_no_font_has_is_escaped_and_names_stay_different() -> None:
    letters = Lettering((BASE,), frozenset("王李"))
    assert letters.shown("王 a") == r"\u738b a"
    assert letters.shown("王") != letters.shown("李")


def test_the_font_of_last_resort_counts_for_nothing() -> None:
    """It has a box for every character of a script: all names would look the same."""
    assert not any("Resort" in name for name in lettering(["王名"]).families)


def test_a_damaged_font_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from matplotlib import font_manager

    place = tmp_path / "damaged.ttf"
    place.write_bytes(b"no font")
    entry = font_manager.FontEntry(fname=str(place), name="A Damaged Font")
    entries = [entry, *font_manager.fontManager.ttflist]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", entries)
    assert "A Damaged Font" not in lettering([SCRIPT_G]).families


@pytest.mark.parametrize(
    ("text", "expected"), [("short", "short"), ("", ""), ("a\nb", r"a\nb"), ("$x_1$", "$x_1$")]
)
def test_what_fits_is_not_cut(text: str, expected: str) -> None:
    assert lettering([text]).fitted(text, 1.5, 9.0) == expected


def test_a_cut_is_as_wide_as_there_is_room() -> None:
    letters = lettering(["Wi"])
    wide, narrow = (letters.fitted(c * 150, 1.5, 9.0) for c in "Wi")
    assert wide.endswith("…")
    assert narrow.endswith("…")
    assert len(narrow) > 3 * len(wide)
    assert letters.fitted("W", 0.01, 9.0) == "…"
