"""Random weights in the sizes of real checkpoints: time and room do not depend on the values.

`tiny` is for trying a benchmark out; `0.5b` and `7b` are LLaVA-OneVision's, with the SigLIP that is pulled beside.
Words are told apart by byte, so that a clock costs what it costs in Qwen2's tokenizer, about a token a character, and
a question a few times more.
"""

import math
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast
from transformers.initialization import no_init_weights

from assistant import prompt
from assistant.checkpoints import save
from assistant.encoder import RecallConfig, RecallEncoder, RecallModel
from assistant.model import MMEgo, MMEgoConfig

SO400M = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 26,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
    "vision_use_head": False,
}
TOWERS = {"7b": SO400M, "0.5b": SO400M, "tiny": SO400M | {"hidden_size": 32, "intermediate_size": 64, "image_size": 56}}
TOWERS["tiny"] |= {"num_hidden_layers": 2, "num_attention_heads": 4}
SIZES = {  # width, its MLP's width, layers, heads, heads of keys and values, words
    "7b": (3584, 18944, 28, 28, 4, 152_128),
    "0.5b": (896, 4864, 24, 14, 2, 152_000),
    "tiny": (64, 128, 2, 4, 2, 300),
}
RECALL = {  # of pictures and words alike: width, its MLP's width, layers, heads; picture, patch, words
    "7b": (1152, 4304, 27, 16, 384, 14, 32_000),
    "0.5b": (768, 3072, 12, 12, 256, 16, 256_000),
    "tiny": (64, 128, 2, 4, 64, 16, 300),
}


def config_of(size: str) -> MMEgoConfig:
    """The sizes of a checkpoint."""
    width, inner, layers, heads, key_value_heads, words = SIZES[size]
    text = {
        "model_type": "qwen2",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_value_heads,
        "vocab_size": words,
        "max_position_embeddings": 32_768,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
        "tie_word_embeddings": size == "0.5b",
    }
    return MMEgoConfig(vision_config=TOWERS[size], text_config=text, tie_word_embeddings=size == "0.5b")


def random_model(size: str, dtype: torch.dtype, device: str) -> MMEgo:
    """In evaluation mode; matrices of a deviation that keeps states finite, norms as they begin."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), no_init_weights():
            model = MMEgo(config_of(size))
    finally:
        torch.set_default_dtype(before)
    model.tie_weights()
    for weight in model.parameters():
        weight.data.normal_(0, 1 / math.sqrt(weight.shape[-1])) if weight.dim() > 1 else weight.data.fill_(1.0)
    return model.eval().requires_grad_(False)


def write_random(folder: Path, size: str) -> None:
    """A checkpoint that loads like any other, in half precision."""
    width, inner, layers, heads, picture, patch, words = RECALL[size]
    tower = {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }
    vision = tower | {"model_type": "siglip_vision_model", "image_size": picture, "patch_size": patch}
    text = tower | {"vocab_size": words, "projection_size": width, "bos_token_id": 0, "eos_token_id": 0}
    tokenizer, recall = byte_tokenizer(), RecallModel(RecallConfig(vision_config=vision, text_config=text))
    save(folder, random_model(size, torch.float16, "cpu"), tokenizer, RecallEncoder(recall, tokenizer))


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes and ChatML's markers."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({letter: number for number, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    markers = (prompt.TURN_START, prompt.TURN_END, prompt.TEXT_END)
    tokenizer.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in markers])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)
