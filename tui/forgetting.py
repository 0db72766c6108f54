"""The commands about letting go: forget, pin, unpin, retention.

This file does not know how anything is destroyed or thinned.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store.config import load_config
from store.episodic import EpisodicStore
from store.errors import DiskFull, UserError
from store.layout import UNCLAIMED
from store.records import Span, local_time
from store.spans import moment_span, session_span, with_end
from store.units import read_quantity, say_bytes
from store.upkeep.pins import pin as pin_span
from store.upkeep.pins import pins
from store.upkeep.pins import unpin as unpin_span
from tui.clock import asked_span, say_duration, zone_offset_s
from tui.options import KEYFRAME, span_options
from tui.secrecy import open_memory

if TYPE_CHECKING:
    from store.upkeep.forgetting import Forgetting, Receipt
    from store.upkeep.retention import Step

LONGEST_S = 100 * 365 * 86_400.0
RUNGS = ("all keyframes", "one keyframe in ten", "the best of each moment", "words only", "nothing")


@click.command()
@click.option("--last", metavar="5m", help="The last so many seconds, minutes or hours.")
@span_options
@click.option("--moment", type=KEYFRAME, metavar="KEYFRAME", help="The half minute that a keyframe belongs to.")
@click.option("--session", type=KEYFRAME, metavar="ID", help="A session as a whole.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def forget(
    memory: Path,
    last: str | None,
    since: str | None,
    until: str | None,
    moment: int | None,
    session: int | None,
    yes: bool,
) -> None:
    """Destroy what was seen, heard and answered of a time, here and in every backup within reach.

    It says first what would go, and asks. The time stays as a gap, without content. A recorder may go on meanwhile.
    """
    from store.upkeep.forgetting import forget as forget_spans
    from store.upkeep.forgetting import plan

    with open_memory(memory, create=False) as store:
        span = _meant(store, last, since, until, moment, session)
        planned = plan(store, [span])
        if planned.is_nothing and not planned.backups:
            click.echo("Nothing is known of that time.")
            return
        click.echo(say_planned(planned, zone_offset_s(store)))
        if not yes and not _confirmed("Destroy it for good?"):
            click.echo("Nothing was changed.")
            return
        receipt = forget_spans(store, [span])
        click.echo(say_receipt(receipt, zone_offset_s(store)))
    if (memory / UNCLAIMED).is_dir():
        click.echo(f"What a repair laid into {memory / UNCLAIMED} is not reached: delete that folder.", err=True)
    if receipt.unreached:
        backups = ", ".join(receipt.unreached)
        raise DiskFull(f"Not forgotten in {backups}.", "Run the same again when that disk is there.")


@click.command()
@click.argument("keyframe", type=KEYFRAME, required=False)
@click.pass_obj
def pin(memory: Path, keyframe: int | None) -> None:
    """Keep the moment of a keyframe whatever retention says; without KEYFRAME, list what is kept so."""
    with open_memory(memory, create=False) as store:
        if keyframe is not None:
            kept = pin_span(store, moment_span(store.keyframe(keyframe).id))
            click.echo(f"Pinned: {_say_span(Span(kept.started_at, kept.ended_at), zone_offset_s(store))}.")
            return
        for each in pins(store):
            click.echo(_say_span(Span(each.started_at, each.ended_at), zone_offset_s(store)))


@click.command()
@click.argument("keyframe", type=KEYFRAME)
@click.pass_obj
def unpin(memory: Path, keyframe: int) -> None:
    """Let retention have the moment of a keyframe again."""
    with open_memory(memory, create=False) as store:
        taken = unpin_span(store, moment_span(keyframe))
    click.echo(f"Pins taken away: {taken}.")


@click.command()
@click.option("--apply", "do_it", is_flag=True, help="Do it now; the indexer does so by itself.")
@click.pass_obj
def retention(memory: Path, do_it: bool) -> None:
    """What goes next under [retention] of config.toml, the oldest first."""
    from store.upkeep.retention import apply, preview

    settings = load_config().retention
    with open_memory(memory, create=False) as store:
        steps = apply(store, settings, time.time()) if do_it else preview(store, settings, time.time())
        for step in steps:
            click.echo(_say_step(step))
        if not steps:
            click.echo("Nothing goes." if settings.keep_s or settings.budget_bytes else "Everything is kept for ever.")
        elif not do_it:
            click.echo("Nothing was changed. The indexer does it, or: whereabouts retention --apply")


def _meant(
    store: EpisodicStore,
    last: str | None,
    since: str | None,
    until: str | None,
    moment: int | None,
    session: int | None,
) -> Span:
    """The one time that was named. UserError for none, and for several."""
    ways = [last, since or until, moment, session]
    if sum(way is not None for way in ways) != 1:
        raise UserError("Say what to forget, in one way.", "For example: whereabouts forget --last 5m")
    if last is not None:
        return _last(store, read_quantity(last, "s"))
    if moment is not None:
        return moment_span(store.keyframe(moment).id)
    if session is not None:
        return span_of_session(store, session)
    span = asked_span(store, since, until)
    if span is None:
        raise UserError("There is nothing recorded to forget.", "Record first.")
    return span


def _last(store: EpisodicStore, seconds: float) -> Span:
    """By this machine's clock, and by that of a session which is being recorded, which may go otherwise."""
    if not 0 < seconds <= LONGEST_S:
        raise UserError(f"{seconds:g} seconds cannot be forgotten.", "For example: whereabouts forget --last 5m")
    ends = [time.time(), *(session.heartbeat_at for session in store.sessions() if session.ended_at is None)]
    return with_end(Span(min(ends) - seconds, max(ends)))


def span_of_session(store: EpisodicStore, session_id: int) -> Span:
    """With its very last picture, sound and word, which may lie at its end."""
    known = {each.id: each for each in store.sessions()}
    if session_id not in known:
        raise UserError(f"There is no session {session_id}.", f"There are: {', '.join(map(str, known)) or 'none'}.")
    session = known[session_id]
    span = session_span(session)
    ends = [span.ended_at, *([time.time()] if session.ended_at is None else [])]
    for column, table in (("captured_at", "keyframes"), ("ended_at", "sounds"), ("ended_at", "transcripts")):
        ends.append(store.database.value(f"SELECT max({column}) FROM {table} WHERE session_id = ?", (session_id,)) or 0)
    return with_end(Span(span.started_at, max(ends)))


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UserError("Nobody is there to be asked.", "Look at what would go, and give --yes.")
    return click.confirm(question, err=True)


def say_planned(planned: "Forgetting", zone_s: int) -> str:
    spans = ", ".join(_say_span(span, zone_s) for span in planned.spans)
    lines = [
        f"{spans}: {say_duration(planned.seconds)} worn, of {len(planned.sessions)} sessions.",
        f"  {planned.keyframes} keyframes ({say_bytes(planned.picture_bytes)}), "
        f"{planned.sounds} sounds ({say_bytes(planned.sound_bytes)})",
        f"  {planned.speech} transcripts of speech, {planned.scene_text} texts that were read, {planned.notes} notes",
        f"  {sum(planned.embeddings.values())} embeddings, {planned.turns} answers, {planned.pins} pins",
    ]
    lines += [f"  and in the backup {each}" for each in planned.backups]
    lines += [f"  but not in the backup {each}, which is not there now" for each in planned.absent]
    return "\n".join(lines)


def say_receipt(receipt: "Receipt", zone_s: int) -> str:
    gone = receipt.destroyed
    lines = [
        f"Forgotten at {local_time(receipt.at, zone_s):%Y-%m-%d %H:%M:%S}: {gone.keyframes} keyframes, {gone.sounds} "
        f"sounds, {gone.speech + gone.scene_text} transcripts, {gone.notes} notes, {gone.turns} answers.",
        f"Keys destroyed: {receipt.keys}. Files written anew: {', '.join(receipt.files) or 'none'}.",
    ]
    lines += [f"Forgotten in the backup {each} as well." for each in receipt.reached]
    lines += [f"NOT forgotten in the backup {each}: {why}" for each, why in receipt.unreached.items()]
    if not receipt.is_wiped:
        lines.append("The last unused places of memory.db are cleared when nobody records.")
    return "\n".join(lines)


def _say_step(step: "Step") -> str:
    day = local_time(step.day * 86_400, 0)
    counts = f"{len(step.keyframes)} keyframes, {len(step.sounds)} sounds, {len(step.transcripts)} transcripts go"
    return f"{day:%Y-%m-%d}: {RUNGS[step.rung]} stays; {counts}, {say_bytes(step.bytes)}."


def _say_span(span: Span, zone_s: int) -> str:
    began, ended = (local_time(at, zone_s) for at in (span.started_at, span.ended_at))
    return f"{began:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S}"


COMMANDS: Sequence[click.Command] = (forget, pin, unpin, retention)
