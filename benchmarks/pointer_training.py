"""What does training a pointer cost: seconds a lesson and memory, with the base in bf16, int8 and nf4?

    python benchmarks/pointer_training.py [--size 7b] [--lessons 6]

The base has random weights in the size of LLaVA-OneVision 7B (random_models.py) and is loaded as any checkpoint is.
The film is 300 pictures of noise, a lesson eight questions about all of it and 32 shown frames with eight answers: as
large as they get. Everything that learns and every step is that of `whereabouts train pointer`. Without a GPU it says
so and ends with 0; `--size tiny` runs anywhere, to see that it works.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from gpu import PRECISIONS, peak_bytes
from random_models import write_random
from rich.console import Console
from rich.table import Table

from assistant.adapter import learned
from assistant.checkpoints import load
from assistant.pointer import exploration_grid
from assistant.training.adapters import add_adapters
from assistant.training.data_engine import Question
from assistant.training.film_frames import read_film
from assistant.training.lessons import Lesson
from assistant.training.pointer_trainer import PointerTrainer
from assistant.training.recipe import PointerRecipe

FRAMES, QUESTIONS, GIB = 300, 8, 2**30
FILM = "noise.mp4"


def noise(_: Path) -> Iterator[tuple[float, np.ndarray]]:
    """What would be decoded of a film that is empty."""
    drawn = np.random.default_rng(0)
    for second in range(FRAMES):
        yield float(second), drawn.integers(0, 256, (384, 384, 3), dtype=np.uint8)


def lesson(shown: int) -> Lesson:
    """The largest there is."""
    questions = tuple(
        Question("when", f"when did I wash plate {i}?", f"at 00:00:{i:02}.", (i,)) for i in range(QUESTIONS)
    )
    frames = tuple(exploration_grid(FRAMES, shown).tolist())
    return Lesson(FILM, tuple(range(FRAMES)), questions, tuple((10 * i,) for i in range(QUESTIONS)), frames, questions)


def measure(base: Path, precision: str, lessons: int, device: str) -> tuple[float, float, float, float]:
    """Frames read a second, seconds a lesson (median), GiB at most, and MB that an adapter's file would have."""
    recipe, checkpoint = PointerRecipe(), load(str(base), precision, device)
    model = checkpoint.model
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        (film := Path(folder) / FILM).touch()
        frames = read_film(film, noise, model, precision, Path(folder), print)
        assert frames
        frames_per_s = FRAMES / (time.perf_counter() - began)
        add_adapters(model, recipe.rank, recipe.alpha)
        trainer = PointerTrainer(model, checkpoint.tokenizer, {FILM: frames}, recipe, lambda line, measured: None)
        own = learned(model)
        optimiser = torch.optim.AdamW(own.values(), lr=recipe.lr)
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        spent, largest = [], lesson(model.config.selected)
        for _ in range(lessons + 1):  # the first is not counted
            began = time.perf_counter()
            trainer.learn(largest)[0].backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            if device == "cuda":
                torch.cuda.synchronize()
            spent.append(time.perf_counter() - began)
    size_mb = sum(weight.numel() for weight in own.values()) * 2 / 1e6
    return frames_per_s, median(spent[1:]), peak_bytes(device) / GIB, size_mb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="7b", choices=["tiny", "0.5b", "7b"])
    parser.add_argument("--lessons", type=int, default=6)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and arguments.size != "tiny":
        print(f"There is no GPU here, so nothing was measured of the {arguments.size}.")
        return
    table = Table("base in", "frames read/s", "s a lesson", "peak GiB", "adapter MB")
    with TemporaryDirectory() as work:
        base = Path(work) / arguments.size
        write_random(base, arguments.size)
        for precision in PRECISIONS:
            found = measure(base, precision, arguments.lessons, device)
            table.add_row(precision, *(f"{value:.2f}" for value in found))
    where = torch.cuda.get_device_name() if device == "cuda" else "the CPU, where no memory is measured"
    Console().print(f"{arguments.size} on {where}", table)


if __name__ == "__main__":
    main()
