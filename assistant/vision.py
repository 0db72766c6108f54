"""Pictures in: the shared preprocessing, and SigLIP's vision tower with a convolutional stem for small checkpoints.

A patch embedding of one 16x16 convolution learns slowly from few pictures; a stem of 3x3 convolutions of stride 2
learns edges and colours first. Everything else of `StemSiglip` is transformers' SiglipVisionModel. Importing this file
registers the tower, so that a config.json whose vision_config says "siglip_conv_stem" loads wherever a tower may stand.

This file does not know questions, pointers or files.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, SiglipVisionConfig, SiglipVisionModel

NORM_GROUPS = 8


class StemSiglipConfig(SiglipVisionConfig):
    """SiglipVisionConfig with the widths of the stem, one for each halving: 2 ** len(stem_channels) == patch_size."""

    model_type = "siglip_conv_stem"
    stem_channels: list[int] | tuple[int, ...] = (24, 48, 96)
    patch_size: int = 8

    def __post_init__(self, **kwargs: object) -> None:
        super().__post_init__(**kwargs)
        if 2 ** len(self.stem_channels) != self.patch_size or any(width % NORM_GROUPS for width in self.stem_channels):
            raise ValueError(
                f"stem_channels {list(self.stem_channels)} must be multiples of {NORM_GROUPS}, "
                f"one for each halving down to patch_size {self.patch_size}"
            )


class ConvolutionalStem(nn.Sequential):
    """Pixels (N, 3, H, W) -> patch embeddings (N, hidden, H / patch, W / patch)."""

    def __init__(self, config: StemSiglipConfig) -> None:
        layers: list[nn.Module] = []
        width = config.num_channels
        for wider in config.stem_channels:
            layers += [nn.Conv2d(width, wider, 3, stride=2, padding=1), nn.GroupNorm(NORM_GROUPS, wider), nn.GELU()]
            width = wider
        super().__init__(*layers, nn.Conv2d(width, config.hidden_size, 1))

    @property
    def weight(self) -> Tensor:
        """The first convolution's weight: SiglipVisionEmbeddings asks its patch embedding for the dtype."""
        return next(self.parameters())


class StemSiglip(SiglipVisionModel):
    """SiglipVisionModel whose patch embedding is a ConvolutionalStem."""

    config: StemSiglipConfig

    def __init__(self, config: StemSiglipConfig) -> None:
        super().__init__(config)
        self.embeddings.register_module("patch_embedding", ConvolutionalStem(config))
        self.post_init()


def pixels(images: Sequence[np.ndarray], size_px: int, resampling: int | None = None) -> Tensor:
    """RGB uint8 pictures (H, W, 3) of any shapes -> (N, 3, size_px, size_px) float32 in [-1, 1], squashed to a square.

    Squashing and the mean and deviation of 0.5 are SigLIP's own. `resampling` is Pillow's, as a hub's processor names
    it; without one a pixel is the mean of those that it covers.
    """
    if not images:
        return torch.empty(0, 3, size_px, size_px)
    squares = np.stack([square(image, size_px, resampling) for image in images])
    return torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def square(image: np.ndarray, size_px: int, resampling: int | None = None) -> np.ndarray:
    """One of them, still in whole numbers."""
    if resampling is None:
        return cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(Image.fromarray(image).resize((size_px, size_px), Image.Resampling(resampling)))


AutoConfig.register(StemSiglipConfig.model_type, StemSiglipConfig, exist_ok=True)
AutoModel.register(StemSiglipConfig, StemSiglip, exist_ok=True)
