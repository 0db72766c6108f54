"""RecallEncoder: pictures and questions into one aligned space (SigLIP), so that a question finds keyframes.

Any SigLIP folder loads, and so does the small one with a convolutional stem: the towers stand where the folder's
config.json puts them. This file does not know indexes, stores or language models. D is the width of the space.
"""

import string
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers.models import Unigram
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast, SiglipConfig, SiglipModel, SiglipTextConfig
from transformers.configuration_utils import SubConfigSpec

from assistant.vision import pixels

PICTURES_A_PASS = 16
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


class RecallConfig(SiglipConfig):
    """SiglipConfig whose vision tower may be any registered one."""

    vision_config: Any = None
    text_config: Any = None
    sub_configs_defaults = {
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="siglip_vision_model"),
        "text_config": SubConfigSpec(config_class=SiglipTextConfig),
    }


class RecallModel(SiglipModel):
    """SiglipModel with the vision tower that its configuration names."""

    config: RecallConfig

    def __init__(self, config: RecallConfig) -> None:
        super().__init__(config)
        self.vision_model = AutoModel.from_config(config.vision_config)
        self.post_init()

    def embed_pictures(self, pixel_values: Tensor) -> Tensor:
        """Pixels (n, 3, H, W) -> unit vectors (n, D)."""
        return _unit(self.get_image_features(pixel_values).pooler_output)

    def embed_texts(self, input_ids: Tensor) -> Tensor:
        """Padded ids (n, max_position_embeddings) -> unit vectors (n, D)."""
        return _unit(self.get_text_features(input_ids).pooler_output)


class RecallEncoder:
    """A RecallModel with its tokenizer, and how its pictures are made smaller: numpy in, numpy out, no gradient."""

    def __init__(self, model: RecallModel, tokenizer: PreTrainedTokenizerFast, resampling: int | None = None) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer, self._resampling = tokenizer, resampling

    @property
    def picture_px(self) -> int:
        return int(self.model.config.vision_config.image_size)

    @property
    def width(self) -> int:
        """D."""
        return int(self.model.config.text_config.projection_size)

    def encode_frames(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """RGB uint8 pictures (H, W, 3) -> (n, D) float32, each of length 1."""
        passes = [images[start : start + PICTURES_A_PASS] for start in range(0, len(images), PICTURES_A_PASS)]
        vectors = [self._encode(part) for part in passes]
        return np.concatenate([np.empty((0, self.width), np.float32), *vectors])

    def encode_question(self, text: str) -> np.ndarray:
        """A question or phrase -> (D,) float32 of length 1."""
        ids = padded_ids(text, self.tokenizer, self.model.config.text_config)
        return _numpy(self.model.embed_texts(ids.unsqueeze(0).to(self.model.device)))[0]

    def _encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        frames = pixels(images, self.picture_px, self._resampling).to(self.model.device, self.model.dtype)
        return _numpy(self.model.embed_pictures(frames))


def padded_ids(text: str, tokenizer: PreTrainedTokenizerFast, config: SiglipTextConfig) -> Tensor:
    """The ids (max_position_embeddings,) of a text, cut or padded to the one length that SigLIP's text tower knows.

    The tower pools at its last position and sees no mask, so padding is part of what it was trained on, and so is the
    token with which its tokenizer closes a text, even one that was cut.
    """
    length, backend = config.max_position_embeddings, tokenizer.backend_tokenizer
    words = backend.encode(canonical(text, tokenizer), add_special_tokens=False)
    words.truncate(length - backend.num_special_tokens_to_add(False))
    ids = backend.post_process(words).ids
    known = tokenizer.pad_token_id  # SigLIP 2's configuration has SigLIP's, which is another token there
    padding = [config.pad_token_id if known is None else known] * (length - len(ids))
    return torch.tensor(padding + ids if tokenizer.padding_side == "left" else ids + padding)


def canonical(text: str, tokenizer: PreTrainedTokenizerFast) -> str:
    """A text as the towers saw it in training: SigLIP lower-cased without punctuation, SigLIP 2 only lower-cased.

    Their tokenizer.json do not all say so; for those that do, nothing changes.
    """
    if isinstance(tokenizer.backend_tokenizer.model, Unigram):  # SigLIP's SentencePiece; SigLIP 2 has Gemma's BPE
        text = " ".join(text.translate(WITHOUT_PUNCTUATION).split())
    return text.lower()


def _unit(vectors: Tensor) -> Tensor:
    """In fp32, as in half precision what is divided by its length is not of length 1."""
    return torch.nn.functional.normalize(vectors.float(), dim=-1)


def _numpy(vectors: Tensor) -> np.ndarray:
    return vectors.float().cpu().numpy()
