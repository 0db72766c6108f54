"""Where cameras and models meet for the sake of models: simulated homes to train nano on and to examine it in.

The rooms below do not know each other, so this file renders for the trainer, and records and indexes homes, with the
real recorder and the real store, for the examination. It does not know how anything is learned or scored.
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from store.config import Capture

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint
    from assistant.evaluation.homes import Outcome, Probe

EXAMINED_MINUTES = 3.0
DOMAIN_HOMES, DOMAIN_MINUTES, DOMAIN_FPS = 40, 2.0, 0.2


def train_nano(out: Path, work: Path, processes: int) -> None:
    """Train the nano checkpoint into `out`; what is made on the way stays in `work`, so that a killed run goes on."""
    from assistant.training import nano
    from assistant.training.recipe import Recipe
    from device.simulated.episodes import write_episodes

    recipe = Recipe()

    def render(seeds: range) -> list[Path]:
        return write_episodes(work / "days", seeds, recipe.minutes, recipe.fps, recipe.picture_px, processes)

    nano.train_nano(render, out, work, recipe, print)
    learn_domain(out)


def learn_domain(folder: Path) -> None:
    """Write the checkpoint's domain.safetensors: the grain of pictures as the recorder stores them, of homes in which
    nothing was learned."""
    import cv2

    from assistant.domain import Domain, grain_of
    from assistant.indexer import decode
    from assistant.training.recipe import VALIDATION_SEED
    from device.simulated.camera import SimulatedCamera

    pictures, quality = [], Capture().jpeg_quality
    for seed in range(VALIDATION_SEED, VALIDATION_SEED + DOMAIN_HOMES):
        for frame in SimulatedCamera(seed, DOMAIN_MINUTES, DOMAIN_FPS).frames():
            bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            pictures.append(decode(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()))
    Domain.fit(grain_of(pictures)).save(folder)


def evaluate_homes(checkpoint: str, homes: int, first_seed: int, progress: Callable[[int], None]) -> dict[str, object]:
    """Examine a checkpoint on `homes` homes from `first_seed` on; homes are shared out over the machine's cores."""
    from assistant import checkpoints
    from assistant.evaluation.homes import summarise

    began = time.monotonic()
    config = checkpoints.load(checkpoint).model.config
    cores = len(os.sched_getaffinity(0))
    work = [(checkpoint, seed) for seed in range(first_seed, first_seed + homes)]
    outcomes, probes = [], []
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for home_outcomes, home_probes in pool.map(_examine_home, work):
            outcomes += home_outcomes
            probes += home_probes
            progress(1)
    return {
        "checkpoint": checkpoint,
        "homes": homes,
        "first_seed": first_seed,
        **summarise(outcomes, probes),
        "k": config.selected,
        "alpha": config.exploration,
        "seconds": round(time.monotonic() - began, 1),
    }


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@cache
def _loaded(name: str) -> "Checkpoint":
    from assistant import checkpoints

    return checkpoints.load(name)


def _examine_home(work: tuple[str, int]) -> "tuple[list[Outcome], list[Probe]]":
    """Record, index and examine one home."""
    from assistant.evaluation.homes import Examined, examine, probe
    from assistant.indexer import catch_up
    from assistant.training.data_engine import read_narrations
    from device.recorder import record
    from device.simulated.camera import SimulatedCamera
    from device.simulated.home import THING_KINDS
    from store.episodic import EpisodicStore

    name, seed = work
    checkpoint, settings, rng = _loaded(name), Capture(), Random(f"examination {seed}")
    with tempfile.TemporaryDirectory() as folder, EpisodicStore.open(Path(folder) / "memory") as store:
        truth = Path(folder) / "narrations.csv"
        record(store, SimulatedCamera(seed, EXAMINED_MINUTES, settings.fps, narrations=truth), settings)
        catch_up(store, checkpoint)
        home = Examined(store, read_narrations(truth)[f"home{seed}"], checkpoint)
        return list(examine(home, THING_KINDS, rng)), list(probe(home, THING_KINDS, rng))
