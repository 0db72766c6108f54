"""`whereabouts train nano`: the shipped checkpoint from nothing, by one deterministic recipe.

    days        rendered by whoever calls (this room does not know cameras), read from their files
    tower       the recall encoder and its vision tower (pretraining.py)
    features    every frame read once by the frozen tower
    model       the projector aligned with words (alignment.py); then the recipe's stages (trainer.py)
    controls    the same model tuned without the pointer and without pictures, to hold it against
    checkpoint  one folder in half precision, with the recipe, the log and the curves beside it

Every stage leaves a file in the work folder and is skipped where that file is whole, so a killed run goes on. A GPU is
used where there is one.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, SiglipTextConfig

from assistant import checkpoints, prompt
from assistant.encoder import RecallConfig, RecallEncoder, RecallModel, padded_ids
from assistant.model import MMEgo, MMEgoConfig
from assistant.training.alignment import align, prepare
from assistant.training.data_engine import NOT_SEEN
from assistant.training.dataset import read_episode
from assistant.training.features import read_days, workers
from assistant.training.grammar import vocabulary_words
from assistant.training.pretraining import DenseTargets, Pictures, pretrain
from assistant.training.recipe import CONTROLS, VALIDATION_SEED, Recipe, Stage
from assistant.training.trainer import Trainer
from assistant.training.training_log import TrainingLog, draw_curves
from assistant.vision import StemSiglipConfig

Render = Callable[[range], Sequence[Path]]


def train_nano(render: Render, out: Path, work: Path, recipe: Recipe, say: Callable[[str], None]) -> None:
    """Train by `recipe` and write the checkpoint to `out`; `render(seeds)` hands back the files of those days.

    The checkpoints that nano is held against, "pre-trained", "uniform" and "text-only", come to `out`/controls.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # worker processes are forked
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    log = TrainingLog(out, say)
    log(f"recipe {recipe}")
    log(f"on {_machine(device)}")
    days = render(range(recipe.homes))
    held_out = render(range(VALIDATION_SEED, VALIDATION_SEED + recipe.validation_homes))
    log(f"{len(days)} homes rendered, {len(held_out)} for validation")
    vocabulary = read_episode(days[0]).vocabulary
    tokenizer = prompt.build_word_tokenizer(vocabulary_words(vocabulary))
    recall, targets = train_tower(days, held_out, tokenizer, recipe, device, work, log)
    material, features = read_days(recall, days, device, work)
    log(f"features of {len(features)} frames")

    torch.manual_seed(recipe.seed)  # whether or not the tower was trained in this run
    model = MMEgo(model_config(recipe, tokenizer))
    prepare(model, recipe)
    model.model.vision_tower.load_state_dict(recall.vision_model.state_dict())
    align(model, targets.cpu(), vocabulary, tokenizer, _sample(features), torch.Generator().manual_seed(recipe.seed))
    encoder = RecallEncoder(recall.cpu(), tokenizer)

    def run(stages: Sequence[Stage]) -> None:
        there = model.to(device)  # type: ignore[arg-type]  # transformers wraps it untyped
        learner = Trainer(there, tokenizer, material, features, recipe, log, workers())
        for stage in stages:
            learner.run(stage, work / f"{stage.name}.pt")

    def write(folder: Path) -> None:
        checkpoints.save(folder, model.cpu(), tokenizer, encoder)
        (folder / "recipe.json").write_text(json.dumps(dataclasses.asdict(recipe), indent=2) + "\n")
        weights = [*folder.glob("*.safetensors"), *folder.glob("recall/*.safetensors")]
        log(f"checkpoint written: {sum(file.stat().st_size for file in weights) / 1e6:.1f} MB")

    first, *others = recipe.stages
    run([first])
    aligned = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}
    write(out / "controls" / "pre-trained")
    run(others)
    write(out)
    for control in CONTROLS:
        model.load_state_dict(aligned)
        run([control])
        write(out / "controls" / control.name)
    draw_curves(out, recipe)
    log("done")


def _machine(device: torch.device) -> str:
    cores = f"{len(os.sched_getaffinity(0))} cores"
    return cores if device.type == "cpu" else f"{torch.cuda.get_device_name()} and {cores}"


def train_tower(
    days: Sequence[Path],
    held_out: Sequence[Path],
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    device: torch.device,
    work: Path,
    log: TrainingLog,
) -> tuple[RecallModel, DenseTargets]:
    """The trained recall encoder with its heads, from the work folder where they are finished."""
    finished = work / "tower.pt"
    config, vocabulary = recall_config(recipe, tokenizer), read_episode(days[0]).vocabulary
    if finished.exists():
        recall, targets = RecallModel(config), DenseTargets(recipe.tower_width, vocabulary)
        weights, heads = torch.load(finished, weights_only=True, map_location="cpu")
        recall.load_state_dict(weights)
        targets.load_state_dict(heads)
        return recall.eval().to(device), targets

    def ids(text: str) -> Tensor:
        return padded_ids(text, tokenizer, config.text_config)

    pictures, validation = (Pictures(map(read_episode, paths), recipe, ids) for paths in (days, held_out))
    log(f"{len(pictures)} pictures for the tower, {len(validation)} held out")
    recall, targets = pretrain(pictures, validation, config, recipe, device, workers(), log, work / "tower-steps.pt")
    torch.save((recall.state_dict(), targets.state_dict()), finished)
    return recall, targets


def _sample(features: Tensor) -> Tensor:
    """Some of the patches (n, D) that the tower sees, enough to know how much each head varies."""
    return features[:6000:7].float().flatten(0, 1).cpu()


def _tower_config(recipe: Recipe) -> StemSiglipConfig:
    return StemSiglipConfig(
        stem_channels=recipe.stem_channels,
        patch_size=2 ** len(recipe.stem_channels),
        image_size=recipe.picture_px,
        hidden_size=recipe.tower_width,
        intermediate_size=4 * recipe.tower_width,
        num_hidden_layers=recipe.tower_layers,
        num_attention_heads=recipe.tower_heads,
    )


def recall_config(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> RecallConfig:
    """The recall encoder that a recipe and its words ask for."""
    (end,) = prompt.token_ids(prompt.TEXT_END, tokenizer)
    text = SiglipTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.tower_width,
        intermediate_size=2 * recipe.tower_width,
        num_hidden_layers=2,
        num_attention_heads=recipe.tower_heads,
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
        least_share=recipe.least_share,
        answer_tokens=16,
        not_seen_text=NOT_SEEN.lower(),
    )
