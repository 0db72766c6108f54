"""The master key: made once, kept by one keeper, sealed under a passphrase, and never in clear beside the memory."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

import store.vault
from store.episodic import EpisodicStore
from store.errors import MemoryDamaged, MemoryLocked, UserError
from store.vault import FILE, Vault

COST = store.vault.SCRYPT
PASSPHRASE = "correct horse battery"


class DesktopInMemory(KeyringBackend):
    """A desktop's keyring, as far as this program sees it."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


def test_a_guess_costs_as_much_as_is_recommended() -> None:
    assert COST == {"n": 2**17, "r": 8, "p": 1}


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.vault, "SCRYPT", {"n": 2**4, "r": 8, "p": 1})
    for variable in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))


@pytest.fixture
def desktop() -> Iterator[DesktopInMemory]:
    before = keyring.get_keyring()
    keyring.set_keyring(desktop := DesktopInMemory())
    yield desktop
    keyring.set_keyring(before)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    EpisodicStore.open(tmp_path / "memory").close()
    return tmp_path / "memory"


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def opened(memory: Path) -> Vault:
    vault = Vault.open(memory)
    assert vault is not None
    return vault


def test_a_new_memory_is_encrypted_and_opens_again(memory: Path) -> None:
    with EpisodicStore.open(memory) as again:
        again.begin_session("the wearer's glasses", 1000.0, 0, 1.0)
    written = everything_under(memory)
    assert b"glasses" not in written and b"CREATE TABLE" not in written
    with EpisodicStore.open(memory) as again:
        assert [session.source for session in again.sessions()] == ["the wearer's glasses"]


def test_without_a_keyring_a_private_file_outside_of_the_memory_keeps_the_key(memory: Path, tmp_path: Path) -> None:
    vault = opened(memory)
    path = tmp_path / "XDG_DATA_HOME" / "whereabouts" / "keys" / vault.memory_id
    assert vault.keeper == "file" and str(path.parent) in vault.place
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert vault.master.hex().encode() not in everything_under(memory)
    assert vault.recovery_key.encode() not in everything_under(memory)


def test_the_keyring_of_a_desktop_keeps_the_key_where_there_is_one(desktop: DesktopInMemory, memory: Path) -> None:
    assert opened(memory).keeper == "keyring"
    assert list(desktop.kept.values()) == [opened(memory).master.hex()]
    desktop.kept.clear()  # another desktop
    with pytest.raises(MemoryLocked, match="not in the keyring") as refused:
        EpisodicStore.open(memory)
    assert "recovery key" in refused.value.hint and refused.value.exit_code == 9


def test_a_passphrase_takes_the_key_from_its_keeper(desktop: DesktopInMemory, memory: Path) -> None:
    vault = opened(memory).with_passphrase(PASSPHRASE)
    assert not desktop.kept
    vault.lock()
    with pytest.raises(MemoryLocked, match="is locked"):
        EpisodicStore.open(memory)
    with pytest.raises(UserError, match="neither the passphrase nor the recovery key"):
        Vault.unlock(memory, "correct horse batterz")
    assert Vault.unlock(memory, PASSPHRASE).master == vault.master
    EpisodicStore.open(memory).close()
    described = json.loads((memory / FILE).read_text())
    assert described["keeper"] == "passphrase" and described["sealed"]["n"] == 2**4


def test_a_passphrase_can_be_changed_and_taken_away(memory: Path) -> None:
    vault = opened(memory).with_passphrase(PASSPHRASE).with_passphrase("four other good words")
    vault.lock()
    with pytest.raises(UserError):
        Vault.unlock(memory, PASSPHRASE)
    assert Vault.unlock(memory, "four other good words").without_passphrase().keeper == "file"
    assert opened(memory).master == vault.master
    with pytest.raises(UserError, match="7 characters"):
        vault.with_passphrase("letmein")


def test_the_recovery_key_opens_whatever_the_keeper_has_lost(memory: Path, tmp_path: Path) -> None:
    vault = opened(memory)
    vault.destroy()
    with pytest.raises(MemoryLocked):
        EpisodicStore.open(memory)
    with pytest.raises(UserError, match="not the recovery key"):
        Vault.unlock(memory, replace(vault, master=bytes(32)).recovery_key)
    Vault.unlock(memory, f"  {vault.recovery_key.lower()}\n")
    EpisodicStore.open(memory).close()


def test_only_a_passphrase_can_be_locked(memory: Path) -> None:
    with pytest.raises(UserError, match="is kept in a file"):
        opened(memory).lock()


def test_anothers_key_or_a_torn_description_is_named(memory: Path) -> None:
    vault = opened(memory)
    vault._keeper.put(vault.memory_id, bytes(32))
    with pytest.raises(MemoryDamaged, match="does not open"):
        EpisodicStore.open(memory)
    (memory / FILE).write_text("{")
    with pytest.raises(MemoryDamaged, match="keys.json is damaged"):
        EpisodicStore.open(memory)


def test_a_folder_for_keys_that_others_can_read_is_refused(memory: Path, tmp_path: Path) -> None:
    (tmp_path / "XDG_RUNTIME_DIR" / "whereabouts").mkdir(parents=True, mode=0o755)
    with pytest.raises(UserError, match="can be read by others"):
        opened(memory).with_passphrase(PASSPHRASE)
    assert opened(memory).keeper == "file"  # nothing was changed


def test_a_plain_memory_stays_plain_and_says_so(tmp_path: Path) -> None:
    EpisodicStore.open(tmp_path / "plain", encrypt=False).close()
    with EpisodicStore.open(tmp_path / "plain") as again:
        assert again.vault is None and Vault.open(tmp_path / "plain") is None
    with pytest.raises(UserError, match="is not encrypted"):
        Vault.unlock(tmp_path / "plain", PASSPHRASE)
