"""Packed sequences: what many questions learn behind one prefix is what each would have learned alone."""

import torch
from torch import Tensor
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model

from assistant.training.packing import PADDING, ROUND, Layout, attention_log_mass, lay_out, read

WIDTH, ROWS = 32, 40
PREFIXES = [range(7), range(20, 24)]
SEGMENTS = [[(8, 9, 8), (10, 3, 11, 12, 30), (13, 14)], [(8, 9, 10, 11, 15, 16)]]


def language_model() -> Qwen2Model:
    torch.manual_seed(0)
    config = Qwen2Config(vocab_size=11, hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=3,
                         num_attention_heads=4, num_key_value_heads=2)  # fmt: skip
    return Qwen2Model(config).eval()


def table() -> Tensor:
    return torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(1))


def test_every_segment_stands_where_it_is_said_to_and_lengths_are_rounded_up() -> None:
    layout, starts = lay_out(PREFIXES, SEGMENTS)
    assert layout.source.shape == layout.group.shape == layout.position.shape == (2, ROUND)
    assert starts == [[7, 10, 15], [4]]
    for b, prefix in enumerate(PREFIXES):
        rows = layout.source[b].tolist()
        assert rows[: len(prefix)] == list(prefix) and (layout.group[b, : len(prefix)] == 0).all()
        for i, (start, segment) in enumerate(zip(starts[b], SEGMENTS[b], strict=True)):
            places = slice(start, start + len(segment))
            assert rows[places] == list(segment) and (layout.group[b, places] == i + 1).all()
            assert layout.position[b, places].tolist() == list(range(len(prefix), len(prefix) + len(segment)))
    assert (layout.group[0, 17:] == PADDING).all() and (layout.group[1, 10:] == PADDING).all()


def test_a_sequence_longer_than_one_round_takes_the_next() -> None:
    layout, _ = lay_out([range(ROUND), []], [[(1,)], [(2, 3)]])
    assert layout.source.shape == (2, 2 * ROUND)


def test_a_packed_pass_equals_one_pass_for_every_segment() -> None:
    model, rows = language_model(), table()
    layout, starts = lay_out(PREFIXES, SEGMENTS)
    with torch.no_grad():
        states, _ = read(model, rows, layout)
        for b, prefix in enumerate(PREFIXES):
            for start, segment in zip(starts[b], SEGMENTS[b], strict=True):
                alone = model(inputs_embeds=rows[[*prefix, *segment]][None]).last_hidden_state[0]
                torch.testing.assert_close(states[b, : len(prefix)], alone[: len(prefix)], atol=1e-5, rtol=1e-4)
                got = states[b, start : start + len(segment)]
                torch.testing.assert_close(got, alone[len(prefix) :], atol=1e-5, rtol=1e-4)


def test_a_packed_pass_learns_what_single_passes_learn() -> None:
    model, rows = language_model(), table().requires_grad_()
    layout, starts = lay_out(PREFIXES, SEGMENTS)
    states, _ = read(model, rows, layout)
    ends = [(b, start + len(segment) - 1) for b in (0, 1) for start, segment in zip(starts[b], SEGMENTS[b])]  # noqa: B905
    (packed,) = torch.autograd.grad(sum(states[place].square().sum() for place in ends), rows)
    alone = torch.zeros_like(packed)
    for prefix, own in zip(PREFIXES, SEGMENTS, strict=True):
        for segment in own:
            last = model(inputs_embeds=rows[[*prefix, *segment]][None]).last_hidden_state[0, -1]
            alone += torch.autograd.grad(last.square().sum(), rows)[0]
    torch.testing.assert_close(packed, alone, atol=1e-4, rtol=1e-3)


def test_no_segment_feels_another() -> None:
    model, rows = language_model(), table()
    layout, _ = lay_out(PREFIXES, SEGMENTS)
    changed_rows = rows.clone()
    changed_rows[30] += 1.0  # only the second segment of the first sequence has it
    with torch.no_grad():
        before, _ = read(model, rows, layout)
        after, _ = read(model, changed_rows, layout)
    changed = (before != after).any(-1)
    assert changed[0].nonzero().flatten().tolist() == [14] and not changed[1].any()


def test_attention_computed_beside_the_model_is_the_models_own() -> None:
    model, rows = language_model(), table()
    model.set_attn_implementation("eager")
    layout, _ = lay_out(PREFIXES, SEGMENTS)
    with torch.no_grad():
        output = model(
            inputs_embeds=rows[layout.source],
            attention_mask=torch.where(layout.mask(), 0.0, torch.finfo(torch.float32).min),
            position_ids=layout.position,
            output_hidden_states=True,
            output_attentions=True,
        )
        heads = [0, 2, 3]
        mass = attention_log_mass(model, 1, output.hidden_states[1], layout, heads)
    torch.testing.assert_close(mass.exp(), output.attentions[1][:, heads], atol=1e-5, rtol=1e-4)


def test_the_inputs_handed_back_are_those_of_every_layer() -> None:
    model, rows = language_model(), table()
    layout, _ = lay_out(PREFIXES, SEGMENTS)
    with torch.no_grad():
        states, inputs = read(model, rows, layout)
    assert len(inputs) == 4 and torch.equal(inputs[0], rows[layout.source]) and torch.equal(inputs[-1], states)


def test_a_layout_goes_to_a_device_whole() -> None:
    layout, _ = lay_out(PREFIXES, SEGMENTS)
    moved = layout.to(torch.device("meta"))
    assert isinstance(moved, Layout) and {part.device.type for part in vars(moved).values()} == {"meta"}
