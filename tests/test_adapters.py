"""Adapters: little learns, nothing else changes, and what was learned comes back or is folded in."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from assistant import checkpoints
from assistant.model import MMEgo
from assistant.training import trainer as training
from assistant.training.adapters import add_adapters, load_adapters, merge_adapters, save_adapters
from assistant.training.dataset import Day, day_of, read_episode
from assistant.training.nano import model_config
from assistant.training.recipe import Recipe, Stage
from assistant.training.trainer import Measured, Trainer
from device.simulated.episodes import write_episode
from store.errors import CheckpointError

QUESTION = [5, 6, 7]
STAGE = Stage("instruct", 6, "key frames", guided=2)


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(tiny_recipe, days_a_step=1, shortest_day=30, selected=4, warm_up=1, lr=2e-2)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Day:
    path = tmp_path_factory.mktemp("days") / "home-5.npz"
    write_episode(path, 5, 0.5, 1.0, recipe.picture_px)
    return day_of(read_episode(path), 0)


def base(folder: Path) -> MMEgo:
    return checkpoints.load(str(folder)).model


def adapted(folder: Path) -> MMEgo:
    torch.manual_seed(3)
    model = base(folder)
    add_adapters(model, rank=4, alpha=8, dropout=0.0)
    return model


def stir(model: MMEgo) -> None:
    """As if something had been learned."""
    torch.manual_seed(4)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data += 0.3 * torch.randn_like(weight)


def glimpse(model: MMEgo) -> Tensor:
    width = model.memory_pointer.shape[-1]
    frames = torch.randn(6, width, generator=torch.Generator().manual_seed(1))
    return model.glimpse(model.compress(model.model.multi_modal_projector(features(model, frames))), QUESTION)


def features(model: MMEgo, like: Tensor) -> Tensor:
    config = model.config.vision_config
    patches = (config.image_size // config.patch_size) ** 2
    return torch.randn(len(like), patches, config.hidden_size, generator=torch.Generator().manual_seed(2))


def trainer(model: MMEgo, folder: Path, day: Day, recipe: Recipe, found: list[Measured]) -> Trainer:
    seen = features(model, torch.empty(len(day), 1)).half()
    tokenizer = checkpoints.load(str(folder)).tokenizer
    return Trainer(model, tokenizer, [day], seen, recipe, lambda line, measured: found.append(measured), workers=0)


def test_new_adapters_change_no_output_and_only_a_small_share_learns(tiny_folder: Path, tiny_recipe: Recipe) -> None:
    plain, model = base(tiny_folder), adapted(tiny_folder)
    assert type(model) is MMEgo and torch.equal(glimpse(plain), glimpse(model))
    assert not any(module.training for module in model.modules())
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    layers = {name.rsplit(".lora_", 1)[0] for name in learning if "lora_" in name}
    assert len(layers) == 7 * tiny_recipe.layers and all("language_model" in name for name in layers)
    rest = {name for name in learning if "lora_" not in name}
    assert "memory_pointer" in rest and all("projector" in name for name in rest - {"memory_pointer"})


def test_of_the_shipped_size_less_than_a_tenth_learns() -> None:
    checkpoint = checkpoints.load(str(Path(checkpoints.__file__).parent / "nano"))
    add_adapters(checkpoint.model, rank=8, alpha=16, dropout=0.05)
    weights = list(checkpoint.model.parameters())
    assert 0 < sum(w.numel() for w in weights if w.requires_grad) < 0.1 * sum(w.numel() for w in weights)


def test_the_trainer_teaches_the_adapters_and_leaves_every_frozen_weight_as_it_was(
    tiny_folder: Path, day: Day, recipe: Recipe, tmp_path: Path
) -> None:
    model, found = adapted(tiny_folder), list[Measured]()
    learner = trainer(model, tiny_folder, day, recipe, found)
    batch = learner._batches(STAGE)[0]
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    first = learner._step(*batch, guided=False)[0].item()
    learner.run(STAGE, tmp_path / "stage.pt")
    assert learner._step(*batch, guided=False)[0].item() < 0.9 * first
    changed = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {name for name, weight in model.named_parameters() if weight.requires_grad}


def test_a_run_with_adapters_that_was_cut_goes_on_and_its_file_holds_only_what_learns(
    tiny_folder: Path, day: Day, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVED_EVERY", 1)
    step, calls, models = Trainer._step, list[int](), [adapted(tiny_folder) for _ in range(3)]
    learners = [trainer(model, tiny_folder, day, recipe, []) for model in models]
    for learner in learners[1:]:
        learner._handled.load_state_dict(learners[0]._handled.state_dict())
    learners[0].run(STAGE, tmp_path / "whole.pt")

    def killed(*arguments: object, **guided: bool) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(*arguments, **guided)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "_step", killed)
        learners[1].run(STAGE, tmp_path / "cut.pt")
    learners[2].run(STAGE, tmp_path / "cut.pt")
    whole, again = models[0].state_dict(), models[2].state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    written = torch.load(tmp_path / "cut.pt", weights_only=True)[1]
    assert set(written) == {name for name, weight in models[2].named_parameters() if weight.requires_grad}


def test_what_was_saved_comes_back_on_a_fresh_base(tiny_folder: Path, tmp_path: Path) -> None:
    model = adapted(tiny_folder)
    stir(model)
    save_adapters(model, tmp_path / "adapters")
    fresh = base(tiny_folder)
    assert not torch.allclose(glimpse(fresh), glimpse(model))
    load_adapters(fresh, tmp_path / "adapters")
    assert torch.equal(glimpse(fresh), glimpse(model))
    assert [file.name for file in (tmp_path / "adapters").iterdir()] == ["adapters.safetensors"]


def test_adapters_of_another_size_are_named(tiny_folder: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    save_adapters(adapted(tiny_folder), tmp_path)
    other = MMEgo(model_config(replace(tiny_recipe, width=32), checkpoints.load(str(tiny_folder)).tokenizer))
    with pytest.raises(CheckpointError, match="another model"):
        load_adapters(other, tmp_path)


def test_merged_adapters_answer_the_same_from_a_plain_checkpoint(tiny_folder: Path, tmp_path: Path) -> None:
    model = adapted(tiny_folder)
    stir(model)
    wanted = glimpse(model)
    merge_adapters(model)
    assert set(model.state_dict()) == set(base(tiny_folder).state_dict())
    torch.testing.assert_close(glimpse(model), wanted)
    checkpoint = checkpoints.load(str(tiny_folder))
    checkpoints.save(tmp_path / "merged", model, checkpoint.tokenizer, checkpoint.recall)
    torch.testing.assert_close(glimpse(base(tmp_path / "merged")), wanted, atol=0.02, rtol=0.1)  # in half precision


def test_a_base_in_few_bits_is_prepared_as_peft_wants_it(tiny_folder: Path) -> None:
    """The marks are those that transformers puts on a model loaded in 4 bit; layers of 4 bit need a library more."""
    model = base(tiny_folder).half()
    model.is_quantized = model.is_loaded_in_4bit = True
    add_adapters(model, rank=4, alpha=8, dropout=0.0)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.is_gradient_checkpointing
    frames = torch.randn(6, model.memory_pointer.shape[-1])
    model.train().glimpse_logits([frames], [QUESTION])[0].sum().backward()
    assert all(
        weight.grad is not None for name, weight in model.named_parameters() if "layers.0" in name and "lora_" in name
    )
