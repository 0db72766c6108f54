"""Many questions behind one visual prefix: the packed sequences that training reads, about five times cheaper.

A packed sequence is [prefix, segment 1, segment 2, ...]. Every segment sees the prefix and itself, never another
segment, and takes the positions that it would have if it alone followed the prefix: one packed pass equals as many
single ones, which is what the model does when it is asked.

Sequences are laid out as integers first, where no model is at hand: every place names a row of the table
[words; memory pointer; visual tokens], which only exists once the model has read the pictures.
B sequences, S positions, C width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, log_softmax, pad
from torch.nn.utils.rnn import pad_sequence
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model, apply_rotary_pos_emb

PADDING = -1
ROUND = 64  # lengths are rounded up to it: kernels are prepared once a shape, and few shapes should do


@dataclass(frozen=True)
class Layout:
    """`source` (B, S) rows of the table, `group` (B, S) 0 for the prefix, i for segment i, and `position` (B, S)."""

    source: Tensor
    group: Tensor
    position: Tensor

    def to(self, device: torch.device) -> "Layout":
        return Layout(*(part.to(device, non_blocking=True) for part in (self.source, self.group, self.position)))

    def mask(self) -> Tensor:
        """(B, 1, S, S), true where attention is allowed."""
        at = torch.arange(self.group.shape[1], device=self.group.device)
        sees = (self.group[:, None, :] == 0) | (self.group[:, None, :] == self.group[:, :, None])
        return (sees & (at[None, :] <= at[:, None]))[:, None]


def lay_out(
    prefixes: Sequence[Sequence[int]], segments: Sequence[Sequence[Sequence[int]]]
) -> tuple[Layout, list[list[int]]]:
    """Rows of each prefix and of the segments behind it -> Layout, and where in its sequence each segment starts."""
    sources, groups, positions, starts = [], [], [], []
    for prefix, own in zip(prefixes, segments, strict=True):
        lengths = [len(prefix), *map(len, own)]
        rows = [*prefix, *(row for segment in own for row in segment)]
        sources.append(torch.tensor(rows, dtype=torch.long))
        groups.append(torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)))
        offsets = [torch.arange(len(prefix)), *(len(prefix) + torch.arange(len(segment)) for segment in own)]
        positions.append(torch.cat(offsets))
        starts.append([sum(lengths[: i + 1]) for i in range(len(own))])
    return Layout(_padded(sources, 0), _padded(groups, PADDING), _padded(positions, 0)), starts


def _padded(rows: Sequence[Tensor], filler: int) -> Tensor:
    padded = pad_sequence(list(rows), batch_first=True, padding_value=filler)
    return pad(padded, (0, -padded.shape[1] % ROUND), value=filler)


def read(language_model: Qwen2Model, table: Tensor, layout: Layout) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A table (rows, C) and a layout -> the last hidden states (B, S, C) after the final norm, every layer's input."""
    output = language_model(
        inputs_embeds=embedding(layout.source, table),  # indexing has a slow backward where rows repeat
        attention_mask=layout.mask(),
        position_ids=layout.position,
        use_cache=False,
        output_hidden_states=True,
    )
    return output.last_hidden_state.float(), output.hidden_states


def attention_log_mass(
    language_model: Qwen2Model, layer: int, states: Tensor, layout: Layout, heads: list[int]
) -> Tensor:
    """Log attention of some heads of one layer, (B, heads, S, S), from that layer's input `states` (B, S, C).

    Computed again beside the model, so that the model's own fast attention need not return its weights.
    """
    block: Any = language_model.layers[layer]
    attention, normed = block.self_attn, block.input_layernorm(states)
    width = attention.head_dim
    rotary: Any = language_model.rotary_emb
    cos, sin = rotary(states, layout.position)
    queries = attention.q_proj(normed).unflatten(-1, (-1, width)).transpose(1, 2)  # (B, H, S, width)
    keys = attention.k_proj(normed).unflatten(-1, (-1, width)).transpose(1, 2)  # (B, KV, S, width)
    group = queries.shape[1] // keys.shape[1]
    queries, keys = apply_rotary_pos_emb(queries, keys, cos, sin)
    scores = queries[:, heads] @ keys[:, [head // group for head in heads]].transpose(-1, -2)
    scores = (scores.float() * attention.scaling).masked_fill(~layout.mask(), torch.finfo(torch.float32).min)
    return log_softmax(scores, dim=-1)
