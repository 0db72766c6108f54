"""What is forgotten is nowhere any more, whoever was at work meanwhile or killed, and nothing else is lost."""

import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.checkpoints import Checkpoint
from assistant.indexer import catch_up
from store.episodic import EpisodicStore
from store.errors import DiskFull, MemoryDamaged
from store.layout import files_of
from store.packs import Place
from store.records import Heard, Keyframe, Reduction, Session, Sound, Span
from store.rewriting import QUICK_BYTES
from store.sealing import BrokenSeal, Encryption
from store.spans import keyframe_id, moment_span, total_s, with_end, worn
from store.upkeep.backup import backup
from store.upkeep.check import check
from store.upkeep.forgetting import forget, plan
from store.upkeep.pins import pin, pins

START = 1_760_000_010.0  # the beginning of a half minute
MINUTES = 12
CHECKPOINT = "nano-1"


def token(kind: str, number: int) -> str:
    """A word that is nowhere else."""
    return "z" + random.Random(f"{kind} {number}").randbytes(8).hex()


def picture(number: int) -> bytes:
    return f"<{token('picture', number)}>".encode() * 400


def fill(store: EpisodicStore, minutes: int = MINUTES) -> Session:
    """A keyframe every 10 s, every third of them reduced, words, sound and embeddings; packs of a minute or two."""
    store.packs._pack_bytes = store.small_packs._pack_bytes = store.sound_packs._pack_bytes = 100_000
    session = store.begin_session("rtsp://glasses", START, 3600, 1.0)
    numbers = range(6 * minutes)
    ids = [add_picture(store, session.id, START + 10 * number, number) for number in numbers]
    sounds = [add_sound(store, session.id, START + 10 * number, number) for number in numbers]
    store.reduce_keyframes([Reduction(ids[n], token("small", n).encode() * 20, 4, 3) for n in numbers if n % 3 == 0])
    store.keep_heard(sounds, [said(session.id, START + 10 * n, n) for n in numbers], keep_sound=True)
    store.keep_read(ids, [said(session.id, START + 10 * n, n, "scene-text") for n in numbers if n % 2])
    embed(store, ids)
    store.end_session(session.id, START + 60 * minutes, "stopped")
    return store.sessions()[0]


def add_picture(store: EpisodicStore, session_id: int, at: float, number: int) -> int:
    return store.add_keyframe(session_id, at, 3600, picture(number), 4, 3, 0.5).id


def add_sound(store: EpisodicStore, session_id: int, at: float, number: int) -> int:
    return store.add_sound(session_id, at, at + 10, 3600, token("sound", number).encode() * 40).id


def said(session_id: int, at: float, number: int, source: str = "speech") -> Heard:
    return Heard(session_id, at + 2, at + 4, f"hello {token(source, number)} there", source, "whisper", 0.5)


def embed(store: EpisodicStore, ids: list[int]) -> None:
    rows = np.random.default_rng(3).normal(size=(len(ids), 8)).astype(np.float32)
    store.add_embeddings(CHECKPOINT, ids, rows, rows[:, :4])


def minutes(first: int, behind: int) -> Span:
    return Span(START + 60 * first, START + 60 * behind)


def traces(directory: Path, span: Span) -> set[str]:
    """What the bytes of any file tell of the keyframes, sounds and words of a span."""
    everything = b"\0".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())
    found = set()
    for number in range(round((span.started_at - START) / 10), round((span.ended_at - START) / 10)):
        names = {f"{kind} {number}": token(kind, number).encode() for kind in KINDS}
        an_id = keyframe_id(START + 10 * number)
        names |= {f"id {number}": struct.pack(">q", an_id), f"little id {number}": struct.pack("<q", an_id)}
        names[f"written id {number}"] = str(an_id).encode()
        found |= {name for name, traced in names.items() if traced in everything}
    return found


KINDS = ("picture", "small", "sound", "speech", "scene-text")


def assert_is_gone(store: EpisodicStore, span: Span) -> None:
    """Nothing of a span is found by any question."""
    assert store.keyframes(span) == store.sounds(span) == store.transcripts(span) == []
    assert store.embedded_count(CHECKPOINT, span) == 0
    first, behind = keyframe_id(span.started_at), keyframe_id(span.ended_at)
    found = store.recall(CHECKPOINT, np.ones(8, np.float32), 10_000)
    assert not [each for each, _ in found if first <= each < behind]
    for number in range(round((span.started_at - START) / 10), round((span.ended_at - START) / 10)):
        assert store.find_words(f"{token('speech', number)} {token('scene-text', number)}") == []
    assert not store.database.rows("SELECT * FROM keyframes_read WHERE keyframe_id NOT IN (SELECT id FROM keyframes)")
    assert not store.database.rows("SELECT * FROM rewrites")


def assert_is_whole(store: EpisodicStore, span: Span) -> None:
    """Every keyframe, sound, word and embedding of a span is what it was."""
    numbers = range(round((span.started_at - START) / 10), round((span.ended_at - START) / 10))
    keyframes = store.keyframes_by_id([keyframe_id(START + 10 * number) for number in numbers])
    for number, keyframe in zip(numbers, keyframes, strict=True):
        small = token("small", number).encode() * 20
        assert store.jpeg(keyframe) == (small if keyframe.reduced else picture(number))
        assert [row.text for row in store.find_words(token("speech", number))] == [said(1, 0, number).text]
    sounds = [sound for sound in store.sounds(span) if sound.started_at >= span.started_at]
    assert [store.sound_bytes(each) for each in sounds] == [token("sound", n).encode() * 40 for n in numbers]
    assert store.indexed_ids(CHECKPOINT, span) == [each.id for each in keyframes]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def store(directory: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(directory) as store:
        fill(store)
        yield store


@pytest.fixture
def plain(directory: Path) -> Iterator[EpisodicStore]:
    """Every byte on disk can be looked at."""
    with EpisodicStore.open(directory, encrypt=False) as store:
        fill(store)
        yield store


def test_of_what_is_forgotten_no_byte_is_left_in_any_file_and_the_rest_is_whole(plain: EpisodicStore, directory: Path):
    assert len(traces(directory, minutes(4, 6))) > 60
    (directory / "memory.db.before-3").write_bytes(b"an older copy")
    receipt = forget(plain, [minutes(4, 6)])
    assert traces(directory, minutes(4, 6)) == set()
    assert receipt.is_wiped and not (directory / "memory.db.before-3").exists()
    assert_is_gone(plain, minutes(4, 6))
    assert_is_whole(plain, Span(START, START + 230))  # the sound before the span ends where it begins
    assert_is_whole(plain, minutes(6, MINUTES))
    assert check(plain).clean


def test_one_forgetting_after_the_other_leaves_no_trace_of_what_had_moved_in_between(
    plain: EpisodicStore, directory: Path
):
    for first in (4, 6, 5, 0, 10):
        forget(plain, [minutes(first, first + 1)])
        assert traces(directory, minutes(first, first + 1)) == set()
    assert check(plain).clean
    assert plain.count() == 6 * (MINUTES - 5)


def test_the_keys_of_what_is_forgotten_are_gone_and_no_other_opens_a_copy_of_its_files(
    store: EpisodicStore, directory: Path, tmp_path: Path
):
    keyframe = store.keyframes(minutes(5, 6))[1]
    old = store.packs.path(keyframe.pack).read_bytes()
    closed = old[keyframe.offset_bytes - 12 : keyframe.offset_bytes + keyframe.length_bytes + 16]
    key = store.database.value("SELECT key FROM keys WHERE file = ?", (store.packs.name(keyframe.pack),))
    assert Encryption(key).open(closed, struct.pack("<q", keyframe.id)) == picture(31)
    receipt = forget(store, [minutes(5, 6)])
    assert receipt.keys >= 4 and store.packs.name(keyframe.pack) in receipt.files
    for row in store.database.rows("SELECT key FROM keys"):
        with pytest.raises(BrokenSeal):
            Encryption(row["key"]).open(closed, struct.pack("<q", keyframe.id))
    assert not store.packs.path(keyframe.pack).exists()
    assert_is_whole(store, minutes(6, MINUTES))
    assert check(store).clean


def test_a_dry_run_counts_what_goes_and_changes_nothing(store: EpisodicStore):
    pin(store, minutes(4, 5))
    store.add_turn(START + 999, "Where is it?", "There.", True, 0.9, "nano", [store.keyframes(minutes(5, 6))[0].id])
    store.add_gap(1, START + 300, START + 302, "lens covered")
    planned = plan(store, [minutes(4, 6)])
    assert (planned.keyframes, planned.sounds, planned.speech, planned.scene_text) == (12, 12, 12, 6)
    assert (planned.embeddings, planned.turns, planned.pins, planned.gaps) == ({CHECKPOINT: 12}, 1, 1, 1)
    assert (planned.seconds, planned.sessions) == (120.0, (1,))
    assert plan(store, [minutes(4, 6)]) == planned and store.count() == 6 * MINUTES
    assert forget(store, [minutes(4, 6)]).destroyed == planned
    assert plan(store, [minutes(4, 6)]).is_nothing and pins(store) == []


def test_every_second_stays_accounted_for_and_other_reasons_are_not_told(store: EpisodicStore):
    store.add_gap(1, START + 230, START + 250, "lens covered")
    store.add_gap(1, START + 300, START + 310, "lens covered")
    forget(store, [minutes(4, 6)])
    told = [(gap.started_at - START, gap.ended_at - START, gap.reason) for gap in store.gaps()]
    assert told == [(230, 240, "lens covered"), (240, 360, "forgotten")]
    assert total_s(worn(store.sessions(), minutes(0, MINUTES))) == 60 * MINUTES
    assert store.coverage(CHECKPOINT).recorded_s == 60 * MINUTES - 130


def test_answers_that_cite_or_quote_it_go_and_others_stay(store: EpisodicStore):
    inside, outside = store.keyframes(minutes(4, 5))[0].id, store.keyframes(minutes(8, 9))[0].id
    quoted = f'I heard "{said(1, 0, 25).text}" at 10:03.'
    store.add_turn(START, "Cites?", "Here.", True, 0.9, "nano", [outside, inside])
    store.add_turn(START, "Quotes?", quoted, True, 0.9, "nano", [outside])
    store.add_turn(START, "Elsewhere?", "There.", True, 0.9, "nano", [outside])
    forget(store, [minutes(4, 5)])
    assert [turn.question for turn in store.turns()] == ["Elsewhere?"]


def test_a_moment_is_forgotten_as_its_whole_half_minute(store: EpisodicStore):
    keyframe = store.keyframes(minutes(4, 5))[4]
    forget(store, [moment_span(keyframe.id)])
    assert [each.captured_at - START for each in store.keyframes(minutes(4, 5))] == [240, 250, 260]


def test_of_a_session_forgotten_as_a_whole_not_even_the_camera_is_known(store: EpisodicStore):
    forget(store, [minutes(0, 6)])
    assert store.sessions()[0].source == "rtsp://glasses"
    forget(store, [minutes(6, MINUTES)])
    (session,) = store.sessions()
    assert (session.source, session.ended_because) == ("forgotten", "forgotten")
    assert check(store).clean and store.count() == 0


def test_a_session_of_a_single_picture_is_forgotten_as_a_whole_and_in_backups_that_come_back(
    store: EpisodicStore, tmp_path: Path
):
    at = START + 60 * MINUTES + 5
    session = store.begin_session("rtsp://glasses", at, 3600, 1.0)
    add_picture(store, session.id, at, 1000)
    store.end_session(session.id, at, "stopped")
    backup(store, tmp_path / "backup")
    (tmp_path / "backup").rename(tmp_path / "in a drawer")
    assert forget(store, [with_end(Span(at, at))]).destroyed.sessions == (session.id,)
    (tmp_path / "in a drawer").rename(tmp_path / "backup")
    forget(store, [minutes(4, 5)])
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        for memory in (store, copy):
            first, forgotten = memory.sessions()
            assert (first.source, forgotten.source, forgotten.ended_because) == ("rtsp://glasses", *2 * ["forgotten"])
            assert memory.keyframes(Span(at - 1, at + 1)) == [] and check(memory).clean


def test_bytes_that_no_row_ever_claimed_go_as_well(directory: Path):
    with EpisodicStore.open(directory, encrypt=False) as store:
        session = store.begin_session("glasses", START, 0, 1.0)
        store.packs._pack_bytes = 10_000
        add_picture(store, session.id, START, 0)
        with store.packs.turn():
            store.packs.append(keyframe_id(START + 5), b"<never acknowledged>")
        for number in range(1, 4):
            add_picture(store, session.id, START + 10 * number, number)
        store.end_session(session.id, START + 40, "stopped")
        forget(store, [Span(START + 4, START + 6)])
        assert len(store.packs.sizes()) > 2 and store.count() == 4
        assert not [path for path in directory.rglob("*.pack") if b"never acknowledged" in path.read_bytes()]
        assert check(store).clean


def test_of_many_words_forgotten_over_time_no_page_of_the_database_keeps_any(directory: Path):
    chance = random.Random(1)  # with it one word stays, if freed pages are only overwritten
    with EpisodicStore.open(directory, encrypt=False) as store:
        store.begin_session("glasses", START, 0, 1.0)
        gone: set[int] = set()
        for round_ in range(20):
            new = range(300 * round_, 300 * round_ + 300)
            extra = [" bus" * chance.choice((1, 5, 50, 300)) for _ in new]
            lines = [token("speech", number) + more for number, more in zip(new, extra, strict=True)]
            times = [START + number for number in new]
            heard = [Heard(1, at, at + 0.5, line, "speech", "x", 1) for at, line in zip(times, lines, strict=True)]
            store.keep_heard([], heard, keep_sound=True)
            began = chance.randrange(new.stop)
            numbers = range(began, min(new.stop, began + chance.randrange(1, 200)))
            forget(store, [Span(START + numbers.start, START + numbers.stop - 0.3)])
            gone.update(numbers)
    left = (directory / "memory.db").read_bytes()
    assert len(gone) > 1000
    assert [number for number in gone if token("speech", number).encode() in left] == []


def test_a_recorder_finds_the_newest_pack_though_those_it_knew_are_gone(store: EpisodicStore, directory: Path):
    session = store.begin_session("phone", START + 3000, 0, 1.0)
    with store.hold_for_recording(), EpisodicStore.open(directory) as other:
        for number in range(1000, 1004):
            add_picture(store, session.id, START + 3 * number, number)
        forget(other, [Span(START + 3000, START + 3001)])
        forget(other, [Span(START + 3003, START + 3004)])
        add_picture(store, session.id, START + 3012, 1004)
        kept = store.keyframes(Span(START + 3000, START + 4000))
        assert [store.jpeg(each) for each in kept] == [picture(number) for number in (1002, 1003, 1004)]


def test_what_was_on_its_way_when_it_was_forgotten_is_let_go(plain: EpisodicStore, directory: Path):
    sound, keyframe = plain.sounds(minutes(4, 5))[0], plain.keyframes(minutes(4, 5))[1]
    stale = plain.keyframes(minutes(6, 7))[1]
    forget(plain, [minutes(4, 5)])
    add_picture(plain, 1, START + 245, 24)
    add_sound(plain, 1, START + 239, 24)
    plain.keep_heard([sound.id], [said(1, START + 240, 24)], keep_sound=True)
    plain.keep_read([keyframe.id], [said(1, START + 250, 25, "scene-text")])
    plain.reduce_keyframes([Reduction(keyframe.id, token("small", 25).encode(), 4, 3)])
    embed(plain, [keyframe.id])
    assert plain.jpeg(stale) == picture(37)  # a row that somebody held while its bytes moved
    assert plain.sound_bytes(replace(plain.sounds(minutes(6, 7))[1], pack=1))
    plain.close()
    with EpisodicStore.open(directory, create=False) as reopened:
        assert_is_gone(reopened, minutes(4, 5))
        assert check(reopened).clean
    assert traces(directory, minutes(4, 5)) == set()


RECORDER = """
import sys, time
from pathlib import Path
from store.episodic import EpisodicStore
with EpisodicStore.open(Path(sys.argv[1])) as store, store.hold_for_recording():
    store.packs._pack_bytes = 200_000
    session = store.begin_session("glasses", time.time(), 0, 10.0)
    gap = store.add_gap(session.id, time.time(), time.time(), "lens covered")
    number = 0
    while not Path(sys.argv[2]).exists():
        at = time.time()
        store.add_keyframe(session.id, at, 0, b"%r" % at * 500, 4, 3, 0.5)
        if number % 5 == 0:
            store.add_sound(session.id, at - 0.05, at, 0, b"sound")
            store.beat(session.id, at)
            store.extend_gap(gap.id, at)
        number += 1
        print(at, flush=True)
        time.sleep(0.005)
    store.end_session(session.id, time.time(), "stopped")
"""


def test_the_last_seconds_are_forgotten_beside_a_live_recorder_which_goes_on(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    stop = tmp_path / "stop"
    recorder = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(directory), str(stop)], stdout=subprocess.PIPE, text=True
    )
    assert recorder.stdout is not None
    began = float(recorder.stdout.readline())
    time.sleep(1.0)
    with EpisodicStore.open(directory, create=False) as store:
        store.packs._pack_bytes = 200_000
        spans = []
        for quick_bytes in (QUICK_BYTES, QUICK_BYTES, 0):
            monkeypatch.setattr("store.rewriting.QUICK_BYTES", quick_bytes)
            now = time.time()
            spans.append(Span(now - 0.4, now))
            receipt = forget(store, spans[-1:])
            assert receipt.destroyed.keyframes > 5 and receipt.is_wiped == (quick_bytes > 0)
            time.sleep(0.3)
        stop.touch()
        rest, _ = recorder.communicate(timeout=60)
        assert recorder.returncode == 0
        told = [began, *map(float, rest.split())]
        kept = [at for at in told if not any(span.started_at <= at < span.ended_at for span in spans)]
        assert [each.captured_at for each in store.keyframes()] == kept
        assert [store.jpeg(each) for each in store.keyframes()] == [b"%r" % at * 500 for at in kept]
        assert kept[-1] > spans[-1].ended_at and all(store.sounds(span) == [] for span in spans)
        for span in spans:
            assert store.coverage(CHECKPOINT, span).recorded_s == pytest.approx(0, abs=1e-6)
        last = store.gaps()[-1]
        assert last.reason == "lens covered" and last.started_at >= spans[-1].ended_at
        assert check(store).clean
    with EpisodicStore.open(directory, create=False) as store:
        assert store.database.rows("SELECT * FROM rewrites") == []


# Forgets every other minute; all but the first forgetter are killed at some step of theirs, whichever comes then: a
# statement, or whatever makes a file last or go. The next one goes on with what the one before left.
FORGETTER = """
import os, random, signal, sys
from pathlib import Path
from store.episodic import EpisodicStore
from store.upkeep.forgetting import forget
from store.records import Span

memory, start, chance = Path(sys.argv[1]), float(sys.argv[2]), random.Random(7)
STEPS = {"execute", "fsync", "unlink", "truncate", "writelines"}

def forget_minute(minute, last_step):
    def count(frame, event, function):
        nonlocal steps
        if event == "c_call" and function.__name__ in STEPS:
            steps += 1
            if steps == last_step:
                os.kill(os.getpid(), signal.SIGKILL)
    steps = 0
    sys.setprofile(count)
    with EpisodicStore.open(memory) as store:
        store.packs._pack_bytes = 100_000
        forget(store, [Span(start + 60 * minute, start + 60 * minute + 60)])
    sys.setprofile(None)
    return steps

all_steps, killed = forget_minute(0, 0), 0
for minute in range(2, 64, 2):
    child = os.fork()
    if child == 0:
        forget_minute(minute, chance.randrange(all_steps // 4, all_steps))
        os._exit(0)
    killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
print(killed)
"""


@pytest.mark.slow
@pytest.mark.parametrize("encrypt", [False, True])
def test_whoever_is_killed_while_forgetting_nothing_comes_back_and_nothing_else_is_lost(directory: Path, encrypt: bool):
    with EpisodicStore.open(directory, encrypt=encrypt) as store:
        fill(store, 65)
    ran = subprocess.run(
        [sys.executable, "-c", FORGETTER, str(directory), str(START)], capture_output=True, text=True, timeout=250
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) == 31
    with EpisodicStore.open(directory, create=False) as store:
        assert store.database.rows("SELECT * FROM rewrites") == []
        gone = [gap for gap in store.gaps() if gap.reason == "forgotten"]
        assert len(gone) > 15
        for minute in range(65):
            span = minutes(minute, minute + 1)
            if any(gap.started_at <= span.started_at < gap.ended_at for gap in gone):
                assert store.keyframes(span) == []
                assert encrypt or traces(directory, span) == set()
            else:
                assert_is_whole(store, Span(span.started_at, span.ended_at - 10))
        assert check(store).clean


def test_a_backup_within_reach_forgets_as_well_and_one_that_is_away_is_told(store: EpisodicStore, tmp_path: Path):
    here, away = tmp_path / "here", tmp_path / "away"
    backup(store, here)
    backup(store, away)
    away.rename(tmp_path / "in a drawer")
    planned = plan(store, [minutes(4, 6)])
    assert (planned.backups, planned.absent) == ((str(here),), (str(away),))
    receipt = forget(store, [minutes(4, 6)])
    assert receipt.reached == (str(here),) and list(receipt.unreached) == [str(away)]
    (tmp_path / "in a drawer").rename(away)
    again = forget(store, [minutes(4, 6)])
    assert again.destroyed.is_nothing and again.files == () and again.reached == (str(away), str(here))
    for directory in (here, away):
        with EpisodicStore.open(directory, create=False) as copy:
            assert_is_gone(copy, minutes(4, 6))
            assert_is_whole(copy, minutes(6, MINUTES))
            assert check(copy).clean


def test_a_backup_that_forgot_is_renewed_into_the_same_as_its_memory(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    forget(store, [minutes(4, 6)])
    for file in files_of(store.directory):  # as if both had been written anew at once and were as long
        there = tmp_path / "backup" / file
        if there.exists() and there.stat().st_size == (store.directory / file).stat().st_size:
            assert there.stat().st_mtime == 0 or there.read_bytes() == (store.directory / file).read_bytes()
    backup(store, tmp_path / "backup")
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert_is_whole(copy, minutes(6, MINUTES))
        assert_is_gone(copy, minutes(4, 6))
        assert check(copy).clean


@pytest.mark.parametrize("step", ["copy_database", "_close_log"])
def test_of_a_first_backup_that_was_interrupted_nothing_stays(
    plain: EpisodicStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    with monkeypatch.context() as power_cut:
        power_cut.setattr(f"store.upkeep.backup.{step}", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            backup(plain, tmp_path / "backup")
    assert traces(tmp_path / "backup", minutes(4, 6))
    receipt = forget(plain, [minutes(4, 6)])
    assert receipt.reached == (str(tmp_path / "backup"),) and not receipt.unreached
    assert [path.name for path in (tmp_path / "backup").rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    backup(plain, tmp_path / "backup")
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert_is_gone(copy, minutes(4, 6))
        assert_is_whole(copy, minutes(6, MINUTES))


def test_backups_forget_what_a_full_disk_keeps_the_memory_from_rewriting(
    store: EpisodicStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(rows: object, pack: int) -> None:
        raise DiskFull("It is full.")

    backup(store, tmp_path / "backup")
    monkeypatch.setattr(store.packs, "copy", full)
    with pytest.raises(DiskFull, match="It is full"):
        forget(store, [minutes(4, 6)])
    with EpisodicStore.open(tmp_path / "backup", create=False) as copy:
        assert_is_gone(copy, minutes(4, 6))


def test_a_backup_under_an_older_keeper_forgets_and_gets_the_new_passphrase(store: EpisodicStore, tmp_path: Path):
    backup(store, tmp_path / "backup")
    assert store.vault is not None
    store.vault.with_passphrase("correct horse battery").lock()
    assert not forget(store, [minutes(4, 6)]).unreached
    assert (tmp_path / "backup" / "keys.json").read_bytes() == (store.directory / "keys.json").read_bytes()


def test_a_backup_that_was_away_has_forgotten_once_it_is_renewed(plain: EpisodicStore, tmp_path: Path):
    backup(plain, tmp_path / "backup")
    (tmp_path / "backup").rename(tmp_path / "in a drawer")
    forget(plain, [minutes(4, 6)])
    (tmp_path / "in a drawer").rename(tmp_path / "backup")
    backup(plain, tmp_path / "backup")
    assert traces(tmp_path / "backup", minutes(4, 6)) == set()


def test_a_damaged_picture_stays_damaged_and_keeps_nobody_from_forgetting(store: EpisodicStore):
    keyframe = store.keyframes(minutes(6, 7))[1]
    with store.packs.path(keyframe.pack).open("r+b") as pack:
        pack.seek(keyframe.offset_bytes)
        pack.write(os.urandom(9))
    forget(store, [minutes(4, 6), minutes(7, 8)])
    assert_is_gone(store, minutes(4, 6))
    with pytest.raises(MemoryDamaged):
        store.jpeg(keyframe)
    assert_is_whole(store, minutes(8, MINUTES))


def test_forgetting_goes_on_where_a_full_disk_stopped_it(store: EpisodicStore, monkeypatch: pytest.MonkeyPatch):
    def full(rows: object, pack: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.packs, "copy", full)
        with pytest.raises(OSError, match="No space"):
            forget(store, [minutes(4, 6)])
    assert store.keyframes(minutes(4, 6)) == []
    store.close()
    with EpisodicStore.open(store.directory) as reopened:
        assert_is_gone(reopened, minutes(4, 6))
        assert_is_whole(reopened, minutes(6, MINUTES))


def test_a_picture_that_is_reduced_while_it_is_copied_does_not_stay_in_full(
    plain: EpisodicStore, directory: Path, monkeypatch: pytest.MonkeyPatch
):
    copy, (_, second) = plain.packs.copy, [each for each in plain.keyframes(minutes(6, 7)) if not each.reduced][:2]

    def copy_and_reduce(rows: Iterable[Keyframe | Sound], pack: int) -> dict[int, Place]:
        places = copy(rows, pack)
        if second.id in places and not plain.keyframe(second.id).reduced:
            with EpisodicStore.open(directory) as indexer:
                indexer.reduce_keyframes([Reduction(second.id, b"small", 4, 3)])
        return places

    monkeypatch.setattr(plain.packs, "copy", copy_and_reduce)
    forget(plain, [minutes(4, 6), Span(START + 360, START + 365), minutes(7, 8)])
    number = round((second.captured_at - START) / 10)
    assert plain.jpeg(plain.keyframe(second.id)) == b"small"
    assert traces(directory, Span(second.captured_at, second.captured_at + 10)).isdisjoint({f"picture {number}"})
    assert check(plain).clean and plain.database.rows("SELECT * FROM rewrites") == []


class Meanwhile(EpisodicStore):
    """Somebody forgets a minute, in another process, after so many pictures were read."""

    pictures_left = 3

    def jpeg(self, keyframe: Keyframe) -> bytes:
        self.pictures_left -= 1
        if self.pictures_left == 0:
            with EpisodicStore.open(self.directory) as other:
                forget(other, [Span(START + 10, START + 70)])
        return super().jpeg(keyframe)


def test_an_indexer_goes_on_where_pictures_are_forgotten_under_its_hands(tiny_checkpoint: Checkpoint, directory: Path):
    noise = np.random.default_rng(0)
    with Meanwhile.open(directory) as store:
        session = store.begin_session("glasses", START, 0, 1.0)
        for number in range(100):
            image = cv2.imencode(".jpg", noise.integers(0, 256, (48, 64, 3), dtype=np.uint8))[1].tobytes()
            store.add_keyframe(session.id, START + number, 0, image, 64, 48, 0.5)
        store.end_session(session.id, START + 100, "stopped")
        assert catch_up(store, tiny_checkpoint) == 40
        assert store.indexed_ids(tiny_checkpoint.key) == store.keyframe_ids()
        assert check(store).clean


seconds = st.integers(0, 100)


@settings(max_examples=40, deadline=None)
@given(gaps=st.lists(st.tuples(seconds, seconds), max_size=4), spans=st.lists(st.tuples(seconds, seconds), max_size=3))
def test_whatever_gaps_there_were_the_forgotten_seconds_are_forgotten_and_the_others_as_before(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[tuple[int, int]], spans: list[tuple[int, int]]
):
    directory = tmp_path_factory.mktemp("gaps")
    with EpisodicStore.open(directory, encrypt=False) as store:
        session = store.begin_session("camera", 1010.0, 0, 1.0)
        for began, ended in gaps:
            store.add_gap(session.id, 1000.0 + min(began, ended), 1000.0 + max(began, ended), "lens covered")
        store.end_session(session.id, 1090.0, "stopped")
        before = store.gaps()
        forget(store, [Span(1000.0 + min(each), 1000.0 + max(each)) for each in spans])
        for second in range(1010, 1090):
            at = second + 0.5
            wanted = {gap.reason for gap in before if gap.started_at <= at < gap.ended_at}
            if any(min(each) <= at - 1000 < max(each) for each in spans):
                wanted = {"forgotten"}
            assert {gap.reason for gap in store.gaps() if gap.started_at <= at < gap.ended_at} == wanted
    shutil.rmtree(directory)


def test_the_gap_that_a_recorder_makes_longer_stays_its_own(store: EpisodicStore):
    session = store.begin_session("phone", START + 1000, 0, 1.0)
    gap = store.add_gap(session.id, START + 1000, START + 1020, "lens covered")
    store.beat(session.id, START + 1020)
    forget(store, [Span(START + 990, START + 1010), Span(START + 1015, START + 1018)])
    store.extend_gap(gap.id, START + 1030)
    told = [(each.started_at - START, each.ended_at - START, each.reason) for each in store.gaps()]
    assert told == [
        (1000, 1010, "forgotten"),
        (1010, 1015, "lens covered"),
        (1015, 1018, "forgotten"),
        (1018, 1030, "lens covered"),
    ]
