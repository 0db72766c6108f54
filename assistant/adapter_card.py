"""An adapter's card: what its file says of itself, read and checked without torch and without its tensors.

An adapter fits one base only, by the hash of that base's weights. This file does not know what the tensors are, nor
where checkpoints lie.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from store.errors import CheckpointError

FORMAT = "whereabouts adapter 1"
FETCH = "Fetch the adapter again, or train it again: whereabouts train pointer --help"
MOST = 2**16  # of rank and alpha: no layer is wider


@dataclass(frozen=True, slots=True)
class Card:
    """What an adapter's file says of itself: the hash of its base, its size, and counts of what it was trained on."""

    base: str
    rank: int
    alpha: int
    trained_on: Mapping[str, float]

    def __post_init__(self) -> None:
        """Raises ValueError where a rank or alpha is no size."""
        for name, size in (("rank", self.rank), ("alpha", self.alpha)):
            if type(size) is not int or not 1 <= size <= MOST:
                raise ValueError(f"its {name} is {size!r}")


def file_of(adapter: str) -> Path:
    """The file that the setting `adapter` names; a ~ of nobody stays as it is."""
    return Path(os.path.expanduser(adapter))


def read_card(path: Path, base: str) -> Card:
    """The card of an adapter for the base whose weights have the hash `base` (Description.weights_hash).

    Raises CheckpointError where the file is absent, damaged, no adapter, or one of another base.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no adapter {path}.", FETCH)
    try:
        with safe_open(path, "np") as file:
            header = (file.metadata() or {}).get(FORMAT)
        card = Card(**json.loads(header)) if header is not None else None
    except (SafetensorError, OSError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"The adapter {path} is damaged: {error}.", FETCH) from error
    if card is None:
        raise CheckpointError(f"{path} is not an adapter that this version knows.", FETCH)
    if card.base != base:
        raise CheckpointError(
            f"The adapter {path} was trained on the base {card.base}, but this one is {base}.",
            "Give the checkpoint that it was trained on, or train one on this: whereabouts train pointer --help",
        )
    return card
