"""Sealed days: which days a trained quantiser codes, and into which files; all of it at a cost that does not grow.

A day is sealed once a newer one has begun and there are too many rows to compare them all. The days of a month that
are sealed together are one file. When the month is over its files become one, and a file with rows that its days no
longer have is written anew. When there is eight times as much as the quantiser was trained for, another one is
trained, and takes over one month at a time.
This file does not know how lists are searched. Where an index is lost, its days are read from the row files.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np

from store.embeddings import Replacement
from store.errors import MemoryDamaged
from store.indexes import Index, Indexes
from store.lists import Lists, place
from store.quantiser import TRAINED_ROWS, Quantiser
from store.sealing import BrokenSeal
from store.shards import RECALL, SEALING, Shard, Shards, locked

ALL_COMPARED = 300_000  # rows: up to so many, none needs to be sealed
OUTGROWN = 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SealedDays:
    """Seals the days of one checkpoint; other processes may add rows meanwhile."""

    def __init__(self, shards: Shards, indexes: Indexes) -> None:
        self._shards, self._indexes, self._database = shards, indexes, shards.database

    def seal(self) -> int:
        """Seal the days that should be and are not, and join what belongs together; returns how many days.

        0 at once while another process does it.
        """
        with locked(self._shards.directory / SEALING, wait=False) as is_mine:
            current = self._current() if is_mine else None
            if current is None:
                return 0
            index, quantiser = current
            due = self._due(index)
            for month, shards in groupby(due, month_of):
                coded = {shard: lists for shard in shards if (lists := self._coded(shard, quantiser)) is not None}
                if coded:
                    self._commit(month, index.id, list(coded), Lists.joined(coded.values()))
            self._tidy(index)
        return len(due)

    def rewrite(self, replacements: Sequence[Replacement]) -> list[tuple[Index, Index | None]]:
        """While held: write anew the lists that hold rows of replaced shards. For `Indexes.replace`."""
        days, months = [each.old.day for each in replacements], {month_of(each.old) for each in replacements}
        changed: list[tuple[Index, Index | None]] = []
        for index in self._indexes.lists():
            if index.month not in months:
                continue
            try:
                lists = self._indexes.read_lists(index.id)
            except MemoryDamaged:
                changed.append((index, None))
                continue
            if np.isin(lists.days(), days).any():
                lists = self._own(index, lists)
                for each in replacements:
                    lists = lists.renumbered(each.old.day, each.kept)
                new = self._indexes.write_lists(index.month, index.quantiser, lists) if len(lists) else None
                changed.append((index, new))
        return changed

    def damage(self) -> dict[int, str]:
        """What is wrong with indexes, by their numbers; all of them are read."""
        found = {}
        for index in (*self._indexes.quantisers(), *self._indexes.lists()):
            try:
                if index.quantiser is None:
                    self._indexes.read_quantiser(index.id)
                elif not self._is_complete(index):
                    found[index.id] = f"index {index.id} does not hold the rows of its days"
            except MemoryDamaged as error:
                found[index.id] = error.message
        return found

    def _current(self) -> tuple[Index, Quantiser] | None:
        """The quantiser for new days, trained where none fits; None while there are too few rows."""
        rows = sum(shard.rows for shard in self._shards.of_ids())
        known = self._indexes.quantisers()
        if not known and rows <= ALL_COMPARED:
            return None
        if known and rows < OUTGROWN * known[-1].rows:
            try:
                return known[-1], self._indexes.read_quantiser(known[-1].id)
            except MemoryDamaged:
                self._indexes.drop([known[-1].id])
        quantiser = Quantiser.train(self._sample(rows))
        with self._shards.held():
            index = self._indexes.write_quantiser(quantiser, rows)
            with self._database.transaction():
                self._indexes.name(index)
        return index, quantiser

    def _sample(self, rows: int) -> np.ndarray:
        """Rows (n, D) spread evenly over all there are."""
        wanted, first, found = np.linspace(0, rows - 1, min(rows, TRAINED_ROWS)).astype(np.int64), 0, []
        for shard in self._shards.of_ids():
            own = wanted[(wanted >= first) & (wanted < first + shard.rows)] - first
            found.append(self._shards.whole_rows(shard, own)["numbers"])
            first += shard.rows
        return np.concatenate(found)

    def _due(self, current: Index) -> list[Shard]:
        """Whole days that are in no index, and the first month of those that an older quantiser coded."""
        of_older = {index.id for index in self._indexes.lists() if index.quantiser != current.id}
        shards = self._shards.of_ids()[:-1]
        older = [shard for shard in shards if shard.sealed_in in of_older]
        first = [shard for shard in older if month_of(shard) == month_of(older[0])]
        return [shard for shard in shards if shard.sealed_in is None or shard in first]

    def _coded(self, shard: Shard, quantiser: Quantiser) -> Lists | None:
        """All rows of a day; None if some cannot be read, and then the day waits for a repair."""
        parts = []
        try:
            file = self._shards.file(shard, RECALL)
            for rows in shard.blocks():
                lists, codes = quantiser.code(file.read(rows)["numbers"])
                parts.append(Lists(lists, place(shard.day, rows), codes))
        except (MemoryDamaged, BrokenSeal, FileNotFoundError):
            return None
        return Lists.joined(parts)

    def _commit(
        self, month: str, quantiser: int, shards: list[Shard], lists: Lists, replaced: Sequence[Index] = ()
    ) -> None:
        """Keep the lists of some days, in the place of other lists; days that have changed meanwhile are left out."""
        with self._shards.held():
            now = set(self._shards.of_ids())
            same = [shard for shard in shards if shard in now]
            lists = lists.of_days([shard.day for shard in same])
            new = self._indexes.write_lists(month, quantiser, lists)
            with self._database.transaction():
                self._indexes.name(new)
                for shard in same:
                    self._database.execute("UPDATE shards SET sealed_in = ? WHERE id = ?", (new.id, shard.id))
                self._indexes.replace((old, None) for old in replaced)
            self._shards.sweep()

    def _tidy(self, current: Index) -> None:
        """Make one file of a month that is over, or of which a file has rows that its days no longer have."""
        newest = month_of(self._shards.of_ids()[-1])
        for (month, quantiser), group in groupby(self._indexes.lists(), lambda index: (index.month, index.quantiser)):
            indexes = list(group)
            is_scattered = len(indexes) > 1 and month != newest
            if is_scattered or any(index.rows != sum(s.rows for s in self._sealed_in(index)) for index in indexes):
                self._join(month, quantiser, indexes)
        used = {index.quantiser for index in self._indexes.lists()} | {current.id}
        self._indexes.drop(index.id for index in self._indexes.quantisers() if index.id not in used)

    def _join(self, month: str, quantiser: int, indexes: list[Index]) -> None:
        shards, parts = [], []
        for index in indexes:
            with suppress(MemoryDamaged):  # its days are sealed again the next time
                parts.append(self._own(index, self._indexes.read_lists(index.id)))
                shards += self._sealed_in(index)
        if shards:
            self._commit(month, quantiser, shards, Lists.joined(parts), indexes)
        else:
            self._indexes.drop(index.id for index in indexes)

    def _sealed_in(self, index: Index) -> list[Shard]:
        return [shard for shard in self._shards.of_ids() if shard.sealed_in == index.id]

    def _own(self, index: Index, lists: Lists) -> Lists:
        """Without the rows of days that are no longer sealed in this index."""
        return lists.of_days([shard.day for shard in self._sealed_in(index)])

    def _is_complete(self, index: Index) -> bool:
        own = self._own(index, self._indexes.read_lists(index.id))
        wanted = [place(shard.day, np.arange(shard.rows)) for shard in self._sealed_in(index)]
        return np.array_equal(np.sort(own.places), np.concatenate([np.empty(0, np.int64), *wanted]))


def month_of(shard: Shard) -> str:
    return f"{EPOCH + timedelta(days=shard.day):%Y-%m}"
