"""Bytes that no row claims any more: remembered with the deletion of their rows, given back to the disk afterwards.

The list is part of the truth, so a crash between the two leaves bytes that the next one gives back, and no record is
written over bytes that are still on the list. This file does not know packs.
"""

import json
from collections.abc import Callable, Sequence

from store.database import Database

FREE = """
    INSERT INTO freed SELECT '{table}', pack, offset_bytes, length_bytes FROM {table}
    WHERE id IN (SELECT value FROM json_each(?))
"""


class FreedLedger:
    """The freed places of one database; `table` is "keyframes" or "sounds"."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def release(self, table: str, ids: Sequence[int]) -> None:
        """Delete rows and remember their bytes as freed, in one transaction."""
        wanted = (json.dumps([int(each) for each in ids]),)
        with self.database.transaction():
            self.database.execute(FREE.format(table=table), wanted)
            self.database.execute(f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", wanted)

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
