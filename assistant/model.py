"""MMEgo: LLaVA-OneVision with a memory pointer (MM-Ego, section 2.2).

One class for every size. A picture becomes T visual tokens V (tower, projector, LLaVA-OneVision's own pooling); their
mean is its compressed embedding E. The global glimpse reads [E_1..E_N, question, P] and scores the frames by E'.P',
both taken after the language model's final norm; the fallback reads the visual tokens of the selected frames and the
question, and answers. Both can go on from what an earlier sequence had in common with theirs (prefix.py). The language
model is called directly on embeddings with plain positions, because the parent's forward looks for placeholder tokens
that these sequences do not have.

This file does not know text, times, folders or the store. N frames, T tokens, C width, L sequence length.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration
from transformers import initialization as init
from transformers.conversion_mapping import get_checkpoint_conversion_mapping, register_checkpoint_conversion_mapping

from assistant import vision
from assistant.pointer import pointer_logits, pointer_scores
from assistant.prefix import Prefix
from assistant.prompt import FrameSlot, TokenisedPiece

FRAMES_A_PASS = 16
ROWS_A_PASS = 1024  # behind others attention is reckoned to those that follow, too: of few rows that is little


class MMEgoConfig(LlavaOnevisionConfig):
    """LLaVA-OneVision's configuration and MM-Ego's defaults; a hub folder that has none of them loads with these."""

    vision_config: Any = None
    text_config: Any = None
    candidates: int = 300
    selected: int = 32
    exploration: float = 0.1
    least_share: float = 0.0  # of the best score; what scores less is not looked at again. 0: the paper's rule
    transcript_words: int = 400
    answer_tokens: int = 64
    not_seen_text: str = "I did not see that."
    calibration: tuple[float, float] = (1.0, 0.0)  # of confidence.py; these two leave it raw
    resampling: int | None = None  # see vision.py; a folder's processor says it

    @property
    def picture_px(self) -> int:
        """Side of the square pictures that the vision tower reads."""
        return int(self.vision_config.image_size)

    @property
    def tokens_a_frame(self) -> int:
        """T: LLaVA-OneVision halves the patch grid, rounding up (27x27 -> 14x14 = 196)."""
        return math.ceil(self.picture_px // self.vision_config.patch_size / 2) ** 2


class MMEgo(LlavaOnevisionForConditionalGeneration):
    """A LlavaOnevisionForConditionalGeneration with `memory_pointer` (1, C)."""

    config: MMEgoConfig

    def __init__(self, config: MMEgoConfig) -> None:
        super().__init__(config)
        width = config.text_config.hidden_size
        self.memory_pointer = nn.Parameter(torch.randn(1, width) / math.sqrt(width))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """A folder that brings no pointer needs this: what __init__ drew is not kept while loading."""
        super()._init_weights(module)
        if isinstance(module, MMEgo):
            init.normal_(module.memory_pointer, mean=0.0, std=1 / math.sqrt(module.memory_pointer.shape[-1]))

    @classmethod
    def can_generate(cls) -> bool:
        """False: `answer_stream` is the one way to decode, and no generation_config.json is written."""
        return False

    def pixels(self, images: Sequence[np.ndarray]) -> Tensor:
        """RGB uint8 pictures (H, W, 3) of any shapes -> (N, 3, H, W) as the tower was trained to read them."""
        return vision.pixels(images, self.config.picture_px, self.config.resampling)

    def encode_frames(self, pixel_values: Tensor) -> Tensor:
        """Pixels (N, 3, H, W) -> visual tokens V (N, T, C), at most FRAMES_A_PASS pictures at a time."""
        if not len(pixel_values):
            return torch.empty(0, self.config.tokens_a_frame, self.memory_pointer.shape[-1], device=self.device)
        return torch.cat([self._encode(part) for part in pixel_values.split(FRAMES_A_PASS)])

    def _encode(self, pixel_values: Tensor) -> Tensor:
        frames = pixel_values.to(self.device, self.dtype)
        video = self.get_video_features(frames.unsqueeze(0), return_dict=True).pooler_output  # (1, N * T + 1, C)
        return video[0, :-1].unflatten(0, (len(frames), -1))  # the last token is LLaVA-OneVision's end-of-video newline

    def compress(self, visual: Tensor) -> Tensor:
        """Visual tokens V (N, T, C) -> compressed embeddings E (N, C)."""
        return visual.mean(dim=1)

    @torch.no_grad()
    def read(self, sequence: Tensor, known: Prefix | None = None) -> Prefix:
        """An embedded sequence (L, C) as the language model reads it; how `known` began alike is not read again."""
        sequence = sequence.to(self.memory_pointer)
        shared = known.shared_with(sequence) if known else 0
        if known is None or shared == 0:
            cache = DynamicCache(config=self.config.text_config)
            return Prefix(sequence, self._go_on(sequence, cache), cache)
        cache = known.beginning(shared)
        states = known.states[:shared]
        if shared < len(sequence):
            states = torch.cat([states, self._go_on(sequence[shared:], cache)])
        return Prefix(sequence, states, cache)

    @torch.no_grad()
    def glimpse(self, frames: Tensor | Prefix, question_ids: Sequence[int]) -> Tensor:
        """Compressed frames E (N, C) in time order, or as read, and the question's ids -> scores (N,) that add to 1."""
        seen = frames if isinstance(frames, Prefix) else self.read(frames)
        asked = torch.cat([self.embed_ids(question_ids), self.memory_pointer])
        pointer = self._go_on(asked, seen.beginning(len(seen)))[-1]
        return pointer_scores(pointer_logits(seen.states, pointer))

    def glimpse_logits(self, compressed: Sequence[Tensor], question_ids: Sequence[Sequence[int]]) -> list[Tensor]:
        """A batch of glimpses, (N_b, C) and ids of any lengths -> logits (N_b,) each, before the softmax."""
        pointer = self.memory_pointer
        sequences = [
            torch.cat([frames.to(pointer), self.embed_ids(ids), pointer])
            for frames, ids in zip(compressed, question_ids, strict=True)
        ]
        return [
            pointer_logits(hidden[: len(frames)], hidden[-1])
            for frames, hidden in zip(compressed, self._read(sequences), strict=True)
        ]

    def answer_logits(self, prompts: Sequence[Tensor], answer_ids: Sequence[Sequence[int]]) -> list[Tensor]:
        """A batch of embedded prompts (L_b, C) and answers (A_b ids) -> logits (A_b, vocabulary) of their tokens."""
        sequences = [
            torch.cat([prompt, self.embed_ids(ids[:-1])])  # the last token is predicted, never read
            for prompt, ids in zip(prompts, answer_ids, strict=True)
        ]
        return [
            self.lm_head(hidden[-len(ids) :]) for hidden, ids in zip(self._read(sequences), answer_ids, strict=True)
        ]

    @torch.no_grad()
    def answer_stream(self, prompt: Tensor | Prefix, stop: Collection[int]) -> Iterator[tuple[int, float]]:
        """Prompt (L, C), or as read -> (token id, its probability), greedily, to a stop id or config.answer_tokens."""
        asked = prompt if isinstance(prompt, Prefix) else self.read(prompt)
        cache, state = asked.beginning(len(asked)), asked.states[-1]
        for left in reversed(range(self.config.answer_tokens)):
            chances = self.lm_head(state).float().softmax(dim=-1)  # (vocabulary,)
            token = int(chances.argmax())
            if token in stop:
                return
            yield token, float(chances[token])
            if left:
                state = self._go_on(self.embed_ids([token]), cache)[-1]

    def embed(self, pieces: Sequence[TokenisedPiece], visual: Tensor) -> Tensor:
        """Tokenised pieces, and the visual tokens V (k, T, C) that their slots name -> embedded prompt (L, C)."""
        frames = visual.to(self.memory_pointer)
        return torch.cat([frames[p.index] if isinstance(p, FrameSlot) else self.embed_ids(p) for p in pieces])

    def embed_ids(self, ids: Sequence[int]) -> Tensor:
        """Token ids (L,) -> embeddings (L, C)."""
        return self.model.language_model.embed_tokens(torch.tensor(ids, dtype=torch.long, device=self.device))

    def _go_on(self, rows: Tensor, cache: DynamicCache) -> Tensor:
        """Rows (S, C) behind what the cache holds, which grows by them -> their last hidden states (S, C)."""
        model = self.model.language_model
        parts = [
            model(inputs_embeds=part.unsqueeze(0), past_key_values=cache, use_cache=True).last_hidden_state[0]
            for part in rows.split(ROWS_A_PASS)
        ]
        return torch.cat(parts)

    def _read(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        """Sequences (L_b, C) -> last hidden states (L_b, C). Padding stands at the end, where no token sees it."""
        padded = pad_sequence(list(sequences), batch_first=True)  # (B, L, C)
        states = self.model.language_model(inputs_embeds=padded, use_cache=False).last_hidden_state
        return [state[: len(sequence)] for state, sequence in zip(states, sequences, strict=True)]


# Hub folders keep LLaVA-OneVision's older tensor names; transformers renames them only for classes that are registered.
register_checkpoint_conversion_mapping(
    MMEgo.__name__, get_checkpoint_conversion_mapping(MMEgoConfig.model_type), overwrite=True
)
