"""Speech into text by the real engines: the one that is always there, and Whisper from a folder, never from a hub."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

from assistant.speech import RATE_HZ
from assistant.transcription import ROUGH_CEILING, PocketSphinx, Whisper, open_engine
from device.simulated.voice import speak
from store.config import Words
from store.errors import CheckpointError

NOISE = np.random.default_rng(0).normal(0, 3000, 2 * RATE_HZ).astype(np.int16)
MARKERS = (
    "endoftext", "startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps",
)  # fmt: skip
TIMESTAMPS = 1501


@pytest.fixture(scope="module")
def pocketsphinx() -> PocketSphinx:
    return PocketSphinx()


@pytest.fixture(scope="module")
def whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny English Whisper with random weights, made as people make theirs: transformers, then CTranslate2."""
    from ctranslate2.converters import TransformersConverter

    torch.manual_seed(0)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({letter: index for index, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True, normalized=False) for name in MARKERS])
    end = len(letters)
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size() + TIMESTAMPS,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=end + 1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    source, folder = tmp_path_factory.mktemp("transformers"), tmp_path_factory.mktemp("models") / "whisper"
    WhisperForConditionalGeneration(config).save_pretrained(source)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(source)
    TransformersConverter(str(source), copy_files=["tokenizer.json"]).convert(str(folder), quantization="int8")
    return folder


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="the command espeak-ng is not installed")
def test_pocketsphinx_understands_a_plain_sentence_and_is_never_sure(pocketsphinx: PocketSphinx) -> None:
    text, confidence = pocketsphinx.transcribe(speak("please remember to buy milk and bread"))
    assert {"milk", "bread"} <= set(text.split())
    assert pocketsphinx.rough and 0.0 < confidence <= ROUGH_CEILING


def test_pocketsphinx_makes_no_words_of_nothing(pocketsphinx: PocketSphinx) -> None:
    assert pocketsphinx.transcribe(np.zeros(2 * RATE_HZ, np.int16)) == ("", 0.0)


def test_whisper_is_loaded_from_its_folder_and_says_how_sure_it_is(whisper_folder: Path) -> None:
    whisper = Whisper(whisper_folder)
    text, confidence = whisper.transcribe(NOISE)
    assert (text == "" and confidence == 0.0) or 0.0 < confidence < 0.1  # its weights are random
    assert whisper.transcribe(NOISE) == (text, confidence)
    assert (whisper.name, whisper.rough) == ("whisper", False)


def test_the_engine_is_the_configured_whisper_then_the_one_at_hand_then_pocketsphinx(
    whisper_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert open_engine(Words()).name == "pocketsphinx"
    assert open_engine(Words(whisper=str(whisper_folder))).name == "whisper"
    (tmp_path / "whereabouts/models").mkdir(parents=True)
    (tmp_path / "whereabouts/models/whisper").symlink_to(whisper_folder)
    assert open_engine(Words()).name == "whisper"


@pytest.mark.parametrize("missing", ["config.json", "model.bin", "tokenizer.json"])
def test_a_whisper_folder_without_a_file_is_refused_by_its_name(
    whisper_folder: Path, tmp_path: Path, missing: str
) -> None:
    folder = Path(shutil.copytree(whisper_folder, tmp_path / "whisper"))
    (folder / missing).unlink()
    with pytest.raises(CheckpointError, match=missing) as caught:
        open_engine(Words(whisper=str(folder)))
    assert "whisper" in caught.value.hint


def test_a_whisper_folder_that_is_not_there_or_damaged_is_refused(whisper_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no Whisper checkpoint"):
        open_engine(Words(whisper="/nowhere/at/all"))
    folder = Path(shutil.copytree(whisper_folder, tmp_path / "whisper"))
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        open_engine(Words(whisper=str(folder)))
