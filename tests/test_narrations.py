"""Narrations: the day as sentences, in a file that reads like any head-camera dataset's."""

import csv
from pathlib import Path

from assistant.training.narrations import read_narrations
from device.simulated.home import make_home
from device.simulated.narrations import COLUMNS, narrate, narrated, write_narrations
from device.simulated.wearer import Wearer


def test_every_finished_act_becomes_a_row_that_the_dataset_reader_reads_back(tmp_path: Path) -> None:
    wearer = Wearer(make_home(11), 240.0)
    write_narrations(wearer, tmp_path / "day.csv")
    (film, rows), *others = read_narrations(tmp_path / "day.csv").items()
    acts = narrated(wearer)
    assert film == "home11" and not others and len(rows) == len(acts)
    for row, act in zip(rows, acts, strict=True):
        assert abs(row.start_s - act.start_s) < 0.001 and abs(row.end_s - act.end_s) < 0.001
        assert row.text == narrate(wearer.home, act)


def test_every_narration_tells_the_hand() -> None:
    wearer = Wearer(make_home(11), 240.0)
    told = [(act, narrate(wearer.home, act)) for act in wearer.acts]
    assert all(text.endswith(f" with my {act.hand} hand") for act, text in told)
    assert {act.hand for act, _ in told} == {"left", "right"}


def test_an_act_that_the_day_cuts_off_is_not_narrated() -> None:
    whole = Wearer(make_home(11), 240.0)
    cut = Wearer(make_home(11), whole.acts[-2].end_s - 0.1)
    assert [act.end_s < cut.duration_s for act in cut.acts].count(False) >= 1
    assert list(narrated(cut)) == [act for act in whole.acts if act.end_s < cut.duration_s]


def test_the_columns_are_those_of_epic_kitchens(tmp_path: Path) -> None:
    write_narrations(Wearer(make_home(1), 60.0), tmp_path / "day.csv")
    with (tmp_path / "day.csv").open() as file:
        assert tuple(next(csv.reader(file))) == COLUMNS
