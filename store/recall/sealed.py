"""Sealed days: which rows are coded, and into which files, at a cost of a day that does not grow with the memory.

Rows wait until there are too many of them to be compared with every query. Then each day of the current month that has
such rows is coded into a file of its own, and a month that is over becomes one file. A file always holds the first rows
of its days, so a day may grow behind it. This file does not know how the files are searched.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np

from store.errors import MemoryDamaged
from store.recall.embeddings import Replacement
from store.recall.indexes import Index, Indexes
from store.recall.lists import Lists, place
from store.recall.quantiser import TRAINED_ROWS, Axes, coded, trained
from store.recall.shards import SEALING, Shard, Shards, locked

ALL_COMPARED = 300_000  # rows: as long as there are no more, none is coded
MAY_WAIT = 16_384  # rows that are compared with every query all the same
OUTGROWN = 8  # times as many rows as the axes were trained for
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SealedDays:
    """Codes the rows of one checkpoint; other processes may add some meanwhile."""

    def __init__(self, shards: Shards, indexes: Indexes) -> None:
        self._shards, self._indexes, self._database = shards, indexes, shards.database
        self._in_vain: set[tuple[Shard, ...]] = set()  # days of which no more can be read than is coded

    def seal(self) -> int:
        """Code what has waited long enough; returns how many days were. 0 at once while another process does it."""
        days = 0
        with locked(self._shards.directory / SEALING, wait=False) as is_mine:
            for shards in list(self._due()) if is_mine else []:
                if tuple(shards) not in self._in_vain:
                    days += self._seal(shards)
        return days

    def rewrite(self, replacements: Sequence[Replacement]) -> list[tuple[Index, Index | None]]:
        """While held: the lists that have rows of replaced shards, and what was written in their place, if anything."""
        numbers = {each.old.sealed_in for each in replacements}
        changed: list[tuple[Index, Index | None]] = []
        for old in (index for index in self._indexes.lists() if index.id in numbers):
            try:
                lists = self._indexes.read_lists(old.id)
            except MemoryDamaged:
                changed.append((old, None))
                continue
            for each in replacements:
                lists = lists.renumbered(each.old.day, each.kept)
            changed.append((old, self._indexes.write_lists(old.month, old.quantiser, lists) if len(lists) else None))
        return changed

    def damage(self) -> dict[int, str]:
        """What is wrong with indexes, by their numbers; all of them are read."""
        found = {}
        for index in (*self._indexes.axes(), *self._indexes.lists()):
            try:
                if index.quantiser is None:
                    self._indexes.read_axes(index.id)
                elif not self._is_of_its_days(index):
                    found[index.id] = f"index {index.id} has rows that its days have not"
            except MemoryDamaged as error:
                found[index.id] = error.message
        return found

    def _due(self) -> Iterator[list[Shard]]:
        """The days that belong into one file each time."""
        shards, coded = self._shards.of_ids(), {index.id: index.rows for index in self._indexes.lists()}
        waiting = sum(shard.rows for shard in shards) - sum(coded.values())
        if waiting <= (MAY_WAIT if coded else ALL_COMPARED):
            return
        for month, group in groupby(shards, month_of):
            days = list(group)
            files = [shard.sealed_in for shard in days if shard.sealed_in is not None]
            if month == month_of(shards[-1]) and len(set(files)) == len(files):
                yield from ([shard] for shard in days if shard.rows > coded.get(shard.sealed_in or 0, 0))
            elif len(set(files)) > 1 or sum(shard.rows for shard in days) > sum(coded[each] for each in set(files)):
                yield days

    def _seal(self, shards: Sequence[Shard]) -> int:
        """Code some days into one file; returns how many days, 0 if that gained nothing."""
        index, axes = self._axes()
        before = [old for old in self._indexes.lists() if old.id in {shard.sealed_in for shard in shards}]
        lists = self._coded(axes, shards)
        if lists is None or (len(before) < 2 and len(lists) <= sum(old.rows for old in before)):
            self._in_vain.add(tuple(shards))
            return 0
        return len(shards) if self._keep(index, shards, lists, before) else 0

    def _axes(self) -> tuple[Index, Axes]:
        """Those along which rows are coded now, trained where none fit. What older ones have coded stays as it is."""
        shards = self._shards.of_ids()
        rows = sum(shard.rows for shard in shards)
        known = self._indexes.axes()
        if known and rows < OUTGROWN * known[-1].rows:
            try:
                return known[-1], self._indexes.read_axes(known[-1].id)
            except MemoryDamaged:
                self._indexes.drop([known[-1].id])
        axes = Axes.train(self._sample(shards))
        with self._shards.held():
            index = self._indexes.write_axes(axes, rows)
            with self._database.transaction():
                self._indexes.name(index)
        return index, axes

    def _sample(self, shards: Sequence[Shard]) -> np.ndarray:
        """Rows (n, D), spread evenly over all that some days have."""
        rows = sum(shard.rows for shard in shards)
        wanted, first, found = np.linspace(0, rows - 1, min(rows, TRAINED_ROWS)).astype(np.int64), 0, []
        for shard in shards:
            own = wanted[(wanted >= first) & (wanted < first + shard.rows)] - first
            found.append(self._shards.readable(shard, own)[1]["numbers"])
            first += shard.rows
        return np.concatenate(found)

    def _coded(self, axes: Axes, shards: Sequence[Shard]) -> Lists | None:
        """All rows of some days, but for those that cannot be read; None if none can."""
        sample = self._sample(shards)
        if len(sample) == 0:
            return None
        quantiser, parts = trained(axes.turned(sample), sum(shard.rows for shard in shards)), []
        for shard in shards:
            for block in shard.blocks():
                rows, records = self._shards.readable(shard, block)
                lists, codes = coded(quantiser, axes.turned(records["numbers"]))
                parts.append((lists, place(shard.day, rows), codes))
        return Lists.of(quantiser, parts)

    def _keep(self, axes: Index, shards: Sequence[Shard], lists: Lists, before: Sequence[Index]) -> bool:
        """Let the lists of some days take the place of what had them before; not if others changed them meanwhile."""
        with self._shards.held():
            now = {(shard.id, shard.sealed_in) for shard in self._shards.of_ids()}
            if not now.issuperset((shard.id, shard.sealed_in) for shard in shards):
                return False
            new = self._indexes.write_lists(month_of(shards[0]), axes.id, lists)
            with self._database.transaction():
                self._indexes.name(new)
                for shard in shards:
                    self._database.execute("UPDATE shards SET sealed_in = ? WHERE id = ?", (new.id, shard.id))
                self._indexes.replace((old, None) for old in before)
            self._shards.sweep()
        return True

    def _is_of_its_days(self, index: Index) -> bool:
        lists = self._indexes.read_lists(index.id)
        rows = {shard.day: shard.rows for shard in self._shards.of_ids() if shard.sealed_in == index.id}
        fits = all(coded <= rows.get(day, 0) for day, coded in lists.rows_a_day().items())
        return fits and len(np.unique(lists.places)) == len(lists) == index.rows


def month_of(shard: Shard) -> str:
    return f"{EPOCH + timedelta(days=shard.day):%Y-%m}"
