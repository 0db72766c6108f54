"""A killed recorder and a full disk: nothing acknowledged is lost, and the memory goes on.

The child processes below are real recorders: one is killed at random moments, one runs into a limit on file sizes,
which the kernel answers as it answers a full disk, with half a record written.
"""

import random
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from store.check import check
from store.episodic import EpisodicStore

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

FULL_DISK = """
import resource, sys
from pathlib import Path
from store.check import check
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


@pytest.mark.parametrize(
    ("jpeg_bytes", "room_bytes", "full"),
    [(30_000, 200_000, "packs"), (10, 150_000, "memory.db")],
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
