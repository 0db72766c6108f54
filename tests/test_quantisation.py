"""Few bits: only the language model's linear layers lose any, stored embeddings stay right, and what fits is chosen."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from assistant import quantisation, registry
from assistant.checkpoints import Checkpoint, load
from assistant.prompt import Shown, fallback_pieces, glimpse_text, token_ids, tokenise
from assistant.quantisation import BESIDE_BYTES, needed_bytes, place
from assistant.training.adapters import add_adapters
from assistant.weights import Size
from device.simulated.camera import SimulatedCamera
from store.config import PRECISIONS
from store.errors import CheckpointError

GB = 10**9
SEVEN, HALF = registry.PUBLISHED["7b"].size, registry.PUBLISHED["0.5b"].size
FEW_BITS = {"int8": "Linear8bitLt", "nf4": "Linear4bit"}


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """So many gigabytes are free, and there is no GPU."""
    monkeypatch.setattr(quantisation, "best_device", lambda: "cpu")
    monkeypatch.setattr(quantisation, "computes_bf16", lambda: False)
    return lambda count: monkeypatch.setattr(quantisation, "free_bytes", lambda device: round(count * GB))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano's weights under another name, as nano itself is never quantised."""
    folder = tmp_path_factory.mktemp("trained") / "copy"
    shutil.copytree(registry.NANO, folder, ignore=shutil.ignore_patterns("*.png", "*.md", "*.log"))
    return folder


@pytest.fixture(scope="module")
def loaded(trained: Path) -> dict[str, Checkpoint]:
    return {"fp32": load(str(trained)), **{each: load(str(trained), each) for each in ("bf16", "int8", "nf4")}}


def views(count: int, side_px: int = 160) -> list[np.ndarray]:
    """Pictures of coloured rectangles, no two alike."""
    noise = np.random.default_rng(5)
    coarse = noise.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return list(coarse.repeat(side_px // 4, 1).repeat(side_px // 4, 2))


def compressed(checkpoint: Checkpoint, count: int) -> Tensor:
    model = checkpoint.model
    with torch.inference_mode():
        return model.compress(model.encode_frames(model.pixels(views(count)))).float()


@pytest.mark.parametrize("precision", FEW_BITS)
def test_only_the_linear_layers_of_the_language_model_are_quantised(
    loaded: dict[str, Checkpoint], precision: str
) -> None:
    model = loaded[precision].model
    layers = {name: type(layer).__name__ for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    few = {name for name, kind in layers.items() if kind == FEW_BITS[precision]}
    assert few == {name for name in layers if name.startswith("model.language_model.layers.")} and len(few) == 7 * 5
    whole = {name: weight for name, weight in model.named_parameters() if name.removesuffix(".weight") not in few}
    kept = [name for name, weight in whole.items() if weight.dtype is torch.bfloat16]
    assert {"memory_pointer", "model.language_model.embed_tokens.weight"} <= set(kept)
    assert not [name for name, weight in whole.items() if weight.dtype is not torch.bfloat16]
    assert not any(weight.requires_grad for weight in model.parameters()) and not model.training
    assert {weight.dtype for weight in loaded[precision].recall.model.parameters()} == {torch.bfloat16}
    assert loaded[precision].placement.precision == precision and loaded[precision].pointer_trained


def test_nested_scales_are_quantised_too(loaded: dict[str, Checkpoint]) -> None:
    layer = load(str(loaded["nf4"].description.folder), "nf4").model.model.language_model.layers[0].self_attn.q_proj
    assert layer.weight.quant_state.quant_type == "nf4" and layer.weight.quant_state.nested
    assert layer.weight.quant_state.blocksize == 64 and layer.weight.element_size() * layer.weight.numel() == 256 * 128


def test_what_is_stored_of_a_keyframe_does_not_depend_on_the_bits(loaded: dict[str, Checkpoint]) -> None:
    """Why one key serves every precision: bit for bit the same in bf16, int8 and nf4, and in fp32 but for rounding."""
    seen = {precision: compressed(checkpoint, 6) for precision, checkpoint in loaded.items()}
    found = {precision: checkpoint.recall.encode_frames(views(6)) for precision, checkpoint in loaded.items()}
    for precision in FEW_BITS:
        assert torch.equal(seen[precision], seen["bf16"])
        np.testing.assert_array_equal(found[precision], found["bf16"])
    assert torch.cosine_similarity(seen["fp32"], seen["bf16"]).min() > 0.9995
    assert (found["fp32"] * found["bf16"]).sum(axis=1).min() > 0.9995
    assert len({checkpoint.key for checkpoint in loaded.values()}) == 1
    assert len({checkpoint.description.weights_hash for checkpoint in loaded.values()}) == 1


def test_trained_scores_and_words_survive_few_bits(loaded: dict[str, Checkpoint]) -> None:
    """Loose bounds of what benchmarks/quantisation.py measures, on a simulated home."""
    images = [frame.image for frame in SimulatedCamera(31, 1.0, 0.5).frames()]
    whole = loaded["fp32"].model
    with torch.inference_mode():
        visual = whole.encode_frames(whole.pixels(images))
        asked = glimpse_text("where is my wallet?"), fallback_pieces("where is my wallet?", [Shown("08:00:04")] * 8, 0)
        ids, pieces = token_ids(asked[0], loaded["fp32"].tokenizer), tokenise(asked[1], loaded["fp32"].tokenizer)
        prompt = whole.embed(pieces, visual)
        answer = [token for token, _ in whole.answer_stream(prompt, ())]
        for precision, least in (("bf16", 0.999), ("int8", 0.999), ("nf4", 0.98)):
            model = loaded[precision].model
            logits = [each.glimpse_logits([whole.compress(visual)], [ids])[0].float() for each in (whole, model)]
            (following,) = model.answer_logits([prompt.to(model.memory_pointer)], [answer])
            assert torch.corrcoef(torch.stack(logits))[0, 1] > least, precision
            assert (following.argmax(-1) == torch.tensor(answer)).float().mean() > 0.8, precision
            assert not torch.equal(*logits)


@pytest.mark.parametrize("precision", FEW_BITS)
def test_gradients_go_through_few_bits(trained: Path, precision: str) -> None:
    model = load(str(trained), precision).model
    add_adapters(model, 4, 8)
    model.glimpse_logits([torch.randn(6, 256)], [[5, 6]])[0][0].backward()
    learning = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(learning) == 1 + 2 * 7 * 5
    assert all(grad is not None and grad.abs().sum() > 0 for name, grad in learning.items() if name.endswith("b"))


def test_nano_stays_as_it_is_whatever_is_set() -> None:
    for precision in PRECISIONS:
        assert place("nano", registry.describe("nano").size, precision).precision == "fp32"


def test_the_best_precision_that_fits_is_chosen(free: Callable[[float], None]) -> None:
    chosen = []
    for count in (50, 30, 16, 11):
        free(count)
        chosen.append(place("7b", SEVEN).precision)
    assert chosen == ["fp32", "bf16", "nf4", "nf4"]
    free(11)
    assert str(place("7b", SEVEN)) == "nf4 on the CPU, 10.7 GB of the 11.0 GB that are free"
    assert place("7b", SEVEN, device="cuda").precision == "nf4"
    free(16)
    assert place("7b", SEVEN, device="cuda").precision == "int8"
    free(50)
    assert place("7b", SEVEN, device="cuda").precision == "bf16" and place("7b", SEVEN, "int8").precision == "int8"


def test_a_cpu_that_computes_in_bf16_does(free: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    free(50)
    assert place("7b", SEVEN).precision == "fp32"
    monkeypatch.setattr(quantisation, "computes_bf16", lambda: True)
    assert place("7b", SEVEN).precision == "bf16"


def test_where_nothing_fits_it_is_said_what_would(free: Callable[[float], None]) -> None:
    said = []
    for count, precision in ((5.0, "auto"), (1.0, "auto"), (14.0, "bf16")):
        free(count)
        with pytest.raises(CheckpointError) as caught:
            place("7b", SEVEN, precision)
        said.append((caught.value.message, caught.value.hint))
    assert said[0][0] == "7b needs 10.7 GB in nf4; 5.0 GB of the CPU's memory are free."
    assert said[0][1].endswith("whereabouts models use 0.5b") and said[1][1].endswith("whereabouts models use nano")
    assert said[2][0].startswith("7b needs 20.4 GB in bf16") and 'precision = "nf4"' in said[2][1]


def test_a_checkpoint_that_does_not_fit_is_not_begun(trained: Path, free: Callable[[float], None]) -> None:
    free(0.001)
    with pytest.raises(CheckpointError, match=r"copy needs .* in nf4"):
        load(str(trained), "nf4")


def test_fewer_bits_need_less_and_a_longer_model_more() -> None:
    needs = [needed_bytes(SEVEN, precision) for precision in ("fp32", "bf16", "int8", "nf4")]
    assert needs == sorted(needs, reverse=True) and needed_bytes(HALF, "bf16") < needed_bytes(SEVEN, "bf16")
    assert needed_bytes(Size(1000, 10, 0), "nf4") == BESIDE_BYTES + round(1000 * (0.5 + 1 / 64 + 4 / 64 / 256) + 20)


def test_what_is_free_is_read_from_the_machine() -> None:
    assert 10**7 < quantisation.free_bytes("cpu") < 10**14
