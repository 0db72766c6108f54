"""SIGKILL at five hundred random moments of recording, indexing, sealing, forgetting, migrating and backing up."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from store.episodic import EpisodicStore
from store.records import Span
from store.upkeep.check import check
from store.upkeep.forgetting import forget

KILLS = 500

# One process loads everything once and forks a worker for each kill. A worker tells what is acknowledged.
KILLER = """
import json, os, random, select, shutil, signal, sys, time, zlib
from itertools import count
from pathlib import Path
import numpy as np
import store.recall.sealed
from store.upkeep.backup import backup
from store.episodic import EpisodicStore
from store.upkeep.forgetting import forget
from store.records import Heard, Span

store.recall.sealed.ALL_COMPARED = 300
home, kills, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(500)
memory, old = home / "memory", home / "old"

def record(tell, number):
    start = 1.7e9 + 20_000 * number  # a new day every four kills
    with EpisodicStore.open(memory) as memory_store, memory_store.hold_for_recording():
        session = memory_store.begin_session("camera", start, 0, 1.0)
        for tick in count():
            jpeg = b"picture %d %d " % (number, tick) * chance.randrange(1, 300)
            kept = memory_store.add_keyframe(session.id, start + tick, 0, jpeg, 640, 480, 0.5)
            tell("kept", kept.id, zlib.crc32(jpeg))
            said = Heard(session.id, start + tick, start + tick + 1, f"word{number}x{tick}", "speech", "x", 1.0)
            memory_store.keep_heard([], [said], True)

def index(tell, number):
    with EpisodicStore.open(memory) as memory_store:
        while True:
            ids = [each.id for each in memory_store.unindexed("nano", 7)]
            rows = np.random.default_rng(number).normal(size=(len(ids), 16))
            if ids:
                memory_store.add_embeddings("nano", ids, rows, rows)
                tell("indexed", number, len(ids))
            else:
                return seal(tell, number)

def seal(tell, number):
    with EpisodicStore.open(memory) as memory_store:
        tell("sealed", number, memory_store.seal("nano"))
        shards = [row["id"] for row in memory_store.database.rows("SELECT id FROM shards WHERE sealed_in IS NOT NULL")]
        for shard in shards[:1]:  # and once more
            memory_store.drop_shard(shard)
        index(tell, number)

def forget_some(tell, number):
    with EpisodicStore.open(memory) as memory_store:
        while True:
            chosen = chance.choice(memory_store.keyframe_ids() or [0])
            span = Span(chosen / 1e6 - 1, chosen / 1e6 + chance.uniform(0, 3))
            tell("forgetting", span.started_at, span.ended_at)
            forget(memory_store, [span])
            tell("forgotten", span.started_at, span.ended_at)

def migrate(tell, number):
    folder = home / f"old-{number}"
    shutil.copytree(old, folder)
    tell("migrating", number, 0)
    EpisodicStore.open(folder).close()

def back_up(tell, number):
    with EpisodicStore.open(memory) as memory_store:
        while True:
            backup(memory_store, home / "backup")
            with memory_store.hold_for_recording():
                session = memory_store.begin_session("camera", 1.7e9 + 20_000 * number, 0, 1.0)
                kept = memory_store.add_keyframe(session.id, session.started_at, 0, b"more", 640, 480, 0.5)
            tell("kept", kept.id, zlib.crc32(b"more"))

works = [record, index, forget_some, back_up, migrate, seal]
for number in range(kills):
    work = record if number == 0 else works[number % len(works)]
    heard, told = os.pipe()
    worker = os.fork()
    if worker == 0:
        try:
            work(lambda *line: os.write(told, json.dumps(line).encode() + b"\\n"), number)
        except BaseException as error:
            os.write(2, f"{work.__name__} {number}: {error!r}\\n".encode())
        finally:
            os._exit(0)
    os.close(told)
    lines, wanted, end_s = b"", chance.randrange(1, 4 if work is forget_some else 9), time.monotonic() + 10
    while lines.count(b"\\n") < wanted and select.select([heard], [], [], max(0, end_s - time.monotonic()))[0]:
        if not (part := os.read(heard, 4096)):
            break
        lines += part
    time.sleep(chance.uniform(0, 0.03))
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    while part := os.read(heard, 65536):
        lines += part
    os.close(heard)
    sys.stdout.buffer.write(lines[: lines.rfind(b"\\n") + 1])
"""


def plain_and_old(folder: Path) -> None:
    """A memory as the version before this one made them, with one picture."""
    import sqlcipher3

    from store.schema import MIGRATIONS

    folder.mkdir()
    connection = sqlcipher3.connect(str(folder / "memory.db"))
    for migration in MIGRATIONS[:2]:
        connection.executescript(migration)
    connection.executescript(
        "PRAGMA user_version = 2; PRAGMA journal_mode = WAL;"
        "INSERT INTO sessions VALUES (1, 'glasses', 100.0, 0, 1.0, 200.0, 200.0, 'film ended');"
    )
    rows = [(number * 1_000_000, 1, float(number), 0, 640, 480, 0.5, 1, 20, 9, 0, 0) for number in range(100, 200)]
    connection.executemany("INSERT INTO keyframes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()


@pytest.mark.slow
def test_five_hundred_kills_lose_nothing_acknowledged_and_bring_nothing_forgotten_back(tmp_path: Path) -> None:
    plain_and_old(tmp_path / "old")
    ran = subprocess.run([sys.executable, "-c", KILLER, str(tmp_path), str(KILLS)], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    kept = {first: second for kind, first, second in told if kind == "kept"}
    begun = [Span(first, second) for kind, first, second in told if kind == "forgetting"]
    done = [Span(first, second) for kind, first, second in told if kind == "forgotten"]
    assert len(kept) > KILLS // 2 and len(done) > KILLS // 20

    def inside(keyframe_id: int, spans: list[Span]) -> bool:
        return any(int(span.started_at * 1e6) <= keyframe_id < int(span.ended_at * 1e6) for span in spans)

    with EpisodicStore.open(tmp_path / "memory", create=False) as store:
        forget(store, [])  # what was interrupted is finished, in the backup as well
        assert list(check(store).problems) == []
        found = {each.id: zlib.crc32(store.jpeg(each)) for each in store.keyframes()}
        assert {each: crc for each, crc in kept.items() if not inside(each, begun)}.items() <= found.items()
        assert not [each for each in found if inside(each, done)]
        assert set(store.indexed_ids("nano")) <= set(found)
        assert all(not inside(int(row.started_at * 1e6), done) for row in store.transcripts())
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert list(check(copy).problems) == []
        assert not [each.id for each in copy.keyframes() if copy.jpeg(each) and inside(each.id, done)]
    for _, number, _ in (line for line in told if line[0] == "migrating"):
        with EpisodicStore.open(tmp_path / f"old-{number}", create=False) as migrated:
            assert migrated.count() == 100 and len(migrated.sessions()) == 1
