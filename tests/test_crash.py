"""A killed recorder and a full disk: nothing acknowledged is lost, and the memory goes on.

The child processes below are real recorders: some are killed at random moments, one runs into a limit on file sizes,
which the kernel answers as it answers a full disk, with half a record written.
"""

import random
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from store.episodic import EpisodicStore
from store.upkeep.check import check
from tests.accounting import unaccounted

KILLS = 20

RECORDER = """
import random, sys, zlib
from pathlib import Path
from store.episodic import EpisodicStore

chance = random.Random(int(sys.argv[2]))
store = EpisodicStore.open(Path(sys.argv[1]))
with store.hold_for_recording():
    session = store.begin_session("camera", 1e9, 0, 2.0)
    for number in range(1_000_000):
        jpeg = chance.randbytes(chance.randrange(1, 400_000))
        keyframe = store.add_keyframe(session.id, 1e9 + number, 0, jpeg, 640, 480, 0.5)
        print(keyframe.id, zlib.crc32(jpeg), flush=True)
"""

# One process loads everything once and forks a recorder for each kill; each goes on with the session before it.
KILLER = """
import os, random, signal, sys, time, zlib
from itertools import count
from pathlib import Path
import numpy as np
from device.frame import Frame
from device.recording import Recording
from store.config import Capture
from store.episodic import EpisodicStore

memory, kills, chance = Path(sys.argv[1]), int(sys.argv[2]), random.Random(200)

def record(start_at, told):
    noise = np.random.default_rng()
    def tell(keyframe):
        os.write(told, b"%d %d %f\\n" % (keyframe.id, zlib.crc32(store.jpeg(keyframe)), keyframe.captured_at))
    with EpisodicStore.open(memory) as store, store.hold_for_recording():
        recording = Recording(store, "camera", Capture(fps=1.0), reopen_within_s=900, on_keyframe=tell)
        for tick in count():
            if tick % 17 in (12, 13, 14, 15, 16):
                recording.lapse("camera unplugged", start_at + tick)
            else:
                image = noise.integers(0, 256, (48, 64, 3), dtype=np.uint8)
                recording.take(Frame(image, start_at + tick, 0))

at = 1.7e9
for kill in range(kills):
    heard, told = os.pipe()
    recorder = os.fork()
    if recorder == 0:
        try:
            record(at, told)
        finally:
            os._exit(9)
    os.close(told)
    time.sleep(chance.uniform(0, 0.15))
    os.kill(recorder, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(recorder, 0)[1]) == -signal.SIGKILL
    with os.fdopen(heard, "rb") as lines:
        for line in lines.read().splitlines():
            print(line.decode())
            at = max(at, float(line.split()[2]))
    at += chance.randrange(10, 100)
"""

FULL_DISK = """
import resource, sys
from pathlib import Path
from store.upkeep.check import check
from store.episodic import EpisodicStore
from store.errors import DiskFull

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def add(number, size):
    return store.add_keyframe(session.id, 1e9 + number, 0, bytes([number % 256]) * size, 640, 480, 0.5)

store = EpisodicStore.open(Path(sys.argv[1]))
with store.hold_for_recording():
    session = store.begin_session("camera", 1e9, 0, 2.0)
    size, room = int(sys.argv[2]), int(sys.argv[3])
    limit(room)
    kept = []
    try:
        for number in range(1000):
            kept.append(add(number, size))
    except DiskFull as error:
        print(error.message)
    with EpisodicStore.open(Path(sys.argv[1])) as asker:
        assert asker.keyframes() == kept
    limit(resource.RLIM_INFINITY)
    assert 0 < len(kept) < 1000, len(kept)
    assert [keyframe.id for keyframe in store.keyframes()] == [keyframe.id for keyframe in kept]
    assert check(store).clean
    kept.append(add(2000, size))
with EpisodicStore.open(Path(sys.argv[1])) as reopened:
    assert reopened.keyframes() == kept
    assert check(reopened).clean
"""


def kill_after(memory: Path, seed: int, delay_s: float) -> dict[int, int]:
    """Record until `delay_s` after the first acknowledgement, then SIGKILL; the acknowledged ids and checksums."""
    recorder = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(memory), str(seed)], stdout=subprocess.PIPE, text=True
    )
    assert recorder.stdout is not None
    first = recorder.stdout.readline()
    time.sleep(delay_s)
    recorder.kill()
    lines = [first, *recorder.stdout.read().splitlines(keepends=True)]
    recorder.wait()
    return {int(line.split()[0]): int(line.split()[1]) for line in lines if line.endswith("\n")}


@pytest.mark.slow
def test_a_recorder_killed_at_any_moment_loses_nothing_it_acknowledged(tmp_path: Path):
    chance = random.Random(20)
    acknowledged: dict[int, int] = {}
    for kill in range(KILLS):
        acknowledged |= kill_after(tmp_path, kill, chance.uniform(0, 0.15))
        with EpisodicStore.open(tmp_path, create=False) as store:
            last = store.sessions()[-1]
            assert (last.id, last.ended_because) == (kill + 1, "process killed")
            assert last.ended_at == max(each.captured_at for each in store.keyframes_of_session(last.id))
            assert check(store).clean
            found = {each.id: zlib.crc32(store.jpeg(each)) for each in store.keyframes_by_id(list(acknowledged))}
            assert found == acknowledged
    assert len(acknowledged) > KILLS


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing_acknowledged_and_leave_no_second_unaccounted(tmp_path: Path):
    ran = subprocess.run([sys.executable, "-c", KILLER, str(tmp_path), "200"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    acknowledged = {int(line.split()[0]): int(line.split()[1]) for line in ran.stdout.splitlines()}
    with EpisodicStore.open(tmp_path, create=False) as store:
        assert check(store).clean
        assert {
            each.id: zlib.crc32(store.jpeg(each)) for each in store.keyframes_by_id(list(acknowledged))
        } == acknowledged
        [session] = store.sessions()
        assert session.ended_because == "process killed"
        reasons = [gap.reason for gap in store.gaps()]
        assert reasons.count("process killed") > 100 and reasons.count("camera unplugged") > 20
        assert unaccounted(store) == []
    assert len(acknowledged) > 1000


@pytest.mark.parametrize(
    ("jpeg_bytes", "room_bytes", "full"),
    [(60_000, 400_000, "packs"), (10, 600_000, "memory.db")],
    ids=["in the pack", "in the database"],
)
def test_a_full_disk_stops_recording_and_room_lets_it_go_on(
    tmp_path: Path, jpeg_bytes: int, room_bytes: int, full: str
):
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(jpeg_bytes), str(room_bytes)],
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    assert f"{tmp_path / full} cannot be written" in child.stdout
