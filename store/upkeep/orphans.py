"""Orphans: files and keys of a memory that nothing in its database claims. They do no harm but take room.

A crash between a file and its row leaves them, and so does a database that was put back from an older copy; then the
newer packs, which nobody can tell any more what they hold, are among them. This file deletes nothing.
"""

from collections.abc import Container, Iterator
from pathlib import Path

from store.episodic import EpisodicStore
from store.layout import PACK_FOLDERS, UNCLAIMED, drafts_of, files_of

FREED_FOLDERS = {"keyframes": "packs", "small": "small", "sounds": "sounds"}
FREED_PACKS = "SELECT DISTINCT folder, pack FROM freed"
DERIVED = "SELECT checkpoint, id AS number FROM shards UNION ALL SELECT checkpoint, id FROM indexes"


def orphan_files(store: EpisodicStore, claimed: Container[str]) -> Iterator[str]:
    """Their paths below the memory's folder. `claimed`: the packs that rows point into, by their paths.

    The newest pack of a folder is none, as its first row may be about to come; nor is one that is being given back.
    """
    yield from _orphan_packs(store, claimed)
    known = {(row["checkpoint"], row["number"]) for row in store.database.rows(DERIVED)}
    for name in files_of(store.directory):
        folder, *rest = name.split("/")
        if folder not in PACK_FOLDERS and (rest[0], int(Path(name).stem)) not in known:
            yield name
    yield from drafts_of(store.directory)


def orphan_keys(store: EpisodicStore, claimed: Container[str]) -> Iterator[str]:
    """Packs that are gone and that no row points into, but whose keys are still there; by their paths."""
    for row in store.database.rows("SELECT file FROM keys ORDER BY file"):
        name, places = row["file"], (store.directory, store.directory / UNCLAIMED)
        is_there = any((place / name).exists() for place in places)
        if name.split("/")[0] in PACK_FOLDERS and name not in claimed and not is_there:
            yield name


def _orphan_packs(store: EpisodicStore, claimed: Container[str]) -> Iterator[str]:
    busy = {f"{FREED_FOLDERS[row['folder']]}/{row['pack']:06d}.pack" for row in store.database.rows(FREED_PACKS)}
    busy |= {row["file"] for row in store.database.rows("SELECT file FROM rewrites")}
    for packs in (store.packs, store.small_packs, store.sound_packs):
        older = [packs.name(number) for number in sorted(packs.sizes())[:-1]]
        yield from (name for name in older if name not in claimed and name not in busy)
