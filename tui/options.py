"""What several commands share: options, and what is checked before a command begins.

This file does not know what any command does.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from store.errors import UserError

Command = TypeVar("Command", bound=Callable[..., Any])


LIMIT = click.IntRange(min=1, max=10**9)
KEYFRAME = click.IntRange(min=-(2**62), max=2**62)  # what SQLite takes as an id


def span_options(command: Command) -> Command:
    """--since and --until, which may also be called --from and --to."""
    until = click.option("--until", "--to", metavar="TIME", help="Only what was seen before it, such as 08:30.")
    since = click.option("--since", "--from", metavar="TIME", help="What was seen from 08:30, or 2026-03-02T08:30.")
    return since(until(command))


fps_option = click.option("--fps", type=float, help="Pictures looked at a second; else what config.toml says.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")


def need_folder_of(path: Path) -> None:
    """Said before any work is done."""
    if not path.parent.is_dir():
        raise UserError(f"There is no folder {path.parent}.", "Make it first, or write somewhere else.")
