"""A seal opens what it closed, in its own context, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.database import Database
from store.errors import MemoryDamaged
from store.sealing import BrokenSeal, Checksum, Encryption, FileKeys, Seal

KEY = bytes(range(32))
SEALS = [Encryption(KEY), Checksum()]


@pytest.mark.parametrize("seal", SEALS, ids=["encrypted", "plain"])
@given(content=st.binary(max_size=100), context=st.binary(max_size=20), where=st.integers(0), bit=st.integers(0, 7))
def test_what_was_closed_opens_in_its_context_and_no_flipped_bit_is_missed(
    seal: Seal, content: bytes, context: bytes, where: int, bit: int
) -> None:
    closed = seal.close(content, context)
    assert len(closed) == len(content) + seal.overhead_bytes
    assert seal.open(closed, context) == content
    with pytest.raises(BrokenSeal):
        seal.open(closed, context + b"x")
    flipped = bytearray(closed)
    flipped[where % len(closed)] ^= 1 << bit
    with pytest.raises(BrokenSeal):
        seal.open(bytes(flipped), context)
    with pytest.raises(BrokenSeal):
        seal.open(closed[: where % len(closed)], context)


def test_nothing_is_legible_and_nothing_twice_the_same() -> None:
    seal = Encryption(KEY)
    closed = [seal.close(b"wallet" * 10) for _ in range(100)]
    assert len(set(closed)) == 100 and not any(b"wallet" in each for each in closed)
    with pytest.raises(BrokenSeal):
        Encryption(bytes(32)).open(closed[0])


def test_every_file_has_a_key_of_its_own_until_it_is_destroyed(tmp_path: Path) -> None:
    keys, others = (FileKeys(Database(tmp_path / "memory.db", KEY), encrypted=True) for _ in range(2))
    closed = keys.make("packs/000001.pack").close(b"picture")
    assert others.find("packs/000001.pack").open(closed) == b"picture"
    with pytest.raises(BrokenSeal):
        keys.make("packs/000002.pack").open(closed)
    keys.destroy("packs/000001.pack")
    with pytest.raises(MemoryDamaged, match=r"key of packs/000001.pack is gone"):
        keys.find("packs/000001.pack")


def test_two_who_begin_a_file_together_have_one_key(tmp_path: Path) -> None:
    first, second = (FileKeys(Database(tmp_path / "memory.db", KEY), encrypted=True) for _ in range(2))
    assert second.make("f").open(first.make("f").close(b"same")) == b"same"


def test_a_key_that_was_rolled_back_is_not_used(tmp_path: Path) -> None:
    database = Database(tmp_path / "memory.db", KEY)
    keys = FileKeys(database, encrypted=True)
    with pytest.raises(ZeroDivisionError), database.transaction():
        keys.make("f").close(b"x" * (1 // 0))
    with pytest.raises(MemoryDamaged):
        keys.find("f")
    closed = keys.make("f").close(b"same")
    assert FileKeys(database, encrypted=True).find("f").open(closed) == b"same"
