"""Export: a memory, or a span of it, as plain files that outlive this program.

store/plain/readme.py says what every file is; store/plain/importing.py makes the memory of it again. This file knows
which rows there are and in what order they are written. It does not know how films, subtitles, EXIF and checksums
are written, nor what of a memory lies in a span.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from store.episodic import EpisodicStore
from store.errors import UserError
from store.plain.excerpt import Excerpt
from store.plain.exif import with_time
from store.plain.folder import Exported, PlainFolder, Progress, own_path
from store.plain.readme import README
from store.plain.session_files import SessionFiles
from store.records import Gap, Keyframe, Moment, Sound, Span, Transcript, local_time
from store.spans import MICROSECONDS, MOMENT_IDS, moments_of

NOT_EXPORTED = ("pack", "offset_bytes", "length_bytes", "checksum")  # where the bytes lie in the memory
Row = dict[str, Any]


def export(
    store: EpisodicStore, directory: Path, span: Span | None = None, progress: Progress = lambda done, total: None
) -> Exported:
    """Write into `directory`, absent or empty; a recorder may go on meanwhile, what it adds is left out.

    `progress(done, total)` counts pictures, each once by itself and once in its film. UserError: the folder is not
    empty, or part of the memory. DiskFull: the folder has no manifest then. MemoryDamaged names what cannot be read.
    """
    if directory.resolve().is_relative_to(store.directory.resolve()):
        raise UserError(f"{directory} lies in the memory itself.", "Export into a folder elsewhere.")
    folder = PlainFolder(directory)
    folder.add("README.txt", README.encode())
    counts = _Export(store, folder, Excerpt(store, span), progress).write()
    exported = Exported(**counts, files=folder.files, bytes=folder.bytes)
    folder.finish({"exported_at": time.time(), "span": asdict(span) if span else None, **asdict(exported)})
    return exported


class _Export:
    """Every method that writes rows yields them; the files that belong to a row are written before it is."""

    def __init__(self, store: EpisodicStore, folder: PlainFolder, excerpt: Excerpt, progress: Progress) -> None:
        self._store, self._folder, self._excerpt, self._progress = store, folder, excerpt, progress
        self._session_files = SessionFiles(store, excerpt, folder)
        self._done, self._total = 0, 2 * store.count(excerpt.span)

    def write(self) -> dict[str, int]:
        """All but README and manifest. Sessions come after what belongs to them. How many rows each table has."""
        counts = {
            "keyframes": self._write_rows("keyframes", self._pictures()),
            "sounds": self._write_rows("sounds", self._sounds()),
            "gaps": self._write_rows("gaps", self._noted(self._excerpt.gaps())),
            "transcripts": self._write_rows("transcripts", self._noted(self._excerpt.transcripts())),
            "turns": self._write_rows("turns", map(asdict, self._excerpt.turns())),
            "pins": self._write_rows("pins", self._excerpt.pins()),
            "sessions": self._write_rows("sessions", self._sessions()),
        }
        self._write_rows("moments", self._moments())
        return counts

    def _write_rows(self, table: str, rows: Iterable[Row]) -> int:
        count = 0
        with self._folder.rows(table) as add:
            for row in rows:
                add(self._dated(row))
                count += 1
        return count

    def _dated(self, row: Row) -> Row:
        """With every time a second time, as the wearer's clock showed it."""
        session = self._excerpt.sessions.get(row.get("session_id", 0))
        zone_offset_s = row.get("zone_offset_s", session.zone_offset_s if session else 0)
        dated = {}
        for name, value in row.items():
            dated[name] = value
            if name.endswith("_at"):
                dated[f"{name.removesuffix('_at')}_iso"] = _iso(value, zone_offset_s)
        return dated

    def _pictures(self) -> Iterator[Row]:
        for keyframe, was_read in self._excerpt.keyframes():
            jpeg = self._store.jpeg(keyframe)
            if len(jpeg) != keyframe.length_bytes:  # reduced since it was found
                keyframe = self._store.keyframe(keyframe.id)
                jpeg = self._store.jpeg(keyframe)
            camera = self._excerpt.sessions[keyframe.session_id].source
            self._folder.add(_path_of(keyframe), with_time(jpeg, keyframe.local_time, camera))
            self._session_files.note(keyframe)
            self._step()
            yield {**_exported(keyframe), "read": was_read, "file": _path_of(keyframe)}

    def _sounds(self) -> Iterator[Row]:
        for sound in self._excerpt.sounds():
            path = own_path("sounds", sound.id, sound.zone_offset_s, "ogg")
            self._folder.add(path, self._store.sound_bytes(sound))
            self._session_files.note(sound)
            yield {**_exported(sound), "file": path}

    def _noted(self, rows: Iterable[Gap] | Iterable[Transcript]) -> Iterator[Row]:
        for row in rows:
            self._session_files.note(row)
            yield asdict(row)

    def _sessions(self) -> Iterator[Row]:
        for session in self._session_files.sessions():
            film = self._session_files.film(session, self._step)
            yield {**asdict(session), "film": film, "subtitles": self._session_files.subtitles(session)}

    def _moments(self) -> Iterator[Row]:
        """Read again: what they hold follows from rows that are already written."""
        keyframes = (keyframe for keyframe, _ in self._excerpt.keyframes())
        for half_minute, group in groupby(keyframes, lambda keyframe: keyframe.id // MOMENT_IDS):
            ids = half_minute * MOMENT_IDS, (half_minute + 1) * MOMENT_IDS
            span = Span(ids[0] / MICROSECONDS, ids[1] / MICROSECONDS)
            spoken = [words for words in self._excerpt.transcripts(span) if words.source == "speech"]
            for moment in moments_of(group):
                yield self._moment(moment, spoken)

    def _moment(self, moment: Moment, spoken: Iterable[Transcript]) -> Row:
        best = moment.keyframe
        return {
            "session_id": best.session_id,
            "started_at": moment.started_at,
            "ended_at": moment.ended_at,
            "zone_offset_s": best.zone_offset_s,
            "keyframes": moment.keyframes,
            "best_keyframe_id": best.id,
            "file": _path_of(best),
            "words": [words.text for words in spoken if words.session_id == best.session_id],
        }

    def _step(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)


def _iso(at: float, zone_offset_s: int) -> str | None:
    """None for a time that no calendar has, such as an end that never comes."""
    try:
        return local_time(at, zone_offset_s).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None


def _exported(row: Keyframe | Sound) -> Row:
    return {name: value for name, value in asdict(row).items() if name not in NOT_EXPORTED}


def _path_of(keyframe: Keyframe) -> str:
    return own_path("pictures", keyframe.id, keyframe.zone_offset_s, "jpg")
