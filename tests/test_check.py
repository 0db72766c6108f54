"""The check finds what is broken, names it, and leaves what is merely unclaimed alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from store.episodic import EpisodicStore
from store.form import HEADER_BYTES, EncryptedForm
from store.packs import Packs
from store.records import Reduction
from store.upkeep.check import check
from store.upkeep.contents import BATCH_ROWS

RECORD_BYTES = HEADER_BYTES + 100 + EncryptedForm.trailer_bytes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        session = store.begin_session("film", 1000.0, 0, 2)
        ids = [store.add_keyframe(session.id, 1000.0 + at, 0, bytes(100), 4, 3, 0.5).id for at in range(3)]
        store.end_session(session.id, 1003.0, "film ended")
        store.add_embeddings("nano", ids, np.ones((3, 4)), np.ones((3, 2)))
        yield store


def kinds(store: EpisodicStore) -> list[str]:
    return [problem.kind for problem in check(store).problems]


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_whole_memory_is_clean_and_counted(store: EpisodicStore):
    report = check(store)
    assert report.clean
    assert (report.sessions, report.keyframes, report.packs, report.embeddings) == (1, 3, 1, {"nano": 3})
    assert (report.pack_bytes, report.orphan_bytes, report.orphans) == (3 * RECORD_BYTES, 0, [])


def test_an_empty_memory_is_clean(tmp_path: Path):
    with EpisodicStore.open(tmp_path / "empty") as store:
        assert check(store).clean


def test_a_plain_memory_is_checked_by_its_checksums(tmp_path: Path):
    with EpisodicStore.open(tmp_path / "plain", encrypt=False) as store:
        session = store.begin_session("film", 1000.0, 0, 2)
        store.add_keyframe(session.id, 1000.0, 0, bytes(100), 4, 3, 0.5)
        assert (check(store).clean, check(store).orphan_bytes) == (True, 0)
        flip(store.packs.path(1), HEADER_BYTES)
        assert kinds(store) == ["keyframe"]


def test_bytes_without_a_row_are_counted_and_no_problem(store: EpisodicStore):
    store.packs.append(7, bytes(100))
    report = check(store)
    assert report.clean
    assert report.orphan_bytes == RECORD_BYTES


def test_every_damaged_picture_is_a_problem_of_its_own(store: EpisodicStore):
    flip(store.packs.path(1), HEADER_BYTES)
    flip(store.packs.path(1), 3 * RECORD_BYTES - 1)
    assert kinds(store) == ["keyframe", "keyframe"]
    assert "1000000000" in check(store).problems[0].detail


def test_damaged_sounds_and_small_pictures_are_problems(store: EpisodicStore):
    store.add_sound(1, 1000.0, 1003.0, 0, b"a sound")
    store.reduce_keyframes([Reduction(1_000_000_000, b"small", 2, 1)])
    flip(store.sound_packs.path(1), HEADER_BYTES)
    flip(store.small_packs.path(1), HEADER_BYTES)
    assert kinds(store) == ["keyframe", "sound"]


def test_a_missing_pack_or_key_is_one_problem_that_counts_the_rows_in_it(store: EpisodicStore):
    store.database.execute("DELETE FROM keys WHERE file LIKE 'packs/%'")
    assert [problem.detail for problem in check(store).problems] == [
        "packs/000001.pack has lost its key, with 3 keyframes in it"
    ]
    store.packs.path(1).unlink()
    assert [problem.detail for problem in check(store).problems] == [
        "packs/000001.pack is missing, with 3 keyframes in it"
    ]


def test_files_and_keys_that_nothing_claims_are_named_and_no_problem(store: EpisodicStore, tmp_path: Path):
    small = Packs(store.packs.directory, store.keys, pack_bytes=10)
    for number in range(2):  # packs 2 and 3, of which 3 is the newest and may be about to be claimed
        small.append(number, b"unclaimed")
    small.close()
    draft = store.packs.directory.parent / "embeddings" / "nano" / "000009.lists.draft"
    strange = draft.with_name("000009.recall")
    for path in (draft, strange):
        path.write_bytes(b"half")
    store.keys.make("packs/000017.pack")
    report = check(store)
    assert report.clean
    assert sorted(report.orphans) == [
        "embeddings/nano/000009.lists.draft",
        "embeddings/nano/000009.recall",
        "packs/000002.pack",
        "the key of packs/000017.pack",
    ]


def test_a_broken_row_of_embeddings_is_a_problem_of_its_day(store: EpisodicStore):
    [recall] = (store.directory / "embeddings" / "nano").glob("*.recall")
    flip(recall, -1)
    assert kinds(store) == ["embedding"]


def test_a_row_of_a_missing_session_is_a_problem_with_all_of_its_kind(store: EpisodicStore):
    store.database.execute("PRAGMA foreign_keys = OFF")
    store.database.execute("DELETE FROM sessions")
    details = [problem.detail for problem in check(store).problems]
    assert details == ["3 rows of keyframes name missing ones of sessions"]


def test_what_ends_before_it_begins_is_a_problem(store: EpisodicStore):
    store.add_gap(1, 1002.0, 1001.0, "covered")
    store.database.execute("UPDATE sessions SET ended_at = 999.0")
    details = [problem.detail for problem in check(store).problems]
    assert details == ["1 rows of sessions end before they begin", "1 rows of gaps end before they begin"]


def test_words_that_cannot_be_found_by_their_text_are_a_problem(store: EpisodicStore):
    columns = "(session_id, started_at, ended_at, text, source, confidence)"
    store.database.execute(f"INSERT INTO transcripts {columns} VALUES (1, 1000, 1001, 'keys', 'speech', 1)")
    assert check(store).clean
    store.database.execute("DROP TRIGGER words_come")
    store.database.execute(f"INSERT INTO transcripts {columns} VALUES (1, 1001, 1002, 'wallet', 'speech', 1)")
    assert kinds(store) == ["database"]


def test_a_flipped_bit_in_the_database_is_told_and_the_rest_of_the_check_stands(store: EpisodicStore):
    path = store.database.path
    store.close()
    flip(path, path.stat().st_size - 1000)
    with EpisodicStore.open(path.parent) as reopened:
        problems = check(reopened).problems
    assert {problem.kind for problem in problems} == {"database"}
    assert "HMAC" in problems[0].detail


def test_more_rows_than_are_read_at_once_are_all_checked(tmp_path: Path):
    with EpisodicStore.open(tmp_path / "memory") as store:
        session = store.begin_session("film", 1000.0, 0, 2)
        first = store.add_keyframe(session.id, 1000.0, 0, b"picture", 4, 3, 0.5)
        sql = f"INSERT INTO keyframes SELECT id + ?, {', '.join(list(first.__slots__)[1:])} FROM keyframes WHERE id = ?"
        with store.database.transaction():
            for number in range(1, BATCH_ROWS + 5):
                store.database.execute(sql, (number, first.id))
        report = check(store)
    assert report.keyframes == BATCH_ROWS + 5
    assert len(report.problems) == BATCH_ROWS + 4  # the seal of one picture is not that of another row


RECORDER = """
import os, sys
from pathlib import Path
from store.episodic import EpisodicStore
from store.records import Reduction

with EpisodicStore.open(Path(sys.argv[1])) as store, store.hold_for_recording():
    session = store.begin_session("camera", 2000.0, 0, 2.0)
    for number in range(100_000):
        keyframe = store.add_keyframe(session.id, 2000.0 + number, 0, os.urandom(5_000), 640, 480, 0.5)
        if number % 3 == 2:
            store.reduce_keyframes([Reduction(keyframe.id, b"small", 2, 1)])
        if number % 5 == 4:
            store.database.execute("DELETE FROM keyframes WHERE id = ?", (keyframe.id,))
        print(number, flush=True)
"""


def test_beside_a_live_recorder_nothing_is_taken_for_damage(store: EpisodicStore):
    with subprocess.Popen([sys.executable, "-c", RECORDER, str(store.directory)], stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        recorder.stdout.readline()
        counts = [(check(store).keyframes, check(store).problems) for _ in range(5)]
        recorder.kill()
    assert [problems for _, problems in counts] == [[]] * 5
    assert counts[-1][0] > counts[0][0]
