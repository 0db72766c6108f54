"""Packs: what was appended is read back, and a torn tail costs nothing but itself."""

import os
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.database import Database
from store.errors import DiskFull, MemoryDamaged
from store.form import HEADER_BYTES
from store.packs import PACK_BYTES, Packs
from store.records import Keyframe
from store.sealing import TAG_BYTES, FileKeys

pictures = st.binary(max_size=300)


def appended(packs: Packs, keyframe_id: int, jpeg: bytes) -> Keyframe:
    place = packs.append(keyframe_id, jpeg)
    return Keyframe(
        id=keyframe_id,
        session_id=1,
        captured_at=keyframe_id / 1e6,
        zone_offset_s=3600,
        width_px=4,
        height_px=3,
        novelty=1.0,
        pack=place.pack,
        offset_bytes=place.offset_bytes,
        length_bytes=len(jpeg),
        checksum=place.checksum,
    )


def packs_in(folder: Path, encrypted: bool, pack_bytes: int = PACK_BYTES) -> Packs:
    database = Database(folder / "memory.db", bytes(32) if encrypted else None)
    return Packs(folder / "packs", FileKeys(database, encrypted), pack_bytes)


@pytest.fixture(params=[True, False], ids=["encrypted", "plain"])
def packs(request: pytest.FixtureRequest, tmp_path: Path) -> Packs:
    return packs_in(tmp_path, request.param)


def end_of(packs: Packs, keyframe: Keyframe) -> int:
    return keyframe.offset_bytes + keyframe.length_bytes + (TAG_BYTES if packs.keys.encrypted else 0)


@settings(max_examples=20, deadline=None)
@given(st.lists(pictures, max_size=12), st.booleans())
def test_all_that_was_appended_is_read_back_after_reopening_across_packs(jpegs: list[bytes], encrypted: bool):
    with tempfile.TemporaryDirectory() as folder:
        packs = packs_in(Path(folder), encrypted, pack_bytes=500)
        keyframes = [appended(packs, number, jpeg) for number, jpeg in enumerate(jpegs)]
        reopened = packs_in(Path(folder), encrypted, pack_bytes=500)
        assert [reopened.read(keyframe) for keyframe in keyframes] == jpegs
        assert all(size <= 500 for size in reopened.sizes().values())
        more = HEADER_BYTES + (TAG_BYTES if encrypted else 0)
        assert sum(reopened.sizes().values()) == sum(map(len, jpegs)) + more * len(jpegs)


@settings(max_examples=30, deadline=None)
@given(st.lists(pictures, min_size=1, max_size=4), st.booleans(), st.data())
def test_a_tail_torn_at_any_byte_is_cut_and_nothing_before_it_is_lost(
    jpegs: list[bytes], encrypted: bool, data: st.DataObject
):
    with tempfile.TemporaryDirectory() as folder:
        packs = packs_in(Path(folder), encrypted)
        keyframes = [appended(packs, number, jpeg) for number, jpeg in enumerate(jpegs)]
        *kept, torn = keyframes
        start = torn.offset_bytes - HEADER_BYTES
        os.truncate(packs.path(1), data.draw(st.integers(start, end_of(packs, torn) - 1)))
        packs.heal(lambda pack: 0)
        assert packs.sizes() == {1: start}
        kept.append(appended(packs, 99, b"afterwards"))
        assert [packs.read(keyframe) for keyframe in kept] == [*jpegs[:-1], b"afterwards"]


def test_a_whole_record_without_a_row_is_not_cut(packs: Packs):
    appended(packs, 1, b"committed")
    orphan = appended(packs, 2, b"whole")
    assert packs.heal(lambda pack: 0) == 0
    assert packs.read(orphan) == b"whole"


def test_rubbish_behind_the_last_record_is_harmless(packs: Packs):
    keyframe = appended(packs, 1, b"committed")
    with packs.path(1).open("ab") as pack:
        pack.write(bytes(1000))
    assert packs.heal(lambda pack: 0) == 0
    assert packs.read(appended(packs, 2, b"afterwards")) == b"afterwards"
    assert packs.read(keyframe) == b"committed"


@pytest.mark.parametrize("byte", range(8))
def test_a_flipped_bit_in_a_header_costs_no_record_behind_it(packs: Packs, byte: int):
    keyframes = [appended(packs, number, b"picture %d" % number) for number in range(4)]
    content = bytearray(packs.path(1).read_bytes())
    content[keyframes[1].offset_bytes - HEADER_BYTES + byte] ^= 0x40
    packs.path(1).write_bytes(content)
    packs.heal(lambda pack: end_of(packs, keyframes[-1]))
    assert [packs.read(keyframes[number]) for number in (0, 2, 3)] == [b"picture 0", b"picture 2", b"picture 3"]


def test_what_was_erased_is_gone_and_a_torn_tail_behind_it_is_still_cut(packs: Packs):
    first, second, third = (appended(packs, number, b"picture %d" % number * 50) for number in range(3))
    packs.erase(1, [(each.offset_bytes, each.length_bytes) for each in (first, second)])
    os.truncate(packs.path(1), end_of(packs, third) - 1)
    assert (
        packs.heal(lambda pack: 0) == third.length_bytes + HEADER_BYTES + (TAG_BYTES if packs.keys.encrypted else 0) - 1
    )
    assert b"picture" not in packs.path(1).read_bytes()
    for keyframe in (first, second):
        with pytest.raises(MemoryDamaged):
            packs.read(keyframe)


@pytest.mark.parametrize("place", ["header", "picture"])
def test_a_flipped_bit_is_damage_that_names_the_keyframe(packs: Packs, place: str):
    keyframe = appended(packs, 1_700_000_000_000_000, b"a picture")
    offset = keyframe.offset_bytes + (3 if place == "picture" else -3)
    content = bytearray(packs.path(1).read_bytes())
    content[offset] ^= 1
    packs.path(1).write_bytes(content)
    with pytest.raises(MemoryDamaged, match=r"Keyframe 1700000000000000 \(2023-11-14 23:13:20"):
        packs.read(keyframe)


def test_a_missing_pack_and_a_wrong_place_are_damage(packs: Packs):
    keyframe = appended(packs, 1, b"a picture")
    with pytest.raises(MemoryDamaged, match="000002.pack is missing"):
        packs.read(replace(keyframe, pack=2))
    with pytest.raises(MemoryDamaged, match="at 9999: no such record"):
        packs.read(replace(keyframe, offset_bytes=9999))


def test_a_record_belongs_to_its_row_alone(packs: Packs):
    keyframe = appended(packs, 1, b"a picture")
    with pytest.raises(MemoryDamaged, match="Keyframe 2 "):
        packs.read(replace(keyframe, id=2))


def test_two_writers_in_turn_continue_each_others_newest_pack(tmp_path: Path):
    first, second = (packs_in(tmp_path, True, pack_bytes=100) for _ in range(2))
    keyframes = [appended(packs, number, bytes(50)) for number, packs in enumerate([first, second, second, first])]
    assert [keyframe.pack for keyframe in keyframes] == [1, 2, 3, 4]
    assert [second.read(keyframe) for keyframe in keyframes] == [bytes(50)] * 4


def test_a_disk_that_takes_only_half_a_record_leaves_nothing_of_it(packs: Packs, monkeypatch: pytest.MonkeyPatch):
    keyframe = appended(packs, 1, b"before")
    real_write = os.write  # what a disk takes before it is full
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "writev", lambda descriptor, parts: real_write(descriptor, b"".join(parts)[:99]))
        with pytest.raises(DiskFull, match="No space left"):
            packs.append(2, b"too much" * 100)
    assert packs.sizes() == {1: end_of(packs, keyframe)}
    assert packs.read(appended(packs, 2, b"afterwards")) == b"afterwards"


def test_only_the_wearer_may_read_a_pack(packs: Packs):
    packs.append(1, b"a picture")
    assert stat.S_IMODE(packs.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(packs.path(1).stat().st_mode) == 0o600


def test_nothing_of_a_content_or_its_time_is_legible_without_the_key(tmp_path: Path):
    packs = packs_in(tmp_path, encrypted=True)
    appended(packs, 1_700_000_000_000_000, b"a picture of a wallet")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for known in (b"wallet", (1_700_000_000_000_000).to_bytes(8, "little"), (1_700_000_000_000_000).to_bytes(8, "big")):
        assert known not in written
