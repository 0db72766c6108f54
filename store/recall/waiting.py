"""Which keyframes wait for an embedding, found without looking at all of them again and again.

A day counts as whole when as many of its keyframes have an embedding as there are. It is looked at again when its shard
is another, or when a session that may still have grown since the last look touches it: keyframes come only with a
session, and sessions are numbered in the order of their beginning. This file does not know what embeds.
"""

from store.recall.embeddings import Embeddings
from store.recall.shards import DAY_IDS, Shards
from store.spans import keyframe_id

NEWER = "SELECT id FROM keyframes WHERE id > ? ORDER BY id LIMIT ?"
COUNT = "SELECT count(*) FROM keyframes WHERE id >= ? AND id < ?"
LEFT_OUT = """
    SELECT id FROM keyframes WHERE id >= ? AND id < ?
    AND NOT EXISTS (SELECT 1 FROM embedded WHERE shard = ? AND keyframe_id = keyframes.id) ORDER BY id LIMIT ?
"""
GREW = "SELECT started_at, coalesce(ended_at, heartbeat_at) AS ended_at FROM sessions WHERE id >= ?"
NO_SHARD = -1


class Waiting:
    """What one checkpoint has not embedded yet; it remembers which days were whole."""

    def __init__(self, shards: Shards, embeddings: Embeddings) -> None:
        self._shards, self._embeddings, self._database = shards, embeddings, shards.database
        self._whole: dict[int, int] = {}  # by day, its shard
        self._last_session = 0

    def ids(self, limit: int) -> list[int]:
        """At most `limit`: first those newer than every embedded one, then of the newest day that lacks some."""
        last_session = self._database.value("SELECT max(id) FROM sessions") or 0
        newer = self._database.rows(NEWER, (self._embeddings.newest_id(), limit))
        if newer:
            return [row["id"] for row in newer]
        shards = {shard.day: shard for shard in self._shards.of_ids()}
        for day in sorted(self._doubtful({day: shard.id for day, shard in shards.items()}), reverse=True):
            shard, ends = shards.get(day), (day * DAY_IDS, (day + 1) * DAY_IDS)
            number, rows = (shard.id, shard.rows) if shard else (NO_SHARD, 0)
            if self._database.value(COUNT, ends) != rows:
                left_out = self._database.rows(LEFT_OUT, (*ends, number, limit))
                if left_out:
                    return [row["id"] for row in left_out]
            self._whole[day] = number
        self._last_session = last_session
        return []

    def _doubtful(self, shards: dict[int, int]) -> set[int]:
        """The days to be looked at, given the shard of every day."""
        days = {day for day, number in self._whole.items() if shards.get(day, NO_SHARD) != number}
        for row in self._database.rows(GREW, (self._last_session,)):
            first, last = keyframe_id(row["started_at"]) // DAY_IDS, keyframe_id(row["ended_at"]) // DAY_IDS
            days.update(range(first, last + 1))
        return days
