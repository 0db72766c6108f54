"""A folder of films and of narrations about them, as Ego4D and EPIC-KITCHENS lay theirs out, brought together.

Films are .mp4 files at any depth; a narration file (.csv or .json, see narrations.py) calls a film by its name without
the ending: EPIC-KITCHENS' video_id, Ego4D's uid. Whatever has no counterpart or cannot be read is passed over and
named; only a folder in which nothing fits together is an error. This file does not know what pictures are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.training.data_engine import Narration
from assistant.training.narrations import read_narrations
from store.errors import UserError

NAMED_AT_MOST = 20  # Ego4D tells of thousands of films that nobody has all of


@dataclass(frozen=True, slots=True)
class NarratedFilm:
    """A film and what is told of it, in time order. Its name is its file's, without the ending."""

    path: Path
    narrations: tuple[Narration, ...]

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True, slots=True)
class FoundFilms:
    """Films by name, each once, and a line about each kind of thing that was passed over."""

    films: tuple[NarratedFilm, ...]
    passed_over: tuple[str, ...]


def find_films(folder: Path) -> FoundFilms:
    """All narrated films below a folder. Raises UserError where there is none."""
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Give the folder of the films and their narrations.")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    told, unread = _read_all([path for path in files if path.suffix.lower() in (".csv", ".json")])
    paths: dict[str, Path] = {}
    twice = []
    for path in files:
        if path.suffix.lower() == ".mp4":
            twice += [str(path)] if path.stem in paths else []
            paths.setdefault(path.stem, path)
    films = tuple(NarratedFilm(path, told[name]) for name, path in sorted(paths.items()) if name in told)
    passed_over = [
        *(f"passed over: {reason}" for reason in unread),
        _listed("a film of this name was found before", twice),
        _listed("films without narrations", sorted(paths.keys() - told.keys())),
        _listed("narrations without films", sorted(told.keys() - paths.keys())),
    ]
    if not films:
        what = f"{len(paths)} films and narrations of {len(told)}"
        raise UserError(
            " ".join([f"{folder} holds {what}, but none of the same name.", *unread[:NAMED_AT_MOST]]),
            "Put .mp4 files there and EPIC-KITCHENS' CSV or Ego4D's narration JSON, which call a film by its file.",
        )
    return FoundFilms(films, tuple(filter(None, passed_over)))


def _read_all(paths: Sequence[Path]) -> tuple[dict[str, tuple[Narration, ...]], list[str]]:
    """Narrations by film, the first file's where several tell of one, and why which files were not read."""
    told: dict[str, tuple[Narration, ...]] = {}
    unread = []
    for path in paths:
        try:
            films = read_narrations(path)
        except UserError as error:  # such as the classes of verbs that EPIC-KITCHENS keeps beside
            unread.append(error.message)
        else:
            told = {name: tuple(narrations) for name, narrations in films.items()} | told
    return told, unread


def _listed(what: str, names: Sequence[str]) -> str:
    """A line, or nothing where there are no names."""
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return f"passed over, {what}: {', '.join(names[:NAMED_AT_MOST])}{more}" if names else ""
