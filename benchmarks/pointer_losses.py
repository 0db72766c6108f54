"""Which loss teaches the pointer best? The instruct stage with each of the three, from the same aligned weights.

    python benchmarks/pointer_losses.py --work DIR

DIR is the work folder of a finished `whereabouts train nano`: its days, tower and aligned weights are used.
Each loss is then measured on windows of the validation homes: recall of the key frames among those of the highest
score, and answers right from the frames that the pointer itself selects. What the tower sees is kept in
DIR/pointer-losses.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.table import Table

from assistant import prompt
from assistant.model import MMEgo
from assistant.training import nano
from assistant.training.dataset import read_episode
from assistant.training.features import read_days, workers
from assistant.training.grammar import vocabulary_words
from assistant.training.losses import POINTER_LOSSES
from assistant.training.recipe import VALIDATION_SEED, Recipe, Stage
from assistant.training.trainer import Measured, Trainer
from assistant.training.training_log import TrainingLog

MEASURED_STEPS = 12  # of a training step's size: about 4,600 questions
NEEDED = ("days", "tower.pt", "align.pt")


def compare(work: Path, recipe: Recipe, steps: int, measured_steps: int = MEASURED_STEPS) -> dict[str, Measured]:
    """By loss what was measured on the validation homes, and "seconds", after so many steps of the instruct stage."""
    own = work / "pointer-losses" / str(recipe.homes)
    own.mkdir(parents=True, exist_ok=True)
    log = TrainingLog(own, print)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    homes, others = (
        [work / "days" / f"home-{seed}.npz" for seed in range(first, first + count)]
        for first, count in ((0, recipe.homes), (VALIDATION_SEED, recipe.validation_homes))
    )
    tokenizer = prompt.build_word_tokenizer(vocabulary_words(read_episode(homes[0]).vocabulary))
    recall, _ = nano.train_tower(homes, others, tokenizer, recipe, device, work, log)
    days, features = read_days(recall, [*homes, *others], device, own)
    align, instruct = recipe.stages[:2]
    stage = replace(instruct, steps=steps, guided=steps * instruct.guided // instruct.steps)
    validation = Stage("validation", measured_steps, "own choices")
    found: dict[str, Measured] = {}
    for loss in POINTER_LOSSES:
        model = MMEgo(nano.model_config(recipe, tokenizer))
        model.model.vision_tower.load_state_dict(recall.vision_model.state_dict())
        model.to(device)  # type: ignore[arg-type]  # transformers wraps it untyped
        chosen = replace(recipe, pointer_loss=loss, own_choices_share=1.0, choice_batches=measured_steps)
        learner, judge = (
            Trainer(model, tokenizer, part, features, chosen, log, workers())
            for part in (days[: len(homes)], days[len(homes) :])
        )
        learner.run(align, work / "align.pt")  # over at once: it only loads what was aligned
        began = time.monotonic()
        with TemporaryDirectory() as unneeded:
            learner.run(stage, Path(unneeded) / "instruct.pt")
        found[loss] = {"seconds": time.monotonic() - began, **judge.measure(validation)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--homes", type=int, default=500)
    parser.add_argument("--steps", type=int, default=800)
    arguments = parser.parse_args()
    if missing := [name for name in NEEDED if not (arguments.work / name).exists()]:
        parser.error(f"{arguments.work} has no {missing[0]}: give the work folder of a finished train nano")
    recipe = replace(Recipe(), homes=arguments.homes)
    table = Table("loss", f"recall@{recipe.selected}", "answers right", "seconds")
    for loss, measured in compare(arguments.work, recipe, arguments.steps).items():
        table.add_row(loss, f"{measured['recall']:.4f}", f"{measured['right']:.4f}", f"{measured['seconds']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
