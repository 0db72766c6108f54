"""Transcription: what is said in a few seconds of speech, by the best engine on this machine.

Whisper, where a folder of it lies on the disk, else PocketSphinx, which comes with the program and often mishears:
what it writes is `rough`, and its confidence is never high. Nothing is ever fetched. This file does not know where
sounds come from, nor when anything was said. n samples at 16 kHz.
"""

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from assistant.speech import RATE_HZ
from store.config import Words, data_directory
from store.errors import CheckpointError

WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json")  # without the last, faster-whisper would fetch one
NO_SPEECH = 0.6  # Whisper's own threshold: beyond it, what it writes is made up
ROUGH_CEILING = 0.5  # the confidence of a rough engine that is sure of every word
HISS = 60.0  # of a quiet room, in steps of int16: without it PocketSphinx gets twice as many words wrong


class Engine(Protocol):
    """Turns speech into text. `name` is what the memory calls it; what a `rough` one writes may be quite wrong."""

    name: str
    rough: bool

    def transcribe(self, samples: np.ndarray) -> tuple[str, float]:
        """Samples (n,) int16 of speech -> its text, "" where there is none, and a confidence from 0 to 1."""
        ...


class Whisper:
    """A checkpoint of faster-whisper, in int8 on the CPU."""

    name, rough = "whisper", False

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError where the folder does not hold a checkpoint."""
        absent = [name for name in WHISPER_FILES if not (folder / name).is_file()]
        repair = "Give the folder of a faster-whisper checkpoint, or leave [words] whisper out."
        if absent:
            raise CheckpointError(f"{folder} is no Whisper checkpoint: {absent[0]} is missing.", repair)
        from faster_whisper import WhisperModel

        try:
            self._model = WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)
        except Exception as error:  # CTranslate2 raises what it pleases
            raise CheckpointError(f"Whisper checkpoint {folder} cannot be loaded: {error}.", repair) from error

    def transcribe(self, samples: np.ndarray) -> tuple[str, float]:
        """The language is told from the speech itself."""
        segments, _ = self._model.transcribe(
            samples.astype(np.float32) / 32768, temperature=0.0, condition_on_previous_text=False
        )
        spoken = [segment for segment in segments if segment.no_speech_prob <= NO_SPEECH and segment.text.strip()]
        tokens = sum(len(segment.tokens) for segment in spoken)
        log_chance = sum(segment.avg_logprob * len(segment.tokens) for segment in spoken) / max(1, tokens)
        text = " ".join(segment.text.strip() for segment in spoken)
        return text, math.exp(min(0.0, log_chance)) if text else 0.0


class PocketSphinx:
    """English dictation with the model inside its package; it often mishears."""

    name, rough = "pocketsphinx", True

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=RATE_HZ, loglevel="FATAL")

    def transcribe(self, samples: np.ndarray) -> tuple[str, float]:
        """The confidence is the words' mean posterior, scaled to ROUGH_CEILING."""
        hiss = np.random.default_rng(0).normal(0.0, HISS, len(samples))
        self._decoder.start_utt()
        self._decoder.process_raw((samples + hiss).clip(-32768, 32767).astype(np.int16).tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        if found is None or not found.hypstr:
            return "", 0.0
        chances = [part.prob for part in self._decoder.seg() if part.word[0] not in "<["]  # <sil>, [NOISE]
        return found.hypstr, ROUGH_CEILING * min(1.0, sum(chances) / max(1, len(chances)))


ROUGH_ENGINES = frozenset(engine.name for engine in (Whisper, PocketSphinx) if engine.rough)


def open_engine(words: Words) -> Engine:
    """The Whisper that is configured, else one in $XDG_DATA_HOME/whereabouts/models/whisper, else PocketSphinx.

    Raises CheckpointError where a folder is named, or lies there, and cannot be used.
    """
    folder = Path(words.whisper).expanduser() if words.whisper else data_directory() / "models" / "whisper"
    return Whisper(folder) if words.whisper or folder.is_dir() else PocketSphinx()
