"""RecallEncoder: one space for pictures and questions, whichever tower its configuration names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import SiglipConfig, SiglipModel

from assistant.encoder import PICTURES_A_PASS, RecallConfig, RecallEncoder, RecallModel, padded_ids
from assistant.prompt import build_word_tokenizer
from assistant.vision import StemSiglip

TOKENIZER = build_word_tokenizer(["where", "is", "my", "red", "wallet", "on", "the", "table"])
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT: dict[str, Any] = {**LAYERS, "vocab_size": len(TOKENIZER), "max_position_embeddings": 12, "projection_size": 32}
TEXT |= {"pad_token_id": 3, "bos_token_id": None, "eos_token_id": 2}
PATCHES = {**LAYERS, "image_size": 48, "patch_size": 16}
STEM = {**PATCHES, "model_type": "siglip_conv_stem", "patch_size": 8, "stem_channels": [8, 16, 24]}


@pytest.fixture
def encoder() -> RecallEncoder:
    torch.manual_seed(0)
    return RecallEncoder(RecallModel(RecallConfig(vision_config=STEM, text_config=TEXT)), TOKENIZER)


def pictures(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 60, 80, 3), np.uint8))


def test_pictures_and_questions_are_unit_vectors_of_one_space(encoder: RecallEncoder) -> None:
    vectors, question = encoder.encode_frames(pictures(3)), encoder.encode_question("Where is my red wallet?")
    assert vectors.shape == (3, encoder.width) and question.shape == (encoder.width,)
    assert vectors.dtype == question.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm([*vectors, question], axis=1), 1, rtol=1e-5)


def test_many_pictures_are_encoded_as_each_one_alone(encoder: RecallEncoder) -> None:
    many = pictures(PICTURES_A_PASS + 2)
    alone = np.concatenate([encoder.encode_frames([picture]) for picture in many])
    np.testing.assert_allclose(encoder.encode_frames(many), alone, atol=1e-5)
    assert encoder.encode_frames([]).shape == (0, encoder.width)


def test_every_word_counts_and_text_is_always_of_one_length(encoder: RecallEncoder) -> None:
    config = encoder.model.config.text_config
    for text in ("", "wallet", "where is my red wallet on the table " * 5):
        assert padded_ids(text, TOKENIZER, config).shape == (12,)
    assert padded_ids("red", TOKENIZER, config)[1:].tolist() == [config.pad_token_id] * 11
    assert not np.allclose(encoder.encode_question("red wallet"), encoder.encode_question("my wallet"), atol=1e-4)


def test_the_small_tower_stands_where_the_configuration_names_it_and_survives_saving(
    encoder: RecallEncoder, tmp_path: Path
) -> None:
    encoder.model.save_pretrained(tmp_path)
    loaded = RecallModel.from_pretrained(tmp_path)
    assert isinstance(loaded.vision_model, StemSiglip)
    again = RecallEncoder(loaded, TOKENIZER)
    np.testing.assert_allclose(again.encode_frames(pictures(2)), encoder.encode_frames(pictures(2)), atol=1e-6)
    np.testing.assert_allclose(again.encode_question("my red"), encoder.encode_question("my red"), atol=1e-6)


def test_a_plain_siglip_folder_loads_whole_and_computes_the_same(tmp_path: Path) -> None:
    plain = SiglipModel(SiglipConfig(vision_config=PATCHES, text_config=TEXT)).eval()
    plain.save_pretrained(tmp_path)
    loaded: Any = RecallModel.from_pretrained(tmp_path, output_loading_info=True)
    ours, report = loaded
    frames, ids = torch.randn(2, 3, 48, 48), torch.randint(0, len(TOKENIZER), (1, 12))
    assert not report["missing_keys"] and not report["unexpected_keys"]
    expected = plain(pixel_values=frames, input_ids=ids)
    torch.testing.assert_close(ours.eval().embed_pictures(frames), expected.image_embeds)
    torch.testing.assert_close(ours.embed_texts(ids), expected.text_embeds)


def test_a_contrastive_step_reaches_both_towers() -> None:
    model = RecallModel(RecallConfig(vision_config=STEM, text_config=TEXT))
    ids = torch.stack([padded_ids(text, TOKENIZER, model.config.text_config) for text in ("red", "table")])
    (model.embed_pictures(torch.randn(2, 3, 48, 48)) @ model.embed_texts(ids).T).diagonal().sum().backward()
    assert model.vision_model.embeddings.patch_embedding.weight.grad.abs().sum() > 0
    assert model.text_model.embeddings.token_embedding.weight.grad.abs().sum() > 0
