"""An adapter: what a pointer has learned on top of a base checkpoint, in one small file.

The file holds the memory pointer and, for every linear layer of the language model's attention and MLP, two thin
matrices (LoRA). The base stays as it was, in any precision: beside layers of 4 or 8 bit the matrices stand on their
own, into whole weights they are folded, which costs nothing when asked. An adapter fits one base only, by the hash of
that base's weights as they lie on disk, however they are loaded.

Tower and projector are left alone, so compressed embeddings that are stored stay right. This file does not know how
adapters are trained (training/adapters.py), nor where checkpoints lie.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import linear

from assistant.model import MMEgo
from store.errors import CheckpointError

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint

FORMAT = "whereabouts adapter 1"
ADAPTED = re.compile(r"model\.language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj")
FETCH = "Fetch the adapter again, or train it again: whereabouts train pointer --help"


@dataclass(frozen=True, slots=True)
class Card:
    """What an adapter's file says of itself: the hash of its base, its size, and counts of what it was trained on."""

    base: str
    rank: int
    alpha: int
    trained_on: Mapping[str, float]


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
    """Write what `model` has learned, in half precision; the file appears whole or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    tensors = {name: weight.detach().half().cpu() for name, weight in learned(model).items()}
    save_file(tensors, unfinished, {FORMAT: json.dumps(asdict(card))})
    unfinished.rename(path)


def with_adapter(checkpoint: "Checkpoint", file: str) -> "Checkpoint":
    """The checkpoint with the adapter of this file, or as it was where none is named. Raises CheckpointError."""
    if not file:
        return checkpoint
    load_adapter(checkpoint.model, Path(file).expanduser(), checkpoint.description.weights_hash)
    return replace(checkpoint, pointer_trained=True)


def load_adapter(model: MMEgo, path: Path, base: str) -> Card:
    """Give a base, whose weights have the hash `base`, what the file holds; nothing of it learns any more.

    Raises CheckpointError where the file is absent, damaged, no adapter, or one of another base.
    """
    card, tensors = _read(path)
    if card.base != base:
        raise CheckpointError(
            f"The adapter {path} was trained on the base {card.base}, but this one is {base}.",
            "Give the checkpoint that it was trained on, or train one on this: whereabouts train pointer --help",
        )
    put_beside(model, card.rank, card.alpha, model.memory_pointer.dtype)
    own = learned(model)
    if {name: tensor.shape for name, tensor in tensors.items()} != {name: each.shape for name, each in own.items()}:
        raise CheckpointError(f"The adapter {path} does not fit its base: its tensors are others.", FETCH)
    for name, tensor in tensors.items():
        own[name].data.copy_(tensor)
    fold(model)
    model.requires_grad_(False)
    return card


def _read(path: Path) -> tuple[Card, dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"There is no adapter {path}.", FETCH)
    try:
        with safe_open(path, "pt") as file:
            header = (file.metadata() or {}).get(FORMAT)
            if header is None:
                raise CheckpointError(f"{path} is not an adapter that this version knows.", FETCH)
            return Card(**json.loads(header)), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise CheckpointError(f"The adapter {path} is damaged: {error}.", FETCH) from error
