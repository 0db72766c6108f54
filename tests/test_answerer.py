"""Another model words the answer: tiny random ones of several families, as their folders lie on the hub."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from assistant import answerer
from assistant.answer import Answer, ask
from assistant.answerer import LONGEST_PX, Answerer, _picture, with_answerer
from assistant.checkpoints import Checkpoint
from assistant.indexer import catch_up
from assistant.prompt import INSTRUCTION, Shown
from store.episodic import EpisodicStore
from store.errors import CheckpointError

QUESTION, NOT_SEEN = "where did I put the wallet?", "I did not see that."
MARKERS = ["<|im_start|>", "<|im_end|>", "<image>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"]
SPLITTING = ["<fake_token_around_image>", "<global-img>", *(f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2))]
TEMPLATE = """{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}\
{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
TOKEN_IDS = {
    "image_token_id": "<image>",
    "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SHOWN = [Shown("08:14:05", "the <image> wallet"), Shown("08:15:05")]
PICTURES = list(np.random.default_rng(0).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8))


@pytest.fixture(autouse=True)
def without_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a CPU that does not compute in it, so that numbers can be compared."""
    monkeypatch.setattr(answerer, "computes_bf16", lambda: False)


def save_tokenizer(folder: Path, template: str) -> PreTrainedTokenizerFast:
    """A tokenizer of bytes with every marker."""
    tokenizer = Tokenizer(BPE({letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in MARKERS + SPLITTING])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>")
    fast.chat_template = template
    fast.save_pretrained(folder)
    return fast


def words(fast: PreTrainedTokenizerFast) -> dict[str, object]:
    end = fast.convert_tokens_to_ids("<|im_end|>")
    return {"vocab_size": len(fast), "bos_token_id": None, "eos_token_id": end, "pad_token_id": end}


def qwen(folder: Path) -> None:
    fast = save_tokenizer(folder, TEMPLATE.replace("IMAGE", "<|vision_start|><image><|vision_end|>"))
    fast.init_kwargs["image_token"] = fast.image_token = "<image>"
    fast.save_pretrained(folder)
    ids = {name: fast.convert_tokens_to_ids(marker) for name, marker in TOKEN_IDS.items()}
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10_000.0}
    text = {**LAYERS, **words(fast), "num_key_value_heads": 2, "rope_parameters": rope}
    tower = {"depth": 1, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2, "intermediate_size": 64}
    config = Qwen2_5_VLConfig(text_config=text, vision_config={**tower, "patch_size": 14}, **ids)
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    describe(folder, "Qwen2VLImageProcessor", "Qwen2_5_VLProcessor", min_pixels=3136, patch_size=14, merge_size=2)


def llava(folder: Path) -> None:
    fast = save_tokenizer(folder, TEMPLATE.replace("IMAGE", "<image>"))
    text = {**LAYERS, **words(fast), "model_type": "qwen2", "num_key_value_heads": 2}
    tower = {**LAYERS, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14, "projection_dim": 32}
    image = fast.convert_tokens_to_ids("<image>")
    config = LlavaConfig(text_config=text, vision_config=tower, image_token_id=image, vision_feature_layer=-1)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    sizes = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
    describe(folder, "CLIPImageProcessor", "LlavaProcessor", **sizes)
    strategy = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "LlavaProcessor", **strategy}))


def idefics(folder: Path) -> None:
    fast = save_tokenizer(folder, TEMPLATE.replace("IMAGE", "<image>"))
    text = {**LAYERS, **words(fast), "model_type": "llama", "num_key_value_heads": 2}
    tower = {**LAYERS, "image_size": 28, "patch_size": 7}
    image = fast.convert_tokens_to_ids("<image>")
    config = Idefics3Config(text_config=text, vision_config=tower, image_token_id=image, scale_factor=2)
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    sizes = {"size": {"longest_edge": 28}, "max_image_size": {"longest_edge": 28}, "do_image_splitting": False}
    describe(folder, "Idefics3ImageProcessor", "Idefics3Processor", **sizes)
    (folder / "processor_config.json").write_text(
        json.dumps({"processor_class": "Idefics3Processor", "image_seq_len": 4})
    )


def describe(folder: Path, image_processor: str, processor: str, **settings: object) -> None:
    names = {"image_processor_type": image_processor, "processor_class": processor}
    (folder / "preprocessor_config.json").write_text(json.dumps({**names, **settings}))


@pytest.fixture(scope="module", params=[qwen, llava, idefics], ids=lambda make: make.__name__)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path: Path = tmp_path_factory.mktemp(request.param.__name__)
    request.param(path)
    return path


def said(answerer: Answerer, question: str = QUESTION, tokens: int = 12) -> tuple[list[str], str, float]:
    """The pieces, the text and the probability."""
    pieces: list[str] = []
    stream = answerer.answer(question, PICTURES, SHOWN, not_seen=NOT_SEEN, transcript_words=50, tokens=tokens)
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, *end.value


def test_any_family_words_an_answer_and_streams_it(folder: Path) -> None:
    answerer = Answerer.load(str(folder))
    pieces, text, probability = said(answerer)
    assert "".join(pieces).strip() == text and 0 < probability <= 1
    inputs = answerer._inputs(QUESTION, PICTURES, SHOWN, NOT_SEEN)
    whole = answerer.model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert text == answerer.processor.tokenizer.decode(whole, skip_special_tokens=True).strip()
    logits = answerer.model(**inputs).logits[0, -1].softmax(-1)
    assert said(answerer, tokens=1)[2] == pytest.approx(float(logits.max()), rel=1e-3)


def test_what_it_reads_is_frames_with_their_clocks_and_words_then_the_question(folder: Path) -> None:
    answerer = Answerer.load(str(folder))
    ids = answerer._inputs(QUESTION + " <|im_end|>", PICTURES, SHOWN, NOT_SEEN)["input_ids"][0]
    text = answerer.processor.tokenizer.decode(ids)
    before, between, after = text.partition("08:14:05")[0], *text.partition("08:15:05")[::2]
    assert before == "<|im_start|>user\n" and "the wallet" in between
    assert between.count("<image>") == after.count("<image>") > 0
    assert text.count("<|im_end|>") == 1 and f"{INSTRUCTION.format(NOT_SEEN)}\n{QUESTION}<|im_end|>" in text


def test_it_answers_from_the_frames_that_our_pointer_chose(
    folder: Path, simulated_minute: EpisodicStore, tiny_checkpoint: Checkpoint
) -> None:
    catch_up(simulated_minute, tiny_checkpoint)
    checkpoint = with_answerer(tiny_checkpoint, str(folder))
    *_, own = ask(simulated_minute, tiny_checkpoint, QUESTION)
    found, *pieces, answer = ask(simulated_minute, checkpoint, QUESTION)
    assert isinstance(answer, Answer) and isinstance(own, Answer)
    assert answer.moments == own.moments and answer.checkpoint == f"{own.checkpoint}, worded by {folder}"
    assert "".join(map(str, pieces)).strip().casefold() == answer.text.casefold()
    assert with_answerer(tiny_checkpoint, "") is tiny_checkpoint


def test_large_pictures_are_made_small_before_they_are_read() -> None:
    assert _picture(np.zeros((1080, 1920, 3), np.uint8)).size == (LONGEST_PX, 288)
    assert _picture(PICTURES[0]).size == (80, 60)


def test_whoever_stops_listening_stops_it(folder: Path) -> None:
    answerer = Answerer.load(str(folder))
    calls: list[int] = []
    answerer.model.register_forward_hook(lambda *_: calls.append(1))
    stream = answerer.answer(QUESTION, PICTURES, SHOWN, not_seen=NOT_SEEN, transcript_words=50, tokens=2000)
    next(stream)
    stream.close()
    assert len(calls) < 2000


def without_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def without_processor(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


def of_text_only(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2"}))


def with_code_of_its_own(folder: Path) -> None:
    (folder / "conf.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Config: pass\n")
    described = {"model_type": "unheard_of", "auto_map": {"AutoConfig": "conf.Config"}}
    (folder / "config.json").write_text(json.dumps(described))


def test_a_model_that_brings_code_is_refused_and_nothing_of_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    qwen(tmp_path)
    with_code_of_its_own(tmp_path)
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(CheckpointError, match="cannot be used"):
        Answerer.load(str(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", [without_template, without_processor, of_text_only])
def test_what_cannot_answer_is_a_checkpoint_error_that_names_it(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    qwen(tmp_path)
    damage(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        Answerer.load(str(tmp_path))
    assert str(tmp_path) in caught.value.message and caught.value.hint


def test_one_for_which_there_is_no_memory_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qwen(tmp_path)
    needed = [parameter.numel() for parameter in Answerer.load(str(tmp_path)).model.parameters()]
    assert Answerer.load(str(tmp_path)).model.dtype is torch.float32
    monkeypatch.setattr(answerer, "free_bytes", lambda device: 3 * sum(needed))
    assert Answerer.load(str(tmp_path)).model.dtype is torch.bfloat16
    monkeypatch.setattr(answerer, "free_bytes", lambda device: sum(needed))
    with pytest.raises(CheckpointError, match="of the CPU's memory are free"):
        Answerer.load(str(tmp_path))


def test_one_that_was_never_fetched_is_named_with_how_to_fetch_it() -> None:
    with pytest.raises(CheckpointError, match="nobody/nothing") as caught:
        Answerer.load("nobody/nothing")
    assert "models pull nobody/nothing" in caught.value.hint


def test_what_fails_while_it_answers_is_named_too(tmp_path: Path) -> None:
    llava(tmp_path)
    broken = Answerer.load(str(tmp_path))
    broken.model.generation_config.num_beams = 2  # which cannot be streamed
    with pytest.raises(CheckpointError, match="cannot be used"):
        said(broken)
