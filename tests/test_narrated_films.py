"""A folder of narrated films: what belongs together is found, and what does not is named."""

from pathlib import Path

import pytest

from assistant.training.narrated_films import find_films
from store.errors import UserError
from tests.narrated_films import plan, shoot, write_csv, write_json


def test_films_at_any_depth_are_found_by_the_names_that_both_collections_give_them(tmp_path: Path) -> None:
    plans = {"P01_01": plan(1), "a1b2-uid": plan(2)}
    for folder, name in (("epic/P01/videos", "P01_01"), ("ego4d/v2/full_scale", "a1b2-uid")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.mp4").touch()
    write_csv(tmp_path / "epic" / "EPIC_100_train.csv", {"P01_01": plans["P01_01"]})
    write_json(tmp_path / "ego4d" / "narration.json", {"a1b2-uid": plans["a1b2-uid"]})
    found = find_films(tmp_path)
    assert [film.name for film in found.films] == ["P01_01", "a1b2-uid"] and found.passed_over == ()
    assert list(found.films[0].narrations) == plans["P01_01"]
    assert [n.text for n in found.films[1].narrations][0].startswith("#C C ")


def test_a_name_in_a_list_of_thousands_is_not_all_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "P01_01.mp4").touch()
    write_csv(tmp_path / "told.csv", {"P01_01": plan(1)} | {f"F{i:04d}": plan(i) for i in range(3000)})
    (line,) = find_films(tmp_path).passed_over
    assert "F0000, F0001" in line and line.endswith("and 2980 more")


def test_nothing_that_fits_together_is_an_error_that_says_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        find_films(tmp_path / "nowhere")
    shoot(tmp_path / "mine.mp4", plan(1))
    (tmp_path / "mine.csv").write_text(
        "video_id,start_timestamp,stop_timestamp,narration\nmine,00:00:01,00:00:02,cut onion\nmine,soon,00:00:02,eat\n"
    )
    write_csv(tmp_path / "told.csv", {"other": plan(1), "another": plan(2)})
    with pytest.raises(UserError, match="1 films and narrations of 2.*mine.csv, row 2: 'soon' is not"):
        find_films(tmp_path)
