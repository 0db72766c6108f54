"""`whereabouts train pointer`: a memory pointer and LoRA for any base, from narrated films, by one fixed recipe.

    films          those of a folder that narrations tell of (narrated_films.py), decoded by whoever calls
    frames         read once by the base's frozen tower, as small files (film_frames.py)
    conversations  written from the narrations by the data engine (conversations.py)
    steps          the glimpse and the answers, in the base's precision (pointer_trainer.py)
    adapter        one file (assistant/adapter.py)

What is made on the way lies in a folder beside the adapter, so a killed run goes on: the same base, films,
narrations and recipe, as those of any other begin anew. Of two films or more some are held out, and measured before
and after. This file does not know how any of it is done.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import torch

from assistant.adapter import save_adapter
from assistant.adapter_card import Card
from assistant.checkpoints import Checkpoint
from assistant.training.activities import ActivityWriter, common_acts
from assistant.training.adapters import add_adapters
from assistant.training.conversations import make_conversations
from assistant.training.film_frames import FilmFrames, Pictures, read_film, state_of
from assistant.training.lessons import Lessons
from assistant.training.narrated_films import NarratedFilm, find_films
from assistant.training.pointer_trainer import PointerTrainer
from assistant.training.recipe import PointerRecipe
from assistant.training.training_log import TrainingLog
from store.disk import writing
from store.errors import UserError


def work_folder(out: Path) -> Path:
    """Where what is made on the way to an adapter lies."""
    return out.with_name(f"{out.name}.work")


def train_pointer(
    base: Checkpoint, data: Path, out: Path, pictures: Pictures, recipe: PointerRecipe, say: Callable[[str], None]
) -> None:
    """Train on the narrated films below `data` and write the adapter to `out`; `pictures` decodes a film.

    Raises UserError where nothing below `data` can be learned from, DiskFull where nothing can be written. `base` is
    no longer of use afterwards.
    """
    found, work = find_films(data), work_folder(out)
    _make_folder(work)
    log, bound_to = TrainingLog(work, say), base.description.weights_hash
    log(f"base {base.name}, weights {bound_to}, on {base.model.device}; {recipe}")
    for line in found.passed_over:
        log(line)
    films = _read_films(base, found.films, pictures, recipe.fps, work, log)
    lessons, held_out = _write_lessons(base, found.films, films, recipe)
    if not len(lessons):
        hint = "Give films of half a minute or more, in which several things are told."
        raise UserError(f"The narrated films of {data} tell too little to learn from.", hint)
    log(f"{len(lessons)} conversations, {lessons.questions} questions; held out {len(held_out)}, {held_out.questions}")
    if not len(held_out):
        log("only one film can be asked about: it is not held out, and nothing is measured")
    torch.manual_seed(recipe.seed)
    add_adapters(base.model, recipe.rank, recipe.alpha)
    trainer = PointerTrainer(base.model, base.tokenizer, films, recipe, log)
    saved = work / f"steps-{_digest(base, found.films, recipe)}.pt"
    measured = range(recipe.measured_lessons) if len(held_out) else ()
    if measured and not saved.exists():
        log("pointer step 0 held out", trainer.measure(held_out[number] for number in measured))
    trainer.run(lessons, saved)
    if measured:
        log(f"pointer step {recipe.steps} held out", trainer.measure(held_out[number] for number in measured))
    counts = _count(lessons, films) | {"steps": recipe.steps}
    save_adapter(base.model, out, Card(bound_to, recipe.rank, recipe.alpha, counts))
    log(f"adapter written: {out.stat().st_size / 1e6:.1f} MB")


def _count(lessons: Lessons, films: Mapping[str, FilmFrames]) -> dict[str, float]:
    """What was learned from, without what was held out."""
    hours = sum(float(films[name].times_s[-1]) for name in lessons.films) / 3600
    return {
        "films": len(lessons.films),
        "hours": round(hours, 3),
        "conversations": len(lessons),
        "questions": lessons.questions,
    }


def _make_folder(folder: Path) -> None:
    try:
        with writing(folder):
            folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise UserError(f"{folder} is a file.", "Remove it, or give another --out.") from error


def _digest(base: Checkpoint, films: Sequence[NarratedFilm], recipe: PointerRecipe) -> str:
    """What saved steps are bound to: all that decides what is learned."""
    told = [(film.name, state_of(film.path), film.narrations) for film in films]
    learned_from = (base.description.weights_hash, base.placement.precision, recipe, told)
    return hashlib.sha256(repr(learned_from).encode()).hexdigest()[:12]


def _read_films(
    base: Checkpoint,
    films: Sequence[NarratedFilm],
    pictures: Pictures,
    fps: float,
    work: Path,
    log: Callable[[str], None],
) -> dict[str, FilmFrames]:
    """The frames of those films that hold any, by name."""
    folder = work / "frames"
    _make_folder(folder)
    kind = f"{base.description.weights_hash} {fps:g} fps"
    read: dict[str, FilmFrames] = {}
    for number, film in enumerate(films, start=1):
        frames = read_film(film.path, pictures, base.model, kind, folder, log)
        if frames:
            read[film.name] = frames
            log(f"film {number} of {len(films)}, {film.name}: {len(frames.times_s)} frames")
    return read


def _write_lessons(
    base: Checkpoint, narrated: Sequence[NarratedFilm], films: Mapping[str, FilmFrames], recipe: PointerRecipe
) -> tuple[Lessons, Lessons]:
    """Those that are trained on, and those of the films that are held out: of two films or more, one at least."""
    told = {film.name: film.narrations for film in narrated if film.name in films}
    talks = make_conversations(told, ActivityWriter(common_acts(told)), Random(recipe.seed))
    config, every = base.model.config, recipe.held_out_every
    names = Lessons(talks, films, config, recipe.fps, recipe.seed).films
    held = names[every - 1 :: every] or names[1:][-1:]
    parts = ([talk for talk in talks if (talk.film in held) is is_held] for is_held in (False, True))
    trained, kept = (Lessons(part, films, config, recipe.fps, recipe.seed) for part in parts)
    return trained, kept
