"""A strip: a glyph for each meaning, and the same in words."""

import pytest

from store.records import Span
from store.timeline import Cell
from tui.activity import LEGEND, LEVELS, axis, cells_across, glyph, say_cell, say_part
from tui.browsing import Stretch

HOUR, DAY = Span(0, 3600), Span(0, 86_400)
MEANINGS = {
    "lively": Cell(1.0, 1.0, ""),
    "quiet": Cell(1.0, 0.0, ""),
    "not worn": Cell(0.0, 0.0, ""),
    "gap": Cell(0.0, 0.0, "lens covered"),
    "held": Cell(0.0, 0.0, "paused"),
    "gone": Cell(0.0, 0.0, "forgotten"),
}


def test_every_meaning_has_a_glyph_of_its_own_that_the_legend_explains() -> None:
    glyphs = [glyph(cell) for cell in MEANINGS.values()]
    assert len(set(glyphs)) == len(MEANINGS) and all(f"{each} " in LEGEND for each in glyphs)
    assert glyph(Cell(0.0, 0.0, "private")) == glyph(MEANINGS["held"])
    assert glyph(Cell(0.0, 0.0, "expired")) == glyph(MEANINGS["gone"])


def test_more_activity_is_never_a_lower_bar() -> None:
    bars = [LEVELS.index(glyph(Cell(1.0, percent / 100, ""))) for percent in range(2, 101)]
    assert bars == sorted(bars) and set(bars) == set(range(len(LEVELS)))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (MEANINGS["lively"], "recorded, activity 8 of 8"),
        (MEANINGS["quiet"], "recorded, nothing new"),
        (MEANINGS["not worn"], "not worn"),
        (MEANINGS["gap"], "not recorded: lens covered"),
        (Cell(0.2, 0.0, "lens covered"), "recorded 20% of it, mostly lens covered"),
        (Cell(0.001, 0.0, ""), "recorded 1% of it, nothing new"),
    ],
)
def test_a_cell_is_told_in_words(cell: Cell, said: str) -> None:
    assert say_cell(cell) == said


@pytest.mark.parametrize("width", range(-3, 200))
def test_cells_are_whole_minutes_and_fit(width: int) -> None:
    for span in (HOUR, DAY):
        cells = cells_across(span, width)
        assert 1 <= cells <= max(width, 1) and span.duration_s % (cells * 60) == 0


def test_a_number_stands_above_the_cell_in_which_its_time_begins() -> None:
    day, hour = axis(DAY, 48), axis(HOUR, 60)
    assert day.index("12") == 24 and day.index("18") == 36 and len(day) <= 48
    assert hour.index(":00") == 0 and hour.index(":30") == 30 and len(hour) <= 60


def test_a_part_is_told_by_the_wearers_clock() -> None:
    hour = Stretch("08:00 to 09:00", "08:00", "08:00", Span(25_200, 28_800), 3600, 1800.0, 1)
    assert say_part(hour, None, 60, []) == "08:00 to 09:00: recorded 30 min 0 s, 1 gap"
    assert say_part(hour, 59, 60, [MEANINGS["quiet"]] * 60) == "Thu 01 Jan 1970, 08:59 to 09:00: recorded, nothing new"
