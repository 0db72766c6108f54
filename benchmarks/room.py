"""Does a checkpoint take as much memory as it is weighed at? The peak of a process against quantisation.py's estimate.

    python benchmarks/room.py [--size 0.5b] [--work DIR]

The checkpoint has random weights in the sizes of the published one and its recall encoder (random_models.py), written
once into DIR as a folder that loads like any other. A process of its own for each precision loads it, reads 300
candidates and 32 frames with a question, and says four tokens; what importing the libraries takes is not counted. On a
GPU it is what torch allocates there at most, on a CPU the most that the process holds besides the files that it maps,
looked at fifty times a second.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import torch
from random_models import SIZES, write_random
from rich.console import Console
from rich.table import Table

from assistant import prompt
from assistant.checkpoints import Checkpoint, load
from assistant.quantisation import LINEAR_BYTES, best_device, needed_bytes
from assistant.registry import describe
from store.units import say_bytes

CANDIDATES, SHOWN, TOKENS = 300, 32, 4


def held_bytes() -> int:
    """By this process, without what is mapped from files."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024


def watch(most: list[int], done: Event) -> None:
    while not done.wait(0.02):
        most.append(max(most.pop(), held_bytes()))


def taken_bytes(folder: Path, precision: str) -> int:
    """At most, from before the checkpoint is loaded to the end of an answer."""
    before, done = held_bytes(), Event()
    most = [before]
    watching = Thread(target=watch, args=(most, done))
    watching.start()
    answer(load(str(folder), precision))
    done.set()
    watching.join()
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else most[0] - before


@torch.inference_mode()
def answer(checkpoint: Checkpoint) -> None:
    """Work as an answer does."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    config, width = model.config, model.memory_pointer.shape[-1]
    question = "where did i put my wallet?"
    model.glimpse(torch.randn(CANDIDATES, width), prompt.token_ids(prompt.glimpse_text(question), tokenizer))
    model.encode_frames(torch.randn(SHOWN, 3, config.picture_px, config.picture_px))
    pieces = prompt.fallback_pieces(question, [prompt.Shown("08:14:05")] * SHOWN, 0)
    read = model.read(model.embed(prompt.tokenise(pieces, tokenizer), torch.randn(SHOWN, config.tokens_a_frame, width)))
    config.answer_tokens = TOKENS
    list(model.answer_stream(read, stop=()))


def measure(folder: Path, precision: str) -> int:
    """In a process of its own."""
    said = subprocess.run(
        [sys.executable, __file__, "--work", str(folder), "--precision", precision],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(said.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="0.5b", choices=list(SIZES))
    parser.add_argument("--work", type=Path)
    parser.add_argument("--precision", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.precision:
        print(taken_bytes(arguments.work, arguments.precision))
        return
    device = best_device()
    with TemporaryDirectory() as temporary:
        folder = (arguments.work or Path(temporary)) / arguments.size
        if not folder.is_dir():
            write_random(folder, arguments.size)
        size = describe(str(folder)).size
        table = Table("precision", "weighed at", "taken", "taken / weighed", title=f"{arguments.size} on {device}")
        for precision in LINEAR_BYTES:
            weighed, taken = needed_bytes(size, precision), measure(folder, precision)
            table.add_row(precision, say_bytes(weighed), say_bytes(taken), f"{taken / weighed:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
