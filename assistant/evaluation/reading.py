"""What a model would say to questions about a few frames, weighed without decoding: one pass for many answers.

Decoding says an answer A exactly if, with A written behind the question, every token of A and the end of the turn is
the likeliest one at its place. So the frames are read once, and every pair of question and answer as a segment behind
them (packing.py). This file does not know where frames come from or which answer is right. k frames, T tokens, C width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from assistant import prompt
from assistant.checkpoints import Checkpoint
from assistant.training.packing import Layout, lay_out, read

Asked = tuple[str, Sequence[str]]  # a question and the answers to weigh


@dataclass(frozen=True, slots=True)
class Weighed:
    """The log-likelihood of exactly this answer with the end of the turn, and whether it is what would be said."""

    log_chance: float
    said: bool


@torch.inference_mode()
def weigh(
    checkpoint: Checkpoint, visual: Tensor, shown: Sequence[prompt.Shown], asked: Sequence[Asked]
) -> list[list[Weighed]]:
    """Visual tokens (k, T, C) of frames in time order, what is said about each, and questions with answers to each.

    Without frames the questions are asked blind. Answers are weighed in the order given.
    """
    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    prefix, segments, answers = _rows(checkpoint, shown, asked)
    if not segments:
        return [[] for _ in asked]
    layout, (starts,) = lay_out([prefix], [segments])
    ends = [start + len(segment) for start, segment in zip(starts, segments, strict=True)]
    hidden, _ = read(model.model.language_model, *_table(checkpoint, visual, layout, ends[-1]))  # (1, S, C)
    places = [place for end, ids in zip(ends, answers, strict=True) for place in range(end - len(ids), end)]
    wanted = torch.tensor([token for ids in answers for token in ids])
    chances = model.lm_head(hidden[0, places].to(model.dtype)).float().log_softmax(-1).cpu()  # (answer tokens, words)
    stop, likeliest = torch.tensor(sorted(prompt.stop_ids(tokenizer))), chances.argmax(-1)
    hit = (likeliest == wanted) | (torch.isin(wanted, stop) & torch.isin(likeliest, stop))
    lengths = [len(ids) for ids in answers]
    each = zip(chances.gather(1, wanted[:, None])[:, 0].split(lengths), hit.split(lengths), strict=True)
    weighed = iter([Weighed(float(chance.sum()), bool(hits.all())) for chance, hits in each])
    return [[next(weighed) for _ in options] for _, options in asked]


def same_answer(said: str, wanted: str) -> bool:
    """Whether two answers are the same words; case and the full stop do not count."""
    return said.casefold().strip(" .") == wanted.casefold().strip(" .")


def _rows(
    checkpoint: Checkpoint, shown: Sequence[prompt.Shown], asked: Sequence[Asked]
) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """Prefix and segments in rows of [words; visual tokens], and the ids of the answers, which end the segments.

    The last token of an answer is predicted, never read.
    """
    config, tokenizer = checkpoint.model.config, checkpoint.tokenizer
    first, tokens = config.text_config.vocab_size, config.tokens_a_frame
    prefix: list[int] = []
    for piece in prompt.tokenise(prompt.fallback_pieces("", shown, config.transcript_words)[:-1], tokenizer):
        if isinstance(piece, prompt.FrameSlot):
            prefix += range(first + piece.index * tokens, first + (piece.index + 1) * tokens)
        else:
            prefix += piece
    segments, answers = [], []
    for question, options in asked:
        pieces = prompt.fallback_pieces(question, shown, config.transcript_words, checkpoint.instruction)
        (*_, last) = prompt.tokenise(pieces, tokenizer)
        assert not isinstance(last, prompt.FrameSlot)
        for option in options:
            answers.append(prompt.token_ids(option + prompt.TURN_END, tokenizer))
            segments.append([*last, *answers[-1][:-1]])
    return prefix, segments, answers


def _table(checkpoint: Checkpoint, visual: Tensor, layout: Layout, length: int) -> tuple[Tensor, Layout]:
    """The rows that the layout names, so that no large vocabulary is copied, and the layout over them, unpadded."""
    model, first = checkpoint.model, checkpoint.model.config.text_config.vocab_size
    used, source = layout.source[:, :length].unique(return_inverse=True)
    words, seen = used[used < first], used[used >= first] - first
    table = torch.cat([model.embed_ids(words.tolist()), visual.flatten(0, 1).to(model.memory_pointer)[seen]])
    return table, Layout(source, layout.group[:, :length], layout.position[:, :length]).to(table.device)
