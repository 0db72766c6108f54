"""Account: which seconds of a session were not recorded, and why.

Every second up to `until` is either recorded or in a lapse. A lapse is written as a gap row when it begins and
extended while it lasts, so a recorder that is killed in the middle leaves it accounted for. What the disk would not
take is kept here until it does.

This file does not know why nothing is recorded, nor what is.
"""

from dataclasses import dataclass

from store.episodic import EpisodicStore

EXTEND_EVERY_S = 4.0


@dataclass(slots=True)
class _Lapse:
    reason: str
    started_at: float
    ended_at: float
    gap_id: int | None = None  # None until there is a row
    written_until: float = 0.0


class Account:
    """Of the session with this id, accounted for until `until`. Every method raises DiskFull, and may be called on."""

    def __init__(self, store: EpisodicStore, session_id: int, until: float) -> None:
        self.session_id, self.until, self.gaps = session_id, until, 0
        self._store = store
        self._current: _Lapse | None = None
        self._lapses: list[_Lapse] = []  # the current one, and before it those that are not yet on disk

    def recorded(self, at: float) -> None:
        """Everything since the last second accounted for, up to `at`, was seen."""
        self.until, self._current = max(self.until, at), None

    def lapse(self, reason: str, at: float, *, over: bool = False) -> bool:
        """Nothing since the last second accounted for, up to `at`, was recorded. Whether this was committed now.

        A lapse that goes on is written every few seconds, one that is `over` to its end. One that follows another of
        the same reason, with nothing recorded between them, is the same one.
        """
        if at > self.until:
            if self._current is None or self._current.reason != reason:
                self._current = _Lapse(reason, self.until, at)
                self._lapses.append(self._current)
                self.gaps += 1
            self._current.ended_at = self.until = at
        return self._write(over)

    def write(self) -> bool:
        """Commit whatever is not on disk yet; whether there was something."""
        return self._write(over=True)

    def _write(self, over: bool) -> bool:
        committed = False
        for lapse in self._lapses:
            due_s = EXTEND_EVERY_S if lapse is self._current and not over else 0.0
            if lapse.gap_id is None:
                gap = self._store.add_gap(self.session_id, lapse.started_at, lapse.ended_at, lapse.reason)
                lapse.gap_id = gap.id
            elif lapse.ended_at - lapse.written_until > due_s:
                self._store.extend_gap(lapse.gap_id, lapse.ended_at)
            else:
                continue
            lapse.written_until, committed = lapse.ended_at, True
            self._store.beat(self.session_id, lapse.ended_at)
        self._lapses = [self._current] if self._current else []
        return committed
