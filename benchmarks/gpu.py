"""What does a checkpoint cost on a GPU? Memory and time, against the floor that its operations and bytes set.

    python benchmarks/gpu.py [--size 7b] [--out docs/gpu.md]

Weights are random in the sizes of LLaVA-OneVision 7B and its recall encoder, written into a folder (random_models.py)
and loaded as any checkpoint is: speed does not depend on values. In bf16, int8 and nf4 (quantisation.py), measured are

    peak memory   allocated by torch at most, from the weights on to the end of an answer
    encode        frames a second through tower, projector and pooling
    glimpse       300 compressed frames and a question; again with the frames read before
    prefill       32 frames of T tokens with their clocks, and a question
    decode        tokens a second behind that
    an answer     all of it, 32 frames and 64 tokens, without reading JPEGs

The floor of each is the larger of its operations over what this device's bf16 matrix product reaches, and its bytes
over what a copy reaches, both measured first. Without a GPU it says so, writes nothing and ends with 0; `--size tiny`
runs anywhere, to see that it works.
"""

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from random_models import byte_tokenizer, write_random
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import load
from assistant.model import FRAMES_A_PASS
from assistant.pointer import exploration_grid

CANDIDATES, SHOWN, TOKENS = 300, 32, 64
PRECISIONS = ("bf16", "int8", "nf4")
QUESTION = "where did i put my wallet?"
ROUNDS = 5
MIB = 2**20


@dataclass(frozen=True)
class Roof:
    """What a device reaches: operations and bytes a second."""

    operations: float
    bytes: float

    def floor_s(self, operations: float, read_bytes: float) -> float:
        return max(operations / self.operations, read_bytes / self.bytes)


@dataclass(frozen=True)
class Work:
    """One thing that was measured, in seconds, with what it cannot do without."""

    name: str
    seconds: float
    operations: float
    read_bytes: float
    said: str = ""


def seconds_of(work: Callable[[], object], device: str, rounds: int = ROUNDS) -> float:
    """The median, after one round that is not counted."""
    spent = []
    for _ in range(rounds + 1):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        spent.append(time.perf_counter() - began)
    return median(spent[1:])


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def roof_of(device: str) -> Roof:
    side, words = (8192, 2**30) if device == "cuda" else (512, 2**22)
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    source = torch.empty(words, dtype=torch.bfloat16, device=device)
    target = torch.empty_like(source)
    product_s = seconds_of(lambda: left @ right, device, 20)
    copy_s = seconds_of(lambda: target.copy_(source), device)
    return Roof(2 * side**3 / product_s, 2 * source.nbytes / copy_s)


class Examined:
    """A model on a device, and what it is given to read."""

    def __init__(self, folder: Path, precision: str, device: str) -> None:
        self._checkpoint = load(str(folder), precision, device)
        self.device, self.model, self.layers = device, self._checkpoint.model, self._checkpoint.description.size.linear
        config = self.model.config
        px, width = config.picture_px, self.model.memory_pointer.shape[-1]
        self.pictures = torch.randn(SHOWN, 3, px, px)
        self.compressed = torch.randn(CANDIDATES, width, device=device)
        tokenizer = byte_tokenizer()
        self.question = prompt.token_ids(prompt.glimpse_text(QUESTION), tokenizer)
        seconds = exploration_grid(CANDIDATES, SHOWN).tolist()
        shown = [prompt.Shown(f"08:{each // 60:02}:{each % 60:02}") for each in seconds]
        self.pieces = prompt.tokenise(prompt.fallback_pieces(QUESTION, shown, 0), tokenizer)
        self.visual = torch.randn(SHOWN, config.tokens_a_frame, width, dtype=torch.bfloat16, device=device)

    @property
    def layer_bytes(self) -> int:
        """Of the language model's layers, as they lie in memory."""
        return sum(weight.nbytes for weight in self.model.model.language_model.layers.parameters())

    def prompt(self) -> Tensor:
        return self.model.embed(self.pieces, self.visual)

    def operations(self, rows: int, before: int = 0) -> float:
        """Of the language model's layers on rows behind others, attention included."""
        text = self.model.config.text_config
        attended = rows * before + rows * (rows + 1) / 2
        return 2 * self.layers * rows + 4 * attended * text.hidden_size * text.num_hidden_layers

    def answer(self) -> None:
        model = self.model
        model.glimpse(self.compressed, self.question)
        visual = model.encode_frames(self.pictures)
        list(model.answer_stream(model.embed(self.pieces, visual), stop=()))

    def measure(self) -> list[Work]:
        model, device = self.model, self.device
        model.config.answer_tokens = TOKENS
        tower, head = model.model.vision_tower, model.lm_head.weight
        tower_weights = sum(weight.numel() for weight in tower.parameters())
        patches = (model.config.picture_px // model.config.vision_config.patch_size) ** 2
        rows, asked = len(self.prompt()), len(self.question) + 1
        encode_ops, passes = 2 * tower_weights * patches * SHOWN, -(-SHOWN // FRAMES_A_PASS)
        cached = model.read(self.compressed)
        encode_s = seconds_of(lambda: model.encode_frames(self.pictures), device)
        glimpse_s = seconds_of(lambda: model.glimpse(self.compressed, self.question), device)
        follow_s = seconds_of(lambda: model.glimpse(cached, self.question), device)
        read = model.read(self.prompt())
        prefill_s = seconds_of(lambda: model.read(self.prompt()), device)
        decode_s = seconds_of(lambda: list(model.answer_stream(read, stop=())), device, 2)
        answer_s = seconds_of(self.answer, device, 2)
        kept = sum(keys.nbytes + values.nbytes for keys, values, _ in read.cache)
        decoded = (TOKENS - 1) * (self.layer_bytes + kept) + TOKENS * head.nbytes
        decode_ops = self.operations(TOKENS - 1, rows) + 2 * TOKENS * head.numel()
        glimpse_ops, prefill_ops = self.operations(CANDIDATES + asked), self.operations(rows)
        parts = (encode_ops + glimpse_ops + prefill_ops + decode_ops, passes * 2 * tower_weights + decoded)
        return [
            Work(
                "encode 32 frames", encode_s, encode_ops, passes * 2 * tower_weights, f"{SHOWN / encode_s:.1f} frames/s"
            ),
            Work("glimpse of 300", glimpse_s, glimpse_ops, 2 * self.layer_bytes),
            Work("glimpse, frames read before", follow_s, self.operations(asked, CANDIDATES), self.layer_bytes),
            Work(
                "prefill", prefill_s, prefill_ops, self.layer_bytes, f"{rows} tokens, {rows / prefill_s:.0f} a second"
            ),
            Work("decode 64 tokens", decode_s, decode_ops, decoded, f"{TOKENS / decode_s:.1f} tokens/s"),
            Work("an answer", answer_s, parts[0], parts[1] + 3 * self.layer_bytes),
        ]


def peak_bytes(device: str) -> int:
    return torch.cuda.max_memory_allocated() if device == "cuda" else 0


def report(size: str, folder: Path, device: str) -> str:
    """The whole page."""
    roof = roof_of(device)
    name = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()} CPU"
    lines = [
        f"# What LLaVA-OneVision {size} costs on {name}",
        "",
        f"Written by `python benchmarks/gpu.py --size {size}`: torch {torch.__version__}, weights random, medians.",
        f"A bf16 matrix product reaches {roof.operations / 1e12:.1f} TFLOP/s here, a copy {roof.bytes / 1e9:.0f} GB/s;",
        "the floor of each step is what these two leave it.",
    ]
    for precision in PRECISIONS:
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        examined = Examined(folder, precision, device)
        works = examined.measure()
        memory = f", at most {peak_bytes(device) / MIB:,.0f} MiB" if device == "cuda" else ""
        lines += [
            "",
            f"## {precision}{memory}",
            "",
            "| step | ms | floor, ms | times the floor | |",
            "|---|---|---|---|---|",
        ]
        for work in works:
            floor_s = roof.floor_s(work.operations, work.read_bytes)
            times = work.seconds / floor_s
            lines.append(
                f"| {work.name} | {work.seconds * 1e3:.1f} | {floor_s * 1e3:.2f} | {times:.1f} | {work.said} |"
            )
        del examined
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="7b", choices=["tiny", "0.5b", "7b"])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "gpu.md")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and arguments.size != "tiny":
        print(
            f"There is no GPU here, so nothing was measured of the {arguments.size} and {arguments.out} is as it was."
        )
        return
    with TemporaryDirectory() as work, torch.inference_mode():
        write_random(Path(work) / arguments.size, arguments.size)
        page = report(arguments.size, Path(work) / arguments.size, device)
    arguments.out.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
