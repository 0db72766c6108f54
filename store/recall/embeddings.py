"""The embeddings of one checkpoint: added, read again, removed and examined.

The bytes of a batch are on disk before one transaction names its keyframes in `embedded`, which is the commit mark; a
crash or a full disk leaves bytes that the next batch writes over. Rows lie in the order of embedding, not of time, and
are never renumbered: a shard that loses some is written anew, under another number and another key.
All of it can be made again from the keyframes. This file does not know what made the numbers, nor indexes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from store.errors import MemoryDamaged, UserError
from store.recall.shards import COLUMNS, DAY_IDS, Shard, Shards
from store.sealing import BrokenSeal
from store.spans import FIRST_ID, LAST_ID


@dataclass(frozen=True, slots=True)
class Replacement:
    """A shard in the place of another; `kept` (n,) are the rows that went over, `ids` (n,) their keyframes.

    There is no new one where no row is kept.
    """

    old: Shard
    new: Shard | None
    kept: np.ndarray
    ids: np.ndarray


class Embeddings:
    """What lies in the shards of one checkpoint, as far as it is committed."""

    def __init__(self, shards: Shards) -> None:
        self._shards, self._database = shards, shards.database

    def append(self, ids: Sequence[int], recall: np.ndarray, compressed: np.ndarray) -> None:
        """Add recall (n, D) and compressed (n, C) of n keyframes; those already there are left as they are.

        ValueError: the shapes disagree with each other or with the rows before, or a number does not fit float16.
        DiskFull: none of them went in.
        """
        recall, compressed = _as_float16(recall), _as_float16(compressed)
        if not len(ids) == len(recall) == len(compressed):
            raise ValueError(f"{len(ids)} ids, {recall.shape} recall and {compressed.shape} compressed embeddings")
        everything = np.asarray(ids, np.int64)
        with self._shards.held():
            self._agree_on_widths(recall.shape[1], compressed.shape[1])
            written = []
            for day, places in by_day(everything):
                shard = self._begun(day) or self._shards.begin(day, recall.shape[1], compressed.shape[1])
                places = places[self._are_new(shard, everything[places])]
                self._shards.write(shard, everything[places], recall[places], compressed[places])
                written.append((shard, everything[places]))
            with self._database.transaction():
                for shard, added in written:
                    self._shards.claim(shard, added)

    def read(self, ids: Sequence[int], column: str) -> np.ndarray:
        """(n, width) float32 in the order asked. UserError for a keyframe without an embedding.

        MemoryDamaged if a row is not what was written.
        """
        wanted = np.asarray(ids, np.int64)
        widths = self.widths()
        if widths is None:
            raise UserError(f"{self._shards.checkpoint} has no embeddings yet.", "Run: whereabouts index")
        found = np.empty((len(wanted), widths[COLUMNS.index(column)]), np.float32)
        for day, places in by_day(wanted):
            found[places] = self._read_of_day(day, wanted[places], column)
        return found

    def count(self, first_id: int = FIRST_ID, behind_id: int = LAST_ID) -> int:
        """How many keyframes of a range of ids have an embedding."""
        return sum(
            shard.rows
            if shard.is_within(first_id, behind_id)
            else len(self._shards.rows_of(shard, first_id, behind_id))
            for shard in self._shards.of_ids(first_id, behind_id)
        )

    def ids(self, first_id: int = FIRST_ID, behind_id: int = LAST_ID) -> np.ndarray:
        """The keyframes (n,) of a range that have an embedding, in time order."""
        sql = "SELECT keyframe_id FROM embedded WHERE shard = ? AND keyframe_id >= ? AND keyframe_id < ?"
        found = [
            row["keyframe_id"]
            for shard in self._shards.of_ids(first_id, behind_id)
            for row in self._database.rows(f"{sql} ORDER BY keyframe_id", (shard.id, first_id, behind_id))
        ]
        return np.array(found, np.int64)

    def widths(self) -> tuple[int, int] | None:
        """Of the recall and of the compressed embeddings; None before any."""
        sql = "SELECT recall_width, compressed_width FROM shards WHERE checkpoint = ? LIMIT 1"
        rows = self._database.rows(sql, (self._shards.checkpoint,))
        return (rows[0]["recall_width"], rows[0]["compressed_width"]) if rows else None

    def newest_id(self) -> int:
        """The newest keyframe that has an embedding; before any, an id older than every keyframe."""
        sql = "SELECT max(keyframe_id) FROM embedded WHERE shard = ?"
        shards = self._shards.of_ids()
        return int(self._database.value(sql, (shards[-1].id,))) if shards else FIRST_ID

    def rewrite_without(self, ids: np.ndarray) -> list[Replacement]:
        """While held: write those shards anew that have some of these keyframes, without them."""
        replacements = []
        for day, places in by_day(ids):
            shard = self._begun(day)
            if shard is not None and self._rows_by_id(shard, ids[places]):
                replacements.append(self._rewritten(shard, ids[places]))
        return replacements

    def without(self, shard_id: int) -> list[Replacement]:
        """As if all rows of a shard were removed."""
        nothing = np.empty(0, np.int64)
        return [Replacement(each, None, nothing, nothing) for each in self._shards.of_ids() if each.id == shard_id]

    def replace(self, replacements: Sequence[Replacement]) -> None:
        """Within a transaction: let what was written anew take the place of what was before."""
        for each in replacements:
            self._shards.disown(each.old.id)
            if each.new is not None:
                self._shards.claim(each.new, each.ids)

    def damage(self) -> dict[int, str]:
        """What is wrong with shards, by their numbers; every row of them is read."""
        found = {shard.id: self._damage_of(shard) for shard in self._shards.of_ids()}
        return {number: damage for number, damage in found.items() if damage}

    def _begun(self, day: int) -> Shard | None:
        return next(iter(self._shards.of_ids(day * DAY_IDS, (day + 1) * DAY_IDS)), None)

    def _agree_on_widths(self, *wanted: int) -> None:
        if (known := self.widths() or wanted) != wanted:
            raise ValueError(f"{self._shards.checkpoint} has embeddings of widths {known}, not {wanted}")

    def _rows_by_id(self, shard: Shard, ids: np.ndarray) -> dict[int, int]:
        """The rows of those of some keyframes that the shard has."""
        sql = """
            SELECT keyframe_id, row FROM embedded
            WHERE shard = ? AND keyframe_id IN (SELECT value FROM json_each(?)) AND row < ?
        """
        rows = self._database.rows(sql, (shard.id, json.dumps(ids.tolist()), shard.rows))
        return {row["keyframe_id"]: row["row"] for row in rows}

    def _are_new(self, shard: Shard, ids: np.ndarray) -> np.ndarray:
        """Which of some keyframes, (n,) bool, the shard has not: of a keyframe named twice, the first."""
        is_new = np.zeros(len(ids), bool)
        is_new[np.unique(ids, return_index=True)[1]] = True
        return is_new & ~np.isin(ids, list(self._rows_by_id(shard, ids)))

    def _read_of_day(self, day: int, ids: np.ndarray, column: str) -> np.ndarray:
        shard = self._begun(day)
        rows = self._rows_by_id(shard, ids) if shard else {}
        missing = [each for each in ids.tolist() if each not in rows]
        if shard is None or missing:
            what = f"Keyframe {missing[0]} has no embedding of {self._shards.checkpoint}."
            raise UserError(what, "Run: whereabouts index")
        ascending, places = np.unique([rows[each] for each in ids.tolist()], return_inverse=True)
        try:
            return np.asarray(self._shards.file(shard, column).read(ascending)["numbers"][places], np.float32)
        except (BrokenSeal, FileNotFoundError) as error:
            what = f"An embedding of {self._shards.checkpoint} is damaged."
            raise MemoryDamaged(what, "Run: whereabouts check --repair") from error

    def _rewritten(self, shard: Shard, removed: np.ndarray) -> Replacement:
        (_, recall), (_, compressed) = (self._shards.readable(shard, np.arange(shard.rows), each) for each in COLUMNS)
        kept = np.setdiff1d(np.intersect1d(recall["id"], compressed["id"]), removed)
        recall, compressed = (records[np.isin(records["id"], kept)] for records in (recall, compressed))
        if len(kept) == 0:
            return Replacement(shard, None, kept, kept)
        rows = self._rows_by_id(shard, kept)
        new = self._shards.begin(shard.day, shard.recall_width, shard.compressed_width, shard.sealed_in)
        self._shards.write(new, recall["id"], recall["numbers"], compressed["numbers"])
        return Replacement(shard, new, np.array([rows[each] for each in recall["id"].tolist()], np.int64), recall["id"])

    def _damage_of(self, shard: Shard) -> str:
        """Of the first thing that is wrong with a shard; empty if nothing is."""
        for column in COLUMNS:
            try:
                for rows in shard.blocks():
                    if wrong := self._wrong(shard, rows, self._shards.file(shard, column).read(rows)):
                        return f"{column} {wrong}"
            except BrokenSeal:
                return f"{column} has a broken row"
            except FileNotFoundError:
                return f"{column} has no file"
            except MemoryDamaged as error:
                return error.message
        return ""

    def _wrong(self, shard: Shard, rows: np.ndarray, records: np.ndarray) -> str:
        if self._rows_by_id(shard, records["id"]) != dict(zip(records["id"].tolist(), rows.tolist(), strict=True)):
            return "has rows of other keyframes"
        broken = records["id"][~np.isfinite(records["numbers"]).all(axis=1)]
        return f"has no finite one of keyframe {broken[0]}" if len(broken) else ""


def by_day(ids: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The days of keyframes (n,), each with the places at which its own are."""
    days = ids // DAY_IDS
    return [(int(day), np.flatnonzero(days == day)) for day in np.unique(days)]


def _as_float16(rows: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrowed = np.asarray(rows).astype(np.float16)
    if narrowed.ndim != 2 or not np.isfinite(narrowed).all():
        raise ValueError(f"embeddings of shape {narrowed.shape} are not rows of finite float16 numbers")
    return narrowed
