"""The commands of those who make checkpoints: train, questions, evaluate.

This file does not know how anything is trained, written or examined.
"""

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from store.disk import writing
from store.errors import UserError
from tui import report
from tui.options import json_option, need_folder_of


@click.group()
def train() -> None:
    """Train a checkpoint, or a pointer for one."""


@train.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the finished checkpoint.")
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder for what is made on the way.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True)
def nano(out: Path, work: Path, processes: int) -> None:
    """Train the nano checkpoint from scratch on simulated homes."""
    from tui.laboratory import train_nano

    train_nano(out, work, processes)


@train.command()
@click.option("--base", required=True, help="The checkpoint that it is for: a name, or the path of a folder.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of films and their narrations.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File of the adapter.")
@click.option("--precision", type=click.Choice(["nf4", "int8", "bf16", "fp32"]), default="nf4", show_default=True,
              help="Of the base, which does not learn.")  # fmt: skip
@click.option("--steps", type=click.IntRange(min=1), default=600, show_default=True)
def pointer(base: str, data: Path, out: Path, precision: str, steps: int) -> None:
    """Train a memory pointer for a base checkpoint from narrated films.

    DATA holds .mp4 films, at any depth, and Ego4D's narration JSON or EPIC-KITCHENS' CSV. What is learned is one small
    file beside the base: write it into config.toml as adapter under [model]. What is made on the way lies in OUT.work,
    from where a stopped training goes on, if it is asked for the same again; any other begins anew.
    """
    from tui.laboratory import train_pointer

    need_folder_of(out)
    train_pointer(base, precision, data, out, steps)


@click.command()
@click.argument("narrations", type=click.Path(path_type=Path))
@click.option("--sample", type=click.IntRange(min=1), default=100, show_default=True, help="How many to print.")
@click.option("--seed", type=int, default=7, show_default=True)
def questions(narrations: Path, sample: int, seed: int) -> None:
    """Write questions from timed narrations and print a sample of them, each with what its answer rests on.

    NARRATIONS is EPIC-KITCHENS' CSV or Ego4D's narration JSON.
    """
    from assistant.training.conversations import sample_questions

    lines = sample_questions(narrations, sample, seed)
    if not lines:
        raise UserError(f"{narrations} tells too little to ask about.", "Give narrations of half a minute or more.")
    click.echo("\n".join(lines))


@click.command()
@click.option("--homes", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--first-seed", type=int, default=1_000_000, show_default=True, help="Seed of the first home.")
@click.option("--checkpoint", default="nano", show_default=True, help="A name, or the path of a checkpoint's folder.")
@click.option("--controls", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of the checkpoints to hold it against, as training leaves them.")  # fmt: skip
@click.option("--work", type=click.Path(path_type=Path, file_okay=False),
              help="Keep homes and results there, to go on after a stop.")  # fmt: skip
@click.option("--report", "page", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the page there, and its pictures beside it.")  # fmt: skip
@json_option
def evaluate(
    homes: int,
    first_seed: int,
    checkpoint: str,
    controls: Path | None,
    work: Path | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Ask a checkpoint about simulated homes that it has never seen, and count what is right."""
    from assistant.evaluation.report import render_report
    from tui.examination import evaluate_homes

    if page:
        need_folder_of(page)
    command = f"whereabouts evaluate --homes {homes} --first-seed {first_seed} --checkpoint {checkpoint}"
    command += f" --controls {controls}" if controls else ""
    with nullcontext(work) if work else TemporaryDirectory() as folder:
        found = evaluate_homes(checkpoint, homes, first_seed, controls, Path(folder))
        written = render_report(found, command, page.parent if page else Path(folder))
    if page:
        with writing(page):
            page.write_text(written)
    click.echo(report.to_json(found) if as_json else written)
