"""What does the glimpse save, and a follow-up? Tokens and time to the first token of an answer.

    python benchmarks/answer.py [--sizes tiny nano 0.5b] [--rounds 3] [--dtype float32] [--out FILE.json]

Two tables for each size: nano is the shipped checkpoint with its own number of frames, the others have random weights
in the sizes of LLaVA-OneVision (random_models.py), N = 300 candidates and k = 32 frames.

    tokens      read by glimpse and fallback, against all N frames in one sequence; for nano and tiny also the time,
                with k = 32 as well
    first token of a first question, and of follow-ups about the same candidates that are shown the same frames, or
                some others: the pointer's scores are set so that each has so many frames off the grid of exploration,
                and 9 of 32 are the most that alpha = 0.1 lets in. Its parts: the glimpse, the tower on frames that were
                not seen before, what is read of frames and question, and the first token

Pictures are noise, embeddings random. Beside them nano answers through `ask` itself, with pictures and questions of a
simulated home of five minutes, each as a first question and as a follow-up: from the call to the first word.

Medians of some rounds, in one process, all parts of a round one after another.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from earnest import ask_in_earnest
from random_models import byte_tokenizer, random_model
from rich.console import Console
from rich.table import Table
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from assistant import checkpoints, prompt
from assistant.model import MMEgo
from assistant.pointer import exploration_grid, select
from assistant.prefix import Prefix

CANDIDATES, SHOWN = 300, 32
QUESTION, FOLLOW_UP = "where did i put my wallet?", "where did i put my keys?"
PARTS = ("glimpse", "tower", "reading", "token")
WHOLE_UP_TO = 1e13  # operations, beyond which all N frames are not read: it would take hours


@dataclass(frozen=True)
class Subject:
    """A model, its tokenizer, and the frames of a span: pictures (N, 3, H, W) and compressed embeddings (N, C)."""

    name: str
    model: MMEgo
    tokenizer: PreTrainedTokenizerFast
    pictures: Tensor
    compressed: Tensor

    @property
    def shown(self) -> int:
        return min(SHOWN, self.model.config.selected)

    def ids(self, question: str) -> list[int]:
        return prompt.token_ids(prompt.glimpse_text(question), self.tokenizer)

    def embedded(self, question: str, chosen: Sequence[int], visual: Tensor) -> Tensor:
        shown = [prompt.Shown(f"08:{i // 60:02}:{i % 60:02}") for i in chosen]
        pieces = prompt.fallback_pieces(question, shown, 0)
        return self.model.embed(prompt.tokenise(pieces, self.tokenizer), visual)


class Memory:
    """What is kept between questions, as Recent keeps it."""

    def __init__(self) -> None:
        self.candidates: Prefix | None = None
        self.shown: Prefix | None = None
        self.visual: dict[int, Tensor] = {}


def subject(size: str, dtype: torch.dtype) -> Subject:
    if size == "nano":
        found = checkpoints.load("nano")
        model, tokenizer = found.model, found.tokenizer
    else:
        model, tokenizer = random_model(size, dtype, "cpu"), byte_tokenizer()
    torch.manual_seed(1)
    px, width = model.config.picture_px, model.memory_pointer.shape[-1]
    return Subject(size, model, tokenizer, torch.randn(CANDIDATES, 3, px, px), torch.randn(CANDIDATES, width))


def choices(count: int) -> dict[str, list[int]]:
    """What a first question is shown, and follow-ups: the same, a few others, and the most others there can be."""
    alpha, few, most = 0.1, max(1, count // 10), min(9, count - 1)
    off_grid = sorted(set(range(CANDIDATES)) - set(exploration_grid(CANDIDATES, count).tolist()))
    torch.manual_seed(2)
    places = [off_grid[i] for i in torch.randperm(len(off_grid)).tolist()]

    def chosen(peaks: Sequence[int]) -> list[int]:
        scores = torch.zeros(CANDIDATES)
        scores[list(peaks)] = 1 / len(peaks)
        return select(scores, count, alpha).tolist()

    own = {few: chosen(places[:few]), most: chosen(places[:most])}
    return {
        "first": own[few],
        "follow-up, the same frames": own[few],
        f"follow-up, {few} of its own": chosen(places[few : 2 * few]),
        f"first, {most} of its own": own[most],
        f"follow-up, {most} others": chosen(places[most : 2 * most]),
    }


def ask(subject: Subject, question: str, chosen: Sequence[int], memory: Memory) -> dict[str, float]:
    """Seconds of each part up to the first token."""
    model, spent = subject.model, dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def clock(part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        spent[part] = time.perf_counter() - began

    with clock("glimpse"):
        memory.candidates = model.read(subject.compressed, memory.candidates)
        model.glimpse(memory.candidates, subject.ids(question))
    with clock("tower"):
        unseen = [i for i in chosen if i not in memory.visual]
        memory.visual |= zip(unseen, model.encode_frames(subject.pictures[unseen]), strict=True)
    with clock("reading"):
        visual = torch.stack([memory.visual[i] for i in chosen])
        memory.shown = model.read(subject.embedded(question, chosen, visual), memory.shown)
    with clock("token"):
        next(model.answer_stream(memory.shown, stop=()))
    return spent


def first_tokens(subject: Subject, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of each part for each way of asking."""
    found: dict[str, list[dict[str, float]]] = {}
    asked = list(choices(subject.shown).items())
    for _ in range(rounds):
        memory = Memory()
        for way, chosen in asked:
            if way.startswith("first"):
                memory = Memory()
            question = QUESTION if way.startswith("first") else FOLLOW_UP
            found.setdefault(way, []).append(ask(subject, question, chosen, memory))
            if way == asked[1][0]:  # the next one follows the first question, too
                ask(subject, QUESTION, asked[0][1], memory)
    return {way: {part: median(each[part] for each in parts) for part in PARTS} for way, parts in found.items()}


def tokens(subject: Subject, shown: int) -> dict[str, float]:
    """How many tokens glimpse and fallback read, and how many all the frames at once would be; and seconds of each."""
    model = subject.model
    visual = torch.zeros(CANDIDATES, model.config.tokens_a_frame, model.memory_pointer.shape[-1])
    ask_some = subject.embedded(QUESTION, exploration_grid(CANDIDATES, shown).tolist(), visual[:shown])
    ask_all = subject.embedded(QUESTION, range(CANDIDATES), visual)
    glimpse = CANDIDATES + len(subject.ids(QUESTION)) + 1
    found: dict[str, float] = {"glimpse": glimpse, "fallback": len(ask_some), "all": len(ask_all)}
    found["times fewer"] = len(ask_all) / (glimpse + len(ask_some))
    weights = sum(weight.numel() for weight in model.model.language_model.layers.parameters())
    if 2 * weights * len(ask_all) < WHOLE_UP_TO:
        ways = {
            "glimpse_s": lambda: model.glimpse(subject.compressed, subject.ids(QUESTION)),
            "fallback_s": lambda: model.read(ask_some),
            "all_s": lambda: model.read(ask_all),
        }
        found |= {way: _median_s(work) for way, work in ways.items()}
        found["times faster"] = found["all_s"] / (found["glimpse_s"] + found["fallback_s"])
    return found


def _median_s(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return median(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["nano", "0.5b"], choices=["tiny", "nano", "0.5b"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    console = Console(width=120)
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for size in arguments.sizes:
            asked = subject(size, getattr(torch, arguments.dtype))
            shown = sorted({asked.shown, SHOWN})
            found[size] = {
                "tokens": {count: tokens(asked, count) for count in shown},
                "first token": first_tokens(asked, arguments.rounds),
            }
            console.print(
                tokens_table(size, found[size]["tokens"]), first_token_table(size, found[size]["first token"])
            )
    if "nano" in arguments.sizes:
        found["asked"] = ask_in_earnest(arguments.rounds)
        console.print("nano through ask, to the first word:", found["asked"])
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


def tokens_table(size: str, found: dict[int, dict[str, float]]) -> Table:
    names = list(next(iter(found.values())))
    table = Table("frames shown", *names, title=f"{size}: N = {CANDIDATES}")
    for shown, values in found.items():
        table.add_row(
            str(shown),
            *(f"{values[name]:.4g}" if isinstance(values[name], float) else str(values[name]) for name in names),
        )
    return table


def first_token_table(size: str, found: dict[str, dict[str, float]]) -> Table:
    table = Table(size, *PARTS, "first token, s", "times faster", title="seconds to the first token")
    first = 0.0
    for way, parts in found.items():
        total = sum(parts.values())
        first = total if way.startswith("first") else first
        table.add_row(way, *(f"{parts[part]:.3f}" for part in PARTS), f"{total:.3f}", f"{first / total:.1f}")
    return table


if __name__ == "__main__":
    main()
