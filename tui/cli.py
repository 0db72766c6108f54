"""The `whereabouts` command: what a person types, turned into calls of the other rooms.

Commands import what they need when they run, so that `whereabouts status` answers at once and torch is loaded only
where a model is asked. This file does not know how anything is recorded, found, drawn or reported as an error.
"""

import os
import resource
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click

from assistant.asking import asks_for_words
from store.config import load_config, memory_directory
from store.disk import open_private, writing
from tui import forgetting, keeping, noting, report
from tui.clock import asked_span, wearers_clock, zone_offset_s
from tui.daemon import config, service
from tui.evidence import print_answer, print_evidence, say_quoted, screen
from tui.exits import Program, stopping
from tui.models import models
from tui.options import KEYFRAME, LIMIT, json_option, need_folder_of, span_options
from tui.picture import Picture
from tui.progress import watch_indexing, watch_loading, watch_tidying, watch_words
from tui.recording import cameras, import_films, pause, private, record, resume
from tui.secrecy import key, lock, open_memory, passwd, unlock
from tui.status import status
from tui.terminal import tui
from tui.workbench import evaluate, questions, train

FOLLOW_EVERY_S = 5.0
TIDY_EVERY_S = 3600.0
PATIENCE_S = 60.0  # of who asks about words that are not written down yet


def main() -> None:
    """The console script. Every core is used, once: FAISS, torch and numpy would each count them by themselves."""
    os.environ.setdefault("OMP_NUM_THREADS", str(len(os.sched_getaffinity(0))))
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is ever fetched or told
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the key and what it opens
    cli()


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--memory", type=click.Path(path_type=Path), help="Folder of the memory; else $WHEREABOUTS_HOME.")
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
@click.version_option(package_name="whereabouts")
@click.pass_context
def cli(ctx: click.Context, memory: Path | None, debug: bool) -> None:
    """A memory for a head camera: record what you see, then ask where things are."""
    ctx.obj = memory_directory(memory)


@cli.command()
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Keep the memory there, to go on asking.")
@click.pass_context
def demo(ctx: click.Context, keep: Path | None) -> None:
    """Record a simulated morning, ask about it, and check the answers."""
    from tui.demo import run

    if not run(screen(), keep):
        click.echo("The demo failed: the wallet is not where the answer says.", err=True)
        ctx.exit(1)


@cli.command()
@click.option("--follow", is_flag=True, help="Go on with what is recorded meanwhile, at the lowest priority.")
@click.pass_obj
def index(memory: Path, follow: bool) -> None:
    """Embed what was recorded, so that it can be asked, and write down its words."""
    config = load_config()
    with stopping() as stop, open_memory(memory, create=follow) as store:
        if follow:
            os.nice(19)
        checkpoint, tidied_s = watch_loading(config.model), float("-inf")
        while not stop.is_set():
            done = watch_indexing(store, checkpoint)
            words = watch_words(store, config, stop.is_set)
            if time.monotonic() - tidied_s >= TIDY_EVERY_S:
                watch_tidying(store, checkpoint, config.retention, stop.is_set)
                tidied_s = time.monotonic()
            if not follow:
                break
            stop.wait(FOLLOW_EVERY_S)
        if not follow:
            click.echo(f"Indexed {done} keyframes; {store.count()} are in the memory.")
            click.echo(f"Wrote down the words of {words.sounds} sounds and {words.keyframes} keyframes.")


@cli.command()
@click.argument("question")
@span_options
@json_option
@click.pass_obj
def ask(memory: Path, question: str, since: str | None, until: str | None, as_json: bool) -> None:
    """Ask about what was seen, for example: whereabouts ask "where did I put my wallet yesterday?" """
    from assistant.conversation import understand

    with open_memory(memory, create=False) as store:
        config, span = load_config(), asked_span(store, since, until)
        understood = understand(question, None, *wearers_clock(store))
        checkpoint = watch_loading(config.model, to_answer=True)
        watch_indexing(store, checkpoint)
        from assistant.answer import ask as ask_memory
        from assistant.words import only

        if kind := asks_for_words(understood.question):
            end_s = time.monotonic() + PATIENCE_S
            wanted = replace(config, words=only(config.words, kind))
            watch_words(store, wanted, lambda: time.monotonic() > end_s)
        console = screen(quiet=as_json)
        answer = print_answer(ask_memory(store, checkpoint, understood.question, span or understood.span), console)
        if as_json:
            click.echo(report.to_json(report.answer_json(answer, zone_offset_s(store))))
        else:
            print_evidence(store, answer, console)


@cli.command()
@span_options
@click.option("--limit", type=LIMIT, help="At most so many, the newest.")
@json_option
@click.pass_obj
def moments(memory: Path, since: str | None, until: str | None, limit: int | None, as_json: bool) -> None:
    """List what was recorded, newest first."""
    os.environ.setdefault("LESS", "-FRX")
    with open_memory(memory, create=False) as store:
        found = islice(store.walk_moments(asked_span(store, since, until)), limit)
        if as_json:
            for piece in report.json_list(report.moment_json(moment) for moment in found):
                click.echo(piece, nl=False)
            click.echo()
        else:
            click.echo_via_pager(f"{line}\n" for line in report.moment_lines(found))


@cli.command()
@click.argument("query")
@span_options
@click.option("--limit", type=LIMIT, default=20, help="At most so many, the best.")
@json_option
@click.pass_obj
def find(memory: Path, query: str, since: str | None, until: str | None, limit: int, as_json: bool) -> None:
    """Find moments by what was seen, said or to be read, for example: whereabouts find "bus timetable" """
    from assistant.finding import find as find_moments

    with open_memory(memory, create=False) as store:
        span = asked_span(store, since, until)
        checkpoint, zone_s = watch_loading(load_config().model), zone_offset_s(store)
        watch_indexing(store, checkpoint)
        found = find_moments(store, checkpoint, query, span, limit)
    if as_json:
        click.echo(report.to_json([report.found_json(each, zone_s) for each in found]))
        return
    for each in found:
        click.echo(report.say_moment(each.moment) + ("  seen" if each.seen else ""))
        for row in each.quoted[:3]:
            click.echo(f"    {say_quoted(row, zone_s)}")
    if not found:
        click.echo("Nothing like that was seen, heard or read.")


@cli.command()
@click.argument("keyframe", type=KEYFRAME)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the JPEG there.")
@click.pass_obj
def show(memory: Path, keyframe: int, output: Path | None) -> None:
    """Show a keyframe in the terminal, or write it to a file."""
    with open_memory(memory, create=False) as store:
        found = store.keyframe(keyframe)
        jpeg = store.jpeg(found)
    if output is None:
        console = screen()
        console.print(Picture(jpeg, console.width), f"{found.local_time:%Y-%m-%d %H:%M:%S}")
    else:
        need_folder_of(output)
        with writing(output):
            output.unlink(missing_ok=True)
            descriptor = open_private(output, os.O_WRONLY)
            with open(descriptor, "wb") as written:
                written.write(jpeg)
        click.echo(f"Wrote {output}: {found.width_px} x {found.height_px}, {found.local_time:%Y-%m-%d %H:%M:%S}.")


@cli.command()
@click.argument("query")
@span_options
@click.option("--limit", type=LIMIT, default=20, help="At most so many, the best.")
@json_option
@click.pass_obj
def words(memory: Path, query: str, since: str | None, until: str | None, limit: int, as_json: bool) -> None:
    """Find what was said or was to be read, for example: whereabouts words "bus timetable" """
    with open_memory(memory, create=False) as store:
        found = store.find_words(query, asked_span(store, since, until), limit)
        zone_s, waiting = zone_offset_s(store), store.status()
    if as_json:
        click.echo(report.to_json([report.quoted_json(row, zone_s) for row in found]))
        return
    for row in found:
        click.echo(say_quoted(row, zone_s))
    if not found:
        click.echo("Nothing like that was heard or read.")
    if waiting["unheard"] or waiting["unread"]:
        counts = f"{waiting['unheard']} sounds and {waiting['unread']} keyframes"
        click.echo(f"The words of {counts} are not written down yet. Run: whereabouts index", err=True)


for command in (
    tui,
    status,
    *(record, import_films, cameras, pause, private, resume, service, config),
    *forgetting.COMMANDS,
    *noting.COMMANDS,
    *keeping.COMMANDS,
    *(unlock, lock, passwd, key),
    models,
    *(train, questions, evaluate),
):
    cli.add_command(command)
