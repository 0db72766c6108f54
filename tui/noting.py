"""The command about notes: note.

This file does not know how notes are kept or found.
"""

from collections.abc import Sequence
from pathlib import Path

import click

from store.errors import UserError
from store.records import Span
from tui.evidence import say_quoted
from tui.options import KEYFRAME
from tui.secrecy import open_memory


@click.command()
@click.argument("keyframe", type=KEYFRAME)
@click.argument("text", required=False)
@click.option("--remove", is_flag=True, help="Take the moment's notes away.")
@click.pass_obj
def note(memory: Path, keyframe: int, text: str | None, remove: bool) -> None:
    """Write a note to the moment of a keyframe, to find it by, and list the notes of that moment.

    For example: whereabouts note KEYFRAME "lent to Anna"
    """
    if remove and text is not None:
        raise UserError("A note cannot be written and taken away at once.", "Leave out the text, or --remove.")
    with open_memory(memory, create=False) as store:
        moment = store.moment_of(keyframe)
        if text is not None:
            store.add_note(moment.keyframe.session_id, Span(moment.started_at, moment.ended_at), text)
        notes = store.notes_of(keyframe)
        for each in notes if remove else ():
            store.remove_note(each.id)
    if remove:
        click.echo(f"Notes taken away: {len(notes)}.")
    else:
        for each in notes:
            click.echo(say_quoted(each, moment.keyframe.zone_offset_s))


COMMANDS: Sequence[click.Command] = (note,)
