"""Weights, by the headers of their safetensors files: how many numbers, of which kind, and whether all is there.

A file of 5 GB is judged by its first kilobytes and its length, so this takes milliseconds and loads no torch. It does
not know checkpoints by name, nor in what precision anything will be held.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

INDEX = "model.safetensors.index.json"
DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)  # what JSON of another kind raises
LINEAR = re.compile(r"language_model\.(?:model\.)?layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.weight")


@dataclass(frozen=True, slots=True)
class Size:
    """Counts of numbers: `linear` in the linear layers of the language model, `other` in everything else, and what a
    token of context needs while it is read: its keys and values, twice, and the widest layer's activations."""

    linear: int
    other: int
    token: int


def size_of(folders: Iterable[Path]) -> Size:
    """What the model*.safetensors of these folders hold together. Raises ValueError where one is cut or damaged."""
    linear = other = 0
    layers: set[str] = set()
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in (tensor for folder in folders for file in weight_files(folder) for tensor in tensors_of(file)):
        match = LINEAR.search(name)
        if match is None:
            other += prod(shape)
        else:
            linear += prod(shape)
            layers.add(match[1])
            shapes[match[2]] = shape
    keys, _ = shapes.get("k_proj", (0, 0))
    wide, hidden = shapes.get("gate_proj", (0, 0))
    return Size(linear, other, 4 * len(layers) * keys + 8 * hidden + 3 * wide)


def weight_files(folder: Path) -> list[Path]:
    """The folder's weights, of which an index may name more than there are."""
    return sorted(folder.glob("model*.safetensors"))


def absent_shards(folder: Path) -> list[Path]:
    """What the index of a model in several files names and the folder does not hold. ValueError: it is damaged."""
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / name for name in sorted(named) if not (folder / name).is_file()]
    except DAMAGE as error:
        raise ValueError(f"{index} is damaged") from error


def tensors_of(file: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a safetensors file. ValueError: it is none, or it is cut."""
    size = file.stat().st_size
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(min(length, size)))
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        whole = 8 + length + max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        shapes = {name: tuple(tensor["shape"]) for name, tensor in tensors.items()}
        if not all(type(count) is int and count >= 0 for shape in shapes.values() for count in shape):
            raise ValueError("a shape is none")
    except DAMAGE as error:
        raise ValueError(f"{file} is cut or no safetensors file") from error
    if size != whole:
        raise ValueError(f"{file} has {size} bytes instead of {whole}")
    yield from shapes.items()
