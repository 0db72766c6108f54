"""RecallEncoder: pictures and questions into one aligned space (SigLIP), so that a question finds keyframes.

Any SigLIP folder loads, and so does the small one with a convolutional stem: the towers stand where the folder's
config.json puts them. This file does not know indexes, stores or language models. D is the width of the space.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast, SiglipConfig, SiglipModel, SiglipTextConfig
from transformers.configuration_utils import SubConfigSpec

from assistant.vision import pixels

PICTURES_A_PASS = 16


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
        return torch.nn.functional.normalize(self.get_image_features(pixel_values).pooler_output, dim=-1)

    def embed_texts(self, input_ids: Tensor) -> Tensor:
        """Padded ids (n, max_position_embeddings) -> unit vectors (n, D)."""
        return torch.nn.functional.normalize(self.get_text_features(input_ids).pooler_output, dim=-1)


class RecallEncoder:
    """A RecallModel with its tokenizer: numpy in, numpy out, no gradient."""

    def __init__(self, model: RecallModel, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer

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
        frames = pixels(images, self.picture_px).to(self.model.device, self.model.dtype)
        return _numpy(self.model.embed_pictures(frames))


def padded_ids(text: str, tokenizer: PreTrainedTokenizerFast, config: SiglipTextConfig) -> Tensor:
    """The ids (max_position_embeddings,) of a text, cut or padded to the one length that SigLIP's text tower knows.

    The tower pools at its last position and sees no mask, so padding is part of what it was trained on. Tokens that a
    tokenizer.json itself closes a text with (SigLIP's </s>) are kept.
    """
    ids = tokenizer(text)["input_ids"][: config.max_position_embeddings]
    return torch.tensor(ids + [config.pad_token_id] * (config.max_position_embeddings - len(ids)))


def _numpy(vectors: Tensor) -> np.ndarray:
    return vectors.float().cpu().numpy()
