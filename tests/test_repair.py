"""The repair mends what is safe to mend, says what it did, and never removes more than it tells."""

import os
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from store.database import MIGRATIONS, Database
from store.episodic import EpisodicStore
from store.errors import MemoryBusy, MemoryDamaged, NothingRecorded
from store.form import HEADER_BYTES
from store.packs import Packs
from store.recall import sealed
from store.records import Reduction
from store.upkeep.backup import backup
from store.upkeep.check import Report, check
from store.upkeep.repair import Repaired, repair
from store.vault import Vault
from tests.accounting import unaccounted

PICTURES = 12
PACK_BYTES = 4 * 2000  # so that three pictures fill a pack
PICTURE_BYTES = 2000


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """Twelve pictures a second apart, four packs of them, with sounds, words, and embeddings of all."""
    return made(tmp_path / "memory", encrypt=True)


def made(directory: Path, encrypt: bool) -> Path:
    with EpisodicStore.open(directory, encrypt=encrypt) as store:
        store.packs = Packs(store.packs.directory, store.keys, PACK_BYTES)
        session = store.begin_session("film", 1000.0, 0, 1)
        for at in range(PICTURES):
            store.add_keyframe(session.id, 1000.0 + at, 0, os.urandom(PICTURE_BYTES), 4, 3, 0.5)
        store.add_sound(session.id, 1000.0, 1010.0, 0, b"a sound")
        store.database.execute(
            "INSERT INTO transcripts (session_id, started_at, ended_at, text, source, confidence)"
            " VALUES (1, 1000, 1001, 'the keys are here', 'speech', 1)"
        )
        store.end_session(session.id, 1000.0 + PICTURES, "film ended")
        ids = store.keyframe_ids()
        store.add_embeddings("nano", ids, np.ones((PICTURES, 4)), np.ones((PICTURES, 2)))
    return directory


def found(directory: Path) -> list[str]:
    return [f"{problem.kind}: {problem.detail}" for problem in report(directory).problems]


def report(directory: Path) -> Report:
    with EpisodicStore.open(directory, create=False) as store:
        return check(store)


def pictures(directory: Path) -> dict[int, bytes]:
    with EpisodicStore.open(directory, create=False) as store:
        return {keyframe.id: store.jpeg(keyframe) for keyframe in store.keyframes()}


def execute(directory: Path, sql: str) -> None:
    with EpisodicStore.open(directory) as store:
        store.database.execute("PRAGMA foreign_keys = OFF")
        store.database.execute(sql)


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def pack(directory: Path, number: int) -> Path:
    return directory / "packs" / f"{number:06d}.pack"


def test_a_whole_memory_is_left_alone(memory: Path):
    before = {path: path.read_bytes() for path in memory.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert repair(memory) == Repaired([], [])
    after = {path: path.read_bytes() for path in memory.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == before


def test_a_torn_tail_is_cut_off_and_told(memory: Path):
    before = pictures(memory)
    with pack(memory, 4).open("ab") as newest:
        newest.write(b"WKS1half a rec")
    assert repair(memory) == Repaired(["packs/000004.pack: cut off 14 bytes that were half written"], [])
    assert pictures(memory) == before


def test_a_picture_that_nobody_can_read_becomes_a_gap_up_to_the_next(memory: Path):
    before = pictures(memory)
    flip(pack(memory, 2), HEADER_BYTES + 5)
    assert [line.split(" (")[0] for line in found(memory)] == ["keyframe: Keyframe 1003000000"]
    repaired = repair(memory)
    assert repaired.left == []
    assert repaired.done == [
        'packs/000002.pack: put gaps "damaged" in the place of keyframes that nobody can read (1)',
        "embeddings/0: wrote anew without what is gone",
    ]
    assert found(memory) == []
    assert pictures(memory) == {each: jpeg for each, jpeg in before.items() if each != 1_003_000_000}
    with EpisodicStore.open(memory) as store:
        assert [(gap.started_at, gap.ended_at, gap.reason) for gap in store.gaps()] == [(1003.0, 1004.0, "damaged")]
        assert 1_003_000_000 not in store.indexed_ids("nano")
        assert 1_003_000_000 not in [each for each, _ in store.recall("nano", np.ones(4), 20)]
    with closing(Database(memory / "memory.db.before-repair", key_of(memory))) as copy:  # as it was found
        assert copy.value("SELECT count(*) FROM keyframes") == PICTURES


def key_of(directory: Path) -> bytes | None:
    vault = Vault.open(directory)
    return vault.database_key if vault else None


def test_a_missing_pack_becomes_one_gap(memory: Path):
    pack(memory, 2).unlink()
    assert found(memory) == ["pack: packs/000002.pack is missing, with 3 keyframes in it"]
    repaired = repair(memory)
    assert repaired.left == []
    assert 'packs/000002.pack: put gaps "damaged" in the place of keyframes that nobody can read (3)' in repaired.done
    assert "packs/000002.pack: destroyed its key, as the file is gone and no row points into it" in repaired.done
    assert found(memory) == []
    with EpisodicStore.open(memory) as store:
        assert [(gap.started_at, gap.ended_at) for gap in store.gaps()] == [(1003.0, 1006.0)]


def test_a_folder_without_any_pack_may_be_on_a_disk_that_is_not_mounted(memory: Path, tmp_path: Path):
    before = pictures(memory)
    (memory / "packs").rename(tmp_path / "elsewhere")
    repaired = repair(memory)
    assert repaired.done == []
    assert repaired.left == [
        f"pack: packs/00000{number}.pack is missing, with 3 keyframes in it" for number in (1, 2, 3, 4)
    ]
    (tmp_path / "elsewhere").rename(memory / "packs")
    assert pictures(memory) == before


def test_what_a_backup_still_has_comes_back_from_it(memory: Path, tmp_path: Path):
    before = pictures(memory)
    with EpisodicStore.open(memory) as store:
        backup(store, tmp_path / "backup")
    pack(memory, 2).unlink()
    flip(pack(memory, 3), HEADER_BYTES + 5)
    flip(memory / "sounds" / "000001.pack", HEADER_BYTES)
    execute(memory, "DELETE FROM keys WHERE file = 'packs/000001.pack'")
    assert sorted({line.split(":")[0] for line in found(memory)}) == ["keyframe", "pack", "sound"]
    repaired = repair(memory)
    where = f"from the backup in {tmp_path / 'backup'}"
    assert repaired.done[:4] == [
        f"packs/000001.pack: took its key {where} (1)",
        f"packs/000002.pack: took keyframes {where} (3)",
        f"packs/000003.pack: took keyframes {where} (1)",
        f"sounds/000001.pack: took sounds {where} (1)",
    ]
    assert repaired.left == []
    assert pictures(memory) == before


def test_without_its_key_a_pack_is_kept_aside_and_its_rows_become_a_gap(memory: Path):
    content = pack(memory, 1).read_bytes()
    execute(memory, "DELETE FROM keys WHERE file = 'packs/000001.pack'")
    assert found(memory) == ["pack: packs/000001.pack has lost its key, with 3 keyframes in it"]
    repaired = repair(memory)
    assert "packs/000001.pack: moved to unclaimed/packs/000001.pack, as no row points into it" in repaired.done
    assert (memory / "unclaimed" / "packs" / "000001.pack").read_bytes() == content
    assert found(memory) == [] == repaired.left


def test_packs_that_an_older_database_does_not_know_are_kept_aside(memory: Path, tmp_path: Path):
    shutil.copy(memory / "memory.db", tmp_path / "older.db")
    newer = {path.name: path.read_bytes() for path in (pack(memory, 2), pack(memory, 3))}
    execute(memory, "DELETE FROM keyframes WHERE pack > 1")
    assert report(memory).orphans == ["packs/000002.pack", "packs/000003.pack"]
    repaired = repair(memory)
    assert [line.split(",")[0] for line in repaired.done if line.startswith("packs")] == [
        f"packs/00000{number}.pack: moved to unclaimed/packs/00000{number}.pack" for number in (2, 3)
    ]
    assert {path.name: path.read_bytes() for path in (memory / "unclaimed" / "packs").iterdir()} == newer
    assert pack(memory, 1).exists() and pack(memory, 4).exists()
    assert repair(memory).done == []


def test_packs_whose_every_record_was_erased_are_deleted(memory: Path):
    with EpisodicStore.open(memory) as store:
        store.reduce_keyframes([Reduction(each, b"small", 2, 1) for each in store.keyframe_ids()])
        small = {keyframe.id: store.jpeg(keyframe) for keyframe in store.keyframes()}
    assert report(memory).orphans == [f"packs/00000{number}.pack" for number in (1, 2, 3)]
    repaired = repair(memory)
    assert repaired.done[:3] == [f"packs/00000{number}.pack: deleted, as nothing claims it" for number in (1, 2, 3)]
    assert pictures(memory) == small
    assert not (memory / "unclaimed").exists()


def test_half_written_files_are_swept(memory: Path):
    draft = memory / "embeddings" / "nano" / "000007.lists.draft"
    draft.write_bytes(b"half")
    assert repair(memory) == Repaired(["embeddings/nano/000007.lists.draft: deleted, as nothing claims it"], [])
    assert not draft.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_embeddings_are_dropped_and_their_keyframes_wait_again(memory: Path, damage: str):
    [recall] = (memory / "embeddings" / "nano").glob("*.recall")
    if damage == "cut":
        os.truncate(recall, recall.stat().st_size // 2)
    elif damage == "flipped":
        flip(recall, 20)
    else:
        recall.unlink()
    assert [line.split(",")[0] for line in found(memory)] == ["embedding: nano"]
    repaired = repair(memory)
    assert repaired.left == []
    [line] = repaired.done
    assert line.startswith(f"nano: dropped embeddings {int(recall.stem)}, to be made again: ")
    with EpisodicStore.open(memory) as store:
        assert len(store.unindexed("nano", PICTURES)) == PICTURES
        assert check(store).clean


def test_sessions_that_are_gone_are_made_anew_from_what_belongs_to_them(memory: Path):
    execute(memory, "DELETE FROM sessions")
    assert "database: 12 rows of keyframes name missing ones of sessions" in found(memory)
    repaired = repair(memory)
    assert repaired == Repaired(["sessions: made 1 anew from what belongs to them"], [])
    with EpisodicStore.open(memory) as store:
        [session] = store.sessions()
        assert (session.started_at, session.ended_at, session.ended_because) == (1000.0, 1011.0, "damaged")


def test_words_that_nobody_finds_are_made_findable(memory: Path):
    execute(memory, "INSERT INTO words (words) VALUES ('delete-all')")
    assert found(memory) != []
    repaired = repair(memory)
    assert repaired.left == []
    assert len(repaired.done) == 1 and "made the indexes of memory.db again" in repaired.done[0]
    with EpisodicStore.open(memory) as store:
        assert len(store.find_words("keys")) == 1


MANY = 3000


def with_many_rows(directory: Path) -> dict[int, float]:
    """So many keyframes that they fill many pages; all show the same picture of a plain memory. Ids and times."""
    with EpisodicStore.open(directory) as store:
        insert = "INSERT INTO gaps (session_id, started_at, ended_at, reason) VALUES (1, ?, ?, 'covered')"
        with store.database.transaction():
            for number in range(MANY):
                store.database.execute(insert, (1000.0 + number, 1000.5 + number))
        return {gap.id: gap.started_at for gap in store.gaps()}


@pytest.mark.parametrize("encrypt", [True, False], ids=["encrypted", "plain"])
def test_a_broken_page_of_the_database_costs_the_rows_in_it_only(tmp_path: Path, encrypt: bool):
    memory = made(tmp_path / "memory", encrypt)
    before, shown = with_many_rows(memory), pictures(memory)
    path = memory / "memory.db"
    damaged = bytearray(path.read_bytes())
    begin = len(damaged) // 4096 * 2 // 3 * 4096  # the gaps, and indexes of theirs, are most of the file
    damaged[begin : begin + 4 * 4096] = os.urandom(4 * 4096)
    path.write_bytes(damaged)
    assert found(memory)[0].startswith("database: ")
    repaired = repair(memory)
    assert "wrote all rows that can be read into a new memory.db" in repaired.done[0]
    assert {line[:18] for line in repaired.left} == {"gaps: rows behind "}
    assert (memory / "memory.db.damaged").read_bytes() == damaged
    assert found(memory) == []
    assert pictures(memory) == shown
    with EpisodicStore.open(memory) as store:
        kept = {gap.id: gap.started_at for gap in store.gaps()}
    assert MANY - 700 < len(kept) < MANY
    assert kept.items() <= before.items()
    assert repair(memory).done == []


def test_a_database_that_was_cut_in_half_keeps_its_first_half(memory: Path):
    with_many_rows(memory)
    path = memory / "memory.db"
    os.truncate(path, path.stat().st_size * 2 // 3 + 77)
    with pytest.raises(MemoryDamaged):
        EpisodicStore.open(memory)
    repaired = repair(memory)
    assert "wrote all rows that can be read" in repaired.done[0]
    assert "gaps: rows behind " in repaired.left[0]
    assert found(memory) == []
    assert len(pictures(memory)) == PICTURES


def test_lost_keyframes_are_accounted_for_by_gaps(tmp_path: Path):
    with EpisodicStore.open(tmp_path / "memory") as store:
        session = store.begin_session("film", 1000.0, 0, 1)
        for at in range(400):
            store.add_keyframe(session.id, 1000.0 + at, 0, b"picture", 4, 3, 0.5)
        store.end_session(session.id, 1399.0, "film ended")
    memory = tmp_path / "memory"
    path = memory / "memory.db"
    os.truncate(path, path.stat().st_size - 2 * 4096)
    repaired = repair(memory)
    assert any(line.startswith('gaps: noted 1 that are "damaged"') for line in repaired.done)
    with EpisodicStore.open(memory) as store:
        assert 0 < store.count() < 400
        assert unaccounted(store) == []
        assert [gap.reason for gap in store.gaps()] == ["damaged"]


@pytest.mark.parametrize("size", [0, 5000, 100_000])
def test_a_database_of_which_nothing_can_be_read_is_left_as_it_is(memory: Path, size: int):
    path = memory / "memory.db"
    path.write_bytes(os.urandom(size))
    before = path.read_bytes()
    repaired = repair(memory)
    assert repaired == Repaired([], ["nothing in memory.db can be read; restore a backup of this memory"])
    assert path.read_bytes() == before
    assert len(list((memory / "packs").glob("*.pack"))) == 4


def test_a_missing_keys_json_is_named(memory: Path):
    (memory / "keys.json").rename(memory / "keys.json.elsewhere")
    with pytest.raises(MemoryDamaged, match=r"keys\.json is missing") as raised:
        repair(memory)
    assert "backup" in raised.value.hint
    (memory / "keys.json.elsewhere").rename(memory / "keys.json")
    assert repair(memory) == Repaired([], [])


def test_a_newer_memory_is_refused_and_left_untouched(memory: Path):
    execute(memory, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(MemoryDamaged, match=f"version {len(MIGRATIONS) + 1}"):
        repair(memory)
    assert not (memory / "memory.db.damaged").exists()


def test_nobody_repairs_beside_a_recorder_or_where_nothing_is(memory: Path, tmp_path: Path):
    with EpisodicStore.open(memory) as store, store.hold_for_recording(), pytest.raises(MemoryBusy):
        repair(memory)
    with pytest.raises(NothingRecorded):
        repair(tmp_path)


DAYS, A_DAY, WIDTH = 3, 100, 16


@pytest.fixture
def sealed_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days of embeddings, all of them sealed."""
    monkeypatch.setattr(sealed, "ALL_COMPARED", 250)
    monkeypatch.setattr(sealed, "MAY_WAIT", 0)
    numbers = np.random.default_rng(7).normal(size=(DAYS * A_DAY, WIDTH)).astype(np.float32)
    with EpisodicStore.open(tmp_path / "memory") as store:
        session = store.begin_session("film", 0.0, 0, 1)
        times = [86_400.0 * day + at for day in range(DAYS) for at in range(A_DAY)]
        ids = [store.add_keyframe(session.id, at, 0, b"picture", 4, 3, 0.5).id for at in times]
        store.end_session(session.id, DAYS * 86_400.0, "film ended")
        store.add_embeddings("nano", ids, numbers, numbers[:, :2])
        assert store.seal("nano") == 3
    return tmp_path / "memory"


def recalled(directory: Path) -> list[tuple[int, float]]:
    with EpisodicStore.open(directory) as store:
        return store.recall("nano", np.ones(WIDTH, np.float32), 5)


def test_a_flipped_bit_in_sealed_lists_costs_them_only_and_they_are_made_again(sealed_memory: Path):
    before = recalled(sealed_memory)
    lists = min((sealed_memory / "embeddings" / "nano").glob("*.lists"))
    flip(lists, 100)
    assert found(sealed_memory)[0].startswith(f"index: nano, index {int(lists.stem)}: ")
    repaired = repair(sealed_memory)
    assert repaired.left == []
    assert [line.split(",")[0] for line in repaired.done] == [f"nano: dropped index {int(lists.stem)}"]
    assert found(sealed_memory) == []
    assert [each for each, _ in recalled(sealed_memory)] == [each for each, _ in before]
    with EpisodicStore.open(sealed_memory) as store:
        assert store.seal("nano") == 1


def test_embeddings_of_keyframes_that_are_gone_go_from_sealed_lists_too(sealed_memory: Path):
    best, _ = recalled(sealed_memory)[0]
    execute(sealed_memory, f"DELETE FROM keyframes WHERE id = {best}")
    assert found(sealed_memory) == ["embedding: 1 are of keyframes that are gone"]
    repaired = repair(sealed_memory)
    assert repaired == Repaired([f"embeddings/{best // 86_400_000_000}: wrote anew without what is gone"], [])
    assert found(sealed_memory) == []
    assert best not in [each for each, _ in recalled(sealed_memory)]
