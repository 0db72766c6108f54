"""The training loop: what is learned, what is left alone, and that a run that was cut goes on as if it had not been."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from assistant.checkpoints import Checkpoint
from assistant.model import MMEgo
from assistant.training import trainer as training
from assistant.training.alignment import prepare
from assistant.training.data_engine import Narration
from assistant.training.dataset import Day
from assistant.training.events import read_events
from assistant.training.features import pooling_matrix, project
from assistant.training.nano import model_config
from assistant.training.recipe import Recipe, Stage
from assistant.training.trainer import Measured, Trainer
from device.simulated.home import COLOURS, THING_KINDS, make_home
from device.simulated.narrations import narrate, narrated
from device.simulated.wearer import Wearer

DAY_S = 90
KEY_FRAMES = Stage("instruct", 3, "key frames", guided=2)
OWN_CHOICES = Stage("refine", 2, "own choices")


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(
        tiny_recipe, days_a_step=1, accumulation=2, shortest_day=40, selected=4, warm_up=2, choice_batches=2,
        questions_a_day=4, questions_a_set=4, own_choices_share=1.0,
    )  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def sums_in_one_order() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def day(seed: int) -> Day:
    """A simulated day that nobody filmed: every frame of an act shows it, and things are in view only then."""
    home = make_home(seed)
    told = [Narration(a.start_s, a.end_s, narrate(home, a)) for a in narrated(Wearer(home, DAY_S))]
    times_s = np.arange(DAY_S, dtype=np.float32)
    proofs = [tuple(range(ceil(n.start_s), int(n.end_s) + 1)) for n in told]
    held = np.zeros(DAY_S, np.int64)
    for event in read_events(told):
        held[list(proofs[event.index])] = THING_KINDS.index(event.thing) + 1 if event.thing in THING_KINDS else 0
    in_view = held[:, None] == np.arange(1, len(THING_KINDS) + 1)
    return Day("day", np.arange(DAY_S), times_s, tuple(told), tuple(proofs), in_view, held, THING_KINDS)


def features(shown: Day, patches: int, width: int) -> Tensor:
    """What a tower that names the thing in the hand, its colour and the act would see in the frames of a day."""
    generator = torch.Generator().manual_seed(1)
    names = [*THING_KINDS, *COLOURS, "put", "pick up", "open", "close", "turn on", "turn off", "on", "from", ""]
    said = dict(zip(names, torch.randn(len(names), width, generator=generator), strict=True))
    seen = 0.1 * torch.randn(len(shown), width, generator=generator)
    for event in shown.events:
        seen[list(shown.proofs[event.index])] += said.get(event.thing, said[""]) + said[event.verb]
    return seen[:, None].expand(-1, patches, -1).half()


@pytest.fixture
def begin(tiny_checkpoint: Checkpoint, recipe: Recipe) -> Callable[..., Trainer]:
    """The same trainer each time: a model of the same seed, with a day and its features."""

    def made(chosen: Recipe = recipe, log: Callable[[str, Measured], None] = lambda line, measured: None) -> Trainer:
        torch.manual_seed(5)
        model = MMEgo(model_config(chosen, tiny_checkpoint.tokenizer))
        prepare(model, chosen)
        config, shown = model.config.vision_config, day(3)
        seen = features(shown, (config.image_size // config.patch_size) ** 2, config.hidden_size)
        return Trainer(model, tiny_checkpoint.tokenizer, [shown], seen, chosen, log, workers=0)

    return made


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kill_at", [3, *(pytest.param(call, marks=pytest.mark.slow) for call in (1, 2, 4, 5, 6))])
def test_a_stage_killed_at_any_half_batch_goes_on_to_the_very_same_weights(
    begin: Callable[..., Trainer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    monkeypatch.setattr(training, "SAVED_EVERY", 1)
    whole = begin()
    whole.run(KEY_FRAMES, tmp_path / "whole.pt")

    class Killed(BaseException):
        pass

    cut, step, calls = begin(), Trainer._step, []

    def killed(*arguments: object, **guided: bool) -> object:
        calls.append(guided)
        if len(calls) == kill_at:
            raise Killed
        return step(*arguments, **guided)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Trainer, "_step", killed)
        cut.run(KEY_FRAMES, tmp_path / "cut.pt")
    again = begin()
    again.run(KEY_FRAMES, tmp_path / "cut.pt")
    assert same(weights(whole), weights(again))
    assert [path.name for path in tmp_path.glob("cut*")] == ["cut.pt"]


def test_a_stage_that_ended_is_over_at_once(
    begin: Callable[..., Trainer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in (KEY_FRAMES, OWN_CHOICES):
        trained = begin()
        trained.run(stage, tmp_path / f"{stage.name}.pt")
        later = begin()
        with monkeypatch.context() as patched:
            patched.setattr(Trainer, "_step", None)
            patched.setattr(Trainer, "choose", None)
            later.run(stage, tmp_path / f"{stage.name}.pt")
        assert same(weights(trained), weights(later))


@pytest.mark.parametrize(
    "stage",
    [
        Stage("align", 1, "captions", pointer=False),
        Stage("instruct", 1, "key frames", guided=1),
        Stage("refine", 1, "own choices", peak=0.5),
        Stage("uniform", 1, "uniform", pointer=False, guided=1),
        Stage("text-only", 1, "nothing", pointer=False),
    ],
    ids=lambda stage: stage.name,
)
def test_every_stage_trains_all_but_the_tower_and_turns_the_pointer_only_where_it_learns(
    begin: Callable[..., Trainer], tmp_path: Path, stage: Stage
) -> None:
    trainer = begin()
    before = weights(trainer)
    trainer.run(stage, tmp_path / "stage.pt")
    changed = {name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any("vision_tower" in name for name in changed)
    pointer = trainer.model.state_dict()["memory_pointer"]
    turned = cosine_similarity(before["memory_pointer"], pointer) < 1 - 1e-6  # weight decay alone only shortens it
    assert bool(turned) == stage.pointer
    assert any("layers.2.mlp" in name for name in changed)
    assert any("projector" in name for name in changed)
    assert all(tensor.isfinite().all() for tensor in trainer.model.state_dict().values())
    assert not trainer.model.training


def test_the_pointers_choices_are_a_few_frames_in_time_order_of_the_windows_asked_about(
    begin: Callable[..., Trainer], recipe: Recipe
) -> None:
    trainer = begin()
    choices = trainer.choose(OWN_CHOICES)
    assert len(choices) > recipe.choice_batches and choices == begin().choose(OWN_CHOICES)
    for choice in choices:
        assert choice.day == 0 and 0 <= choice.start < choice.end <= DAY_S
        assert len(choice.frames) == recipe.selected and list(choice.frames) == sorted(set(choice.frames))
        assert choice.frames[0] >= 0 and choice.frames[-1] < choice.end - choice.start


def test_a_log_line_tells_what_was_measured(
    begin: Callable[..., Trainer], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "LOGGED_EVERY", 1)
    lines: list[tuple[str, Measured]] = []
    begin(recipe, lambda line, measured: lines.append((line, measured))).run(KEY_FRAMES, tmp_path / "stage.pt")
    assert [line.split()[:3] for line, _ in lines] == [["instruct", "step", str(step)] for step in (1, 2, 3)]
    for _, measured in lines:
        assert {"pointer", "handled", "recall", "answer", "guidance", "right"} <= set(measured)
        assert all(0 <= measured[name] < 100 for name in ("pointer", "answer", "right"))


@torch.no_grad()
def test_projecting_the_towers_features_is_what_the_model_does_with_pixels(tiny_checkpoint: Checkpoint) -> None:
    model = tiny_checkpoint.model
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(3, 3, model.config.picture_px, model.config.picture_px, generator=generator) * 2 - 1
    seen = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
    visual = project(model, seen, pooling_matrix(model))
    torch.testing.assert_close(visual, model.encode_frames(pixels), atol=1e-5, rtol=1e-4)


def test_a_query_head_of_each_group_starts_aligned_with_its_keys_in_the_first_layers(
    tiny_recipe: Recipe, tiny_checkpoint: Checkpoint
) -> None:
    recipe = replace(tiny_recipe, layers=4, heads=4, key_value_heads=2)
    model = MMEgo(model_config(recipe, tiny_checkpoint.tokenizer))
    prepare(model, recipe)
    width, aligned = recipe.width // recipe.heads, []
    for block in model.model.language_model.layers:
        queries = block.self_attn.q_proj.weight.unflatten(0, (4, width))
        keys = block.self_attn.k_proj.weight.unflatten(0, (2, width))
        aligned.append([torch.equal(queries[head], keys[head // 2]) for head in range(4)])
    assert aligned == [[True, False, True, False]] * 3 + [[False] * 4]


@pytest.mark.slow
def test_a_few_steps_on_one_day_teach_the_pointer_where_to_look(
    begin: Callable[..., Trainer], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "LOGGED_EVERY", 30)
    found: list[Measured] = []
    longer = replace(recipe, accumulation=1, lr=4e-3, warm_up=5, questions_a_day=8, width=32)
    learner = begin(longer, lambda line, measured: found.append(measured))
    learner.run(Stage("instruct", 120, "key frames"), tmp_path / "stage.pt")
    assert found[-1]["pointer"] < 0.75 * found[0]["pointer"] and found[-1]["recall"] > found[0]["recall"] + 0.2
    assert found[-1]["handled"] < 0.6 * found[0]["handled"]
