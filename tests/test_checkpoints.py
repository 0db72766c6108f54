"""Checkpoints: whole ones load as they were saved, damaged ones are named, and nothing asks the network."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil

from assistant import checkpoints, quantisation, registry
from assistant.domain import Domain
from assistant.encoder import RecallConfig, RecallEncoder, RecallModel
from assistant.model import MMEgo, MMEgoConfig
from assistant.prompt import build_word_tokenizer, glimpse_text, token_ids
from store.errors import CheckpointError

TOKENIZER = build_word_tokenizer(["where", "is", "my", "red", "wallet", "on", "the", "table"])
LAYERS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
STEM = {**LAYERS, "model_type": "siglip_conv_stem", "image_size": 48, "patch_size": 8, "stem_channels": [8, 16, 24]}
WORDS = {"vocab_size": len(TOKENIZER), "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 3}
QWEN = {**LAYERS, **WORDS, "model_type": "qwen2", "num_key_value_heads": 2}
QUESTION = token_ids(glimpse_text("Where is my red wallet?"), TOKENIZER)


@pytest.fixture(scope="module")
def models() -> tuple[MMEgo, RecallEncoder, Domain]:
    torch.manual_seed(0)
    recall = RecallModel(RecallConfig(vision_config=STEM, text_config={**LAYERS, **WORDS, "projection_size": 32}))
    domain = Domain.fit(np.random.default_rng(0).normal(size=(100, 32)))
    return MMEgo(MMEgoConfig(vision_config=STEM, text_config=QWEN)), RecallEncoder(recall, TOKENIZER), domain


@pytest.fixture
def folder(models: tuple[MMEgo, RecallEncoder, Domain], tmp_path: Path) -> Path:
    model, recall, domain = models
    checkpoints.save(tmp_path / "mine", model, TOKENIZER, recall, domain)
    return tmp_path / "mine"


def test_a_saved_checkpoint_loads_with_everything(folder: Path, models: tuple[MMEgo, RecallEncoder, Domain]) -> None:
    model, recall, domain = models
    loaded = checkpoints.load(str(folder))
    frames = torch.randn(6, 32)
    assert loaded.pointer_trained and loaded.not_seen_text == "I did not see that."
    assert loaded.model.dtype == torch.float32 and not any(weight.requires_grad for weight in loaded.model.parameters())
    torch.testing.assert_close(
        loaded.model.glimpse(frames, QUESTION), model.glimpse(frames, QUESTION), atol=1e-3, rtol=0
    )
    np.testing.assert_allclose(loaded.recall.encode_question("red"), recall.encode_question("red"), atol=5e-3)
    assert loaded.domain is not None and loaded.domain.threshold == pytest.approx(domain.threshold)
    assert loaded.tokenizer.get_vocab() == TOKENIZER.get_vocab()


def test_half_precision_on_disk_is_a_fixed_point_and_leaves_the_given_model_alone(folder: Path, tmp_path: Path) -> None:
    first = checkpoints.load(str(folder))
    checkpoints.save(tmp_path / "again", first.model, first.tokenizer, first.recall)
    second = checkpoints.load(str(tmp_path / "again"))
    assert first.model.dtype == torch.float32 and second.domain is None
    for name, tensor in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], tensor), name


def test_a_checkpoint_is_these_files_and_nothing_more(folder: Path) -> None:
    model_files = ["config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(path.name for path in (folder / "recall").iterdir()) == model_files
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == sorted(
        [*model_files, "domain.safetensors"]
    )


def test_the_fingerprint_follows_the_content_and_not_the_place(folder: Path, tmp_path: Path) -> None:
    before = registry.describe(str(folder))
    assert before.key == f"mine-{before.fingerprint}" and len(before.fingerprint) == 12
    moved = folder.rename(tmp_path / "moved")
    assert registry.describe(str(moved)).fingerprint == before.fingerprint
    weights = moved / "recall" / "model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    assert registry.describe(str(moved)).fingerprint != before.fingerprint


def test_the_fingerprint_follows_how_pictures_are_made_smaller(folder: Path) -> None:
    before = registry.describe(str(folder))
    (folder / "recall" / "preprocessor_config.json").write_text('{"resample": 3}')
    after = registry.describe(str(folder))
    assert after.fingerprint != before.fingerprint and after.weights_hash == before.weights_hash
    (folder / "recall" / "preprocessor_config.json").write_text('{"resample": 99}')
    with pytest.raises(CheckpointError, match="99"):
        checkpoints.load(str(folder))


def test_describing_loads_no_torch(folder: Path) -> None:
    program = (
        "import sys; from assistant.registry import describe; print(describe(sys.argv[1]).key, "
        "not {'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [registry.describe(str(folder)).key, "True"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def break_json(path: Path) -> None:
    path.write_text(path.read_text()[:-20])


def widen(path: Path) -> None:
    config = json.loads(path.read_text())
    config["text_config"]["intermediate_size"] = 96
    path.write_text(json.dumps(config))


def deepen(path: Path) -> None:
    config = json.loads(path.read_text())
    config["text_config"] |= {"num_hidden_layers": 2, "layer_types": None}
    path.write_text(json.dumps(config))


def add_words(path: Path) -> None:
    build_word_tokenizer([f"word{letter}" for letter in "abcdefghijkl"]).backend_tokenizer.save(str(path))


DAMAGE = [
    ("model.safetensors", truncate),
    ("model.safetensors", Path.unlink),
    ("config.json", break_json),
    ("config.json", Path.unlink),
    ("config.json", widen),
    ("config.json", deepen),
    ("tokenizer.json", break_json),
    ("tokenizer.json", add_words),
    ("recall/model.safetensors", truncate),
    ("recall/config.json", deepen),
    ("domain.safetensors", truncate),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGE)
def test_damage_is_a_checkpoint_error_that_names_the_folder_and_a_remedy(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(folder / name)
    with pytest.raises(CheckpointError) as caught:
        checkpoints.load(str(folder))
    assert str((folder / name).parent) in caught.value.message and "\n" not in caught.value.message
    assert caught.value.hint and caught.value.exit_code == 7


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="giant") as caught:
        registry.describe("giant")
    assert "nano, 0.5b, 7b" in caught.value.hint


LONG = "x" * 300
NAMELESS = ["../gone", "/gone", "a/b--c", "-a/b", "a/..", "~nosuch/x", LONG, f"a/{LONG}", "a/b.git", "a\0b", ""]


@pytest.mark.parametrize("name", NAMELESS)
def test_no_name_is_too_odd_to_be_answered(name: str) -> None:
    assert registry.located(name) is None
    with pytest.raises(CheckpointError, match="No checkpoint"):
        registry.describe(name)


HEADERS = [
    "[" * 100_000,
    '{"a": {"shape": "12", "data_offsets": [0, 0]}}',
    '{"a": {"shape": [-1], "data_offsets": [0, 0]}}',
    '{"a": {"shape": [1], "data_offsets": "x"}}',
]


@pytest.mark.parametrize("header", HEADERS)
def test_an_odd_header_of_the_weights_is_damage(folder: Path, header: str) -> None:
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode())
    with pytest.raises(CheckpointError, match="safetensors"):
        _ = registry.describe(str(folder)).size


INDEXES = ["[]", '{"weight_map": [1]}', '{"weight_map": 5}', '{"weight_map": {"a": 5}}', "[" * 100_000]


@pytest.mark.parametrize("index", INDEXES)
def test_an_odd_index_of_the_weights_is_damage(folder: Path, index: str) -> None:
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match="index.json is damaged"):
        registry.describe(str(folder))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_link_that_leads_to_itself_and_json_without_an_end_are_damage(folder: Path, name: str) -> None:
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError):
        registry.describe(str(folder))
    (folder / name).unlink()
    (folder / name).symlink_to(name)
    with pytest.raises(CheckpointError):
        registry.describe(str(folder))


def test_a_folder_that_is_called_nano_is_weighed_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantisation, "free_bytes", lambda device: 10**9)
    with pytest.raises(CheckpointError, match="nano needs"):
        quantisation.place("nano", registry.PUBLISHED["7b"].size, device="cpu")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and a network that must not be used."""

    def refuse(*_: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_in_cache(cache: Path, repository: str) -> Path:
    place = cache / f"models--{repository.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("1" * 40)
    (place / "snapshots" / ("1" * 40)).mkdir(parents=True)
    return place / "snapshots" / ("1" * 40)


def test_a_hub_model_that_is_not_here_is_not_fetched(hub_cache: Path) -> None:
    with pytest.raises(CheckpointError, match="not on this machine") as caught:
        registry.describe("0.5b")
    assert caught.value.hint == "Run: whereabouts models pull 0.5b"


def test_a_hub_model_loads_from_the_cache_with_the_hubs_recall_encoder(
    hub_cache: Path, models: tuple[MMEgo, RecallEncoder, Domain], folder: Path
) -> None:
    published = registry.PUBLISHED["0.5b"]
    plain = LlavaOnevisionForConditionalGeneration(LlavaOnevisionConfig(vision_config=STEM, text_config=QWEN))
    snapshot = put_in_cache(hub_cache, published.repository)
    plain.save_pretrained(snapshot)
    TOKENIZER.backend_tokenizer.save(str(snapshot / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="recall/"):
        checkpoints.load("0.5b")
    recall = put_in_cache(hub_cache, published.recall)
    for file in (folder / "recall").iterdir():
        (recall / file.name).write_bytes(file.read_bytes())
    for name in ("0.5b", published.repository):
        loaded = checkpoints.load(name)
        assert loaded.name == "0.5b" and not loaded.pointer_trained and loaded.domain is None
    assert loaded.recall.encode_question("red").shape == (32,)


PLAIN = LAYERS | {"model_type": "siglip_vision_model", "image_size": 48, "patch_size": 8, "vision_use_head": False}
LAYOUTS = ["whole", "shards", "older names", "bf16"]
OLDER = (("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."), ("model.", ""))


@pytest.fixture(scope="module")
def theirs() -> LlavaOnevisionForConditionalGeneration:
    """transformers' own, tiny, with a head of its own as the 7b has."""
    torch.manual_seed(1)
    qwen = QWEN | {"num_hidden_layers": 2, "tie_word_embeddings": False}
    config = LlavaOnevisionConfig(
        vision_config=PLAIN, text_config=qwen, image_token_index=4, video_token_index=5, tie_word_embeddings=False
    )
    return LlavaOnevisionForConditionalGeneration(config).eval()


@pytest.fixture(params=LAYOUTS)
def published(
    request: pytest.FixtureRequest, theirs: LlavaOnevisionForConditionalGeneration, folder: Path, tmp_path: Path
) -> Path:
    """Their model in a layout of the hub."""
    place, model = tmp_path / "published", theirs
    if request.param == "bf16":
        model = deepcopy(theirs).bfloat16()
    model.save_pretrained(place, max_shard_size="30KB" if request.param == "shards" else "1GB")
    if request.param == "older names":
        named = {rename(name): tensor.clone() for name, tensor in model.state_dict().items()}
        save_file(named, place / "model.safetensors", metadata={"format": "pt"})
    TOKENIZER.backend_tokenizer.save(str(place / "tokenizer.json"))
    (folder / "recall").rename(place / "recall")
    return place


def rename(name: str) -> str:
    for new, old in OLDER:
        if name.startswith(new):
            return name.replace(new, old, 1)
    return name


def test_features_logits_and_words_of_a_published_model_are_those_of_transformers(
    published: Path,
) -> None:
    loaded = checkpoints.load(str(published))
    ours, pixel_values = loaded.model, torch.rand(3, 3, 48, 48) * 2 - 1
    assert not loaded.pointer_trained and loaded.placement.precision == "fp32"
    exactly = LlavaOnevisionForConditionalGeneration.from_pretrained(published, dtype="float32").eval()
    visual = ours.encode_frames(pixel_values)
    with torch.no_grad():
        features = exactly.get_video_features(pixel_values[None], return_dict=True).pooler_output[0]
    torch.testing.assert_close(torch.cat([visual.flatten(0, 1), ours.model.image_newline[None]]), features)
    before, after, said = [6, 7, 8], [9, 10, 11], [12, 13]
    prompt = torch.cat([ours.embed_ids(before), features, ours.embed_ids(after)])
    ids = torch.tensor([[*before, *[5] * len(features), *after, *said]])
    with torch.no_grad():
        logits = exactly(input_ids=ids, pixel_values_videos=pixel_values[None]).logits[0]
        torch.testing.assert_close(ours.answer_logits([prompt], [said])[0], logits[-3:-1], atol=1e-4, rtol=1e-4)
        asked = torch.tensor([[*before, *[5] * len(features), *after]])
        spoken = exactly.generate(
            input_ids=asked, attention_mask=torch.ones_like(asked), pixel_values_videos=pixel_values[None],
            do_sample=False, max_new_tokens=8, eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
    ours.config.answer_tokens = 8
    assert [token for token, _ in ours.answer_stream(prompt, stop=())] == spoken[0, asked.shape[1] :].tolist()


@pytest.mark.parametrize("published", ["whole"], indirect=True)
@pytest.mark.parametrize("resampling", [2, 3])
def test_pictures_are_made_smaller_as_the_published_processor_does(published: Path, resampling: int) -> None:
    whole = {"height": 48, "width": 48}
    processor = LlavaOnevisionImageProcessorPil(
        size=whole, image_grid_pinpoints=[[48, 48]], resample=resampling, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    processor.save_pretrained(published)
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    theirs = processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0, 0]  # the first is the whole
    torch.testing.assert_close(checkpoints.load(str(published)).model.pixels([picture])[0], theirs, atol=1e-6, rtol=0)


def test_a_shard_that_its_index_names_and_that_is_not_there_is_named(
    theirs: LlavaOnevisionForConditionalGeneration, folder: Path
) -> None:
    (folder / "model.safetensors").unlink()
    theirs.save_pretrained(folder, max_shard_size="30KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2 and registry.describe(str(folder)).size.linear > 0
    shards[1].unlink()
    with pytest.raises(CheckpointError, match=shards[1].name):
        registry.describe(str(folder))


def test_sizes_are_counted_from_the_headers(folder: Path, models: tuple[MMEgo, RecallEncoder, Domain]) -> None:
    model, recall, _ = models
    size = registry.describe(str(folder)).size
    inside = {id(weight) for layer in model.model.language_model.layers for name, weight in layer.named_parameters()
              if weight.ndim == 2}  # fmt: skip
    assert size.linear == sum(weight.numel() for weight in model.parameters() if id(weight) in inside)
    assert size.linear + size.other == sum(w.numel() for each in (model, recall.model) for w in each.parameters())
