"""`whereabouts train nano`: the shipped checkpoint from nothing, by one deterministic recipe.

    days        rendered by whoever calls (this room does not know cameras), read from their files
    tower       the recall encoder and its vision tower (pretraining.py)
    features    every frame read once by the frozen tower
    model       the projector aligned with words (alignment.py); then pointer, glimpse and answers (trainer.py)
    checkpoint  one folder in half precision, with the recipe and the log beside it

Every stage leaves a file in the work folder and is skipped where that file is whole, so a killed run goes on.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, SiglipTextConfig

from assistant import checkpoints, prompt
from assistant.encoder import RecallConfig, RecallEncoder, RecallModel
from assistant.model import MMEgo, MMEgoConfig
from assistant.training import trainer
from assistant.training.alignment import align
from assistant.training.data_engine import NOT_SEEN
from assistant.training.dataset import Episode, read_episode, vocabulary_words
from assistant.training.pretraining import DenseTargets, Pictures, pretrain
from assistant.training.recipe import VALIDATION_SEED, Recipe
from assistant.vision import StemSiglipConfig

Render = Callable[[range], Sequence[Path]]


def train_nano(render: Render, out: Path, work: Path, recipe: Recipe, say: Callable[[str], None]) -> None:
    """Train by `recipe` and write the checkpoint to `out`; `render(seeds)` hands back the files of those days."""
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    log = _Log(out / "train.log", say)
    log(f"recipe {recipe}")
    days, held_out = (
        render(range(recipe.homes)),
        render(range(VALIDATION_SEED, VALIDATION_SEED + recipe.validation_homes)),
    )
    log(f"{len(days)} homes rendered, {len(held_out)} for validation")
    vocabulary = read_episode(days[0]).vocabulary
    tokenizer = prompt.build_word_tokenizer(vocabulary_words(vocabulary))

    recall, targets = _tower(days, held_out, tokenizer, recipe, work, log)
    features = [_cache_features(recall, path, work) for path in [*days, *held_out]]
    log(f"features of {len(features)} days cached")

    model = MMEgo(model_config(recipe, tokenizer))
    trainer.prepare(model, recipe)
    model.model.vision_tower.load_state_dict(recall.vision_model.state_dict())
    episodes = [_without_frames(path, work) for path in days]
    align(model, targets, vocabulary, tokenizer, _sample(episodes), torch.Generator().manual_seed(recipe.seed))
    trainer.train(model, tokenizer, episodes, recipe, log, work / "model.pt")

    checkpoints.save(out, model, tokenizer, RecallEncoder(recall, tokenizer))
    (out / "recipe.json").write_text(json.dumps(dataclasses.asdict(recipe), indent=2) + "\n")
    log(f"checkpoint written: {sum(f.stat().st_size for f in out.rglob('*.safetensors')) / 1e6:.1f} MB")


def _tower(
    days: Sequence[Path],
    held_out: Sequence[Path],
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    work: Path,
    log: "_Log",
) -> tuple[RecallModel, DenseTargets]:
    """The trained recall encoder with its heads, from the work folder where they are finished."""
    finished = work / "tower.pt"
    config, vocabulary = recall_config(recipe, tokenizer), read_episode(days[0]).vocabulary
    if finished.exists():
        recall, targets = RecallModel(config), DenseTargets(recipe.tower_width, vocabulary)
        weights, heads = torch.load(finished, weights_only=True)
        recall.load_state_dict(weights)
        targets.load_state_dict(heads)
        return recall.eval(), targets
    pictures, validation = (Pictures(map(read_episode, paths), Random(recipe.seed)) for paths in (days, held_out))
    log(f"{len(pictures)} pictures for the tower, {len(validation)} held out")
    recall, targets = pretrain(pictures, validation, config, tokenizer, recipe, log, work / "tower-steps.pt")
    torch.save((recall.state_dict(), targets.state_dict()), finished)
    return recall, targets


def _sample(episodes: Sequence[Episode]) -> Tensor:
    """Some of the patches (n, D) that the tower sees, enough to know how much each head varies."""
    features = [np.array(episode.features)[::7] for episode in episodes[:20] if episode.features is not None]
    return torch.from_numpy(np.concatenate(features)).float().flatten(0, 1)


@torch.inference_mode()
def _cache_features(recall: RecallModel, path: Path, work: Path) -> Path:
    """What the frozen tower sees in every frame of a day: (n, patches, D) float16, read once."""
    cached = work / "features" / f"{path.stem}.npy"
    if cached.exists():
        return cached
    cached.parent.mkdir(exist_ok=True)
    frames = torch.from_numpy(read_episode(path).frames)
    parts = []
    for part in frames.split(64):
        pixel_values = part.permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.autocast("cpu", torch.bfloat16):
            patches = recall.vision_model(pixel_values, output_hidden_states=True).hidden_states[-1]
        parts.append(patches.half().numpy())
    unfinished = cached.with_suffix(".part.npy")
    np.save(unfinished, np.concatenate(parts))
    unfinished.rename(cached)
    return cached


def _without_frames(path: Path, work: Path) -> Episode:
    """A day with the tower's features (memory-mapped) in the place of its pictures."""
    episode = read_episode(path)
    features = np.load(work / "features" / f"{path.stem}.npy", mmap_mode="r")
    return dataclasses.replace(episode, frames=np.empty((len(episode.times_s), 0)), features=features)


def _tower_config(recipe: Recipe) -> StemSiglipConfig:
    return StemSiglipConfig(
        stem_channels=recipe.stem_channels,
        patch_size=2 ** len(recipe.stem_channels),
        image_size=recipe.picture_px,
        hidden_size=recipe.tower_width,
        intermediate_size=4 * recipe.tower_width,
        num_hidden_layers=recipe.tower_layers,
        num_attention_heads=4,
    )


def recall_config(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> RecallConfig:
    """The recall encoder that a recipe and its words ask for."""
    (end,) = prompt.token_ids(prompt.TEXT_END, tokenizer)
    text = SiglipTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.tower_width,
        intermediate_size=2 * recipe.tower_width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        projection_size=recipe.tower_width,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
    )
    return RecallConfig(vision_config=_tower_config(recipe).to_dict(), text_config=text.to_dict())


def model_config(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> MMEgoConfig:
    """The MM-Ego that a recipe and its words ask for."""
    (end,) = prompt.token_ids(prompt.TURN_END, tokenizer)
    text = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.width * 8 // 3,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    return MMEgoConfig(
        vision_config=_tower_config(recipe).to_dict(),
        text_config=text.to_dict(),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
        candidates=recipe.candidates,
        selected=recipe.selected,
        exploration=recipe.exploration,
        answer_tokens=16,
        not_seen_text=NOT_SEEN.lower(),
    )


class _Log:
    """Lines with the time they were written, on the screen and in the file that is shipped beside the weights."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path, self._say, self._began = path, say, time.monotonic()

    def __call__(self, line: str) -> None:
        stamped = f"{time.monotonic() - self._began:7.0f} s  {line}"
        self._say(stamped)
        with self._path.open("a") as file:
            file.write(stamped + "\n")
