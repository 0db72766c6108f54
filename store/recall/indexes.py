"""The indexes of one checkpoint: sealed files that hold axes, or lists of rows that were coded along them.

Like a shard, an index counts from the transaction on that names it, and whoever replaces one writes a new one first.
All of them can be made again from the row files. This file does not know which days belong into an index.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from store.disk import replace_file
from store.errors import MemoryDamaged
from store.recall.lists import Lists
from store.recall.quantiser import Axes
from store.recall.shards import Shards, file_name, new_number
from store.sealing import BrokenSeal

AXES, LISTS = "axes", "lists"
INSERT = "INSERT INTO indexes VALUES (?, ?, ?, ?, ?, ?)"
Content = TypeVar("Content", Axes, Lists)


@dataclass(frozen=True, slots=True)
class Index:
    """Axes that were trained when there were so many rows, or the lists of so many rows of one month.

    `quantiser` are the axes along which lists were coded.
    """

    id: int
    checkpoint: str
    kind: str
    month: str
    quantiser: int | None
    rows: int

    @property
    def numbers(self) -> set[int | None]:
        """Without any of these it is of no use."""
        return {self.id, self.quantiser}


class Indexes:
    """The rows of `indexes` of one checkpoint, and their files; other processes may write some meanwhile."""

    def __init__(self, shards: Shards) -> None:
        self._shards, self._database, self._keys = shards, shards.database, shards.keys

    def axes(self) -> list[Index]:
        """Those trained last are the last."""
        return sorted(self._all(AXES), key=lambda index: index.rows)

    def lists(self) -> list[Index]:
        """In the order of their months."""
        return sorted(self._all(LISTS), key=lambda index: index.month)

    def read_axes(self, number: int) -> Axes:
        """MemoryDamaged if they cannot be read."""
        return self._read(number, AXES, Axes.from_bytes)

    def read_lists(self, number: int) -> Lists:
        """MemoryDamaged if they cannot be read."""
        return self._read(number, LISTS, Lists.from_bytes)

    def write_axes(self, axes: Axes, rows: int) -> Index:
        """While held, like all that writes: on disk on return, and named by nothing yet."""
        return self._written(AXES, "", None, rows, axes.to_bytes())

    def write_lists(self, month: str, axes: int | None, lists: Lists) -> Index:
        return self._written(LISTS, month, axes, len(lists), lists.to_bytes())

    def name(self, index: Index) -> None:
        """Within a transaction: the index counts."""
        row = (index.id, index.checkpoint, index.kind, index.month, index.quantiser, index.rows)
        self._database.execute(INSERT, row)

    def replace(self, changed: Iterable[tuple[Index, Index | None]]) -> None:
        """Within a transaction: let indexes take the place of others. Where none does, days are in no index then."""
        for old, new in changed:
            if new is not None:
                self.name(new)
            sql = "UPDATE shards SET sealed_in = ? WHERE sealed_in = ?"
            self._database.execute(sql, (new.id if new else None, old.id))
            self._database.execute("DELETE FROM indexes WHERE id = ?", (old.id,))
            self._keys.destroy(self._shards.key_name(file_name(old.id, old.kind)))

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget indexes, and with axes all that was coded along them."""
        wanted = set(numbers)
        with self._shards.held():
            with self._database.transaction():
                self.replace((each, None) for each in (*self.lists(), *self.axes()) if wanted & each.numbers)
            self._shards.sweep()

    def _all(self, kind: str) -> list[Index]:
        sql = "SELECT * FROM indexes WHERE checkpoint = ? AND kind = ? ORDER BY id"
        return [Index(**row) for row in self._database.rows(sql, (self._shards.checkpoint, kind))]

    def _written(self, kind: str, month: str, quantiser: int | None, rows: int, content: bytes) -> Index:
        index = Index(new_number(), self._shards.checkpoint, kind, month, quantiser, rows)
        name = file_name(index.id, kind)
        seal = self._keys.make(self._shards.key_name(name))
        replace_file(self._shards.directory / name, seal.close(content))
        return index

    def _read(self, number: int, kind: str, parse: Callable[[bytes], Content]) -> Content:
        name = file_name(number, kind)
        seal = self._keys.find(self._shards.key_name(name))
        try:
            return parse(seal.open((self._shards.directory / name).read_bytes()))
        except (BrokenSeal, FileNotFoundError) as error:
            what = f"{name} of {self._shards.checkpoint} cannot be read."
            raise MemoryDamaged(what, "Run: whereabouts check --repair") from error
