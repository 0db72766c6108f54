"""The commands about keeping: backup, restore, export, check.

This file does not know how anything is copied or mended.
"""

from collections.abc import Sequence
from pathlib import Path

import click

from store.errors import MemoryDamaged
from store.units import say_bytes
from tui.clock import asked_span
from tui.options import span_options
from tui.progress import done_of_total
from tui.secrecy import open_memory


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def backup(memory: Path, folder: Path) -> None:
    """Make the memory's backup in FOLDER, or renew it; a recorder may go on meanwhile."""
    from store.upkeep.backup import backup as back_up

    with open_memory(memory, create=False) as store, done_of_total("copying") as progress:
        copied = back_up(store, folder, progress)
    click.echo(
        f"{folder} is a backup of {memory}: {copied.files} files copied ({say_bytes(copied.bytes)}), "
        f"{copied.unchanged} unchanged, {copied.removed} removed."
    )
    if not copied.portable:
        click.echo("On another machine it opens with the recovery key only: whereabouts key", err=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def restore(memory: Path, folder: Path) -> None:
    """Make the memory again from the backup in FOLDER; there must be none yet."""
    from store.upkeep.backup import restore as restore_from

    open_memory(folder, create=False).close()  # asks for the passphrase where it is locked
    with done_of_total("copying") as progress:
        copied = restore_from(folder, memory, progress)
    click.echo(f"{memory} is what {folder} was: {copied.files} files, {say_bytes(copied.bytes)}.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@span_options
@click.pass_obj
def export(memory: Path, folder: Path, since: str | None, until: str | None) -> None:
    """Write the memory, or a time of it, as plain files: JPEG, MP4, WebVTT, JSON. They are not encrypted."""
    from store.plain.exporting import export as export_to

    with open_memory(memory, create=False) as store, done_of_total("exporting") as progress:
        done = export_to(store, folder, asked_span(store, since, until), progress)
    click.echo(
        f"{folder} holds {done.keyframes} pictures, {done.sounds} sounds and {done.transcripts} transcripts of "
        f"{done.sessions} sessions in {done.files} files, {say_bytes(done.bytes)}. They are not encrypted."
    )


@click.command()
@click.option("--repair", "do_it", is_flag=True, help="Mend what can safely be mended, and name the rest.")
@click.pass_obj
def check(memory: Path, do_it: bool) -> None:
    """Read the whole memory once and say whether it is whole."""
    from store.upkeep.check import check as check_store
    from store.upkeep.repair import repair

    if do_it:
        mended = repair(memory)
        for line in (*mended.done, *mended.left):
            click.echo(line)
    with open_memory(memory, create=False) as store:
        found = check_store(store)
    packs = f"{say_bytes(found.pack_bytes)} in {found.packs} packs"
    click.echo(f"Read {found.sessions} sessions and {found.keyframes} keyframes, {packs}.")
    for problem in found.problems:
        click.echo(f"{problem.kind}: {problem.detail}")
    for orphan in found.orphans:
        click.echo(f"unclaimed, which does no harm: {orphan}")
    if not found.clean:
        hint = "What is not named above can still be asked and shown."
        raise MemoryDamaged(
            f"{len(found.problems)} problems in {memory}.", hint if do_it else f"{hint} Run: whereabouts check --repair"
        )
    click.echo("The memory is whole.")


COMMANDS: Sequence[click.Command] = (backup, restore, export, check)
