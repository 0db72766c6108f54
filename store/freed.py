"""Bytes that no row claims any more: remembered with the deletion of their rows, given back to the disk afterwards.

The list is part of the truth, so a crash between the two leaves bytes that the next one gives back, and no record is
written over bytes that are still on the list. This file does not know packs.
"""

import json
from collections.abc import Callable, Iterable, Sequence

from store.database import Database
from store.records import Reduction

# a picture that was replaced, or a sound that was heard
FREE = """
    INSERT INTO freed SELECT '{table}', pack, offset_bytes, length_bytes FROM {table}
    WHERE id IN (SELECT value FROM json_each(?)) {only}
"""
REPLACE = """
    UPDATE keyframes
    SET reduced = 1, pack = ?, offset_bytes = ?, length_bytes = ?, crc32 = ?, width_px = ?, height_px = ?
    WHERE id = ? AND reduced = 0
"""


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
        """Let keyframes point at small pictures (pack, offset_bytes, crc32), and remember the full ones as freed."""
        with self.database.transaction():
            for small, (pack, offset_bytes, crc32) in placed:
                only = "AND reduced = 0"
                self.database.execute(FREE.format(table="keyframes", only=only), (json.dumps([small.keyframe_id]),))
                place = (pack, offset_bytes, len(small.jpeg), crc32, small.width_px, small.height_px)
                self.database.execute(REPLACE, (*place, small.keyframe_id))

    def give_back(self, erase: Callable[[str, int, int, int], None]) -> None:
        """Call `erase(table, pack, offset_bytes, length_bytes)` for every freed place, and take it off the list.

        Whoever appends over such a place must wait for this, which the transaction sees to.
        """
        if self.database.value("SELECT 1 FROM freed LIMIT 1") is None:
            return
        with self.database.transaction():
            for row in self.database.rows("SELECT * FROM freed"):
                erase(row["folder"], row["pack"], row["offset_bytes"], row["length_bytes"])
            self.database.execute("DELETE FROM freed")

    def claimed_end(self, table: str, pack: int) -> int:
        """Where the last record of a pack that is committed or still to be erased ends, in bytes; 0 where none is."""
        sql = f"""
            SELECT max(end_bytes) FROM (
                SELECT max(offset_bytes + length_bytes) AS end_bytes FROM {table} WHERE pack = ?
                UNION ALL
                SELECT max(offset_bytes + length_bytes) FROM freed WHERE folder = ? AND pack = ?
            )
        """
        return int(self.database.value(sql, (pack, table, pack)) or 0)
