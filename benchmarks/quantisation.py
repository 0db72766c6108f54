"""What do few bits change? Scores, chosen frames and next tokens of each precision against fp32.

    python benchmarks/quantisation.py [--homes 4] [--questions 24] [--sizes nano 0.5b] [--device cpu]

nano is the shipped checkpoint, with its trained weights, on simulated homes in which nothing was learned; 0.5b is a
language model of that geometry with random weights, on random frames, as a check of shapes and of rounding alone:
what a random model would say next is nearly a tie, so its agreement is lower than any trained one's.

    scores      the pointer's logits over a home's frames, correlated with those of fp32, the mean over questions
    frames      how many of the k frames that the rule of selection chooses are the same
    tokens      how often the next token is the same, along the answer that fp32 gives
    weights     bytes of the language model's linear layers, as held
"""

import argparse
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint, load, save
from assistant.encoder import RecallConfig, RecallEncoder, RecallModel
from assistant.model import MMEgo, MMEgoConfig
from assistant.pointer import pointer_scores, select
from assistant.registry import NANO
from assistant.training.recipe import VALIDATION_SEED
from device.simulated.camera import SimulatedCamera
from device.simulated.home import THING_KINDS
from store.units import say_bytes

PRECISIONS = ("fp32", "bf16", "int8", "nf4")
MINUTES, FPS = 3.0, 0.5
RANDOM_FRAMES, RANDOM_TOKENS, RANDOM_ANSWER = 64, 48, 16
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
STEM = {**LAYERS, "model_type": "siglip_conv_stem", "image_size": 48, "patch_size": 8, "stem_channels": [8, 16, 24]}
QWEN = {
    **{"model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24},
    **{"num_attention_heads": 14, "num_key_value_heads": 2, "rope_theta": 1e6, "vocab_size": 4096},
}


@dataclass(frozen=True, slots=True)
class Task:
    """A question over compressed frames (N, C), and a prompt (L, C) with the answer that fp32 gives to it."""

    compressed: Tensor
    question: list[int]
    prompt: Tensor
    answer: list[int]


@dataclass(frozen=True, slots=True)
class Said:
    """What one precision makes of a task: logits (N,), the chosen frames, the next tokens along the answer."""

    logits: Tensor
    chosen: set[int]
    tokens: Tensor


@torch.inference_mode()
def home_tasks(checkpoint: Checkpoint, homes: int, questions: int) -> Iterator[Task]:
    """Where things of validation homes are, asked over all frames, answered from those that fp32 chooses."""
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    for seed in range(VALIDATION_SEED, VALIDATION_SEED + homes):
        images = [frame.image for frame in SimulatedCamera(seed, MINUTES, FPS).frames()]
        visual = model.encode_frames(model.pixels(images))
        compressed = model.compress(visual)
        for kind in THING_KINDS[:questions]:
            asked = f"where is my {kind}?"
            ids = prompt.token_ids(prompt.glimpse_text(asked), tokenizer)
            chosen = choose(model, model.glimpse(compressed, ids))
            shown = [prompt.Shown(f"08:{i * 2 // 60:02}:{i * 2 % 60:02}") for i in chosen]
            pieces = prompt.tokenise(prompt.fallback_pieces(asked, shown, 0), tokenizer)
            embedded = model.embed(pieces, visual[chosen])
            yield Task(compressed, ids, embedded, answer(model, embedded, prompt.stop_ids(tokenizer)))


@torch.inference_mode()
def random_tasks(checkpoint: Checkpoint, count: int) -> Iterator[Task]:
    """Frames and prompts as large as embeddings are, of no meaning."""
    model, noise = checkpoint.model, torch.Generator().manual_seed(1)
    spread, width = float(model.model.language_model.embed_tokens.weight.float().std()), QWEN["hidden_size"]
    for _ in range(count):
        frames = (torch.randn(RANDOM_FRAMES, width, generator=noise) * spread).to(model.device)
        ids = torch.randint(QWEN["vocab_size"], (RANDOM_TOKENS,), generator=noise).tolist()
        embedded = model.embed_ids(ids)
        yield Task(frames, ids[:8], embedded, answer(model, embedded, frozenset())[:RANDOM_ANSWER])


def choose(model: MMEgo, scores: Tensor) -> list[int]:
    config = model.config
    return select(scores.cpu(), config.selected, config.exploration, config.least_share).tolist()


def answer(model: MMEgo, embedded: Tensor, stop: frozenset[int]) -> list[int]:
    """Greedily; an empty answer is the stop token."""
    return [token for token, _ in model.answer_stream(embedded, stop)] or [min(stop)]


@torch.inference_mode()
def say(model: MMEgo, task: Task) -> Said:
    logits = model.glimpse_logits([task.compressed], [task.question])[0].float().cpu()
    (following,) = model.answer_logits([task.prompt.to(model.memory_pointer)], [task.answer])
    return Said(logits, set(choose(model, pointer_scores(logits))), following.argmax(dim=-1).cpu())


def compare(precise: Sequence[Said], other: Sequence[Said]) -> tuple[float, float, float]:
    """Mean correlation of logits, share of frames and of tokens that are the same."""
    pairs = list(zip(precise, other, strict=True))
    correlations = [torch.corrcoef(torch.stack([a.logits, b.logits]))[0, 1] for a, b in pairs]
    frames = sum(len(a.chosen & b.chosen) for a, b in pairs) / sum(len(a.chosen) for a, _ in pairs)
    tokens = torch.cat([a.tokens == b.tokens for a, b in pairs]).float().mean()
    return float(torch.stack(correlations).mean()), frames, float(tokens)


def linear_bytes(model: MMEgo) -> int:
    """As held, without the scales."""
    names = dict(model.model.language_model.layers.named_parameters())
    return sum(weight.nbytes for name, weight in names.items() if "_proj.weight" in name)


def write_random(folder: Path) -> None:
    """A checkpoint with the language model of 0.5b, but for its vocabulary, and hardly anything else."""
    torch.manual_seed(0)
    tokenizer = prompt.build_word_tokenizer(["where"])
    text = {**LAYERS, "vocab_size": len(tokenizer), "projection_size": 32, "bos_token_id": None}
    recall = RecallModel(RecallConfig(vision_config=STEM, text_config=text | {"eos_token_id": 2, "pad_token_id": 3}))
    model = MMEgo(MMEgoConfig(vision_config=STEM, text_config=QWEN, answer_tokens=RANDOM_ANSWER))
    save(folder, model, tokenizer, RecallEncoder(recall, tokenizer))


def measure(size: str, folder: Path, homes: int, questions: int, device: str) -> Table:
    table = Table(title=size, box=None, pad_edge=False)
    for column in ("precision", "scores", "frames", "tokens", "weights"):
        table.add_column(column, justify="left" if column == "precision" else "right")
    tasks: list[Task] = []
    precise: list[Said] = []
    for precision in PRECISIONS:
        checkpoint = load(str(folder), precision, device)
        tasks = tasks or list(
            home_tasks(checkpoint, homes, questions) if size == "nano" else random_tasks(checkpoint, questions)
        )
        said = [say(checkpoint.model, task) for task in tasks]
        precise = precise or said
        figures = [f"{figure:.4f}" for figure in compare(precise, said)]
        table.add_row(precision, *figures, say_bytes(linear_bytes(checkpoint.model)))
    table.caption = f"{len(tasks)} questions, {sum(len(task.answer) for task in tasks)} tokens, on {device}"
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--homes", type=int, default=4)
    parser.add_argument("--questions", type=int, default=24, help="of a home, or of random frames")
    parser.add_argument("--sizes", nargs="+", choices=("nano", "0.5b"), default=["nano", "0.5b"])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    chosen = parser.parse_args()
    for size in chosen.sizes:
        with TemporaryDirectory() as work:
            folder = Path(work) / "copy"  # nano by its own name is never quantised
            if size == "nano":
                shutil.copytree(NANO, folder)
            else:
                write_random(folder)
            Console().print(measure(size, folder, chosen.homes, chosen.questions, chosen.device), "")


if __name__ == "__main__":
    main()
