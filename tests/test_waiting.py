"""What waits for an embedding is found, whoever brought it and whatever became of what was embedded before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from store.episodic import EpisodicStore

START, DAY_S = 1_700_000_000, 86_400


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        yield store


def record(store: EpisodicStore, *times_s: float) -> list[int]:
    """One session with a keyframe at every time, in seconds after START; returns their ids."""
    session = store.begin_session("film", START + times_s[0], 0, 1.0)
    ids = [store.add_keyframe(session.id, START + at, 0, b"jpeg", 4, 3, 0.5).id for at in times_s]
    store.end_session(session.id, START + times_s[-1] + 1, "film ended")
    return ids


def embed(store: EpisodicStore, ids: list[int]) -> None:
    store.add_embeddings("nano", ids, np.ones((len(ids), 4)), np.ones((len(ids), 2)))


def waiting(store: EpisodicStore, limit: int = 64) -> list[int]:
    return [keyframe.id for keyframe in store.unindexed("nano", limit)]


def test_days_are_caught_up_from_the_newest_to_the_oldest(store: EpisodicStore):
    oldest, older, newest = (record(store, at, at + 1, at + 2) for at in (0, DAY_S, 3 * DAY_S))
    embed(store, newest[2:])
    for expected in (newest[:2], older, oldest):
        assert waiting(store) == expected
        assert waiting(store, limit=1) == expected[:1]
        embed(store, expected)
    assert waiting(store) == []


def test_a_session_over_midnight_is_caught_up_on_both_days(store: EpisodicStore):
    midnight = DAY_S - START % DAY_S
    ids = record(store, midnight - 2, midnight - 1, midnight, midnight + 1)
    embed(store, [ids[1], ids[3]])
    assert waiting(store) == [ids[2]]
    embed(store, [ids[2]])
    assert waiting(store) == [ids[0]]


def test_what_comes_later_into_a_day_that_was_whole_is_noticed(store: EpisodicStore):
    embed(store, record(store, 0, 1) + record(store, 2 * DAY_S))
    assert waiting(store) == []
    imported = record(store, 5, 6)
    assert waiting(store) == imported
    embed(store, imported)
    assert waiting(store) == []


def test_a_session_that_goes_on_after_a_look_is_looked_at_again(store: EpisodicStore):
    embed(store, record(store, 3 * DAY_S))
    session = store.begin_session("film of long ago", START, 0, 1.0)
    for at in range(3):
        assert waiting(store) == []
        keyframe = store.add_keyframe(session.id, START + at, 0, b"jpeg", 4, 3, 0.5)
        store.beat(session.id, START + at)
        assert waiting(store) == [keyframe.id]
        embed(store, [keyframe.id])


def test_embeddings_that_were_dropped_are_made_again(store: EpisodicStore):
    ids = record(store, 0, 1) + record(store, DAY_S)
    embed(store, ids)
    assert waiting(store) == []
    for row in store.database.rows("SELECT id FROM shards"):
        store.drop_shard(row["id"])
    assert waiting(store) == ids
    embed(store, ids)
    store.remove_embeddings(ids[:1])
    assert waiting(store) == ids[:1]
    assert store.unindexed("other", 1)[0].id == ids[0]
