"""An adapter: what a pointer has learned on top of a base checkpoint, in one small file.

The file holds the memory pointer and, for every linear layer of the language model's attention and MLP, two thin
matrices (LoRA). The base stays as it was, in any precision: beside layers of 4 or 8 bit the matrices stand on their
own, into whole weights they are folded, which costs nothing when asked. What the file says of itself, and which base
it fits, is read in adapter_card.py.

Tower and projector are left alone, so compressed embeddings that are stored stay right. This file does not know how
adapters are trained (training/adapters.py), nor where checkpoints lie.
"""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.functional import linear

from assistant.adapter_card import FETCH, FORMAT, Card, file_of, read_card
from assistant.model import MMEgo
from store.disk import writing
from store.errors import CheckpointError

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint

ADAPTED = re.compile(r"model\.language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj")


class LowRank(nn.Module):
    """A linear layer of any precision, and beside it what was learned: x -> layer(x) + alpha / rank * B A x.

    New ones change no output, as B is zero.
    """

    def __init__(self, layer: nn.Linear, rank: int, alpha: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self._scale = layer, alpha / rank
        where = layer.weight.device
        self.a = nn.Parameter(torch.randn(rank, layer.in_features, device=where, dtype=dtype) / layer.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(layer.out_features, rank, device=where, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in the precision of x."""
        return self.layer(x) + linear(linear(x, self.a.to(x.dtype)), self.b.to(x.dtype)) * self._scale

    def fold(self) -> nn.Linear:
        """The layer with what was learned added to its weights."""
        weight = self.layer.weight
        weight.data = (weight.float() + self._scale * self.b.float() @ self.a.float()).to(weight.dtype)
        return self.layer


def put_beside(model: MMEgo, rank: int, alpha: int, dtype: torch.dtype) -> None:
    """Put a LowRank around every linear layer of the language model's attention and MLP."""
    for name, layer in list(model.named_modules()):
        if ADAPTED.fullmatch(name):
            model.set_submodule(name, LowRank(layer, rank, alpha, dtype))


def learned(model: MMEgo) -> dict[str, nn.Parameter]:
    """What an adapter holds, by the names that it has in the file."""
    found = {"memory_pointer": model.memory_pointer}
    for name, layer in model.named_modules():
        if isinstance(layer, LowRank):
            found |= {f"{name}.lora_a": layer.a, f"{name}.lora_b": layer.b}
    return found


def fold(model: MMEgo) -> None:
    """Fold every LowRank into its layer; those beside 4 and 8 bit stay where they are."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, LowRank) and type(layer.layer) is nn.Linear:  # those of few bits are classes of their own
            model.set_submodule(name, layer.fold())


def save_adapter(model: MMEgo, path: Path, card: Card) -> None:
    """Write what `model` has learned, in half precision; the file appears whole or not at all. Raises DiskFull."""
    unfinished = path.with_name(f"{path.name}.part")
    tensors = {name: weight.detach().half().cpu() for name, weight in learned(model).items()}
    with writing(path):
        unfinished.write_bytes(save(tensors, {FORMAT: json.dumps(asdict(card))}))
        unfinished.rename(path)


def with_adapter(checkpoint: "Checkpoint", file: str) -> "Checkpoint":
    """The checkpoint with the adapter of this file, or as it was where none is named. Raises CheckpointError."""
    if not file:
        return checkpoint
    load_adapter(checkpoint.model, file_of(file), checkpoint.description.weights_hash)
    return replace(checkpoint, pointer_trained=True)


def load_adapter(model: MMEgo, path: Path, base: str) -> Card:
    """Give a base, whose weights have the hash `base`, what the file holds; nothing of it learns any more.

    Raises CheckpointError where the file is absent, damaged, no adapter, or one of another base.
    """
    card, tensors = read_card(path, base), load_file(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items() if tensor.dtype is torch.float16}
    if tensors.keys() != shapes.keys() or shapes != _shapes(model, card.rank):
        raise CheckpointError(f"The adapter {path} does not fit its base: its tensors are others.", FETCH)
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise CheckpointError(f"The adapter {path} holds numbers that are not finite.", FETCH)
    put_beside(model, card.rank, card.alpha, model.memory_pointer.dtype)
    own = learned(model)
    for name, tensor in tensors.items():
        own[name].data.copy_(tensor)
    fold(model)
    model.requires_grad_(False)
    return card


def _shapes(model: MMEgo, rank: int) -> dict[str, tuple[int, ...]]:
    """Of all that an adapter of this rank holds, known before anything is put beside the model."""
    found = {"memory_pointer": tuple(model.memory_pointer.shape)}
    for name, layer in model.named_modules():
        if ADAPTED.fullmatch(name):
            found |= {f"{name}.lora_a": (rank, layer.in_features), f"{name}.lora_b": (layer.out_features, rank)}
    return found
