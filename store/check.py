"""Is the memory whole? Rows against packs, checksum by checksum, and against the embeddings; nothing is changed.

Bytes in a pack that no row claims are counted and are no problem: a crash between bytes and row leaves them, and so
does a picture that was reduced, whose bytes went back to the disk.
This file does not know how to repair anything.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from store.episodic import EpisodicStore
from store.errors import MemoryDamaged
from store.packs import HEADER_BYTES
from store.records import Keyframe


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be; `kind` is "database", "keyframe", "sound" or "embedding"."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was wrong with it."""

    sessions: int
    keyframes: int
    packs: int
    pack_bytes: int
    orphan_bytes: int
    embeddings: dict[str, int]
    problems: tuple[Problem, ...]

    @property
    def clean(self) -> bool:
        return not self.problems


def check(store: EpisodicStore) -> Report:
    """Read the whole memory once. Safe beside a live recorder: what it adds meanwhile is left out or orphan bytes."""
    keyframes = store.keyframes()
    sizes = store.packs.sizes()
    embedded = {name: store.embeddings(name).ids() for name in store.checkpoints()}
    known = np.array(store.keyframe_ids(), np.int64)
    problems = _database_problems(store) + _keyframe_problems(store, keyframes) + _sound_problems(store)
    for checkpoint, ids in embedded.items():
        problems += _embedding_problems(store, checkpoint, ids, known)
    return Report(
        sessions=len(store.sessions()),
        keyframes=len(keyframes),
        packs=len(sizes),
        pack_bytes=sum(sizes.values()),
        orphan_bytes=_orphan_bytes(sizes, keyframes),
        embeddings={checkpoint: len(ids) for checkpoint, ids in embedded.items()},
        problems=tuple(problems),
    )


def _database_problems(store: EpisodicStore) -> list[Problem]:
    verdicts = [next(iter(row.values())) for row in store.database.rows("PRAGMA integrity_check")]
    problems = [Problem("database", verdict) for verdict in verdicts if verdict != "ok"]
    for row in store.database.rows("PRAGMA foreign_key_check"):
        problems.append(Problem("database", f"a row of {row['table']} names a missing one of {row['parent']}"))
    return problems


def _keyframe_problems(store: EpisodicStore, keyframes: list[Keyframe]) -> list[Problem]:
    problems = []
    for keyframe in sorted(keyframes, key=lambda keyframe: (keyframe.pack, keyframe.offset_bytes)):
        try:
            store.jpeg(keyframe)
        except MemoryDamaged as error:
            problems.append(Problem("keyframe", error.message))
    return problems


def _sound_problems(store: EpisodicStore) -> list[Problem]:
    problems = []
    for sound in store.sounds():
        try:
            store.sound_bytes(sound)
        except MemoryDamaged as error:
            problems.append(Problem("sound", error.message))
    return problems


def _embedding_problems(store: EpisodicStore, checkpoint: str, ids: np.ndarray, known: np.ndarray) -> list[Problem]:
    problems = [
        Problem("embedding", f"{checkpoint} has one of keyframe {each}, which does not exist")
        for each in np.setdiff1d(ids, known)
    ]
    twice, times = np.unique(ids, return_counts=True)
    problems += [Problem("embedding", f"{checkpoint} has several of keyframe {each}") for each in twice[times > 1]]
    _, recall = store.embeddings(checkpoint).recall_from(0)
    broken = ~np.isfinite(recall[: len(ids)]).all(axis=1)
    problems += [Problem("embedding", f"{checkpoint} has no finite one of keyframe {each}") for each in ids[broken]]
    return problems


def _orphan_bytes(sizes: dict[int, int], keyframes: list[Keyframe]) -> int:
    claimed: Counter[int] = Counter()
    for keyframe in keyframes:
        if keyframe.reduced:  # its bytes lie elsewhere
            continue
        claimed[keyframe.pack] += HEADER_BYTES + keyframe.length_bytes
    return sum(max(0, size - claimed[pack]) for pack, size in sizes.items())
