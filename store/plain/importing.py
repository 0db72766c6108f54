"""Import of an export: the folder of plain files becomes the same memory again, with the same ids and the same bytes.

Nothing is written before every checksum was found right, and all rows come in one transaction: the memory holds the
whole export afterwards, or nothing. This file does not know how the folder was made (store/plain/exporting.py does).
"""

import json
import os
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from store.disk import writing
from store.episodic import EpisodicStore
from store.errors import UserError
from store.packs import Packs
from store.plain.exif import without_time
from store.plain.folder import EXPORT_AGAIN, Exported, Progress, manifest_of, own_path, path_inside, verified
from store.records import Gap, Keyframe, Session, Sound, Transcript, Turn
from store.spans import MICROSECONDS, keyframe_id
from store.transcripts import SOURCES

# In this order a session is there before what belongs to it. Moments are left out: they follow from the keyframes.
TABLES = ("sessions", "keyframes", "sounds", "gaps", "transcripts", "turns", "pins")
RECORDS = {"sessions": Session, "gaps": Gap, "transcripts": Transcript, "turns": Turn}
COLUMNS = {table: tuple(field.name for field in fields(record)) for table, record in RECORDS.items()}
COLUMNS["pins"] = ("id", "started_at", "ended_at", "made_at")
NAMED_AFTER = {"keyframes": "captured_at", "sounds": "started_at"}  # the time that an id is made of
LAST_AT = datetime(9000, 1, 1, tzinfo=UTC).timestamp()  # every zone has a calendar for what lies between 0 and this
DAY_S = 86_400
REFUSED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, dbapi2.Error)
Row = dict[str, Any]


def import_export(directory: Path, store: EpisodicStore, progress: Progress = lambda done, total: None) -> Exported:
    """Make an empty memory that of an export; `progress(done, total)` counts files, verified and then taken back.

    UserError: the memory is not empty, or the export was interrupted, changed, or names what lies elsewhere; it says
    which file. DiskFull, MemoryBusy. After any error the memory is as empty as before.
    """
    exported, checksums_sha256 = manifest_of(directory)
    with store.hold_for_recording():
        _require_empty(store)
        intake = _Import(directory, store, progress, exported.files + exported.keyframes + exported.sounds)
        for _ in verified(directory, checksums_sha256):
            intake.step()
        try:
            with store.database.transaction():
                intake.write()
        except BaseException:
            _empty_packs(store)
            raise
    return exported


class _Import:
    """One export on its way into an empty memory."""

    def __init__(self, directory: Path, store: EpisodicStore, progress: Progress, total: int) -> None:
        self._directory, self._store, self._progress = directory, store, progress
        self._done, self._total = 0, total

    def write(self) -> None:
        """Every row with its file. UserError, naming the line, for one that no export has."""
        for table in TABLES:
            with path_inside(self._directory, f"{table}.jsonl").open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    try:
                        self._keep(table, json.loads(line))
                    except REFUSED as error:
                        where = f"Line {number} of {self._directory / table}.jsonl"
                        raise UserError(f"{where} cannot be taken back: {error!r}.", EXPORT_AGAIN) from error

    def step(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)

    def _keep(self, table: str, row: Row) -> None:
        _require_possible(table, row)
        if table == "keyframes":
            self._keep_keyframe(row)
        elif table == "sounds":
            self._keep_sound(row)
        else:
            if table == "turns":
                row["keyframe_ids"] = json.dumps(row["keyframe_ids"])
            self._insert(table, {column: row[column] for column in COLUMNS[table]})

    def _keep_keyframe(self, row: Row) -> None:
        jpeg = without_time(self._content(row, "pictures", "jpg"))
        packs = self._store.small_packs if row["reduced"] else self._store.packs
        self._store.commit_keyframe(Keyframe(**self._with_place(Keyframe, row, packs, jpeg)))
        if row["read"]:
            self._insert("keyframes_read", {"keyframe_id": row["id"]})
        self.step()

    def _keep_sound(self, row: Row) -> None:
        ogg = self._content(row, "sounds", "ogg")
        self._store.commit_sound(Sound(**self._with_place(Sound, row, self._store.sound_packs, ogg)))
        self.step()

    def _content(self, row: Row, folder: str, suffix: str) -> bytes:
        """The file of a row, which must be the row's own."""
        if row["file"] != own_path(folder, row["id"], row["zone_offset_s"], suffix):
            raise ValueError(f"{row['file']} is not the file of {row['id']}")
        return path_inside(self._directory, row["file"]).read_bytes()

    def _with_place(self, kind: type[Keyframe] | type[Sound], row: Row, packs: Packs, content: bytes) -> Row:
        """The fields of a record, its content being in the pack."""
        pack, offset_bytes, checksum = packs.append(row["id"], content)
        place = {"pack": pack, "offset_bytes": offset_bytes, "length_bytes": len(content), "checksum": checksum}
        return {field.name: {**row, **place}[field.name] for field in fields(kind)}

    def _insert(self, table: str, row: Row) -> None:
        marks = ", ".join("?" * len(row))
        self._store.database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def _require_possible(table: str, row: Row) -> None:
    """ValueError for a row that no memory can have, and that whoever reads it later would stumble over."""
    for name in row:
        if name.endswith("_at") and not 0 <= row[name] < LAST_AT:
            raise ValueError(f"{name} {row[name]} is no time")
    if not abs(row.get("zone_offset_s", 0)) < DAY_S:
        raise ValueError(f"no zone is {row['zone_offset_s']} s from UTC")
    if "ended_at" in row and row["ended_at"] < row["started_at"]:
        raise ValueError("it ends before it begins")
    if table in NAMED_AFTER and not 0 <= row["id"] - keyframe_id(row[NAMED_AFTER[table]]) <= MICROSECONDS:
        raise ValueError(f"{row['id']} is the id of another time")
    if table == "keyframes" and min(row["width_px"], row["height_px"]) < 1:
        raise ValueError(f"no picture has {row['width_px']} x {row['height_px']} pixels")
    if table == "transcripts" and row["source"] not in SOURCES:
        raise ValueError(f"words are not of the source {row['source']!r}")
    if table == "turns" and not _are_ids(row["keyframe_ids"]):
        raise ValueError(f"{row['keyframe_ids']!r} are no keyframe ids")


def _are_ids(found: object) -> bool:
    last_id = keyframe_id(LAST_AT)
    return isinstance(found, list) and all(isinstance(each, int) and 0 <= each <= last_id for each in found)


def _all_packs(store: EpisodicStore) -> tuple[Packs, ...]:
    return store.packs, store.small_packs, store.sound_packs


def _require_empty(store: EpisodicStore) -> None:
    """Bytes without rows are not touched either: they may be all that is left of a memory."""
    pack_bytes = sum(sum(packs.sizes().values()) for packs in _all_packs(store))
    if pack_bytes or any(store.size(table) for table in TABLES):
        raise UserError(
            f"The memory in {store.directory} is not empty.",
            "An export becomes a memory of its own: --memory NEW_FOLDER",
        )


def _empty_packs(store: EpisodicStore) -> None:
    """Take back what was appended to the packs of an empty memory; their rows and keys were never committed."""
    for packs in _all_packs(store):
        for pack in packs.sizes():
            with writing(packs.path(pack)):
                os.truncate(packs.path(pack), 0)
            store.keys.destroy(packs.name(pack))
