"""Commands of those who let Whereabouts run by itself: service and config.

This file does not know what systemd does with a unit, nor what the settings do.
"""

import sys
from pathlib import Path

import click

from store.config import config_path, documented, load_config
from store.errors import CheckpointError, UserError


@click.group()
def service() -> None:
    """Record whenever you are logged in, as a service of systemd."""


@service.command()
@click.argument("camera")
@click.pass_obj
def install(memory: Path, camera: str) -> None:
    """Start recording CAMERA now and at every login, and index in the background. CAMERA is as for `record`."""
    from device import unit

    uri = camera if camera in load_config().cameras or ":" in camera else str(Path(camera).absolute())
    units = unit.install(unit.unit_directory(), program(), uri, memory)
    for path in units:
        click.echo(f"Wrote {path}.")
    if left := unit.start():
        raise UserError("systemd did not start the service.", f"Run: {left}")
    click.echo("Recording. See: whereabouts status")


@service.command()
def uninstall() -> None:
    """Stop the service and remove it; the memory stays."""
    from device import unit

    left = unit.stop()
    removed = unit.uninstall(unit.unit_directory())
    for path in removed:
        click.echo(f"Removed {path}.")
    if not removed:
        raise UserError(f"No service is installed in {unit.unit_directory()}.", "Run: whereabouts service install")
    if left:
        raise UserError("systemd did not stop the service.", f"Run: {left}")


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
def check() -> None:
    """Read config.toml and say what is wrong with it, and whether the models it names are there."""
    from assistant.adapter_card import file_of, read_card
    from assistant.registry import describe, located
    from assistant.transcription import open_engine

    path = config_path()
    found = load_config()
    base = describe(found.model.checkpoint)
    if found.model.adapter:
        read_card(file_of(found.model.adapter), base.weights_hash)
    if (name := found.model.answerer) and located(name) is None:
        raise CheckpointError(f"The answerer {name!r} is not on this machine.", f"Run: whereabouts models pull {name}")
    if found.words.whisper:
        open_engine(found.words)
    if not path.exists():
        click.echo(f"{path} is not there: everything has its default.")
    else:
        cameras = f", cameras: {', '.join(found.cameras)}" if found.cameras else ""
        click.echo(f"{path} is right{cameras}.")


@config.command()
def show() -> None:
    """Print every setting with its value and its meaning, as a config.toml."""
    click.echo(documented(load_config()), nl=False)


def program() -> list[str]:
    """How this program is started, from wherever."""
    script = Path(sys.executable).with_name("whereabouts")
    return [str(script)] if script.exists() else [sys.executable, "-c", "from tui.cli import main; main()"]
