"""Prefix: what a language model made of a sequence, for the next sequence that begins alike.

Attention is causal, so nothing that stands behind changes what stands before: compressed frames read for one question
are read for every question, and the frames of one answer for the next that is shown the same frames first. What is
alike is told from the embeddings themselves, row by row, so nothing stale can be taken for what is asked now. What
comes out is the same but for rounding; in int8 for more than that, as bitsandbytes there chooses the columns that it
keeps whole by all rows that it reads at once.

This file does not know what the rows are. L sequence length, C width.
"""

from copy import copy
from dataclasses import dataclass

from torch import Tensor
from transformers import DynamicCache


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A sequence `embedded` (L, C), its `states` (L, C) after the final norm, and its keys and values."""

    embedded: Tensor
    states: Tensor
    cache: DynamicCache

    def __len__(self) -> int:
        return len(self.embedded)

    @property
    def nbytes(self) -> int:
        return self.embedded.nbytes + self.states.nbytes + sum(k.nbytes + v.nbytes for k, v, _ in self.cache)

    def shared_with(self, sequence: Tensor) -> int:
        """How many rows a sequence (S, C) has in common with this one, from the first on."""
        shorter = min(len(self), len(sequence))
        differ = (self.embedded[:shorter] != sequence[:shorter]).any(dim=1).nonzero()
        return int(differ[0]) if len(differ) else shorter

    def beginning(self, length: int) -> DynamicCache:
        """The keys and values of the first `length` rows, to be gone on from: what grows are new tensors, not these."""
        cache = copy(self.cache)
        cache.layers = [copy(layer) for layer in self.cache.layers]
        cache.crop(length - len(self))
        return cache
