"""Where cameras and models meet for the sake of models: simulated homes to train nano on and to examine it in.

The rooms below do not know each other, so this file renders for the trainer, and for the examination it records homes
with the real recorder and the real store, and writes the questions that can be asked about them. It does not know how
anything is learned or scored.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from store.config import Capture

if TYPE_CHECKING:
    import numpy as np

    from assistant.checkpoints import Checkpoint
    from assistant.evaluation.homes import Examined
    from assistant.training.data_engine import Narration, Question

DOMAIN_HOMES, DOMAIN_MINUTES, DOMAIN_FPS = 40, 2.0, 0.2
CONFIDENCE_HOMES, CONFIDENCE_SEEDS = 40, 500  # how many, and how far behind the first validation seed
HOME_MINUTES = 3.0
SALIENT_SHARE = 0.21  # of the keyframes of homes, in which something is done for a fifth of the time
ASKED_PLACES = 4  # surfaces of a home that are asked for in vain


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
    learn_salience(out, work / "validation")
    learn_confidence(out, work / "validation")


def train_pointer(base: str, precision: str, data: Path, out: Path, steps: int) -> None:
    """Train a pointer for the checkpoint `base` on the narrated films below `data` and write the adapter to `out`."""
    from assistant.checkpoints import load
    from assistant.training import pointer_training
    from assistant.training.recipe import PointerRecipe
    from device.decoder import Decoder

    recipe = PointerRecipe(steps=steps)

    def pictures(film: Path) -> "Iterator[tuple[float, np.ndarray]]":
        with closing(Decoder(str(film), str(film), recipe.fps)) as decoder:
            yield from decoder.pictures()

    pointer_training.train_pointer(load(base, precision), data, out, pictures, recipe, print)


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


def learn_salience(folder: Path, work: Path) -> None:
    """Write the checkpoint's salience.safetensors: which embeddings show an act, by the narrations of homes in which
    nothing else was learned."""
    import numpy as np

    from assistant.indexer import catch_up
    from assistant.salience import Salience
    from assistant.training.recipe import VALIDATION_SEED
    from store.episodic import EpisodicStore

    compressed, is_key, checkpoint = [], [], loaded(str(folder))
    first = VALIDATION_SEED + CONFIDENCE_SEEDS
    for seed in range(first, first + CONFIDENCE_HOMES):
        home = Home(seed, HOME_MINUTES, work / f"home-{seed}-{HOME_MINUTES:g}")
        record_home(home)
        with EpisodicStore.open(home.folder / "memory", encrypt=False) as store:
            catch_up(store, checkpoint, reduce=False)
            compressed.append(store.compressed(checkpoint.key, ids := store.indexed_ids(checkpoint.key)))
        spans = [(each.start_s, each.end_s) for each in home.narrations()]
        is_key += [any(start <= (each - ids[0]) / 1e6 <= end for start, end in spans) for each in ids]
    Salience.fit(np.concatenate(compressed), np.array(is_key), SALIENT_SHARE).save(folder)


def learn_confidence(folder: Path, work: Path) -> None:
    """Fit the confidence of a checkpoint on what it answers about homes in which nothing else was learned."""
    from assistant.confidence import save_calibration
    from assistant.training.recipe import VALIDATION_SEED
    from tui.examination import evaluate_homes

    found = evaluate_homes(str(folder), CONFIDENCE_HOMES, VALIDATION_SEED + CONFIDENCE_SEEDS, None, work)
    save_calibration(folder, *found["calibration"]["fit"])


@dataclass(frozen=True, slots=True)
class Home:
    """A simulated home of one seed, worn for so many minutes, and the folder that its recording belongs into."""

    seed: int
    minutes: float
    folder: Path

    @property
    def name(self) -> str:
        return f"home{self.seed}"

    @property
    def truth(self) -> Path:
        """Its narrations, which are there once the recording is whole."""
        return self.folder / "narrations.csv"

    def narrations(self) -> "list[Narration]":
        from assistant.training.narrations import read_narrations

        return read_narrations(self.truth).get(self.name, [])

    @contextmanager
    def opened(self, checkpoint: str) -> "Iterator[Examined]":
        """Its memory, indexed by a checkpoint (a name or a folder), until it is closed again."""
        from assistant.evaluation.homes import Examined
        from store.episodic import EpisodicStore

        with EpisodicStore.open(self.folder / "memory", create=False) as store:
            yield Examined(store, self.narrations(), loaded(checkpoint))


@cache
def loaded(name_or_folder: str) -> "Checkpoint":
    """A checkpoint, once a process."""
    from assistant.checkpoints import load

    return load(name_or_folder)


def record_home(home: Home) -> None:
    """Record a home with the real recorder, unless its recording is whole; the truth beside it is written last."""
    from device.recorder import record
    from device.simulated.camera import SimulatedCamera
    from store.episodic import EpisodicStore

    if home.truth.exists():
        return
    shutil.rmtree(home.folder, ignore_errors=True)
    home.folder.mkdir(parents=True)
    settings, draft = Capture(), home.truth.with_suffix(".draft")
    with EpisodicStore.open(home.folder / "memory", encrypt=False) as store:
        record(store, SimulatedCamera(home.seed, home.minutes, settings.fps, narrations=draft), settings)
    draft.rename(home.truth)


def write_questions(home: Home) -> "list[Question]":
    """All questions about a recorded home, in vain or not, from its narrations alone; the same every time."""
    from assistant.training.grammar import GrammarWriter
    from device.simulated.camera import FIRST_MORNING
    from device.simulated.home import THING_KINDS, make_home

    rng, made = Random(f"examination {home.seed}"), make_home(home.seed)
    unseen = [kind for kind in THING_KINDS if kind not in {thing.kind for thing in made.things}]
    places = [made.place_name(i) for i, piece in enumerate(made.furniture) if piece.shape.surface_m is not None]
    began_s = (FIRST_MORNING - FIRST_MORNING.replace(hour=0)).total_seconds()
    writer = GrammarWriter(THING_KINDS, unseen, rng.sample(places, ASKED_PLACES), began_s)
    return writer.write(home.narrations(), rng)
