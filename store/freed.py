"""Bytes that no row claims any more: remembered with the deletion of their rows, given back to the disk afterwards.

The list is part of the truth, so a crash between the two leaves bytes that the next one gives back; a place is never
written again. This file does not know packs.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from store.database import Database
from store.records import Reduction

# a picture that was replaced, or a sound that was heard
FREE = """
    INSERT INTO freed SELECT '{table}', pack, offset_bytes, length_bytes FROM {table}
    WHERE id IN (SELECT value FROM json_each(?)) {only}
"""
REPLACE = """
    UPDATE keyframes
    SET reduced = 1, pack = ?, offset_bytes = ?, length_bytes = ?, checksum = ?, width_px = ?, height_px = ?
    WHERE id = ? AND reduced = 0
"""
STRIKE = "DELETE FROM freed WHERE folder = ? AND pack = ? AND offset_bytes IN (SELECT value FROM json_each(?))"


class FreedLedger:
    """The freed places of one database, in the packs of "keyframes" or "sounds"."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def release_sounds(self, ids: Sequence[int]) -> None:
        """Delete the rows of sounds, and remember their bytes as freed."""
        wanted = (json.dumps([int(each) for each in ids]),)
        with self.database.transaction():
            self.database.execute(FREE.format(table="sounds", only=""), wanted)
            self.database.execute("DELETE FROM sounds WHERE id IN (SELECT value FROM json_each(?))", wanted)

    def replace_pictures(self, placed: Iterable[tuple[Reduction, tuple[int, int, int]]]) -> None:
        """Let keyframes point at small pictures (pack, offset_bytes, checksum), and remember the full ones as freed."""
        with self.database.transaction():
            for small, (pack, offset_bytes, checksum) in placed:
                only = "AND reduced = 0"
                self.database.execute(FREE.format(table="keyframes", only=only), (json.dumps([small.keyframe_id]),))
                place = (pack, offset_bytes, len(small.jpeg), checksum, small.width_px, small.height_px)
                self.database.execute(REPLACE, (*place, small.keyframe_id))

    def give_back(self, erase: Callable[[str, int, list[tuple[int, int]]], None]) -> None:
        """Call `erase(table, pack, [(offset_bytes, length_bytes), ...])` for all freed places and strike them off."""
        rows = self.database.rows("SELECT * FROM freed ORDER BY folder, pack")
        for (folder, pack), group in groupby(rows, key=lambda row: (row["folder"], row["pack"])):
            places = list(group)
            erase(folder, pack, [(place["offset_bytes"], place["length_bytes"]) for place in places])
            gone = folder, pack, json.dumps([place["offset_bytes"] for place in places])
            self.database.execute(STRIKE, gone)

    def claimed_end(self, table: str, pack: int) -> int:
        """Where the last content that a row points at ends in a pack, in bytes; 0 where none does. Reads every row."""
        sql = f"SELECT max(offset_bytes + length_bytes) FROM {table} WHERE pack = ?"
        full = " AND reduced = 0" if table == "keyframes" else ""
        return int(self.database.value(sql + full, (pack,)) or 0)
