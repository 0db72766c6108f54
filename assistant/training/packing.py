"""Many questions behind one visual prefix: the packed sequences that training reads, about five times cheaper.

A packed sequence is [prefix, segment 1, segment 2, ...]. Every segment sees the prefix and itself, never another
segment, and takes the positions that it would have if it alone followed the prefix: one packed pass equals as many
single ones, which is what the model does when it is asked. B sequences, S positions, C width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from torch.nn.utils.rnn import pad_sequence
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model, apply_rotary_pos_emb


@dataclass(frozen=True)
class Packed:
    """`embeddings` (B, S, C), `mask` (B, 1, S, S) true where attention is allowed, `positions` (B, S)."""

    embeddings: Tensor
    mask: Tensor
    positions: Tensor
    starts: list[list[int]]

    def read(self, language_model: Qwen2Model) -> tuple[Tensor, tuple[Tensor, ...]]:
        """-> the last hidden states (B, S, C) after the final norm, and the inputs of every layer."""
        with torch.autocast(self.embeddings.device.type, torch.bfloat16):
            output = language_model(
                inputs_embeds=self.embeddings,
                attention_mask=self.mask,
                position_ids=self.positions,
                use_cache=False,
                output_hidden_states=True,
            )
        return output.last_hidden_state.float(), output.hidden_states


def pack(prefixes: Sequence[Tensor], segments: Sequence[Sequence[Tensor]]) -> Packed:
    """Prefixes (P_b, C) and, for each, its segments (L, C) -> Packed; `starts[b][i]` is where segment i begins."""
    sequences, groups, positions, starts = [], [], [], []
    for prefix, own in zip(prefixes, segments, strict=True):
        lengths = [len(prefix), *map(len, own)]
        sequences.append(torch.cat([prefix, *own]))
        groups.append(torch.cat([torch.full((length,), i) for i, length in enumerate(lengths)]))
        offsets = [torch.arange(len(prefix)), *(len(prefix) + torch.arange(len(segment)) for segment in own)]
        positions.append(torch.cat(offsets))
        starts.append([sum(lengths[: i + 1]) for i in range(len(own))])
    embeddings = pad_sequence(sequences, batch_first=True)  # (B, S, C)
    group = pad_sequence(groups, batch_first=True, padding_value=-1)  # (B, S)
    at = torch.arange(embeddings.shape[1])
    sees = (group[:, None, :] == 0) | (group[:, None, :] == group[:, :, None])  # (B, queries, keys)
    mask = (sees & (at[None, :] <= at[:, None]))[:, None]
    return Packed(embeddings, mask, pad_sequence(positions, batch_first=True), starts)


def attention_log_mass(
    language_model: Qwen2Model, layer: int, states: Tensor, packed: Packed, heads: list[int]
) -> Tensor:
    """Log attention of some heads of one layer, (B, heads, S, S), from that layer's input `states` (B, S, C).

    Computed again beside the model, so that the model's own fast attention need not return its weights.
    """
    block: Any = language_model.layers[layer]
    attention, normed = block.self_attn, block.input_layernorm(states)
    width = attention.head_dim
    rotary: Any = language_model.rotary_emb
    cos, sin = rotary(states, packed.positions)
    queries = attention.q_proj(normed).unflatten(-1, (-1, width)).transpose(1, 2)  # (B, H, S, width)
    keys = attention.k_proj(normed).unflatten(-1, (-1, width)).transpose(1, 2)  # (B, KV, S, width)
    group = queries.shape[1] // keys.shape[1]
    queries, keys = apply_rotary_pos_emb(queries, keys, cos, sin)
    scores = queries[:, heads].float() @ keys[:, [head // group for head in heads]].float().transpose(-1, -2)
    scores = (scores * attention.scaling).masked_fill(~packed.mask, torch.finfo(torch.float32).min)
    return log_softmax(scores, dim=-1)
