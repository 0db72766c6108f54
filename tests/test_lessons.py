"""Lessons: what is drawn from conversations about films, and that it is read as it is when asked."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from assistant import checkpoints, prompt
from assistant.checkpoints import Checkpoint
from assistant.training.activities import ActivityWriter, common_acts
from assistant.training.conversations import make_conversations
from assistant.training.film_frames import FilmFrames, read_film
from assistant.training.lessons import Lessons
from assistant.training.phrasings import clock
from assistant.training.pointer_trainer import PointerTrainer
from assistant.training.recipe import PointerRecipe, Recipe
from tests.narrated_films import LENGTH_S, pictures, plan, shoot
from tests.random_base import write_random_base


@pytest.fixture
def base(tiny_recipe: Recipe, tmp_path: Path) -> Checkpoint:
    return checkpoints.load(str(write_random_base(tmp_path / "base", tiny_recipe)))


@torch.no_grad()
def test_a_lesson_is_read_as_it_would_be_when_asked(base: Checkpoint, tmp_path: Path) -> None:
    told, model, tokenizer = plan(4), base.model, base.tokenizer
    film = shoot(tmp_path / "mine.mp4", told)
    frames = read_film(film, pictures, model, "any", tmp_path, print)
    assert frames
    (talk, *_) = make_conversations({film.stem: told}, ActivityWriter(()), Random(1))
    lesson = Lessons([talk], {film.stem: frames}, model.config, 1.0, 7)[0]
    trainer = PointerTrainer(model, tokenizer, {film.stem: frames}, PointerRecipe(), lambda line, measured: None)
    asked = [prompt.token_ids(prompt.glimpse_text(question.text), tokenizer) for question in lesson.questions]
    compressed = frames.compressed[list(lesson.candidates)]
    wanted = torch.stack(model.glimpse_logits([compressed] * len(asked), asked))
    torch.testing.assert_close(trainer.score(lesson), wanted, atol=1e-3, rtol=1e-3)

    visual = model.encode_frames(model.pixels(frames.pictures(lesson.shown)))
    shown = [prompt.Shown(clock(frames.times_s[i])) for i in lesson.shown]
    losses = []
    for question in lesson.answered:
        pieces = prompt.fallback_pieces(question.text, shown, 0)
        embedded = model.embed(prompt.tokenise(pieces, tokenizer), visual)
        target = prompt.token_ids(question.answer + prompt.TURN_END, tokenizer)
        (logits,) = model.answer_logits([embedded], [target])
        losses.append(cross_entropy(logits, torch.tensor(target)))
    assert trainer.learn(lesson)[1]["answer"].item() == pytest.approx(float(torch.stack(losses).mean()), rel=1e-3)


def test_lessons_show_what_their_answers_rest_on_and_fit_what_the_model_reads(base: Checkpoint) -> None:
    told = {f"film {seed}": plan(seed) for seed in range(6)}
    times_s, config = np.arange(float(LENGTH_S)), base.model.config
    config.candidates, config.selected = 20, 6
    frames = FilmFrames(times_s, torch.zeros(LENGTH_S, 1), (), Path())
    talks = make_conversations(told, ActivityWriter(common_acts(told)), Random(2))
    lessons = Lessons(talks, dict.fromkeys(told, frames), config, 1.0, 7)
    assert len(lessons) and lessons[5] == Lessons(talks, dict.fromkeys(told, frames), config, 1.0, 7)[5]
    drawn = [lessons[number] for number in range(3 * len(lessons))]
    for lesson in drawn:
        assert 0 < len(lesson.candidates) <= 20 and 0 < len(lesson.shown) <= 6
        assert list(lesson.candidates) == sorted(set(lesson.candidates))
        assert list(lesson.shown) == sorted(set(lesson.shown))
        for question, keys in zip(lesson.questions, lesson.keys, strict=True):
            for at_s in (lesson.candidates[key] for key in keys):
                assert any(n.start_s <= at_s <= n.end_s for n in told[lesson.film])
            if question.family == "when" and keys:
                (act,) = (n for n in told[lesson.film] if n.text.split()[1] in question.text)
                assert all(act.start_s <= lesson.candidates[key] <= act.end_s for key in keys)
                if question in lesson.answered:
                    assert any(act.start_s <= frame <= act.end_s for frame in lesson.shown)
    assert sum(bool(keys) for lesson in drawn for keys in lesson.keys) > len(drawn)
    assert any(lesson.answered != lesson.questions for lesson in drawn)
