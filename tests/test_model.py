"""MMEgo on a tiny random configuration: the very code that a 7B checkpoint runs."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

from assistant.model import FRAMES_A_PASS, MMEgo, MMEgoConfig
from assistant.prompt import FrameSlot, TokenisedPiece

VOCABULARY, WIDTH = 60, 32
LAYERS = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
TEXT = {**LAYERS, "model_type": "qwen2", "vocab_size": VOCABULARY, "num_key_value_heads": 2, "initializer_range": 0.3}
PATCHES = {**LAYERS, "model_type": "siglip_vision_model", "image_size": 48, "patch_size": 16, "vision_use_head": False}
STEM = {**PATCHES, "model_type": "siglip_conv_stem", "patch_size": 8, "stem_channels": [8, 16, 24]}
QUESTION = [5, 6, 7, 8]
PROMPT: list[TokenisedPiece] = [[1, 2], FrameSlot(1), [3, 4], FrameSlot(0), [9, 10, 11]]


def load_with_report(folder: Path) -> Any:
    """The model and what transformers found missing or unexpected."""
    return MMEgo.from_pretrained(folder, output_loading_info=True)


def rename_as_on_the_hub(weights: Path) -> None:
    """Published folders still call the tower's tensors vision_tower.vision_model.*."""
    tensors = load_file(weights)
    renamed = {name.replace("vision_tower.", "vision_tower.vision_model."): tensors[name] for name in tensors}
    assert "language_model.model.norm.weight" in renamed and renamed.keys() != tensors.keys()
    save_file(renamed, weights, metadata={"format": "pt"})


@pytest.fixture
def model() -> MMEgo:
    torch.manual_seed(0)
    config = MMEgoConfig(vision_config=STEM, text_config={**TEXT, "tie_word_embeddings": True}, answer_tokens=12)
    return MMEgo(config).eval()


def compressed(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def uncached(model: MMEgo, prompt: Tensor, length: int) -> list[int]:
    """Greedy decoding that reads the whole sequence again for every token."""
    tokens: list[int] = []
    for _ in range(length):
        logits = model.answer_logits([prompt], [[*tokens, 0]])[0]
        tokens.append(int(logits[-1].argmax()))
    return tokens


def test_frames_become_visual_tokens_whatever_the_batch(model: MMEgo) -> None:
    frames = torch.randn(FRAMES_A_PASS + 1, 3, 48, 48)
    visual = model.encode_frames(frames)
    assert visual.shape == (FRAMES_A_PASS + 1, model.config.tokens_a_frame, WIDTH) and model.config.tokens_a_frame == 9
    torch.testing.assert_close(model.encode_frames(frames[-1:]), visual[-1:])
    torch.testing.assert_close(model.compress(visual), visual.mean(dim=1))
    assert model.encode_frames(frames[:0]).shape == (0, 9, WIDTH)


def test_27_by_27_patches_pool_to_196_tokens() -> None:
    vision = {**PATCHES, "image_size": 384, "patch_size": 14, "num_hidden_layers": 1}
    model = MMEgo(MMEgoConfig(vision_config=vision, text_config=TEXT))
    assert model.config.tokens_a_frame == 196
    assert model.encode_frames(torch.randn(1, 3, 384, 384)).shape == (1, 196, WIDTH)


def test_the_glimpse_gives_each_frame_a_probability(model: MMEgo) -> None:
    scores = model.glimpse(compressed(20), QUESTION)
    assert scores.shape == (20,) and (scores > 0).all() and scores.std() > 1e-3
    torch.testing.assert_close(scores.sum(), torch.tensor(1.0))


def test_the_scores_follow_the_question_and_the_frames_do_not(model: MMEgo) -> None:
    frames, other = compressed(6), [20, 21, 22, 23, 24]
    assert not torch.allclose(model.glimpse(frames, QUESTION), model.glimpse(frames, other), atol=1e-3)
    states = [
        model._read([torch.cat([frames, model.embed_ids(ids), model.memory_pointer])])[0] for ids in (QUESTION, other)
    ]
    torch.testing.assert_close(states[0][:6], states[1][:6])
    torch.testing.assert_close(model.glimpse_logits([frames], [other])[0], states[1][:6] @ states[1][-1])


def test_a_glimpse_in_a_batch_equals_a_glimpse_alone(model: MMEgo) -> None:
    frames, questions = [compressed(3, 1), compressed(9, 2), compressed(5, 3)], [[5], [6, 7], [8, 9, 10]]
    together = model.glimpse_logits(frames, questions)
    for number, (shown, asked) in enumerate(zip(frames, questions, strict=True)):
        torch.testing.assert_close(together[number], model.glimpse_logits([shown], [asked])[0], atol=1e-4, rtol=1e-4)


def test_the_gradient_of_the_scores_reaches_the_pointer_and_the_pictures(model: MMEgo) -> None:
    frames = torch.randn(4, 3, 48, 48, requires_grad=True)
    logits = model.glimpse_logits([model.compress(model.encode_frames(frames))], [QUESTION])[0]
    logits.log_softmax(dim=0)[1].backward()
    assert model.memory_pointer.grad is not None and model.memory_pointer.grad.abs().sum() > 0
    assert frames.grad is not None and frames.grad.abs().sum() > 0


def test_slots_take_the_visual_tokens_they_name(model: MMEgo) -> None:
    visual = torch.randn(2, 9, WIDTH)
    prompt = model.embed(PROMPT, visual)
    assert prompt.shape == (2 + 9 + 2 + 9 + 3, WIDTH)
    assert torch.equal(prompt[2:11], visual[1]) and torch.equal(prompt[13:22], visual[0])
    assert torch.equal(prompt[-1], model.embed_ids([11])[0])


def glimpsed(model: MMEgo, frames: Tensor, question: list[int]) -> Tensor:
    """The scores from one uncached pass over the whole sequence."""
    return model.glimpse_logits([frames], [question])[0].softmax(dim=0).detach()


def test_frames_that_were_read_once_are_glimpsed_by_any_question(model: MMEgo) -> None:
    frames = compressed(300)
    read = model.read(frames)
    for question in (QUESTION, [20, 21, 22, 23, 24], [9]):
        torch.testing.assert_close(
            model.glimpse(read, question), glimpsed(model, frames, question), atol=1e-6, rtol=1e-4
        )
    half = model.bfloat16()
    torch.testing.assert_close(
        half.glimpse(half.read(frames), QUESTION), glimpsed(half, frames.bfloat16(), QUESTION), atol=2e-3, rtol=0.2
    )


def test_what_was_read_stays_as_it_was_whatever_goes_on_from_it(model: MMEgo) -> None:
    read = model.read(compressed(20))
    before = [(keys.clone(), values.clone()) for keys, values, _ in read.cache]
    model.glimpse(read, QUESTION)
    model.read(torch.cat([compressed(20), compressed(3, 1)]), read)
    model.read(compressed(20)[:4], read)
    list(model.answer_stream(read, stop=()))
    for (keys, values), (kept_keys, kept_values, _) in zip(before, read.cache, strict=True):
        assert torch.equal(keys, kept_keys) and torch.equal(values, kept_values)
    assert len(read) == 20 and read.nbytes == (20 * WIDTH * 2 + 2 * 2 * 20 * 2 * WIDTH // 4) * 4


@pytest.mark.parametrize("shared", [0, 1, 7, 12, 20])
def test_only_what_two_sequences_begin_with_alike_is_not_read_again(model: MMEgo, shared: int) -> None:
    known = model.read(compressed(20))
    sequence = torch.cat([compressed(20)[:shared], compressed(12 - min(shared, 12), 1)])
    fresh: list[int] = []
    model.model.language_model.register_forward_pre_hook(
        lambda _, __, inputs: fresh.append(inputs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    read = model.read(sequence, known)
    assert sum(fresh) == len(sequence) - shared and known.shared_with(sequence) == shared
    alone = model.read(sequence)
    torch.testing.assert_close(read.states, alone.states, atol=1e-5, rtol=1e-4)
    for (keys, values, _), (own_keys, own_values, _) in zip(read.cache, alone.cache, strict=True):
        torch.testing.assert_close(keys, own_keys, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(values, own_values, atol=1e-5, rtol=1e-4)


def test_an_answer_goes_on_from_what_was_shown_before(model: MMEgo) -> None:
    visual = torch.randn(2, 9, WIDTH)
    known = model.read(model.embed(PROMPT, visual))
    follow_up = model.embed([*PROMPT[:-1], [30, 31, 32]], visual)
    stream = model.answer_stream(model.read(follow_up, known), stop=())
    assert [token for token, _ in stream] == uncached(model, follow_up, 12)


def test_tower_and_language_model_attend_by_sdpa_as_eagerly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    MMEgo(MMEgoConfig(vision_config=PATCHES, text_config=TEXT)).save_pretrained(tmp_path)
    fused, eager = (MMEgo.from_pretrained(tmp_path, **asked) for asked in ({}, {"attn_implementation": "eager"}))
    for model, name in ((fused, "sdpa"), (eager, "eager")):
        towers = (model.model.vision_tower, model.model.language_model)
        assert [part.config._attn_implementation for part in towers] == [name, name]
    pixels = torch.randn(3, 3, 48, 48)
    torch.testing.assert_close(fused.encode_frames(pixels), eager.encode_frames(pixels), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        fused.glimpse(compressed(50), QUESTION), eager.glimpse(compressed(50), QUESTION), atol=1e-6, rtol=1e-4
    )


def test_cached_decoding_equals_uncached_decoding(model: MMEgo) -> None:
    prompt = model.embed(PROMPT, torch.randn(2, 9, WIDTH))
    tokens = [token for token, _ in model.answer_stream(prompt, stop=())]
    assert tokens == uncached(model, prompt, 12) and len(set(tokens)) > 3


def test_each_token_comes_with_its_probability(model: MMEgo) -> None:
    prompt = model.embed(PROMPT, torch.randn(2, 9, WIDTH))
    answer = list(model.answer_stream(prompt, stop=()))
    tokens = [token for token, _ in answer]
    chances = model.answer_logits([prompt], [tokens])[0].softmax(dim=-1).max(dim=-1)
    assert tokens == chances.indices.tolist()
    torch.testing.assert_close(torch.tensor([chance for _, chance in answer]), chances.values.detach())


def test_an_answer_ends_at_a_stop_token_which_is_not_part_of_it(model: MMEgo) -> None:
    prompt = model.embed(PROMPT, torch.randn(2, 9, WIDTH))
    tokens = [token for token, _ in model.answer_stream(prompt, stop=())]
    stop = tokens[4]
    expected = tokens[: tokens.index(stop)]
    assert [token for token, _ in model.answer_stream(prompt, stop={stop})] == expected


def test_answers_in_a_batch_equal_answers_alone(model: MMEgo) -> None:
    prompts, answers = [torch.randn(4, WIDTH), torch.randn(9, WIDTH)], [[1, 2, 3], [4]]
    together = model.answer_logits(prompts, answers)
    assert [logits.shape for logits in together] == [(3, VOCABULARY), (1, VOCABULARY)]
    for number in range(2):
        alone = model.answer_logits(prompts[number : number + 1], answers[number : number + 1])[0]
        torch.testing.assert_close(together[number], alone, atol=1e-4, rtol=1e-4)


def test_a_half_precision_model_takes_what_the_store_keeps_in_single_precision(model: MMEgo) -> None:
    half = model.bfloat16()
    visual = half.encode_frames(torch.randn(2, 3, 48, 48))
    scores = half.glimpse(half.compress(visual).float(), QUESTION)
    assert visual.dtype == torch.bfloat16 and scores.dtype == torch.float32 and scores.isfinite().all()
    assert len(list(half.answer_stream(half.embed(PROMPT, visual.float()), stop=()))) == 12


def test_a_saved_model_loads_as_it_was(model: MMEgo, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    loaded, report = load_with_report(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert (loaded.config.selected, loaded.config.answer_tokens) == (32, 12)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_a_plain_llava_onevision_folder_loads_and_only_the_pointer_is_new(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = LlavaOnevisionForConditionalGeneration(LlavaOnevisionConfig(vision_config=PATCHES, text_config=TEXT)).eval()
    plain.save_pretrained(tmp_path)
    rename_as_on_the_hub(tmp_path / "model.safetensors")
    model, report = load_with_report(tmp_path)
    assert report["missing_keys"] == {"memory_pointer"} and not report["unexpected_keys"]
    assert 0.5 < model.memory_pointer.std() * WIDTH**0.5 < 2
    prompt = model.eval().embed(PROMPT, model.encode_frames(torch.randn(2, 3, 48, 48)))
    mask = torch.ones(1, len(prompt), dtype=torch.long)
    theirs = plain.generate(
        inputs_embeds=prompt.unsqueeze(0), attention_mask=mask, max_new_tokens=12, do_sample=False, pad_token_id=0
    )
    model.config.answer_tokens = 12
    assert [token for token, _ in model.answer_stream(prompt, stop=())] == theirs[0].tolist()
