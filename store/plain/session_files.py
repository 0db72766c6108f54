"""What is made of each session as a whole: its film and its subtitles.

They need to know what the session's pictures, words and gaps are before any of it is written, so this is noted while
the rows go by; of a session only a few numbers are kept. This file does not know what else an export holds.
"""

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from store.episodic import EpisodicStore
from store.plain.excerpt import Excerpt
from store.plain.folder import PlainFolder
from store.plain.slideshow import Shot, film_size, write_film
from store.plain.subtitles import Cue, write_subtitles
from store.records import Gap, Keyframe, Session, Sound, Span, Transcript, local_time
from store.transcripts import NOTE

SHOWN = {"speech": "{}", "scene-text": "[{}]", NOTE: "({})"}


@dataclass(slots=True)
class _Noted:
    """Of one session: first and last picture and the one with the most pixels, when its words and its gaps begin."""

    reach: float | None = None  # the last time of anything
    first: Keyframe | None = None
    last: Keyframe | None = None
    largest: Keyframe | None = None
    words: Span | None = None
    dark_at: list[float] = field(default_factory=list)


class SessionFiles:
    """The films and subtitles of an excerpt, written into `folder`."""

    def __init__(self, store: EpisodicStore, excerpt: Excerpt, folder: PlainFolder) -> None:
        self._store, self._excerpt, self._folder = store, excerpt, folder
        self._noted = {session_id: _Noted() for session_id in excerpt.sessions}

    def note(self, row: Keyframe | Sound | Gap | Transcript) -> None:
        """Of each kind the rows must come in time order."""
        noted = self._noted[row.session_id]
        if isinstance(row, Keyframe):
            noted.first, noted.last = noted.first or row, row
            if noted.largest is None or _pixels(row) > _pixels(noted.largest):
                noted.largest = row
        elif isinstance(row, Gap) and row.ended_at > row.started_at:
            noted.dark_at.append(row.started_at)
        elif isinstance(row, Transcript):
            from_at = noted.words.started_at if noted.words else row.started_at
            noted.words = Span(from_at, math.nextafter(row.started_at, math.inf))
        ended_at = row.captured_at if isinstance(row, Keyframe) else row.ended_at
        noted.reach = ended_at if noted.reach is None else max(noted.reach, ended_at)

    def sessions(self) -> Iterator[Session]:
        """Those of which something lies in the excerpt, as far as it does."""
        for session in self._excerpt.sessions.values():
            cut = self._excerpt.cut_session(session, self._noted[session.id].reach)
            if cut is not None:
                yield cut

    def film(self, session: Session, step: Callable[[], None]) -> str | None:
        """Write the film and return its path, None for a session without pictures; `step` after each of these."""
        noted = self._noted[session.id]
        if noted.first is None or noted.last is None or noted.largest is None or session.ended_at is None:
            return None
        size = film_size(noted.largest.width_px, noted.largest.height_px)
        began = noted.first.captured_at
        with self._folder.growing(path := f"films/{session.id:06d}.mp4") as file:
            shots = self._shots(session.id, noted, step)
            write_film(file, shots, session.ended_at - began, size, noted.first.local_time, session.source)
        return path

    def subtitles(self, session: Session) -> str | None:
        """Write the subtitles for the film and return their path, None for a session without words."""
        noted = self._noted[session.id]
        if noted.words is None:
            return None
        began = noted.first.captured_at if noted.first else session.started_at
        note = f"{session.source}, from {local_time(began, session.zone_offset_s).isoformat(timespec='milliseconds')}"
        cues = (
            Cue(words.started_at - began, words.ended_at - began, _as_shown(words))
            for words in self._excerpt.transcripts(noted.words)
            if words.session_id == session.id
        )
        with self._folder.growing(path := f"transcripts/{session.id:06d}.vtt") as file:
            write_subtitles(file, note, cues)
        return path

    def _shots(self, session_id: int, noted: _Noted, step: Callable[[], None]) -> Iterator[Shot]:
        """Its pictures, and black where a gap begins."""
        assert noted.first and noted.last
        began, ids = noted.first.captured_at, (noted.first.id, noted.last.id + 1)

        def pictures() -> Iterator[Shot]:
            for keyframe, _ in self._excerpt.keyframes(ids, session_id):
                yield Shot(keyframe.captured_at - began, self._store.jpeg(keyframe))
                step()

        dark = (Shot(at - began, None) for at in noted.dark_at if at >= began)
        return heapq.merge(pictures(), dark, key=lambda shot: shot.at_s)


def _pixels(keyframe: Keyframe) -> int:
    return keyframe.width_px * keyframe.height_px


def _as_shown(words: Transcript) -> str:
    return SHOWN[words.source].format(words.text)
