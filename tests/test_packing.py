"""Packed sequences: what many questions learn behind one prefix is what each would have learned alone."""

import torch
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model

from assistant.training.packing import attention_log_mass, pack

WIDTH = 32


def language_model() -> Qwen2Model:
    torch.manual_seed(0)
    config = Qwen2Config(vocab_size=11, hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=3,
                         num_attention_heads=4, num_key_value_heads=2)  # fmt: skip
    return Qwen2Model(config).eval()


def parts() -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
    torch.manual_seed(1)
    prefixes = [torch.randn(7, WIDTH), torch.randn(4, WIDTH)]
    return prefixes, [[torch.randn(3, WIDTH), torch.randn(5, WIDTH), torch.randn(2, WIDTH)], [torch.randn(6, WIDTH)]]


def test_a_packed_pass_equals_one_pass_for_every_segment() -> None:
    model, (prefixes, segments) = language_model(), parts()
    packed = pack(prefixes, segments)
    with torch.no_grad():
        states, _ = packed.read(model)
        for b, prefix in enumerate(prefixes):
            for start, segment in zip(packed.starts[b], segments[b], strict=True):
                alone = model(inputs_embeds=torch.cat([prefix, segment])[None]).last_hidden_state[0]
                got = states[b, start : start + len(segment)]
                torch.testing.assert_close(got, alone[len(prefix) :], atol=0.06, rtol=0.05)  # read in bfloat16


def test_no_segment_feels_another() -> None:
    model, (prefixes, segments) = language_model(), parts()
    with torch.no_grad():
        before, _ = pack(prefixes, segments).read(model)
        segments[0][0] = torch.randn(3, WIDTH)
        after, _ = pack(prefixes, segments).read(model)
    changed = (before != after).any(-1)
    assert changed[0, 7:10].any()
    assert not changed[0, :7].any() and not changed[0, 10:].any() and not changed[1].any()


def test_attention_computed_beside_the_model_is_the_models_own() -> None:
    model, (prefixes, segments) = language_model(), parts()
    model.set_attn_implementation("eager")
    packed = pack(prefixes, segments)
    floor = torch.finfo(torch.float32).min
    with torch.no_grad():
        output = model(
            inputs_embeds=packed.embeddings,
            attention_mask=torch.where(packed.mask, 0.0, floor),
            position_ids=packed.positions,
            output_hidden_states=True,
            output_attentions=True,
        )
        heads = [0, 2, 3]
        mass = attention_log_mass(model, 1, output.hidden_states[1], packed, heads)
    torch.testing.assert_close(mass.exp(), output.attentions[1][:, heads], atol=1e-5, rtol=1e-4)
