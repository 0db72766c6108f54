"""Adapters: little learns, a small file brings it back on its base in any precision, and on no other base."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from assistant import checkpoints
from assistant.adapter import LowRank, learned, load_adapter, put_beside, save_adapter, with_adapter
from assistant.adapter_card import FORMAT, Card, file_of, read_card
from assistant.model import MMEgo
from assistant.training.adapters import add_adapters
from assistant.training.nano import model_config
from assistant.training.recipe import Recipe
from store.errors import CheckpointError, DiskFull
from tests.small_disk import fill, small_disk

QUESTION = [5, 6, 7]
CARD = Card(base="0123456789ab", rank=4, alpha=8, trained_on={"films": 3, "hours": 1.5})


def base(folder: Path, precision: str = "fp32") -> MMEgo:
    return checkpoints.load(str(folder), precision).model


def adapted(model: MMEgo) -> MMEgo:
    """As if something had been learned."""
    torch.manual_seed(3)
    add_adapters(model, CARD.rank, CARD.alpha)
    for weight in learned(model).values():
        weight.data += 0.3 * torch.randn_like(weight)
        weight.data = weight.half().float()  # as a file holds it
    return model


@pytest.fixture
def file(tiny_folder: Path, tmp_path: Path) -> Path:
    save_adapter(adapted(base(tiny_folder)), tmp_path / "mine.safetensors", CARD)
    return tmp_path / "mine.safetensors"


@torch.no_grad()
def glimpse(model: MMEgo) -> Tensor:
    frames = torch.randn(6, model.memory_pointer.shape[-1], generator=torch.Generator().manual_seed(1))
    return model.glimpse_logits([frames], [QUESTION])[0].float()


def test_new_adapters_change_no_output_and_nothing_else_learns_but_the_pointer(
    tiny_folder: Path, tiny_recipe: Recipe
) -> None:
    plain, model = base(tiny_folder), base(tiny_folder)
    add_adapters(model, rank=4, alpha=8)
    assert type(model) is MMEgo and torch.equal(glimpse(plain), glimpse(model))
    assert not any(module.training for module in model.modules())
    learning = [id(weight) for weight in model.parameters() if weight.requires_grad]
    assert sorted(learning) == sorted(id(weight) for weight in learned(model).values())
    assert len(learning) == 1 + 2 * 7 * tiny_recipe.layers


def test_of_the_shipped_size_less_than_a_tenth_learns() -> None:
    model = checkpoints.load("nano").model
    add_adapters(model, rank=8, alpha=16)
    assert sum(w.numel() for w in learned(model).values()) < 0.1 * sum(w.numel() for w in model.parameters())


def test_what_was_learned_comes_back_on_a_fresh_base_folded_into_its_weights(tiny_folder: Path, file: Path) -> None:
    fresh = base(tiny_folder)
    before = glimpse(fresh)
    assert load_adapter(fresh, file, CARD.base) == CARD
    assert not torch.allclose(glimpse(fresh), before, atol=0.1)
    torch.testing.assert_close(glimpse(fresh), glimpse(adapted(base(tiny_folder))), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, LowRank) for module in fresh.modules())
    assert set(fresh.state_dict()) == set(base(tiny_folder).state_dict())
    assert not any(weight.requires_grad for weight in fresh.parameters())


def test_folded_and_beside_are_the_same_in_half_precision_too(tiny_folder: Path, file: Path) -> None:
    whole, folded, beside = base(tiny_folder), base(tiny_folder, "bf16"), base(tiny_folder, "bf16")
    load_adapter(folded, file, CARD.base)
    put_beside(beside, CARD.rank, CARD.alpha, torch.bfloat16)
    for name, tensor in load_file(file).items():
        learned(beside)[name].data.copy_(tensor)
    load_adapter(whole, file, CARD.base)
    spread = float(glimpse(whole).std())
    for model in (folded, beside):
        torch.testing.assert_close(glimpse(model), glimpse(whole), atol=0.15 * spread, rtol=0)


@pytest.mark.parametrize("precision", ["nf4", "int8"])
def test_an_adapter_stands_beside_layers_of_few_bits(tiny_folder: Path, file: Path, precision: str) -> None:
    model, whole = base(tiny_folder, precision), base(tiny_folder)
    layer = model.model.language_model.layers[0].self_attn.q_proj
    before = glimpse(model)
    for each in (model, whole):
        load_adapter(each, file, CARD.base)
    beside = model.model.language_model.layers[0].self_attn.q_proj
    assert isinstance(beside, LowRank) and beside.layer is layer and not layer.weight.is_floating_point()
    lost = (glimpse(model) - glimpse(whole)).abs().max()  # to the base's few bits
    assert lost < 0.2 * (before - glimpse(whole)).abs().max()


def test_a_file_holds_pointer_and_matrices_in_half_precision_and_says_what_it_is(
    file: Path, tiny_recipe: Recipe
) -> None:
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    assert json.loads(header[FORMAT]) == {"base": CARD.base, "rank": 4, "alpha": 8, "trained_on": CARD.trained_on}
    tensors = load_file(file)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert sum(name.endswith(("lora_a", "lora_b")) for name in tensors) == 14 * tiny_recipe.layers == len(tensors) - 1
    assert tensors["memory_pointer"].shape == (1, tiny_recipe.width)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_checkpoint_with_an_adapter_keeps_its_embeddings(tiny_folder: Path, tmp_path: Path) -> None:
    plain, grown = (replace(checkpoints.load(str(tiny_folder)), pointer_trained=False) for _ in range(2))
    card = replace(CARD, base=plain.description.weights_hash)
    save_adapter(adapted(base(tiny_folder)), tmp_path / "mine.safetensors", card)
    assert with_adapter(plain, "") is plain
    grown = with_adapter(grown, str(tmp_path / "mine.safetensors"))
    assert grown.pointer_trained and grown.key == plain.key
    pixels = torch.rand(2, 3, plain.model.config.picture_px, plain.model.config.picture_px) * 2 - 1
    with torch.no_grad():
        assert torch.equal(grown.model.encode_frames(pixels), plain.model.encode_frames(pixels))


def test_the_hash_of_a_base_is_of_its_weights_and_not_of_its_settings(tiny_folder: Path, tmp_path: Path) -> None:
    checkpoint = checkpoints.load(str(tiny_folder))
    checkpoint.model.config.answer_tokens = 3
    checkpoints.save(tmp_path / "other", checkpoint.model, checkpoint.tokenizer, checkpoint.recall)
    other = checkpoints.describe(str(tmp_path / "other"))
    assert other.fingerprint != checkpoint.fingerprint
    assert other.weights_hash == checkpoint.description.weights_hash
    weights = tmp_path / "other" / "model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    assert other.weights_hash != checkpoint.description.weights_hash


def test_another_base_is_refused_with_both_hashes_and_left_as_it_was(tiny_folder: Path, file: Path) -> None:
    model = base(tiny_folder)
    before = glimpse(model)
    with pytest.raises(CheckpointError, match="ffffffffffff") as caught:
        load_adapter(model, file, "ffffffffffff")
    assert CARD.base in caught.value.message and "train pointer" in caught.value.hint
    assert torch.equal(glimpse(model), before)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def strip(path: Path) -> None:
    save_file(load_file(path), path)


def lose_a_tensor(path: Path) -> None:
    with safe_open(path, "pt") as opened:
        header = opened.metadata()
    save_file({name: each for name, each in load_file(path).items() if "layers.1.mlp" not in name}, path, header)


def take_another_precision(path: Path) -> None:
    with safe_open(path, "pt") as opened:
        header = opened.metadata()
    save_file({name: each.long() for name, each in load_file(path).items()}, path, header)


@pytest.mark.parametrize("damage", [truncate, strip, lose_a_tensor, take_another_precision, Path.unlink])
def test_what_is_no_whole_adapter_is_a_checkpoint_error_that_names_the_file(
    tiny_folder: Path, file: Path, damage: Callable[[Path], None]
) -> None:
    damage(file)
    with pytest.raises(CheckpointError) as caught:
        load_adapter(base(tiny_folder), file, CARD.base)
    assert str(file) in caught.value.message and caught.value.hint


def test_an_adapter_of_another_size_is_named(tiny_folder: Path, tiny_recipe: Recipe, file: Path) -> None:
    other = MMEgo(model_config(replace(tiny_recipe, width=32), checkpoints.load(str(tiny_folder)).tokenizer))
    with pytest.raises(CheckpointError, match="does not fit"):
        load_adapter(other, file, CARD.base)


def say(path: Path, card: str) -> None:
    """Another card on the same tensors."""
    save_file(load_file(path), path, {FORMAT: card})


@pytest.mark.parametrize(
    ("name", "size"),
    [("rank", 0), ("rank", -4), ("rank", "4"), ("rank", 4.0), ("rank", True), ("rank", 10**9), ("rank", 8)]
    + [("alpha", "x"), ("alpha", 0), ("alpha", 10**400)],
)
def test_a_card_of_another_size_is_refused_before_anything_is_put_beside_the_base(
    tiny_folder: Path, file: Path, name: str, size: object
) -> None:
    say(file, json.dumps({"base": CARD.base, "rank": 4, "alpha": 8, "trained_on": {}, name: size}))
    model = base(tiny_folder)
    with pytest.raises(CheckpointError):
        load_adapter(model, file, CARD.base)
    assert not any(isinstance(module, LowRank) for module in model.modules())


@pytest.mark.parametrize("card", ["[" * 100_000, "[]", "{}", "null", '"x"', "no"])
def test_a_card_that_is_none_is_refused(file: Path, card: str) -> None:
    say(file, card)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_card(file, CARD.base)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(tiny_folder: Path, file: Path, number: float) -> None:
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    tensors = load_file(file)
    tensors["memory_pointer"][0, 0] = number
    save_file(tensors, file, header)
    with pytest.raises(CheckpointError, match="not finite"):
        load_adapter(base(tiny_folder), file, CARD.base)


@pytest.mark.parametrize("adapter", ["~nosuch/x", "~", "/nowhere/x"])
def test_what_is_no_file_is_no_adapter(adapter: str) -> None:
    with pytest.raises(CheckpointError, match="There is no adapter"):
        read_card(file_of(adapter), CARD.base)


def test_an_adapter_that_finds_no_room_is_a_disk_that_is_full(tiny_folder: Path, tmp_path: Path) -> None:
    model = adapted(base(tiny_folder))
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        with pytest.raises(DiskFull, match="cannot be written"):
            save_adapter(model, disk / "mine.safetensors", CARD)
        assert not (disk / "mine.safetensors").exists()
