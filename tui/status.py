"""The `status` command, and all there is to say of a memory: rows, room, recorder, checkpoint.

This file does not know how it is laid out.
"""

from pathlib import Path
from typing import Any

import click

from store.config import Config, load_config
from store.episodic import EpisodicStore
from store.errors import CheckpointError
from tui import report
from tui.evidence import screen
from tui.options import json_option
from tui.secrecy import open_memory
from tui.standing import recorder_state


@click.command()
@json_option
@click.pass_obj
def status(memory: Path, as_json: bool) -> None:
    """What is in the memory, how much room it takes, and how the recorder is."""
    with open_memory(memory, create=False) as store:
        described = describe_memory(store, load_config())
    if as_json:
        click.echo(report.to_json(described))
    else:
        screen().print(report.status_table(described))


def describe_memory(store: EpisodicStore, config: Config) -> dict[str, Any]:
    """Plain values; it counts rows, so in a large memory it takes a while."""
    found: dict[str, Any] = store.status()
    recorder = recorder_state(store.directory) if found["recording"] else None
    return report.status_json(found, _indexed(found["indexed"], config), store.sessions(), recorder)


def _indexed(counts: dict[str, int], config: Config) -> dict[str, Any]:
    """How far the configured checkpoint is, or why it cannot be told."""
    from assistant.registry import describe

    name = config.model.checkpoint
    try:
        return {"name": name, "indexed": counts.get(describe(name).key, 0), "problem": None}
    except CheckpointError as error:
        return {"name": name, "indexed": 0, "problem": error.message}
