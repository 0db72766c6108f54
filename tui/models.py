"""The command group `models`: which checkpoints there are, and how they come, are checked, chosen and go.

`pull` is the only command of this program that fetches anything, and only while it runs. This file does not know how
anything is downloaded, compared or loaded.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.table import Table

from assistant.adapter_card import file_of, read_card
from assistant.quantisation import SPOKEN_OF, Placement, place
from assistant.registry import (
    NAMES,
    PUBLISHED,
    Description,
    NotAlone,
    describe,
    located,
    place_of,
    pulled_names,
    short_name,
    unfinished_place_of,
)
from store.config import Model, load_config, write_setting
from store.disk import bytes_under, writing
from store.errors import CheckpointError, UserError
from store.units import say_bytes
from tui import report
from tui.evidence import screen
from tui.options import json_option
from tui.progress import counted

ASKED_ABOVE_BYTES = 15_000_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A checkpoint in the list, or what goes with one; `problem` says why it cannot be loaded, `placement` where it
    would fit, if anywhere."""

    name: str
    used: bool
    folder: str | None
    weights_bytes: int
    problem: str | None
    placement: Placement | None


@click.group()
def models() -> None:
    """The checkpoints that can answer: list, pull, verify, use, remove."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """What there is, where it lies, whether it is whole, and in what precision it would run here."""
    settings = load_config().model
    rows = [_row(name, settings) for name in dict.fromkeys([*NAMES, *pulled_names(), short_name(settings.checkpoint)])]
    if as_json:
        click.echo(report.to_json([asdict(row) for row in rows]))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("", "name", "weights", "would run in", "where"):
        table.add_column(column, overflow="fold")
    for row in rows:
        weights = say_bytes(row.weights_bytes) if row.weights_bytes else ""
        where = row.problem or row.folder or ""
        table.add_row("*" if row.used else "", row.name, weights, _would_run(row), where)
    screen().print(table)
    for device, free in {row.placement.device: row.placement.free_bytes for row in rows if row.placement}.items():
        click.echo(f"{say_bytes(free)} of {SPOKEN_OF[device]}'s memory are free.")


@models.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask before much is fetched.")
def pull(name: str, yes: bool) -> None:
    """Fetch a checkpoint from the hub, with the encoder that finds keyframes for it: 0.5b, 7b or owner/name.

    What was interrupted goes on where it was; what is there already is brought up to date. Every file is checked.
    """
    from assistant.download import plan_pull
    from assistant.download import pull as fetch

    if name == "nano":
        raise UserError("nano came with the program.", "Run: whereabouts models use nano")
    plan = plan_pull(name)
    click.echo(f"{plan.name} is {say_bytes(plan.total_bytes)}; {say_bytes(plan.missing_bytes)} are still to come.")
    if plan.missing_bytes > ASKED_ABOVE_BYTES and not yes and not click.confirm("Fetch it?"):
        click.echo("Nothing was fetched.")
        return
    with counted(f"pulling  {plan.name}, {say_bytes(plan.total_bytes)}", plan.total_bytes) as advance:
        folder = fetch(plan, advance)
    click.echo(f"{plan.name} is whole, in {folder}.")
    try:
        describe(plan.name)
    except NotAlone as error:
        click.echo(error.hint)
    else:
        click.echo(f"To answer with it, run: whereabouts models use {plan.name}")


@models.command()
@click.argument("name", required=False)
def verify(name: str | None) -> None:
    """Read a checkpoint's files again, or those of all, and compare them with the checksums that they came with."""
    from assistant.checksums import damaged_files, recorded_sums

    names = [name] if name else [*PUBLISHED, *pulled_names()]
    found = {each: recorded_sums(_folders(each)) for each in dict.fromkeys(names) if name or located(each)}
    for each in (each for each in found if not found[each]):
        click.echo(f"No checksums of {each} are recorded.", err=True)
    sums = {path: expected for each in found.values() for path, expected in each.items()}
    if not sums:
        raise UserError("There is nothing to compare.", "Checksums are of what was pulled.")
    total = sum(path.stat().st_size for path in sums if path.is_file())
    with counted(f"reading  {say_bytes(total)}", total) as advance:
        damaged = damaged_files(sums, advance)
    if damaged:
        hint = "Run: whereabouts models pull NAME, which fetches only what is damaged."
        raise CheckpointError(f"{'; '.join(damaged)}.", hint)
    click.echo(f"{len(sums)} files are what they were, {say_bytes(total)}.")


@models.command()
@click.argument("name")
def use(name: str) -> None:
    """Answer with this checkpoint from now on: writes it into config.toml, whose other lines stay."""
    name = short_name(name)
    found, settings = describe(name), load_config().model
    placement = place(found.name, found.size, settings.precision)
    if settings.adapter:
        try:
            read_card(file_of(settings.adapter), found.weights_hash)
        except CheckpointError as error:
            raise CheckpointError(error.message, "Take adapter out of [model] in config.toml first.") from error
    path = write_setting("model", "checkpoint", _absolute(name, found))
    click.echo(f"{path} says {name} now, which would run in {placement}.")
    if settings.checkpoint != name:
        click.echo("What was recorded is embedded anew for it before it answers: whereabouts index")


@models.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a pulled checkpoint, or what has come of one."""
    from assistant.download import alone, put_away

    name, chosen = short_name(name), load_config().model
    if name not in pulled_names():
        raise UserError(f"{name} was not pulled.", "Run: whereabouts models list")
    folders = [place_of(name), unfinished_place_of(name)]
    if _share_any(folders, _folders(chosen.answerer)):
        raise UserError(f"{name} words the answers.", "Take answerer out of [model] in config.toml first.")
    if _share_any(folders, _folders(chosen.checkpoint)):
        raise UserError(f"{name} is read to answer.", "Use another one first: whereabouts models use nano")
    with writing(folders[0]), alone(name):
        freed = sum(map(bytes_under, folders))
        for folder in folders:
            put_away(folder)
    click.echo(f"Removed {name}: {say_bytes(freed)}.")


def _share_any(removed: Iterable[Path], read: Iterable[Path]) -> bool:
    """Whether any that is read is, or lies in, one to be removed, by whatever names."""
    return any(each.resolve().is_relative_to(folder.resolve()) for each in read for folder in removed)


def _folders(name: str) -> set[Path]:
    """Of the model and its recall encoder; of one that lacks files the model's alone, if there is that."""
    try:
        found = describe(name)
        return {found.folder, found.recall_folder}
    except CheckpointError:
        return {folder for folder in [located(name)] if folder}


def _row(name: str, settings: Model) -> Row:
    """How a checkpoint is; of a published one that is not here its size is known all the same."""
    folder, weights_bytes, problem = None, 0, None
    size = PUBLISHED[name].size if name in PUBLISHED else None
    try:
        found = describe(name)
        folder, weights_bytes, size = str(found.folder), found.weights_bytes, found.size
    except NotAlone:
        folder = str(located(name))
    except CheckpointError as error:
        problem = _so_far(name) or error.message
    try:
        placement = place(name, size, settings.precision) if size else None
    except CheckpointError:
        placement = None
    is_used = name in (short_name(settings.checkpoint), settings.answerer)
    return Row(name, is_used, folder, weights_bytes, problem, placement)


def _so_far(name: str) -> str:
    """What has come of one that is not whole, as far as it may be looked at."""
    came = 0
    with suppress(CheckpointError, OSError):
        came = bytes_under(unfinished_place_of(name))
    return f"{say_bytes(came)} have come; go on with: whereabouts models pull {name}" if came else ""


def _would_run(row: Row) -> str:
    if row.placement:
        return f"{row.placement.precision}, {say_bytes(row.placement.needed_bytes)}"
    return "too large" if row.weights_bytes or row.name in PUBLISHED else ""


def _absolute(name: str, found: Description) -> str:
    """Of a folder its whole path, as the working directory is another one next time."""
    folder = Path(os.path.expanduser(name))
    return str(folder.absolute()) if found.folder == folder else name
