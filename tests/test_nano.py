"""Training the nano checkpoint: the whole recipe in small, from rendered days to folders that answer."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from assistant import checkpoints
from assistant.answer import Answer, ask
from assistant.indexer import catch_up
from assistant.training import nano, trainer
from assistant.training.recipe import CONTROLS, VALIDATION_SEED, Recipe, Stage
from assistant.training.trainer import Trainer
from device.simulated.episodes import write_episode
from store.episodic import EpisodicStore

Render = Callable[[range], list[Path]]
FOLDERS = (".", "controls/pre-trained", "controls/uniform", "controls/text-only")


@pytest.fixture(autouse=True, scope="module")
def sums_in_one_order() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def short_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nano, "CONTROLS", tuple(replace(stage, steps=1, guided=1) for stage in CONTROLS))
    monkeypatch.setattr(trainer, "SAVED_EVERY", 1)


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(
        tiny_recipe,
        stem_channels=(8, 8, 8, 16),  # patches as large as the cells that days are labelled by
        homes=2,
        validation_homes=1,
        minutes=1.0,
        tower_steps=2,
        tower_batch=8,
        stages=(
            Stage("align", 2, "captions", pointer=False),
            Stage("instruct", 2, "key frames", guided=1),
            Stage("refine", 2, "own choices", peak=0.5),
        ),
        days_a_step=2,
        accumulation=2,
        shortest_day=20,
        choice_batches=1,
        warm_up=2,
    )


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Render:
    folder = tmp_path_factory.mktemp("days")

    def rendered(seeds: range) -> list[Path]:
        paths = [folder / f"home-{seed}.npz" for seed in seeds]
        for path, seed in zip(paths, seeds, strict=True):
            if not path.exists():
                write_episode(path, seed, recipe.minutes, recipe.fps, recipe.picture_px)
        return paths

    return rendered


@pytest.fixture
def trained(render: Render, recipe: Recipe, tmp_path: Path) -> Path:
    nano.train_nano(render, tmp_path / "whole", tmp_path / "work-whole", recipe, lambda line: None)
    return tmp_path / "whole"


@pytest.mark.slow
def test_a_run_killed_midway_again_and_again_goes_on_to_the_very_same_checkpoints(
    trained: Path, render: Render, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    step = Trainer._step

    def run(kill_at: int) -> None:
        calls = []

        def killed(*arguments: object, **guided: bool) -> object:
            calls.append(guided)
            if len(calls) == kill_at:
                raise Killed
            return step(*arguments, **guided)  # type: ignore[arg-type]

        monkeypatch.setattr(Trainer, "_step", killed)
        nano.train_nano(render, tmp_path / "cut", tmp_path / "work-cut", recipe, lambda line: None)

    for kill_at in (4, 6, 6):  # in the last half batch of align; then, two half batches on, in those of the others
        with pytest.raises(Killed):
            run(kill_at)
    monkeypatch.setattr(Trainer, "choose", None)  # what the pointer chose when refine began is kept
    run(kill_at=0)
    for name in FOLDERS:
        whole, cut = (checkpoints.load(str(tmp_path / run / name)).model.state_dict() for run in ("whole", "cut"))
        assert all(torch.equal(whole[part], cut[part]) for part in whole)


@pytest.mark.slow
def test_the_checkpoint_comes_with_its_recipe_its_log_and_the_controls_it_is_held_against(
    trained: Path, recipe: Recipe
) -> None:
    for name in FOLDERS:
        saved = json.loads((trained / name / "recipe.json").read_text())
        assert saved == json.loads(json.dumps(asdict(recipe)))
    states = [checkpoints.load(str(trained / name)).model.state_dict() for name in FOLDERS]
    towers = [[tensor for part, tensor in state.items() if "vision_tower" in part] for state in states]
    assert all(torch.equal(a, b) for tower in towers[1:] for a, b in zip(towers[0], tower, strict=True))
    embeddings = [state["model.language_model.embed_tokens.weight"] for state in states]
    assert not any(torch.equal(a, b) for i, a in enumerate(embeddings) for b in embeddings[:i])
    log = (trained / "train.log").read_text()
    assert "tower step 2 held out" in log and log.count("checkpoint written") == 4 and log.endswith("done\n")
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_trained_folder_answers_a_memory(trained: Path, simulated_minute: EpisodicStore) -> None:
    checkpoint = checkpoints.load(str(trained))
    catch_up(simulated_minute, checkpoint)
    *_, answer = ask(simulated_minute, checkpoint, "where did I put my wallet?")
    assert isinstance(answer, Answer) and answer.text


def test_every_learning_rate_curve_warms_up_and_comes_down() -> None:
    recipe = Recipe()
    for stage in (*recipe.stages, *CONTROLS):
        rates = [recipe.schedule(step, stage.steps) for step in range(stage.steps)]
        assert rates[0] == 1 / recipe.warm_up and max(rates) == pytest.approx(1.0) and rates[-1] < 0.02
        top = rates.index(max(rates))
        assert rates[: top + 1] == sorted(rates[: top + 1]) and rates[top:] == sorted(rates[top:], reverse=True)


def test_no_home_is_trained_on_and_validated_with() -> None:
    recipe = Recipe()
    assert recipe.homes <= VALIDATION_SEED and VALIDATION_SEED + recipe.validation_homes <= 1_000_000
