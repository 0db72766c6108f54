"""Training days as files: pictures, truth and dense labels that agree with each other."""

from pathlib import Path

import numpy as np
import pytest

from assistant.training.dataset import Episode, read_episode
from device.simulated.episodes import CELL_PX, SIDES, VOCABULARY, write_episode, write_episodes
from device.simulated.home import make_home

SEED, MINUTES, PICTURE_PX = 11, 0.5, 96
GRID = PICTURE_PX // CELL_PX


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("days") / f"home-{SEED}.npz"
    write_episode(path, SEED, MINUTES, 1.0, PICTURE_PX)
    return path


@pytest.fixture(scope="module")
def day(path: Path) -> Episode:
    return read_episode(path)


def test_a_day_has_one_row_a_frame_everywhere(day: Episode) -> None:
    count = len(day.times_s)
    assert count == 30 and day.pictures(range(count)).shape == (count, PICTURE_PX, PICTURE_PX, 3)
    assert all(len(column) == count for column in day.labels.values())
    assert day.labels["thing_cells"].shape == (count, GRID, GRID)
    assert np.allclose(np.diff(day.times_s), 1.0)


def test_what_is_in_the_hand_is_also_seen_somewhere_with_its_own_colour(day: Episode) -> None:
    seen = [i for i in range(len(day.times_s)) if day.labels["held"][i]]
    colour_of = {thing.kind: thing.colour for thing in make_home(SEED).things}
    visible = 0
    for i in seen:
        kind = VOCABULARY["things"][day.labels["held"][i] - 1]
        colour = VOCABULARY["colours"][day.labels["held_colours"][i] - 1]
        assert colour_of[str(kind)] == colour
        cells = day.labels["thing_cells"][i] == day.labels["held"][i]
        assert (day.labels["colour_cells"][i][cells] == day.labels["held_colours"][i]).all()
        visible += cells.any()
    assert seen and visible >= 0.7 * len(seen)


def test_what_is_held_is_held_by_the_hand_that_is_narrated(day: Episode) -> None:
    held = np.flatnonzero(day.labels["held"])
    assert (day.labels["hands"][held] > 0).all()
    for narration in day.narrations:
        within = np.flatnonzero((day.times_s >= narration.start_s) & (day.times_s <= narration.end_s - 0.3))
        assert {SIDES[day.labels["hands"][i]] for i in within} == {narration.text.split()[-2]}


def test_cells_name_a_thing_exactly_where_they_name_its_colour(day: Episode) -> None:
    assert ((day.labels["thing_cells"] > 0) == (day.labels["colour_cells"] > 0)).all()


def test_the_same_seed_gives_the_same_file(path: Path, tmp_path: Path) -> None:
    write_episode(tmp_path / "again.npz", SEED, MINUTES, 1.0, PICTURE_PX)
    with np.load(path) as one, np.load(tmp_path / "again.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)


@pytest.mark.slow
def test_days_that_are_there_are_not_rendered_again(tmp_path: Path) -> None:
    (tmp_path / "home-1.npz").write_bytes(b"kept")
    paths = write_episodes(tmp_path, range(1, 3), 0.05, 1.0, PICTURE_PX, processes=1)
    assert [path.name for path in paths] == ["home-1.npz", "home-2.npz"]
    assert paths[0].read_bytes() == b"kept" and len(read_episode(paths[1]).jpegs) == 3
