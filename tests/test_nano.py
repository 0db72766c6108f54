"""Training the nano checkpoint: the whole recipe in small, from rendered days to a folder that answers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from assistant import checkpoints
from assistant.answer import Answer, ask
from assistant.indexer import catch_up
from assistant.training import nano, trainer
from assistant.training.recipe import Recipe, TowerStage
from device.simulated.episodes import write_episode
from store.episodic import EpisodicStore


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(
        tiny_recipe,
        homes=3,
        validation_homes=1,
        minutes=1.0,
        tower_stages=(TowerStage(2, 3, 0.25), TowerStage(1, 1, 0.03)),
        tower_batch=8,
        stages=((4, 1.0),),
        days_a_step=2,
        shortest_day=20,
        own_selection_from=1,
        warm_up=2,
    )


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Callable[[range], list[Path]]:
    folder = tmp_path_factory.mktemp("days")

    def rendered(seeds: range) -> list[Path]:
        paths = [folder / f"home-{seed}.npz" for seed in seeds]
        for path, seed in zip(paths, seeds, strict=True):
            if not path.exists():
                write_episode(path, seed, recipe.minutes, recipe.fps, recipe.picture_px)
        return paths

    return rendered


@pytest.mark.slow
def test_a_run_killed_midway_goes_on_to_the_very_same_checkpoint(
    render: Callable[[range], list[Path]], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)  # sums in one order
    nano.train_nano(render, tmp_path / "whole", tmp_path / "work-whole", recipe, lambda line: None)

    class Killed(BaseException):
        pass

    once = trainer.train_step

    def killed(*arguments: object) -> object:
        if arguments[4] == 2:
            raise Killed
        return once(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer, "train_step", killed)
    monkeypatch.setattr(trainer, "SAVED_EVERY", 1)
    with pytest.raises(Killed):
        nano.train_nano(render, tmp_path / "cut", tmp_path / "work-cut", recipe, lambda line: None)
    monkeypatch.setattr(trainer, "train_step", once)
    nano.train_nano(render, tmp_path / "cut", tmp_path / "work-cut", recipe, lambda line: None)

    whole, cut = (checkpoints.load(str(tmp_path / name)).model.state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert (tmp_path / "cut" / "recipe.json").exists() and (tmp_path / "cut" / "train.log").exists()


@pytest.mark.slow
def test_a_few_steps_on_one_day_teach_the_pointer_where_to_look(
    render: Callable[[range], list[Path]], recipe: Recipe, tmp_path: Path
) -> None:
    lines: list[str] = []
    longer = replace(recipe, homes=1, stages=((75, 1.0),), days_a_step=1, lr=3e-3, warm_up=5)
    nano.train_nano(render, tmp_path / "out", tmp_path / "work", longer, lines.append)
    losses = [float(line.partition(" pointer ")[2].split()[0]) for line in lines if " pointer " in line]
    assert len(losses) == 3 and losses[-1] < 0.8 * losses[0]


@pytest.mark.slow
def test_the_trained_folder_answers_a_memory(
    render: Callable[[range], list[Path]], recipe: Recipe, tmp_path: Path, simulated_minute: EpisodicStore
) -> None:
    nano.train_nano(render, tmp_path / "out", tmp_path / "work", recipe, lambda line: None)
    checkpoint = checkpoints.load(str(tmp_path / "out"))
    catch_up(simulated_minute, checkpoint)
    *_, answer = ask(simulated_minute, checkpoint, "where did I put my wallet?")
    assert isinstance(answer, Answer) and answer.text
