"""The shared preprocessing, and the small tower with a convolutional stem."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from assistant.vision import ConvolutionalStem, StemSiglip, StemSiglipConfig, pixels


def tower_config(**changes: Any) -> StemSiglipConfig:
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    return StemSiglipConfig(**{**sizes, "image_size": 48, "stem_channels": [8, 16, 24], **changes})


def test_pictures_of_any_shape_are_squashed_to_squares() -> None:
    wide = np.zeros((30, 90, 3), np.uint8)
    wide[:, 60:] = 255  # the right third is white, and stays the right third
    tall = np.zeros((90, 30, 3), np.uint8)
    square = pixels([wide, tall], 48)
    assert square.shape == (2, 3, 48, 48) and square.dtype == torch.float32
    assert (square[0, :, :, :31] == -1).all() and (square[0, :, :, 33:] == 1).all() and (square[1] == -1).all()


def test_channels_stay_red_green_blue() -> None:
    red = np.full((8, 8, 3), (255, 0, 51), np.uint8)
    torch.testing.assert_close(pixels([red], 4)[0, :, 0, 0], torch.tensor([1.0, -1.0, -0.6]))


def test_no_pictures_are_an_empty_batch() -> None:
    assert pixels([], 48).shape == (0, 3, 48, 48)


def test_the_stem_gives_one_embedding_a_patch() -> None:
    stem = ConvolutionalStem(tower_config())
    assert stem(torch.randn(2, 3, 48, 48)).shape == (2, 32, 6, 6)


@pytest.mark.parametrize("channels", [[8, 16], [8, 16, 20]])
def test_a_stem_that_does_not_fit_is_refused(channels: list[int]) -> None:
    with pytest.raises(ValueError, match="stem_channels"):
        tower_config(stem_channels=channels)


def test_the_tower_is_found_by_its_name_and_survives_saving(tmp_path: Path) -> None:
    tower = StemSiglip(tower_config()).eval()
    tower.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), StemSiglipConfig)
    loaded, picture = AutoModel.from_pretrained(tmp_path).eval(), torch.randn(2, 3, 48, 48)
    assert isinstance(loaded, StemSiglip)
    torch.testing.assert_close(loaded(picture).last_hidden_state, tower(picture).last_hidden_state)


def test_the_gradient_reaches_the_first_convolution() -> None:
    tower = StemSiglip(tower_config())
    tower(torch.randn(1, 3, 48, 48)).pooler_output.sum().backward()
    stem: Any = tower.embeddings.patch_embedding
    assert isinstance(stem, ConvolutionalStem)
    assert stem.weight.grad is not None and stem.weight.grad.abs().sum() > 0
