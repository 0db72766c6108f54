"""Opening a memory, and the commands about its key: unlock, lock, passwd, key.

Where a memory is locked and somebody sits at the terminal, they are asked for the passphrase instead of being turned
away. This file does not know how keys are kept or what they open.
"""

import sys
from pathlib import Path

import click

from store.entry import require_place
from store.episodic import EpisodicStore
from store.errors import MemoryLocked, UserError
from store.layout import DATABASE
from store.vault import Vault, is_encrypted

TRIES = 3


def open_memory(directory: Path, *, create: bool = True) -> EpisodicStore:
    """EpisodicStore.open for the command line; a new memory says once where its key is."""
    new = create and not is_encrypted(directory) and not (directory / DATABASE).exists()
    try:
        store = EpisodicStore.open(directory, create=create)
    except MemoryLocked:
        if not sys.stdin.isatty():
            raise
        _unlock(directory)
        store = EpisodicStore.open(directory, create=create)
    if new and store.vault and sys.stderr.isatty():
        click.echo(
            f"This new memory is encrypted; its key is in {store.vault.place}.\n"
            "Keep its recovery key where you will find it: whereabouts key",
            err=True,
        )
    return store


@click.command()
@click.pass_obj
def unlock(memory: Path) -> None:
    """Open a memory with its passphrase, until `lock` or until the machine stops, or with its recovery key."""
    _need_memory(memory)
    _unlock(memory)
    click.echo(f"{memory} is unlocked.")


@click.command()
@click.pass_obj
def lock(memory: Path) -> None:
    """Nobody may open the memory without its passphrase from now on."""
    _need_memory(memory)
    try:
        vault = _encrypting(memory, Vault.open(memory))
    except MemoryLocked:
        click.echo(f"{memory} is locked already.")
        return
    vault.lock()
    click.echo(f"{memory} is locked. A recorder or a screen (tui) that is running keeps its key until it ends.")


@click.command()
@click.option("--remove", is_flag=True, help="Let the keyring of this desktop keep the key instead, or a file.")
@click.pass_obj
def passwd(memory: Path, remove: bool) -> None:
    """Protect the memory with a passphrase, or with another one."""
    from store.upkeep.ownership import renew_keys

    with open_memory(memory, create=False) as store:
        vault = _encrypting(memory, store.vault)
        if remove:
            click.echo(f"The key is now in {vault.without_passphrase().place}.")
        else:
            vault.with_passphrase(_ask("New passphrase", twice=True))
            click.echo("The passphrase is set. Nobody can find it out for you, but the recovery key opens as well.")
        for directory in renew_keys(store):
            click.echo(f"The backup in {directory} still opens as before; renew it when it is there.", err=True)


@click.command()
@click.pass_obj
def key(memory: Path) -> None:
    """Print the recovery key, which opens the memory and every backup of it on any machine."""
    with open_memory(memory, create=False) as store:
        click.echo(_encrypting(memory, store.vault).recovery_key)
    click.echo("Write it down and keep it away from this machine: whoever has it can read everything.", err=True)


def _unlock(directory: Path) -> None:
    for left in reversed(range(TRIES if sys.stdin.isatty() else 1)):
        try:
            Vault.unlock(directory, _ask("Passphrase or recovery key"))
            return
        except UserError as error:
            if not left:
                raise
            click.echo(error.message, err=True)


def _ask(what: str, twice: bool = False) -> str:
    """From the terminal without showing it; else a line of what is piped in."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    try:
        line = sys.stdin.readline().rstrip("\r\n")
        line.encode()
    except UnicodeError as error:
        raise UserError(f"{what}: what was given is no text.", "Give it in UTF-8.") from error
    if not line:
        raise UserError(f"{what}: nothing was given.", "Type it in a terminal, or give it on standard input.")
    return line


def _need_memory(directory: Path) -> None:
    """A memory whose keys.json is gone is no plain one."""
    require_place(directory, create=is_encrypted(directory))


def _encrypting(directory: Path, vault: Vault | None) -> Vault:
    if vault is None:
        raise UserError(f"{directory} is not encrypted.", "Every new memory is: export this one and import it.")
    return vault
