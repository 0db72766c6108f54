"""Moments: what one session saw in one half minute of the clock, with its best keyframe; read a page at a time.

They are no rows: they are made of the keyframes when somebody looks, always the same ones, and little more is read
than is looked at. This file does not know pictures or screens.
"""

from collections.abc import Iterator
from itertools import islice

from store.errors import NothingRecorded, UserError
from store.records import Keyframe, Moment, Span, Transcript
from store.spans import EVER, MICROSECONDS, MOMENT_IDS, id_range, keyframe_id, moment_span, moments_of
from store.transcripts import NOTE, WordLedger

READ_AT_ONCE = 20 * MOMENT_IDS  # ten minutes: few queries a page, and few keyframes that nobody looks at
READ = "SELECT * FROM keyframes WHERE id >= ? AND id < ? ORDER BY id"
# Of a session's keyframes (?2) nearest to a time (?1) and not farther than ?3: one probe to each side.
NEAREST_OF_SESSION = """
    SELECT id FROM (
        SELECT * FROM (
            SELECT id FROM keyframes WHERE id <= ?1 AND id >= ?1 - ?3 AND session_id = ?2 ORDER BY id DESC LIMIT 1
        )
        UNION ALL SELECT * FROM (
            SELECT id FROM keyframes WHERE id > ?1 AND id <= ?1 + ?3 AND session_id = ?2 ORDER BY id LIMIT 1
        )
    ) ORDER BY abs(id - ?1) LIMIT 1
"""
NEAREST = """
    SELECT id FROM (
        SELECT max(id) AS id FROM keyframes WHERE id < ?1 UNION ALL SELECT min(id) FROM keyframes WHERE id > ?1
    ) WHERE id IS NOT NULL ORDER BY abs(id - ?1) LIMIT 1
"""
# The keyframe ?1 with ?2 before it and ?3 behind it.
BESIDE = """
    SELECT * FROM (SELECT * FROM keyframes WHERE id <= ?1 ORDER BY id DESC LIMIT ?2 + 1)
    UNION ALL SELECT * FROM (SELECT * FROM keyframes WHERE id > ?1 ORDER BY id LIMIT ?3)
    ORDER BY id
"""


class MomentLedger(WordLedger):
    """The moments of one database."""

    def moments(self, span: Span | None = None, newest_first: bool = True, limit: int | None = None) -> list[Moment]:
        """The first `limit` of `walk_moments`. `Span(-inf, page[-1].started_at)` holds those after a newest-first page.

        Two moments that began at the very same microsecond, in two sessions, are parted by nothing but the walk.
        """
        return list(islice(self.walk_moments(span, newest_first), limit))

    def walk_moments(self, span: Span | None = None, newest_first: bool = True) -> Iterator[Moment]:
        """Moments that overlap the span, whole, in the order of their beginnings; read as they are asked for."""
        span = EVER if span is None else span
        first, behind = id_range(span)
        first, behind = _half_minute(first), _half_minute(behind) + MOMENT_IDS
        nearest = f"SELECT {'max' if newest_first else 'min'}(id) FROM keyframes WHERE id >= ? AND id < ?"
        while (at := self.database.value(nearest, (first, behind))) is not None:
            began = _half_minute(at)
            if newest_first:
                part = max(first, began + MOMENT_IDS - READ_AT_ONCE), began + MOMENT_IDS
                behind = part[0]
            else:
                part = began, min(behind, began + READ_AT_ONCE)
                first = part[1]
            found = moments_of(Keyframe(**row) for row in self.database.rows(READ, part))
            for moment in reversed(found) if newest_first else found:
                if moment.started_at < span.ended_at and moment.ended_at >= span.started_at:
                    yield moment

    def moment_of(self, keyframe_id: int) -> Moment:
        """The moment that a keyframe belongs to. UserError, naming the nearest id, if there is no such keyframe."""
        began = _half_minute(keyframe_id)
        around = [Keyframe(**row) for row in self.database.rows(READ, (began, began + MOMENT_IDS))]
        session_ids = {each.id: each.session_id for each in around}
        if keyframe_id not in session_ids:
            raise self.unknown_keyframe(keyframe_id)
        (moment,) = moments_of(each for each in around if each.session_id == session_ids[keyframe_id])
        return moment

    def keyframes_beside(self, keyframe_id: int, before: int, after: int) -> list[Keyframe]:
        """A keyframe between so many of any session, in time order. UserError, naming the nearest id, without it."""
        found = [Keyframe(**row) for row in self.database.rows(BESIDE, (keyframe_id, before, after))]
        if all(each.id != keyframe_id for each in found):
            raise self.unknown_keyframe(keyframe_id)
        return found

    def notes_of(self, keyframe_id: int) -> list[Transcript]:
        """What the wearer wrote to the moment of a keyframe, as `moment_of` finds it."""
        moment = self.moment_of(keyframe_id)
        around = self.transcripts(moment_span(keyframe_id))
        return [row for row in around if row.source == NOTE and row.session_id == moment.keyframe.session_id]

    def nearest_keyframe(self, session_id: int, at: float, within_s: float) -> int | None:
        """The id of a session's keyframe nearest to a time, if one is within reach."""
        place = keyframe_id(at), session_id, int(within_s * MICROSECONDS)
        found: int | None = self.database.value(NEAREST_OF_SESSION, place)
        return found

    def unknown_keyframe(self, keyframe_id: int) -> UserError:
        """That there is no keyframe with this id, and which is the nearest."""
        nearest = self.database.value(NEAREST, (keyframe_id,))
        if nearest is None:
            return NothingRecorded(f"There is no keyframe {keyframe_id}: nothing is recorded yet.", "Record first.")
        return UserError(f"There is no keyframe {keyframe_id}.", f"The nearest one is {nearest}.")


def _half_minute(keyframe_id: int) -> int:
    """The lowest id of the half minute in which an id lies."""
    return keyframe_id // MOMENT_IDS * MOMENT_IDS
