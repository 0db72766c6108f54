"""What does it cost to keep a keyframe and to look at it again, and how much room does a day take?

    python benchmarks/storage.py [--keyframes 1000] [--width 1152] [--compressed 896]

Everything is measured in this run, on an encrypted memory, as process CPU time of one thread. Storing is a picture of
100 kB in a pack, its row, and its embedding, each committed by itself; beside it, what the two fsyncs alone cost.
Looking again is 32 random 1080p keyframes, read, opened and decoded, beside decoding the same JPEGs from main memory.
The room is what the files really grew by, with pictures of a simulated home in 1080p as the recorder keeps and the
indexer reduces them by default; a day is 16 hours at 1 fps. How many pictures stay in full is measured by
benchmarks/keyframes.py, and --full-a-second gives it.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from assistant.checkpoints import load
from assistant.indexer import catch_up
from device.camera import open_camera
from device.recorder import record
from store.config import Capture
from store.disk import bytes_under
from store.episodic import EpisodicStore
from store.layout import DATABASE
from store.units import say_bytes

STORED_BYTES = 100_000
RELOADED = 32
ROUNDS = 5
DAY_S, YEAR_DAYS = 16 * 3600, 365
CHECKPOINT = "benchmark"
HOME = "sim://home?seed=900001&minutes=1&width=1920&height=1080"


def cpu_us(do: Callable[[int], object], times: int) -> float:
    """Process CPU microseconds of one call."""
    began_s = time.process_time()
    for number in range(times):
        do(number)
    return (time.process_time() - began_s) / times * 1e6


def pictures_1080p(count: int) -> list[bytes]:
    """JPEGs of a textured scene that differs a little each time, quality 90."""
    chance = np.random.default_rng(7)
    coarse = cv2.resize(chance.integers(0, 256, (68, 120, 3), dtype=np.uint8), (1920, 1080))
    found = []
    for _ in range(count):
        fine = cv2.resize(chance.integers(0, 40, (540, 960, 3), dtype=np.uint8), (1920, 1080))
        _, jpeg = cv2.imencode(".jpg", cv2.add(coarse, fine), [cv2.IMWRITE_JPEG_QUALITY, 90])
        found.append(jpeg.tobytes())
    return found


def fsyncs_alone_us(folder: Path, times: int) -> float:
    """Two files, 100 kB and 4 kB appended, each with its fsync: what durability costs whoever wants it."""
    content = os.urandom(STORED_BYTES)
    big, small = (os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600) for name in "ab")

    def append(_: int) -> None:
        for descriptor, part in ((big, content), (small, content[:4096])):
            os.write(descriptor, part)
            os.fsync(descriptor)

    try:
        return cpu_us(append, times)
    finally:
        os.close(big)
        os.close(small)


def measure_storing(folder: Path, keyframes: int, width: int, compressed_width: int) -> dict[str, float]:
    """CPU microseconds, and bytes a row and an embedding take."""
    content, chance = os.urandom(STORED_BYTES), np.random.default_rng(7)
    recall, compressed = chance.normal(size=(1, width)), chance.normal(size=(1, compressed_width))
    with EpisodicStore.open(folder / "memory") as store, store.hold_for_recording():
        session = store.begin_session("benchmark", 1.7e9, 0, 1.0)
        ids: list[int] = []

        def add(number: int) -> None:
            ids.append(store.add_keyframe(session.id, 1.7e9 + len(ids), 0, content, 1920, 1080, 1.0).id)

        def embed(number: int) -> None:
            store.add_embeddings(CHECKPOINT, [ids[number]], recall, compressed)

        add(0)
        kept = cpu_us(add, keyframes)
        embed(keyframes)
        embedded = cpu_us(embed, keyframes)
        store.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        rows = (folder / "memory" / DATABASE).stat().st_size / len(ids)
        embedding = bytes_under(folder / "memory" / "embeddings") / len(ids)
        if store.vault:
            store.vault.destroy()
    return {
        "picture and row": kept,
        "embedding": embedded,
        "two fsyncs alone": fsyncs_alone_us(folder, keyframes),
        "bytes a row": rows,
        "bytes an embedding": embedding,
    }


def measure_reloading(folder: Path) -> dict[str, float]:
    """CPU milliseconds of 32 random keyframes, and the ratio to decoding alone, medians of a few rounds."""
    chance, jpegs = random.Random(7), pictures_1080p(2 * RELOADED)
    with EpisodicStore.open(folder / "seen") as store:
        session = store.begin_session("benchmark", 1.7e9, 0, 1.0)
        kept = [
            store.add_keyframe(session.id, 1.7e9 + number, 0, jpeg, 1920, 1080, 1.0)
            for number, jpeg in enumerate(jpegs)
        ]
        reloads, decodes = [], []
        for _ in range(ROUNDS):
            chosen = chance.sample(range(len(kept)), RELOADED)
            decodes.append(cpu_us(lambda i, chosen=chosen: decode(jpegs[chosen[i]]), RELOADED))
            reloads.append(cpu_us(lambda i, chosen=chosen: decode(store.jpeg(kept[chosen[i]])), RELOADED))
        if store.vault:
            store.vault.destroy()
    reload_ms, decode_ms = (statistics.median(each) * RELOADED / 1e3 for each in (reloads, decodes))
    return {"reload": reload_ms, "decode": decode_ms, "ratio": reload_ms / decode_ms}


def measure_pictures(folder: Path) -> dict[str, float]:
    """Mean bytes of a home's keyframes as they are recorded, and of those that are reduced."""
    settings = Capture()
    with EpisodicStore.open(folder / "home", encrypt=False) as store:
        record(store, open_camera(HOME, settings.fps), settings)
        full = [keyframe.length_bytes for keyframe in store.keyframes()]
        catch_up(store, load("nano"))
        reduced = [keyframe.length_bytes for keyframe in store.keyframes() if keyframe.reduced]
    return {"in full": statistics.mean(full), "reduced": statistics.mean(reduced)}


def decode(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def print_room(
    console: Console, stored: dict[str, float], picture_bytes: dict[str, float], full_a_second: float
) -> None:
    """A day of 16 hours and a year of them."""
    a_second = {"in full": full_a_second, "reduced": 1 - full_a_second}
    rows = {
        f"pictures {how}, {count:g} a second of {say_bytes(picture_bytes[how])}": DAY_S * count * picture_bytes[how]
        for how, count in a_second.items()
    }
    rows |= {
        "rows": DAY_S * stored["bytes a row"],
        "embeddings": DAY_S * stored["bytes an embedding"],
    }
    rows["together"] = sum(rows.values())
    table = Table("what", "a day of 16 h", "a year", title="Room")
    for name, day_bytes in rows.items():
        table.add_row(name, f"{day_bytes / 1e9:.2f} GB", f"{day_bytes * YEAR_DAYS / 1e9:,.0f} GB")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyframes", type=int, default=1000)
    parser.add_argument("--width", type=int, default=1152, help="numbers in a recall embedding")
    parser.add_argument("--compressed", type=int, default=896, help="numbers in a compressed embedding")
    parser.add_argument("--full-a-second", type=float, default=0.184, help="pictures kept in full")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    console = Console()
    with TemporaryDirectory(prefix="whereabouts-storage-") as folder:
        stored = measure_storing(Path(folder), arguments.keyframes, arguments.width, arguments.compressed)
        reloaded = measure_reloading(Path(folder))
        picture_bytes = measure_pictures(Path(folder))
    table = Table("storing one keyframe", "CPU us", title="Storing")
    for name in ("picture and row", "embedding", "two fsyncs alone"):
        table.add_row(name, f"{stored[name]:.0f}")
    console.print(table)
    console.print(
        f"{RELOADED} random 1080p keyframes: {reloaded['reload']:.0f} ms, decoding alone {reloaded['decode']:.0f} ms, "
        f"ratio {reloaded['ratio']:.3f}"
    )
    print_room(console, stored, picture_bytes, arguments.full_a_second)


if __name__ == "__main__":
    main()
