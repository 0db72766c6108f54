"""Retention: what becomes of old days, where they are to be kept only so long or may take only so much of the disk.

    rung 0  all keyframes
         1  one in ten, of each moment at least the best
         2  the best of each moment
         3  words only: no pictures, and no sounds but those that nobody has listened to yet
         4  nothing

`keep` takes days that are older as a whole to rung 4. `budget` takes days down to rung 3 at most, as far as is needed:
every day goes to rung 1 before any goes to rung 2, the oldest first; the day under way stays as it is. What is pinned
and what answers cite is never touched, and seconds without pictures lie in a gap, "thinned" or "expired". Days are UTC.
This file does not know how files are written anew.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from store.config import Retention
from store.disk import bytes_under
from store.episodic import EpisodicStore
from store.errors import MemoryBusy
from store.layout import UPKEEP
from store.lock import RecordingLock
from store.records import Keyframe, Span
from store.rewriting import rewrite
from store.spans import clipped, merged, moment_key, moments_of, session_span, without
from store.transcripts import EXPIRED, FORGOTTEN
from store.upkeep.pins import kept
from store.upkeep.removal import (
    DAY_IDS,
    DAY_S,
    THINNED,
    cover,
    list_database,
    remove_keyframes,
    remove_sounds,
    remove_transcripts,
    removing,
)

TENTH, BEST, WORDS, NOTHING = 1, 2, 3, 4
IN_LIST = "id IN (SELECT value FROM json_each(?1))"
EXPIRING = f"""
    SELECT id / {DAY_IDS} AS day, session_id FROM keyframes WHERE id < ?1 * {DAY_IDS}
    UNION SELECT CAST(started_at / {DAY_S} AS INTEGER), session_id FROM sounds WHERE started_at < ?1 * {DAY_S}
    UNION SELECT CAST(started_at / {DAY_S} AS INTEGER), session_id FROM transcripts WHERE started_at < ?1 * {DAY_S}
    EXCEPT SELECT day, session_id FROM thinned WHERE rung = {NOTHING}
    ORDER BY day, session_id
"""
PICTURED = f"""
    SELECT DISTINCT id / {DAY_IDS} AS day, keyframes.session_id, coalesce(rung, 0) AS rung FROM keyframes
    LEFT JOIN thinned ON thinned.day = id / {DAY_IDS} AND thinned.session_id = keyframes.session_id
    WHERE id >= ?1 * {DAY_IDS} AND id < ?2 * {DAY_IDS} ORDER BY 1, 2
"""
OF_DAY = "SELECT * FROM {table} WHERE started_at >= ? AND started_at < ? AND session_id = ? ORDER BY id"


@dataclass(frozen=True, slots=True)
class Step:
    """What goes when a session's part of a day (since 1970) is taken down to a rung; `bytes` of pictures and sounds."""

    day: int
    session_id: int
    rung: int
    keyframes: tuple[int, ...]
    sounds: tuple[int, ...]
    transcripts: tuple[int, ...]
    bytes: int

    @property
    def is_empty(self) -> bool:
        return not (self.keyframes or self.sounds or self.transcripts)


def preview(store: EpisodicStore, settings: Retention, now: float) -> list[Step]:
    """What `apply` would do, in its order; nothing is changed, and how far a budget takes it is an estimate."""
    days = _Days(store, settings, now)
    steps = list(days.expiring())
    steps += days.thinning(days.excess_bytes() - sum(step.bytes for step in steps))
    return [step for step in steps if not step.is_empty]


def apply(
    store: EpisodicStore, settings: Retention, now: float, stop: Callable[[], bool] = lambda: False
) -> list[Step]:
    """Let go what is too old or too much; what was done. Where nothing is, that is told in milliseconds.

    Every step is a transaction, so it may be killed at any time. While another process forgets, thins or ends a
    backup, nothing is done. DiskFull: the next call goes on with what is left to do.
    """
    done: list[Step] = []
    with suppress(MemoryBusy), RecordingLock(store.directory / UPKEEP).held():
        days = _Days(store, settings, now)
        done += _taken(store, days, days.expiring(), stop)
        while (excess_bytes := days.excess_bytes()) > 0:
            taken = _taken(store, days, days.thinning(excess_bytes), stop)
            done += taken
            if not taken:
                break
    return [step for step in done if not step.is_empty]


def _taken(store: EpisodicStore, days: "_Days", steps: Iterator[Step], stop: Callable[[], bool]) -> list[Step]:
    """Take steps until there are no more or it is enough, and give their bytes back."""
    taken: list[Step] = []
    while not stop() and (step := next(steps, None)):
        _take(store, days, step)
        taken.append(step)
    if taken:
        rewrite(store)
    return taken


def _take(store: EpisodicStore, days: "_Days", step: Step) -> None:
    with removing(store):
        remove_keyframes(store, IN_LIST, (str(list(step.keyframes)),))
        remove_sounds(store, IN_LIST, (str(list(step.sounds)),))
        remove_transcripts(store, IN_LIST, (str(list(step.transcripts)),))
        row = step.day, step.session_id, step.rung
        store.database.execute("INSERT OR REPLACE INTO thinned VALUES (?, ?, ?)", row)
        if step.rung == NOTHING:
            list_database(store)
        if step.rung >= WORDS:
            _account_for(store, days, step)


def _account_for(store: EpisodicStore, days: "_Days", step: Step) -> None:
    """Nothing is to be seen any more of the day, but for what is kept and what had been forgotten before."""
    (session,) = [session for session in store.sessions() if session.id == step.session_id]
    part = clipped(session_span(session), _span_of(step.day))
    forgotten = [gap for gap in store.gaps(part) if gap.session_id == session.id and gap.reason == FORGOTTEN]
    for left in without(part, merged([*days.kept, *(Span(gap.started_at, gap.ended_at) for gap in forgotten)])):
        cover(store, session, left, EXPIRED if step.rung == NOTHING else THINNED)


class _Days:
    """The days of a memory as they are, with what a preview has imagined to be gone."""

    def __init__(self, store: EpisodicStore, settings: Retention, now: float) -> None:
        self._store, self._settings = store, settings
        self._today = int(now // DAY_S)
        self._first = int((now - settings.keep_s) // DAY_S) if settings.keep_s else 0  # days before it expire
        self._gone: set[int] = set()
        self._ladder = self._rungs()
        self.kept = kept(store) if settings.keep_s or settings.budget_bytes else []

    def excess_bytes(self) -> int:
        """By how much the memory takes more of the disk than it may."""
        if not self._settings.budget_bytes:
            return 0
        store = self._store
        packs = store.packs.disk_bytes() + store.small_packs.disk_bytes() + store.sound_packs.disk_bytes()
        derived = bytes_under(store.directory / "embeddings")
        return packs + derived + store.database.path.stat().st_size - self._settings.budget_bytes

    def expiring(self) -> Iterator[Step]:
        """One step for each session of each day that is too old."""
        if self._settings.keep_s:
            for row in self._store.database.rows(EXPIRING, (self._first,)):
                yield self._step(row["day"], row["session_id"], NOTHING)

    def thinning(self, excess_bytes: int) -> Iterator[Step]:
        """The next steps, until they should give back so many bytes or there are no more."""
        while excess_bytes > 0 and (each := next(self._ladder, None)):
            step = self._step(*each)
            excess_bytes -= step.bytes
            yield step

    def _rungs(self) -> Iterator[tuple[int, int, int]]:
        """Day, session and rung, in the order in which they are to be gone down."""
        parts = self._store.database.rows(PICTURED, (self._first, self._today))
        for rung in (TENTH, BEST, WORDS):
            for part in parts:
                if part["rung"] < rung:
                    yield part["day"], part["session_id"], rung

    def _step(self, day: int, session_id: int, rung: int) -> Step:
        span = _span_of(day)
        keyframes = [each for each in self._store.keyframes_of_session(session_id, span) if each.id not in self._gone]
        left = _left_of(keyframes, rung)
        pictures = [
            each for each in keyframes if each.id not in left and not self._is_kept(each.captured_at, each.captured_at)
        ]
        sounds = [row for row in self._of_day("sounds", day, session_id) if rung == NOTHING or row["heard"]]
        sounds = sounds if rung >= WORDS else []
        words = self._of_day("transcripts", day, session_id) if rung == NOTHING else []
        self._gone.update(each.id for each in pictures)
        return Step(
            day,
            session_id,
            rung,
            keyframes=tuple(each.id for each in pictures),
            sounds=tuple(row["id"] for row in sounds),
            transcripts=tuple(row["id"] for row in words),
            bytes=sum(each.length_bytes for each in pictures) + sum(row["length_bytes"] for row in sounds),
        )

    def _of_day(self, table: str, day: int, session_id: int) -> list[dict[str, Any]]:
        """Rows that began on a day and are not kept."""
        span = _span_of(day)
        rows = self._store.database.rows(OF_DAY.format(table=table), (span.started_at, span.ended_at, session_id))
        return [row for row in rows if not self._is_kept(row["started_at"], row["ended_at"])]

    def _is_kept(self, started_at: float, ended_at: float) -> bool:
        """Does any kept span touch it?"""
        behind = bisect_right(self.kept, started_at, key=lambda span: span.ended_at)
        return behind < len(self.kept) and self.kept[behind].started_at <= ended_at


def _left_of(keyframes: list[Keyframe], rung: int) -> set[int]:
    """The ids of those of a session's keyframes that stay on a rung."""
    left: set[int] = set()
    for _, group in groupby(keyframes, key=moment_key):
        moment = list(group)
        best = moment.index(moments_of(moment)[0].keyframe)
        stay = {TENTH: moment[best % 10 :: 10], BEST: [moment[best]]}.get(rung, [])
        left.update(each.id for each in stay)
    return left


def _span_of(day: int) -> Span:
    return Span(float(day * DAY_S), float((day + 1) * DAY_S))
