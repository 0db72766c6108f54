"""Align before anything else: what the tower's heads can name comes out of the projector as the word that names it.

The field aligns a projector by captions. Here stage one has left linear heads that name what a patch shows, what is in
the hand, the room and the surface; the projector starts as those heads followed by the embeddings of the words they
stand for, so that a visual token reads like a handful of words and the language model can begin to copy. What is in a
hand and what lies about is told apart by a random vector a head. Left to chance, small things are so little of a
patch's variance that the language model did not learn to read them out.

This file does not know frames, questions or the pointer. D width of the tower, C of the language model.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from assistant import prompt
from assistant.model import MMEgo
from assistant.training.pretraining import ACTS, DenseTargets
from assistant.training.recipe import Recipe

THRESHOLD = 1.0  # in standard deviations: a head says a word only where it is surer than usual
ROLE = 0.03


def prepare(model: MMEgo, recipe: Recipe) -> None:
    """Initialise the language model; query and key of the first head of each group start equal in the first layers."""
    language = model.model.language_model
    generator = torch.Generator().manual_seed(recipe.seed)
    for weight in language.parameters():
        if weight.dim() == 2:
            nn.init.normal_(weight, 0.0, 0.04, generator=generator)
    group, width = recipe.heads // recipe.key_value_heads, recipe.width // recipe.heads
    for block in list(language.layers)[:3]:
        for shared in range(recipe.key_value_heads):
            matched = torch.randn(width, recipe.width, generator=generator) * 0.1
            head = shared * group
            block.self_attn.q_proj.weight.data[head * width : (head + 1) * width] = matched
            block.self_attn.k_proj.weight.data[shared * width : (shared + 1) * width] = matched


@torch.no_grad()
def align(
    model: MMEgo,
    targets: DenseTargets,
    vocabulary: dict[str, tuple[str, ...]],
    tokenizer: PreTrainedTokenizerFast,
    patches: Tensor,
    generator: torch.Generator,
) -> None:
    """Start the projector from the heads; `patches` (n, D) are a sample of what the tower sees."""
    projector, width = model.model.multi_modal_projector, model.memory_pointer.shape[-1]
    rows: list[Tensor] = []
    columns: list[Tensor] = []
    heads: dict[str, Any] = {**dict(targets.patch.items()), **dict(targets.mean.items())}
    for name, head in heads.items():
        role = torch.randn(width, generator=generator) * ROLE
        for index, words in _named(name, vocabulary):
            rows.append(head.weight[index])
            columns.append(model.embed_ids(prompt.token_ids(words, tokenizer)).mean(dim=0) + role)
    count = min(len(rows), projector.linear_1.out_features)
    weight = torch.stack(rows[:count])  # (count, D)
    said = patches @ weight.T  # (n, count)
    deviation = said.std(dim=0).clamp(min=1e-6)
    projector.linear_1.weight[:count] = weight / deviation[:, None]
    projector.linear_1.bias[:count] = -said.mean(dim=0) / deviation - THRESHOLD
    projector.linear_2.weight[:, :count] = torch.stack(columns[:count]).T


def _named(head: str, vocabulary: dict[str, tuple[str, ...]]) -> list[tuple[int, str]]:
    """The outputs of a head that stand for words; 0 is "nothing" for all but the rooms."""
    if head == "rooms":
        return list(enumerate(vocabulary["room_kinds"]))
    names = {
        "thing_cells": vocabulary["things"],
        "held": vocabulary["things"],
        "colour_cells": vocabulary["colours"],
        "held_colours": vocabulary["colours"],
        "furniture_cells": vocabulary["furniture"],
        "surface": vocabulary["furniture"],
        "act": ACTS,
        "hands": ("left", "right"),
    }[head]
    return [(index + 1, name) for index, name in enumerate(names)]
