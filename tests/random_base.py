"""A tiny random base of the hub's own kind, a SigLIP tower and Qwen2, that knows the words of narrated_films.py."""

import re
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
from transformers import SiglipVisionConfig

from assistant import checkpoints, prompt
from assistant.encoder import RecallEncoder, RecallModel
from assistant.model import MMEgo
from assistant.training.activities import ActivityWriter, common_acts
from assistant.training.conversations import make_conversations
from assistant.training.nano import model_config, recall_config
from assistant.training.recipe import Recipe
from tests.narrated_films import SIDE_PX, plan


def write_random_base(folder: Path, tiny_recipe: Recipe) -> Path:
    """A checkpoint whose weights are of a size that trained ones have: from smaller ones nothing can be told apart."""
    told = {str(seed): plan(seed) for seed in range(8)}
    talks = make_conversations(told, ActivityWriter(common_acts(told)), Random(0), 200)
    texts = " ".join(f"{question.text} {question.answer}" for talk in talks for question in talk.questions)
    tokenizer = prompt.build_word_tokenizer(set(re.findall("[a-z]+", texts.lower())))
    recipe = replace(tiny_recipe, width=64, heads=2, key_value_heads=1)
    config = model_config(recipe, tokenizer)
    config.vision_config = SiglipVisionConfig(
        image_size=SIDE_PX,
        patch_size=16,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    torch.manual_seed(0)
    model, recall = MMEgo(config), RecallModel(recall_config(recipe, tokenizer))
    for weight in model.parameters():
        weight.data *= 6.0 if weight.dim() > 1 else 1.0
    checkpoints.save(folder, model, tokenizer, RecallEncoder(recall, tokenizer))
    return folder
