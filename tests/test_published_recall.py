"""SigLIP and SigLIP 2 in the layout of the hub: pictures and questions are what transformers' own model and processor
make of them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import (
    AutoProcessor,
    GemmaTokenizer,
    PreTrainedTokenizerFast,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipModel,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip.processing_siglip import SiglipProcessor

from assistant.checkpoints import load
from assistant.encoder import RecallEncoder, padded_ids

LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *"RWI", "▁", "?", ".", ",", "'"]
TEXTS = ["red wallet", "a wallet on the table", "x", "where is it " * 20]
LENGTH, MERGES = 64, [("w", "a"), ("wa", "l")]


def gemma() -> GemmaTokenizer:
    """As SigLIP 2's repositories have it: nothing lower-cases, texts are closed and padded on the right with 0."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256)), *LETTERS]
    return GemmaTokenizer(
        vocab={piece: number for number, piece in enumerate([*pieces, "wa", "wal"])}, merges=MERGES,
        add_bos_token=False, add_eos_token=True, padding_side="right", model_max_length=LENGTH,
    )  # fmt: skip


def sentencepiece(does_normalise: bool) -> PreTrainedTokenizerFast:
    """As SigLIP's repositories have it: texts are closed, and padded with what closes them."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -3.0) for letter in LETTERS), ("▁wallet", -1.0)]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=2, byte_fallback=False))
    if does_normalise:
        tokenizer.normalizer = normalizers.Sequence(
            [
                normalizers.Lowercase(),
                normalizers.Replace(Regex(r"[!-/:-@\[-`{-~]"), ""),
                normalizers.Replace(Regex(r"\s+"), " "),
                normalizers.Strip(),
            ]
        )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>", unk_token="<unk>", model_max_length=LENGTH
    )


def publish(folder: Path, tokenizer: PreTrainedTokenizerFast, resampling: int) -> None:
    torch.manual_seed(2)
    vision = LAYERS | {"image_size": 48, "patch_size": 16}
    text = LAYERS | {"vocab_size": len(tokenizer), "projection_size": 32, "bos_token_id": 2, "eos_token_id": 1}
    SiglipModel(SiglipConfig(vision_config=vision, text_config=text)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 48, "width": 48}, resample=resampling).save_pretrained(folder)


Published = Callable[[PreTrainedTokenizerFast, int], tuple[RecallEncoder, SiglipModel, SiglipProcessor]]


@pytest.fixture
def published(tiny_folder: Path, tmp_path: Path) -> Published:
    """Ours, as a checkpoint loads it, and theirs, from the same folder."""

    def make(tokenizer: PreTrainedTokenizerFast, resampling: int) -> tuple[RecallEncoder, SiglipModel, SiglipProcessor]:
        folder = tmp_path / "checkpoint"
        shutil.copytree(tiny_folder, folder)
        shutil.rmtree(folder / "recall")
        publish(folder / "recall", tokenizer, resampling)
        theirs = SiglipModel.from_pretrained(folder / "recall").eval()
        return load(str(folder)).recall, theirs, AutoProcessor.from_pretrained(folder / "recall")

    return make


KINDS = {"siglip": (lambda: sentencepiece(True), 3), "siglip2": (gemma, 2)}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_and_texts_are_encoded_as_transformers_does(published: Published, kind: str) -> None:
    make, resampling = KINDS[kind]
    ours, theirs, processor = published(make(), resampling)
    images = list(np.random.default_rng(0).integers(0, 256, (3, 90, 120, 3), np.uint8))
    inputs = processor(
        images=[Image.fromarray(image) for image in images], text=TEXTS, return_tensors="pt",
        padding="max_length", max_length=LENGTH, truncation=True,
    )  # fmt: skip
    with torch.no_grad():
        expected = theirs(input_ids=inputs["input_ids"], pixel_values=inputs["pixel_values"])
    np.testing.assert_allclose(ours.encode_frames(images), expected.image_embeds.numpy(), atol=2e-5)
    found = np.stack([ours.encode_question(text) for text in TEXTS])
    np.testing.assert_allclose(found, expected.text_embeds.numpy(), atol=1e-5)


def test_siglip_2_reads_lower_case_and_keeps_punctuation(published: Published) -> None:
    ours, _, _ = published(gemma(), 2)
    config, text = ours.model.config.text_config, "Red Wallet, where is it?"
    theirs = Siglip2Tokenizer(gemma().get_vocab(), MERGES)
    ids = padded_ids(text, ours.tokenizer, config)
    assert ids[ids != 0].tolist() == [*theirs(text, add_special_tokens=False)["input_ids"], 1]
    assert (ids[-20:] == 0).all() and config.pad_token_id != 0
    np.testing.assert_array_equal(ours.encode_question(text), ours.encode_question(text.lower()))
    assert not np.allclose(ours.encode_question("wallet?"), ours.encode_question("wallet"), atol=1e-3)


@pytest.mark.parametrize("does_normalise", [True, False])
def test_siglip_reads_lower_case_without_punctuation(published: Published, does_normalise: bool) -> None:
    ours, _, _ = published(sentencepiece(does_normalise), 3)
    for text in ("Red, wallet!", " red   'wallet'? "):
        np.testing.assert_array_equal(ours.encode_question(text), ours.encode_question("red wallet"))


def test_a_text_that_is_cut_is_closed_all_the_same(published: Published) -> None:
    ours, _, _ = published(gemma(), 2)
    ids = padded_ids("wallet " * 80, ours.tokenizer, ours.model.config.text_config)
    assert ids.shape == (LENGTH,) and ids[-1] == 1 and (ids[:-1] != 1).all()
