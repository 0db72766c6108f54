"""The `tui` command, and what this terminal can show.

This file does not know what is shown.
"""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store.config import load_config
from store.errors import UserError
from tui.secrecy import open_memory

if TYPE_CHECKING:
    from textual.widget import Widget

SWITCH_S = 0.001  # how long a key may wait for the thread that a model works in, each time it needs the interpreter


@click.command()
@click.pass_obj
def tui(memory: Path) -> None:
    """Ask, see the moments, walk through the day: a screen to keep open."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # it draws on the last one
        raise UserError("There is no terminal to draw on.", 'Run it in one, or ask: whereabouts ask "..."')
    with open_memory(memory) as store:
        from tui.app import Whereabouts

        sys.setswitchinterval(SWITCH_S)
        Whereabouts(store, load_config(), pixels()).run()


def pixels() -> "type[Widget] | None":
    """The widget for terminals that show pixels (sixel, kitty); None where characters must do, or no colour is wanted.

    It asks the terminal, so it must come before anything else reads from it.
    """
    if "NO_COLOR" in os.environ or os.environ.get("TERM", "dumb") == "dumb":
        return None
    logging.getLogger("textual_image").addHandler(logging.NullHandler())  # it complains on the screen
    try:
        from textual_image.renderable import Image, SixelImage, TGPImage
        from textual_image.widget import SixelImage as SixelWidget
        from textual_image.widget import TGPImage as TGPWidget
    except Exception:  # a terminal that answers strangely
        return None
    widgets: dict[type, type[Widget]] = {SixelImage: SixelWidget, TGPImage: TGPWidget}
    return widgets.get(Image)
