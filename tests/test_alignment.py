"""Alignment: a patch that a head of the tower can name leaves the projector as the word that names it."""

from dataclasses import replace

import torch
from torch.nn.functional import cosine_similarity

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.model import MMEgo
from assistant.training.alignment import align
from assistant.training.nano import model_config
from assistant.training.pretraining import DenseTargets
from assistant.training.recipe import Recipe
from device.simulated.episodes import VOCABULARY

NAMES = {name: tuple(map(str, words)) for name, words in VOCABULARY.items()}


def test_a_patch_of_a_thing_comes_out_nearest_to_its_own_word(tiny_recipe: Recipe, tiny_checkpoint: Checkpoint) -> None:
    tokenizer = tiny_checkpoint.tokenizer
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    recipe = replace(tiny_recipe, tower_width=64, width=64)  # room for twenty directions
    model = MMEgo(model_config(recipe, tokenizer))
    targets = DenseTargets(recipe.tower_width, NAMES)
    patches = torch.randn(500, recipe.tower_width, generator=generator)
    align(model, targets, NAMES, tokenizer, patches, generator)

    words = torch.stack([model.embed_ids(prompt.token_ids(word, tokenizer)).mean(0) for word in NAMES["things"]])
    right = 0
    for index in range(len(words)):
        direction = targets.patch["thing_cells"].weight[index + 1].detach()
        patch = 6 * direction / direction.norm()
        projected = model.model.multi_modal_projector(patch[None])[0]
        right += int(cosine_similarity(projected[None], words).argmax()) == index
    assert right >= 0.8 * len(words)
