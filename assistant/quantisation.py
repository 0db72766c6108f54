"""In how many bits a checkpoint is held, and where: chosen from the memory that is free, unless a person says.

    fp32   of every small checkpoint, and the first choice of a CPU that does not compute in bf16
    bf16   the first choice of GPUs and of CPUs that do: half as large, and there three times as fast (LOG.md)
    int8   the linear layers of the language model in 8 bit (bitsandbytes LLM.int8); on a CPU only where a person says
           so, as it takes more room there than bf16 does (benchmarks/room.py)
    nf4    the same in 4 bit, their scales quantised once more (QLoRA's NF4)

Tower, projector, pointer, embeddings, head and recall encoder are never quantised, so embeddings that are stored fit
every precision. nano stays as it is. This file does not know files; it loads torch only where a GPU is looked for.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.weights import Size
from store.errors import CheckpointError
from store.units import say_bytes

if TYPE_CHECKING:
    from torch import nn
    from transformers import BitsAndBytesConfig

WHOLE = {"fp32": 4.0, "bf16": 2.0}
LINEAR_BYTES = {**WHOLE, "int8": 1.0, "nf4": 0.5 + 1 / 64 + 4 / (64 * 256)}  # 4 bit, a scale per 64, one per 256 scales
CHOICES = {"cuda": ("bf16", "int8", "nf4"), "cpu": ("bf16", "nf4")}  # the best first
BF16_FLAGS = re.compile(r"\b(avx512_bf16|amx_bf16|bf16)\b")
BESIDE_BYTES = 250_000_000  # what the libraries take while they work (benchmarks/room.py)
CONTEXT_TOKENS = 8192  # 32 frames of 196 tokens, what was said, 300 candidates
SMALL_NUMBERS = 50_000_000  # below it a checkpoint stays on the CPU: it has answered before a GPU is awake
KEPT_WHOLE = ["model.vision_tower", "model.multi_modal_projector", "lm_head"]  # full names: short ones are ignored
PACKED_ROWS, PACKED_COLUMNS = 32, 64
SPOKEN_OF = {"cpu": "the CPU", "cuda": "the GPU"}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a checkpoint goes and in what precision, and what that was weighed against."""

    device: str
    precision: str
    needed_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        """Such as "nf4 on the GPU, 10.5 GB of the 12.0 GB that are free"."""
        needed, free = say_bytes(self.needed_bytes), say_bytes(self.free_bytes)
        return f"{self.precision} on {SPOKEN_OF[self.device]}, {needed} of the {free} that are free"


def needed_bytes(size: Size, precision: str) -> int:
    """What a checkpoint takes while it answers: its weights, and the context that is read."""
    read, whole = size.token * CONTEXT_TOKENS, WHOLE.get(precision, WHOLE["bf16"])
    return BESIDE_BYTES + round(size.linear * LINEAR_BYTES[precision] + (size.other + read) * whole)


def place(name: str, size: Size, precision: str = "auto", device: str = "") -> Placement:
    """Where a checkpoint of this size fits: on the GPU if there is one, in `precision` or the best that fits.

    Raises CheckpointError, which says what would fit.
    """
    if size.linear + size.other < SMALL_NUMBERS and (precision == "auto" or name == "nano"):
        return Placement(device or "cpu", "fp32", needed_bytes(size, "fp32"), free_bytes("cpu"))
    device = device or best_device()
    free = free_bytes(device)
    for choice in choices(device) if precision == "auto" else (precision,):
        if (needed := needed_bytes(size, choice)) <= free:
            return Placement(device, choice, needed, free)
    raise CheckpointError(
        f"{name} needs {say_bytes(needed)} in {choice}; {say_bytes(free)} of {SPOKEN_OF[device]}'s memory are free.",
        _what_fits(name, size, precision, device, free),
    )


def choices(device: str) -> tuple[str, ...]:
    """What it may be held in there, the best first."""
    first = ("fp32",) if device == "cpu" and not computes_bf16() else ()
    return first + CHOICES[device]


def computes_bf16() -> bool:
    """Whether this CPU does; others only convert."""
    return BF16_FLAGS.search(Path("/proc/cpuinfo").read_text()) is not None


def best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def free_bytes(device: str) -> int:
    """Of the GPU's memory, or of the machine's: what could be had without swapping."""
    if device != "cpu":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _what_fits(name: str, size: Size, precision: str, device: str, free: int) -> str:
    from assistant.registry import PUBLISHED

    for choice in choices(device) if precision != "auto" else ():
        if (needed := needed_bytes(size, choice)) <= free:
            return f'It fits in {choice}, {say_bytes(needed)}: write precision = "{choice}" under [model], or "auto".'
    smaller = [(each, known.size) for each, known in PUBLISHED.items() if each != name]
    fitting = [each for each, other in smaller if needed_bytes(other, "nf4") <= free and other.linear < size.linear]
    use = fitting[-1] if fitting else "nano"
    return f"Make room, or run: whereabouts models use {use}"


def loading_options(placement: Placement) -> dict[str, Any]:
    """What transformers' from_pretrained is told for it."""
    options: dict[str, Any] = {"dtype": "float32" if placement.precision == "fp32" else "bfloat16"}
    if placement.precision not in WHOLE:
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns of every product on a CPU
        options["quantization_config"] = _bits(placement.precision)
    return options | {"device_map": {"": placement.device}}


def _bits(precision: str) -> "BitsAndBytesConfig":
    import torch
    from transformers import BitsAndBytesConfig

    if precision == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=KEPT_WHOLE)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=KEPT_WHOLE,
    )


def leave_unpacked(model: "nn.Module", *, odd_only: bool = False) -> None:
    """Have 4-bit layers go without the packing that bitsandbytes gives them when they are first used on some CPUs.

    It makes a token come twenty times as fast, but no gradient goes through it, and shapes that do not fit it fail.
    """
    for layer in model.modules():
        if type(layer).__name__ == "Linear4bit":
            odd = layer.out_features % PACKED_ROWS or layer.in_features % PACKED_COLUMNS  # type: ignore[operator]
            if odd or not odd_only:
                layer.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
