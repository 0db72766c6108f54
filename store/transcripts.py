"""What was heard, read and noted: sounds, the transcripts of speech and of text in the scene, the wearer's notes, and
the full text of them all.

Sounds wait here until somebody has written down their speech, keyframes until somebody has read what is written in
them; words and the mark that they were taken down are committed together, so a crash neither loses nor doubles any.
This file does not know packs, nor what turns sound or pictures into words.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple
from itertools import accumulate
from typing import Any
from unicodedata import category

from store.errors import UserError
from store.freed import FreedLedger
from store.records import Heard, Keyframe, Sound, Span, Transcript
from store.spans import EVER, FIRST_ID, LAST_ID, id_range

# What overlaps a span [?1, ?2): started before its end, and ended in it or, if it took no time, lies in it. As nothing
# took longer than the longest, it is found by when it started; a second earlier, as times are rounded.
STARTED = "started_at >= ?1 - 1 - (SELECT coalesce(max(ended_at - started_at), 0) FROM {table}) AND started_at < ?2"
OVERLAPS = f"{STARTED} AND (ended_at > ?1 OR started_at >= ?1)"
UNHEARD = "heard = 0"
UNREAD = "reduced = 0 AND id NOT IN (SELECT keyframe_id FROM keyframes_read)"
SAME_TEXT_S = 30.0  # text that stays in view is one row that grows
INSERT_SOUND = "INSERT INTO sounds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_TRANSCRIPT = """
    INSERT INTO transcripts (session_id, started_at, ended_at, text, source, engine, confidence)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
EXTEND_TRANSCRIPT = """
    UPDATE transcripts SET started_at = min(started_at, :started_at), ended_at = max(ended_at, :ended_at),
    confidence = max(confidence, :confidence)
    WHERE id = (
        SELECT id FROM transcripts WHERE session_id = :session_id AND source = :source AND text = :text
        AND started_at <= :ended_at + :same_text_s AND ended_at >= :started_at - :same_text_s
        AND started_at >= :started_at - :same_text_s - 1 - (SELECT max(ended_at - started_at) FROM transcripts)
        ORDER BY started_at DESC LIMIT 1
    )
"""
RANKED = 10_000  # rows: a word that is in more of them tells little, and to rank them all takes long
COUNT_ROWS = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? AND rowid >= ? AND rowid <= ? LIMIT ?)"
FIND_WORDS = f"""
    SELECT transcripts.*, unlikeness FROM (
        SELECT rowid AS id, bm25(words) AS unlikeness FROM words WHERE words MATCH ?3 AND rowid >= ?4 AND rowid <= ?5
        ORDER BY rowid DESC LIMIT ?6
    ) JOIN transcripts USING (id)
    WHERE {OVERLAPS.format(table="transcripts")} ORDER BY unlikeness, started_at DESC LIMIT ?7
"""


FORGOTTEN, EXPIRED = "forgotten", "expired"  # reasons of gaps in which nothing is left, and nothing may come back
IS_GONE = """
    SELECT 1 FROM gaps WHERE session_id = ? AND reason IN ('forgotten', 'expired') AND started_at < ? AND ended_at > ?
"""
FORGOTTEN_S = "SELECT total(ended_at - started_at) FROM gaps WHERE reason = 'forgotten'"
INSTANT_S = 1e-6
NOTE, WEARER = "note", "wearer"  # source and engine of what the wearer wrote
SOURCES = ("speech", "scene-text", NOTE)
# Notes count down: they are written long after their time, and the ids of what is heard and read follow time.
NOTE_IDS = FIRST_ID, -1
INSERT_NOTE = """
    INSERT INTO transcripts (session_id, started_at, ended_at, text, source, engine, confidence, id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
NOT_PLAIN = {"Cc", "Cs"}  # categories of characters that steer a terminal, or that no file can hold


class WordLedger(FreedLedger):
    """Sounds and transcripts of one database. DiskFull when a write finds no room."""

    def free_sound_id(self, started_at: float) -> int:
        """The time in microseconds, raised by one until no sound has it."""
        free = id_range(Span(started_at, started_at))[0]
        while self.database.value("SELECT 1 FROM sounds WHERE id = ?", (free,)) is not None:
            free += 1
        return free

    def commit_sound(self, sound: Sound) -> None:
        """The commit point of a sound: its bytes must be on disk before."""
        self.database.execute(INSERT_SOUND, astuple(sound))

    def sounds(self, span: Span | None = None) -> list[Sound]:
        """Those that overlap the span, whole, in time order."""
        return _as_sounds(self.overlapping("sounds", span))

    def sound(self, sound_id: int) -> Sound | None:
        """As it lies now, if it has not been forgotten."""
        return next(iter(_as_sounds(self.database.rows("SELECT * FROM sounds WHERE id = ?", (sound_id,)))), None)

    def unheard(self, limit: int = 64) -> list[Sound]:
        """The oldest sounds whose speech nobody has written down, in time order; -1 is without limit."""
        sql = f"SELECT * FROM sounds WHERE {UNHEARD} ORDER BY started_at, id LIMIT ?"
        return _as_sounds(self.database.rows(sql, (limit,)))

    def keep_heard(self, sound_ids: Sequence[int], transcripts: Iterable[Heard], keep_sound: bool) -> None:
        """What was said in some sounds; they count as heard and, without `keep_sound`, are gone."""
        with self.database.transaction():
            for transcript in transcripts:
                if not self.is_gone(transcript.session_id, transcript.started_at, transcript.ended_at):
                    self.database.execute(INSERT_TRANSCRIPT, astuple(transcript))
            if keep_sound:
                sql = "UPDATE sounds SET heard = 1 WHERE id IN (SELECT value FROM json_each(?))"
                self.database.execute(sql, (json.dumps([int(each) for each in sound_ids]),))
            else:
                self.release_sounds(sound_ids)

    def unread(self, limit: int = 32) -> list[Keyframe]:
        """The newest keyframes in full whose scene text nobody has read, newest first; -1 is without limit."""
        sql = f"SELECT * FROM keyframes WHERE {UNREAD} ORDER BY id DESC LIMIT ?"
        return [Keyframe(**row) for row in self.database.rows(sql, (limit,))]

    def keep_read(self, keyframe_ids: Sequence[int], texts: Iterable[Heard]) -> None:
        """What is written in some keyframes; they count as read. A text that stays in view makes its row longer."""
        with self.database.transaction():
            for text in texts:
                if self.is_gone(text.session_id, text.started_at, text.started_at):
                    continue
                self.database.execute(EXTEND_TRANSCRIPT, {**asdict(text), "same_text_s": SAME_TEXT_S})
                if not self.database.value("SELECT changes()"):
                    self.database.execute(INSERT_TRANSCRIPT, astuple(text))
            sql = "INSERT OR IGNORE INTO keyframes_read SELECT id FROM keyframes WHERE id = ?"
            for each in keyframe_ids:
                self.database.execute(sql, (int(each),))

    def add_note(self, session_id: int, span: Span, text: str) -> Transcript:
        """What the wearer writes to a time, on one line. UserError for no text, and for a time that is forgotten."""
        plain = " ".join("".join(" " if category(each) in NOT_PLAIN else each for each in text).split())
        if not plain:
            raise UserError("The note is empty.", 'Write, for example: whereabouts note KEYFRAME "lent to Anna"')
        written = session_id, float(span.started_at), float(span.ended_at), plain, NOTE, WEARER, 1.0
        with self.database.transaction():
            if self.is_gone(session_id, span.started_at, span.ended_at):
                raise UserError("Nothing is kept of that time any more.", "Write the note to another moment.")
            note = Transcript(*written, self.database.value("SELECT min(coalesce(min(id), 0), 0) - 1 FROM transcripts"))
            self.database.execute(INSERT_NOTE, astuple(note))
        return note

    def remove_note(self, note_id: int) -> None:
        """Take a note away, but not what answers quoted of it. UserError if there is none with this id."""
        with self.database.transaction():
            self.database.execute("DELETE FROM transcripts WHERE id = ? AND source = ?", (note_id, NOTE))
            if not self.database.value("SELECT changes()"):
                raise UserError(f"There is no note {note_id}.", "It may have been taken away already.")

    def is_gone(self, session_id: int, started_at: float, ended_at: float) -> bool:
        """Is any of this forgotten or expired? Then what was seen, heard or read in it must not be kept."""
        span = session_id, max(ended_at, started_at + INSTANT_S), started_at
        return self.database.value(IS_GONE, span) is not None

    def forgotten_s(self) -> float:
        """How many seconds are forgotten: it changes whenever something that was recorded is."""
        return float(self.database.value(FORGOTTEN_S))

    def transcripts(self, span: Span | None = None) -> list[Transcript]:
        """Those that overlap the span, whole, in time order."""
        return [Transcript(**row) for row in self.overlapping("transcripts", span)]

    def find_words(self, query: str, span: Span | None = None, limit: int = 20) -> list[Transcript]:
        """Transcripts and notes of the span with any of the words, by their stems; best first (BM25).

        "Words in quotes" stand in a row, and word* is how one begins. Of the rows of words that are everywhere only the
        newest are ranked; where there are rarer words, only rows with one of these.
        """
        terms, times = _terms(query), EVER if span is None else span
        rows = [row for ids in (self._ids_heard(span), NOTE_IDS) for row in self._ranked(terms, times, ids, limit)]
        rows.sort(key=lambda row: (row["unlikeness"], -row["started_at"]))
        return [Transcript(**{name: row[name] for name in row if name != "unlikeness"}) for row in rows[:limit]]

    def _ranked(self, terms: Iterable[str], span: Span, ids: tuple[int, int], limit: int) -> list[dict[str, Any]]:
        """Of the rows with ids in a range the best, each with its `unlikeness`."""
        counts = {term: self.database.value(COUNT_ROWS, (term, *ids, RANKED)) for term in terms}
        known = sorted((term for term in counts if counts[term]), key=counts.__getitem__)
        if not known:
            return []
        totals = accumulate(counts[term] for term in known)
        rare = [term for term, total in zip(known, totals, strict=True) if total < RANKED] or known[:1]
        wanted = f"({' OR '.join(rare)}) AND ({' OR '.join(known)})"
        return self.database.rows(FIND_WORDS, (span.started_at, span.ended_at, wanted, *ids, RANKED, limit))

    def _ids_heard(self, span: Span | None) -> tuple[int, int]:
        """Ids between which all that was heard and read in a span lies, and little else, as it came in order."""
        if span is None:
            return 0, LAST_ID
        started = STARTED.format(table="transcripts")
        sql = f"SELECT min(id) AS first, max(id) AS last FROM transcripts WHERE {started} AND id >= 0"
        (ids,) = self.database.rows(sql, (span.started_at, span.ended_at))
        return ids["first"] or 0, ids["last"] or 0

    def overlapping(self, table: str, span: Span | None) -> list[dict[str, Any]]:
        """The rows of a table with started_at and ended_at that overlap the span, in time order."""
        span = EVER if span is None else span
        sql = f"SELECT * FROM {table} WHERE {OVERLAPS.format(table=table)} ORDER BY started_at, id"
        return self.database.rows(sql, (span.started_at, span.ended_at))


def _terms(query: str) -> list[str]:
    """Every word, "words in quotes" and beginning* of a query, once and as FTS5 wants it written."""
    found = re.findall(r'(?:"([^"]*)"|(\w+))(\*?)', query)
    rows = ((re.findall(r"\w+", quoted or word), star) for quoted, word, star in found)
    return list(dict.fromkeys(f'"{" ".join(words)}"{star}' for words, star in rows if words))


def _as_sounds(rows: Iterable[dict[str, Any]]) -> list[Sound]:
    return [Sound(**{**row, "heard": bool(row["heard"])}) for row in rows]
