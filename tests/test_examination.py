"""`whereabouts evaluate`: everything is planned once, done once and goes on after a stop."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.evaluation.egomemoria import bucket_of
from assistant.training.conversations import BUCKETS_S
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from store.config import Capture
from store.episodic import EpisodicStore
from store.errors import CheckpointError
from tui import examination
from tui.examination import CONTROLS, evaluate_homes, examine_home, plan
from tui.laboratory import Home

SEEDS = (900_110, 900_111)
OTHER = 900_112


def recorded(folder: Path, seed: int, minutes: float) -> Home:
    """A home in small pictures."""
    home = Home(seed, minutes, folder / f"home-{seed}-{minutes:g}")
    with EpisodicStore.open(home.folder / "memory") as store:
        camera = SimulatedCamera(seed, minutes, 1.0, width_px=160, height_px=120, narrations=home.truth)
        record(store, camera, Capture())
    return home


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> list[Home]:
    folder = tmp_path_factory.mktemp("homes")
    return [*(recorded(folder, seed, 2.0) for seed in SEEDS), recorded(folder, OTHER, 1.0)]


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("controls")
    for name in CONTROLS:
        shutil.copytree(tiny_folder, folder / name)
    return folder


def test_main_homes_are_asked_openly_and_where_there_are_others_all_are_offered_choices(homes: list[Home]) -> None:
    *main, other = homes
    of_other, *of_main = plan(main, [other])
    assert [job.home for job in (of_other, *of_main)] == [other, *main]
    assert not of_other.questions and all(job.questions and job.choices and job.with_curve for job in of_main)
    assert all(choice.film == job.home.name for job in (of_other, *of_main) for choice in job.choices)
    assert plan(main, [other]) == [of_other, *of_main]
    assert not any(job.choices for job in plan(main, []))


def test_a_home_is_examined_once_for_the_same_questions_and_controls(
    homes: list[Home], tiny_folder: Path, controls: Path
) -> None:
    of_other, job, _ = plan(homes[:2], homes[2:])
    first = examine_home(str(tiny_folder), controls, job)
    assert first["outcomes"] and first["probes"] and first["marked"] and len(first["curves"]) == 1
    chosen = examine_home(str(tiny_folder), controls, of_other)
    assert not chosen["outcomes"] and not chosen["probes"] and len(chosen["marked"]) == len(of_other.choices)

    finished, *_ = job.home.folder.glob("examined-*.json")
    written_ns = finished.stat().st_mtime_ns
    assert examine_home(str(tiny_folder), controls, job) == first and finished.stat().st_mtime_ns == written_ns
    alone = examine_home(str(tiny_folder), None, job)
    assert "text-only" in first["outcomes"][0]["right"] and "text-only" not in alone["outcomes"][0]["right"]


def test_many_homes_come_with_films_of_all_seven_lengths() -> None:
    others = examination._other_lengths(Path("work"), 1_000_000)
    lengths = [home.minutes for home in others] + [examination.MINUTES]
    assert {bucket_of(60 * minutes) for minutes in lengths} == set(range(len(BUCKETS_S)))
    assert len({home.seed for home in others}) == len(others) and min(home.seed for home in others) == 1_010_000


@pytest.mark.slow
def test_the_command_prints_the_promised_object_and_goes_on_where_it_was(
    tiny_folder: Path, controls: Path, tmp_path: Path
) -> None:
    def evaluate() -> dict[str, object]:
        command = [sys.executable, "-c", "from tui.cli import main; main()", "evaluate", "--homes", "1"]
        command += ["--first-seed", "900200", "--checkpoint", str(tiny_folder), "--controls", str(controls)]
        command += ["--work", str(tmp_path / "work"), "--report", str(tmp_path / "REPORT.md"), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return dict(json.loads(done.stdout))

    found = evaluate()
    assert set(found) == {
        "checkpoint", "homes", "first_seed", "questions", "families", "all", "refused", "wrong_verb", "not_seen",
        "probes", "calibration", "seconds_a_question", "memoria", "curves", "needle", "k", "alpha", "seconds",
    }  # fmt: skip
    assert (found["homes"], found["first_seed"], found["memoria"], found["needle"]) == (1, 900_200, None, None)
    assert "tuned on uniform" in str(found["all"]) and "--first-seed 900200" in (tmp_path / "REPORT.md").read_text()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("*") if path.suffix != ".db"}
    again = evaluate()
    assert {**again, "seconds": 0} == {**found, "seconds": 0}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_checkpoint_that_is_not_there_is_named_before_anything_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No checkpoint"):
        evaluate_homes("no such", 1, 900_200, None, tmp_path / "work")
    assert not (tmp_path / "work").exists()
