"""Contents: every picture and sound that a row points at, and whether it can be read.

Rows come in the order of their ids, some at a time, so a life takes no more memory than a day. Beside a live recorder
a row may change or go between two looks, which is no fault. This file changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from store.episodic import EpisodicStore
from store.errors import MemoryDamaged
from store.packs import Packs
from store.records import Keyframe, Sound
from store.spans import FIRST_ID

BATCH_ROWS = 1000
NEXT_ROWS = f"SELECT * FROM {{table}} WHERE id > ? ORDER BY id LIMIT {BATCH_ROWS}"
TABLES = ("keyframes", "sounds")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something cannot be read; `of_pack` if it is the same for everything in its pack."""

    why: str
    of_pack: bool


def examined(store: EpisodicStore, table: str) -> Iterator[tuple[Keyframe | Sound, Fault | None]]:
    """Every row of "keyframes" or "sounds", with what is wrong with its content."""
    faults: dict[str, str | None] = {}
    for row in rows_of(store, table):
        packs = packs_of(store, row)
        name = packs.name(row.pack)
        if name not in faults:
            faults[name] = _pack_fault(store, packs, row.pack)
        why = faults[name]
        if why is None:
            yield row, _content_fault(store, row)
        elif row_now(store, row) == row:
            yield row, Fault(f"{name} {why}", of_pack=True)


def rows_of(store: EpisodicStore, table: str) -> Iterator[Keyframe | Sound]:
    """Every row of "keyframes" or "sounds"."""
    last = FIRST_ID
    while batch := store.database.rows(NEXT_ROWS.format(table=table), (last,)):
        last = batch[-1]["id"]
        yield from (_record(table, row) for row in batch)


def packs_of(store: EpisodicStore, row: Keyframe | Sound) -> Packs:
    """The packs that a row points into."""
    if isinstance(row, Sound):
        return store.sound_packs
    return store.small_packs if row.reduced else store.packs


def row_now(store: EpisodicStore, row: Keyframe | Sound) -> Keyframe | Sound | None:
    """The row with the same id as one that was read before, or that another store has."""
    table = "keyframes" if isinstance(row, Keyframe) else "sounds"
    found = store.database.rows(f"SELECT * FROM {table} WHERE id = ?", (row.id,))
    return _record(table, found[0]) if found else None


def _content_fault(store: EpisodicStore, row: Keyframe | Sound) -> Fault | None:
    """What cannot be read twice is damaged, unless its row is another by then."""
    for _ in range(2):
        try:
            packs_of(store, row).read(row)
            return None
        except (MemoryDamaged, OSError) as error:
            why = error.message if isinstance(error, MemoryDamaged) else f"{type(row).__name__} {row.id}: {error}"
        now = row_now(store, row)
        if now is None:
            return None
        row = now
    return Fault(why, of_pack=False)


def _pack_fault(store: EpisodicStore, packs: Packs, pack: int) -> str | None:
    if not packs.path(pack).exists():
        return "is missing"
    known = "SELECT 1 FROM keys WHERE file = ?"
    if store.keys.encrypted and store.database.value(known, (packs.name(pack),)) is None:
        return "has lost its key"
    return None


def _record(table: str, row: dict[str, Any]) -> Keyframe | Sound:
    return Keyframe(**row) if table == "keyframes" else Sound(**{**row, "heard": bool(row["heard"])})
