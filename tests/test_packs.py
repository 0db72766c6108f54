"""Packs: what was appended is read back, and a torn tail costs nothing but itself."""

import os
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.errors import DiskFull, MemoryDamaged
from store.packs import HEADER, Packs
from store.records import Keyframe

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
        crc32=place.crc32,
    )


def end_of(keyframe: Keyframe) -> int:
    return keyframe.offset_bytes + keyframe.length_bytes


@settings(max_examples=20, deadline=None)
@given(st.lists(pictures, max_size=12))
def test_all_that_was_appended_is_read_back_after_reopening_across_packs(jpegs: list[bytes]):
    with tempfile.TemporaryDirectory() as folder:
        packs = Packs(Path(folder), pack_bytes=500)
        keyframes = [appended(packs, number, jpeg) for number, jpeg in enumerate(jpegs)]
        reopened = Packs(Path(folder), pack_bytes=500)
        assert [reopened.read(keyframe) for keyframe in keyframes] == jpegs
        assert all(size <= 500 for size in reopened.sizes().values())
        assert sum(reopened.sizes().values()) == sum(map(len, jpegs)) + HEADER.size * len(jpegs)


@settings(max_examples=30, deadline=None)
@given(st.lists(pictures, min_size=1, max_size=4), st.data())
def test_a_tail_torn_at_any_byte_is_cut_and_nothing_before_it_is_lost(jpegs: list[bytes], data: st.DataObject):
    with tempfile.TemporaryDirectory() as folder:
        packs = Packs(Path(folder))
        keyframes = [appended(packs, number, jpeg) for number, jpeg in enumerate(jpegs)]
        *kept, torn = keyframes
        start = torn.offset_bytes - HEADER.size
        os.truncate(packs.path(1), data.draw(st.integers(start, end_of(torn) - 1)))
        committed = data.draw(st.integers(0, len(kept)))
        packs.heal(lambda pack: end_of(kept[committed - 1]) if committed else 0)
        assert packs.sizes() == {1: start}
        kept.append(appended(packs, 99, b"afterwards"))
        assert [packs.read(keyframe) for keyframe in kept] == [*jpegs[:-1], b"afterwards"]


def test_a_whole_record_without_a_row_is_not_cut(tmp_path: Path):
    packs = Packs(tmp_path)
    appended(packs, 1, b"committed")
    orphan = appended(packs, 2, b"whole")
    assert packs.heal(lambda pack: 0) == 0
    assert packs.read(orphan) == b"whole"


def test_rubbish_behind_the_last_record_is_cut(tmp_path: Path):
    packs = Packs(tmp_path)
    keyframe = appended(packs, 1, b"committed")
    with packs.path(1).open("ab") as pack:
        pack.write(bytes(1000))
    assert packs.heal(lambda pack: end_of(keyframe)) == 1000
    assert packs.sizes() == {1: end_of(keyframe)}


@pytest.mark.parametrize("place", ["header", "picture"])
def test_a_flipped_bit_is_damage_that_names_the_keyframe(tmp_path: Path, place: str):
    packs = Packs(tmp_path)
    keyframe = appended(packs, 1_700_000_000_000_000, b"a picture")
    offset = keyframe.offset_bytes + (3 if place == "picture" else -3)
    content = bytearray(packs.path(1).read_bytes())
    content[offset] ^= 1
    packs.path(1).write_bytes(content)
    with pytest.raises(MemoryDamaged, match=r"Keyframe 1700000000000000 \(2023-11-14 23:13:20"):
        packs.read(keyframe)


def test_a_missing_pack_and_a_wrong_place_are_damage(tmp_path: Path):
    packs = Packs(tmp_path)
    keyframe = appended(packs, 1, b"a picture")
    with pytest.raises(MemoryDamaged, match="000002.pack is missing"):
        packs.read(replace(keyframe, pack=2))
    with pytest.raises(MemoryDamaged, match="no such record at 9999"):
        packs.read(replace(keyframe, offset_bytes=9999))


def test_two_writers_in_turn_continue_each_others_newest_pack(tmp_path: Path):
    first, second = Packs(tmp_path, pack_bytes=100), Packs(tmp_path, pack_bytes=100)
    keyframes = [appended(packs, number, bytes(50)) for number, packs in enumerate([first, second, second, first])]
    assert [keyframe.pack for keyframe in keyframes] == [1, 2, 3, 4]


def test_a_disk_that_takes_only_half_a_record_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    packs = Packs(tmp_path)
    keyframe = appended(packs, 1, b"before")
    real_write = os.write
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", lambda descriptor, content: real_write(descriptor, content[: len(content) // 2]))
        with pytest.raises(DiskFull, match="No space left"):
            packs.append(2, b"too much" * 100)
    assert packs.sizes() == {1: end_of(keyframe)}
    assert packs.read(appended(packs, 2, b"afterwards")) == b"afterwards"


def test_only_the_wearer_may_read_a_pack(tmp_path: Path):
    packs = Packs(tmp_path / "packs")
    packs.append(1, b"a picture")
    assert stat.S_IMODE((tmp_path / "packs").stat().st_mode) == 0o700
    assert stat.S_IMODE(packs.path(1).stat().st_mode) == 0o600
