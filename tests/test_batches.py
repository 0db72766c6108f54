"""Batches: what a step reads as integers is what the model is asked one by one, and a step is always the same."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.training.batches import Batches, Choice
from assistant.training.dataset import Day, day_of, read_episode
from assistant.training.features import project
from assistant.training.losses import answer_loss
from assistant.training.recipe import Recipe, Stage
from assistant.training.sequences import Fallback, Glimpse
from assistant.training.trainer import Trainer
from device.simulated.episodes import write_episode

KEY_FRAMES = Stage("instruct", 3, "key frames", guided=3)


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(tiny_recipe, days_a_step=3, shortest_day=40, selected=4)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> list[Day]:
    path = tmp_path_factory.mktemp("days") / "home-5.npz"
    write_episode(path, 5, 1.5, 1.0, recipe.picture_px)
    return [day_of(read_episode(path), 0)]


@pytest.fixture(scope="module")
def trainer(tiny_checkpoint: Checkpoint, days: list[Day], recipe: Recipe) -> Trainer:
    """In fp32: half precision would hide what differs."""
    model = tiny_checkpoint.model
    config = model.config.vision_config
    torch.manual_seed(2)
    features = torch.randn(90, (config.image_size // config.patch_size) ** 2, config.hidden_size)
    made = Trainer(model, tiny_checkpoint.tokenizer, days, features, recipe, lambda line, measured: None, workers=0)
    made._half = lambda: torch.autocast("cpu", enabled=False)  # type: ignore[method-assign]
    return made


def batches(trainer: Trainer, stage: Stage, choices: tuple[Choice, ...] = ()) -> Batches:
    made = trainer._batches(stage)
    made._choices = choices
    return made


@torch.no_grad()
def test_every_question_of_a_packed_glimpse_scores_as_the_model_alone_would(
    trainer: Trainer, days: list[Day], tiny_checkpoint: Checkpoint, recipe: Recipe
) -> None:
    made, rng = batches(trainer, KEY_FRAMES), Random(3)
    windows = [days[0].window(0, 60), days[0].window(20, 90)]
    glimpse = made.glimpse(windows, rng)
    logits, _ = trainer._glimpse_logits(glimpse)
    rng = Random(3)
    asked = [(window, q) for window in windows for q in window.questions(rng)[: recipe.questions_a_day]]
    assert len(asked) == len(logits) > 10
    model, tokenizer = tiny_checkpoint.model, tiny_checkpoint.tokenizer
    for row, (window, question) in zip(logits, asked, strict=True):
        features = trainer._features[window.rows]
        compressed = model.compress(project(model, features, trainer._pooling))
        alone = model.glimpse(compressed, prompt.token_ids(prompt.glimpse_text(question.text), tokenizer))
        torch.testing.assert_close(row[: len(window)].softmax(-1), alone, atol=1e-5, rtol=1e-4)
        assert row[len(window) :].isinf().all()


@torch.no_grad()
def test_every_answer_of_a_packed_fallback_is_predicted_as_the_model_alone_would(
    trainer: Trainer, days: list[Day], tiny_checkpoint: Checkpoint
) -> None:
    made = batches(trainer, KEY_FRAMES)
    day, chosen = made._set(days[0], Random(4))
    fallback = made._fallback([day], [chosen])
    loss, _, right = trainer._answer(fallback, guided=True)
    model, tokenizer = tiny_checkpoint.model, tiny_checkpoint.tokenizer
    rows = day.rows[list(chosen.frames)]
    visual = project(model, trainer._features[rows], trainer._pooling)
    shown = [prompt.Shown(clock) for clock in chosen.clocks]
    logits = []
    for question in chosen.questions:
        pieces = prompt.tokenise(prompt.fallback_pieces(question.text, shown, 0), tokenizer)
        ids = prompt.token_ids(question.answer + prompt.TURN_END, tokenizer)
        logits += model.answer_logits([model.embed(pieces, visual)], [ids])
    alone, right_alone = answer_loss(torch.cat(logits), fallback.target, fallback.question, fallback.weight)
    torch.testing.assert_close(loss, alone, atol=1e-4, rtol=1e-4)
    assert torch.equal(right, right_alone)


def test_guided_heads_are_told_to_look_at_frames_or_at_the_questions_first_word(
    trainer: Trainer, days: list[Day]
) -> None:
    made = batches(trainer, KEY_FRAMES)
    day, chosen = made._set(days[0], Random(4))
    fallback = made._fallback([day], [chosen])
    tokens = trainer.model.config.tokens_a_frame
    for question, look in zip(chosen.questions, fallback.look, strict=True):
        support = chosen.support(question, day)
        assert int(look.sum()) == (len(support) * tokens if support else 1)
        visual = fallback.layout.source[0][look] >= made._visual
        assert visual.all() if support else not visual.any()


@pytest.mark.parametrize("shown", ["captions", "key frames", "own choices", "uniform", "nothing"])
def test_a_step_is_always_the_same_and_never_that_of_another(trainer: Trainer, shown: str) -> None:
    stage = replace(KEY_FRAMES, shown=shown)
    choices = (Choice(0, 10, 80, (3, 9, 31, 60)),)
    made, again = batches(trainer, stage, choices), batches(trainer, stage, choices)
    first, same, other = made[1], again[1], made[2]

    def tensors(batch: tuple[Glimpse | None, Fallback]) -> list[torch.Tensor]:
        glimpse, fallback = batch
        assert glimpse
        return [glimpse.rows, glimpse.labels, fallback.rows, fallback.target, fallback.look]

    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(same), strict=True))
    assert not torch.equal(first[1].target, other[1].target)


def test_the_pointers_own_choices_are_what_answers_are_learned_from(trainer: Trainer) -> None:
    choice = Choice(0, 10, 80, (3, 9, 31, 60))
    made = batches(trainer, replace(KEY_FRAMES, shown="own choices"), (choice,))
    sets = [made._set(trainer._days[0], Random(seed))[1].frames for seed in range(40)]
    assert 10 < sum(frames == choice.frames for frames in sets) < 38


def test_without_pictures_only_the_question_is_read(trainer: Trainer) -> None:
    _, fallback = batches(trainer, replace(KEY_FRAMES, shown="nothing", pointer=False))[0]
    assert len(fallback.rows) == 0 and (fallback.layout.source < len(trainer._tokenizer)).all()


def test_a_caption_says_what_is_narrated_of_the_frames_shown(trainer: Trainer, days: list[Day]) -> None:
    made = batches(trainer, replace(KEY_FRAMES, shown="captions"))
    said = {n.text: n for n in days[0].narrations}
    for seed in range(20):
        day, chosen = made._set(days[0], Random(seed))
        (question,) = chosen.questions
        narration = said[question.answer.rstrip(".")]
        assert all(narration.start_s - 1 <= day.times_s[i] <= narration.end_s + 1 for i in chosen.frames)


def test_the_file_of_a_day_gives_back_what_was_seen(tmp_path: Path, recipe: Recipe) -> None:
    write_episode(tmp_path / "home-5.npz", 5, 0.2, 1.0, recipe.picture_px)
    episode = read_episode(tmp_path / "home-5.npz")
    assert episode.pictures(range(12)).shape == (12, recipe.picture_px, recipe.picture_px, 3)
