"""A small memory with something of everything, and how to look at it and at what was exported of it."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from device.opus import encode
from store.episodic import EpisodicStore
from store.records import Heard, Reduction, Span

START = 1_795_162_500.0  # 2026-11-20 08:15:00 UTC, the beginning of a half minute
BERLIN_S, HELSINKI_S = 3600, 7200
NASTY = "Tom & Jerry: <b>5 > 3</b> --> \n\n00:00.000 --> ok"


def fill(store: EpisodicStore) -> None:
    """Two sessions that overlap, in two zones, and a third of which only words are kept."""
    kitchen = store.begin_session("glasses in the Küche", START, BERLIN_S, 1.0)
    ids = [add_picture(store, kitchen.id, at, BERLIN_S, (160, 120)) for at in (0, 1, 2.123456, 2.123456, 10, 31, 40)]
    store.add_gap(kitchen.id, START + 20, START + 30, "lens covered")
    store.add_gap(kitchen.id, START + 50, START + 60, "forgotten")
    silence = encode(np.zeros(16_000, np.int16))
    sounds = [store.add_sound(kitchen.id, START + at, START + at + 10, BERLIN_S, silence).id for at in (0, 10, 40)]
    said = [Heard(kitchen.id, START + 1, START + 3, NASTY, "speech", "whisper", 0.5)]
    store.keep_heard(sounds[:1], said, keep_sound=True)
    written = [Heard(kitchen.id, START + 2, START + 31, "EXIT", "scene-text", "rapidocr", 0.9)]
    store.keep_read(ids[:3], written)
    store.add_note(kitchen.id, Span(START + 31, START + 40), "lent to\nAnna")
    store.reduce_keyframes([Reduction(ids[1], jpeg_of("blue", (40, 30)), 40, 30)])
    street = store.begin_session("phone", START + 35, HELSINKI_S, 2.0)
    for at in (35, 36.5, 60):
        add_picture(store, street.id, at, HELSINKI_S, (64, 98))
    store.end_session(kitchen.id, START + 60, "stopped")
    store.end_session(street.id, START + 70, "camera unplugged")
    diary = store.begin_session("dictaphone", START + 100, BERLIN_S, 1.0)
    store.keep_heard([], [Heard(diary.id, START + 101, START + 102, "good night", "speech", "whisper", 0.7)], True)
    store.end_session(diary.id, START + 110, "stopped")
    store.add_turn(START + 65, "Where are my keys?", "On the table.", True, 0.8, "nano", ids[:2])
    store.add_turn(START + 500, "And my wallet?", "I do not know.", False, 0.1, "nano", [])
    store.database.insert("pins", {"started_at": START + 5, "ended_at": START + 15, "made_at": START + 200})


def add_picture(store: EpisodicStore, session_id: int, at_s: float, zone_offset_s: int, size: tuple[int, int]) -> int:
    jpeg = jpeg_of((int(at_s * 5) % 256, 200, 40), size)
    return store.add_keyframe(session_id, START + at_s, zone_offset_s, jpeg, *size, 0.25).id


def jpeg_of(
    colour: str | tuple[int, int, int], size: tuple[int, int] = (32, 24), exif: Image.Exif | None = None
) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG", quality=90, exif=exif or Image.Exif())
    return file.getvalue()


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """What was exported of one table."""
    return [json.loads(line) for line in (folder / f"{table}.jsonl").read_text().splitlines()]


def contents(store: EpisodicStore) -> dict[str, Any]:
    """All that a memory holds but where the bytes lie."""
    tables = ("sessions", "gaps", "transcripts", "turns", "pins", "keyframes_read")
    elsewhere = ("pack", "offset_bytes", "checksum")
    pictures = [(asdict(each), store.jpeg(each)) for each in store.keyframes()]
    sounds = [(asdict(each), store.sound_bytes(each)) for each in store.sounds()]
    return {
        **{table: store.database.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables},
        **{
            table: [({name: row[name] for name in row if name not in elsewhere}, content) for row, content in found]
            for table, found in (("keyframes", pictures), ("sounds", sounds))
        },
    }


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path, but the manifest, which has the time of the export."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "whereabouts.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
