"""Voice: the simulated wearer says what it does, as the narrations tell it, with the voice of espeak-ng.

A sentence begins at its act, or when the one before has been said; between sentences it is quite silent. The same
sentences always give the same samples.

This file does not know what the wearer does, nor how sound is kept.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from device.frame import SAMPLE_RATE_HZ, AudioBlock
from device.opus import decode
from store.errors import UserError

SPEAKER = "espeak-ng"
BREATH_S = 0.3
BLOCK_S = 1.0


class Voice:
    """`sentences` are seconds from the start of the day and what is said then, in time order."""

    def __init__(self, sentences: Sequence[tuple[float, str]]) -> None:
        """Raises UserError where espeak-ng is not installed."""
        if not shutil.which(SPEAKER):
            raise UserError(
                f"The simulated wearer speaks with {SPEAKER}, which is not installed.",
                f"Run: apt install {SPEAKER}, or leave speak=1 out of the address.",
            )
        self._waiting = list(reversed(sentences))
        self._spoken: list[tuple[int, np.ndarray]] = []  # number of the first sample in the day, and the samples
        self._free_at = 0

    def blocks(self, from_s: float, until_s: float, began_at: float) -> Iterator[AudioBlock]:
        """The sound of these seconds in blocks of at most 1 s; the day began at `began_at`, UTC seconds.

        Spans that adjoin give samples that adjoin.
        """
        first, end = round(from_s * SAMPLE_RATE_HZ), round(until_s * SAMPLE_RATE_HZ)
        step = round(BLOCK_S * SAMPLE_RATE_HZ)
        for start in range(first, end, step):
            yield AudioBlock(self._samples(start, min(start + step, end)), began_at + start / SAMPLE_RATE_HZ)

    def _samples(self, start: int, end: int) -> np.ndarray:
        """Silence, and over it whatever is said between these samples of the day."""
        self._speak_until(end)
        heard = np.zeros(end - start, np.int16)
        for began, words in self._spoken:
            low, high = max(start, began), min(end, began + len(words))
            if low < high:
                heard[low - start : high - start] = words[low - began : high - began]
        return heard

    def _speak_until(self, end: int) -> None:
        while self._waiting and round(self._waiting[-1][0] * SAMPLE_RATE_HZ) < end:
            at_s, sentence = self._waiting.pop()
            began, words = max(round(at_s * SAMPLE_RATE_HZ), self._free_at), speak(sentence)
            self._spoken.append((began, words))
            self._free_at = began + len(words) + round(BREATH_S * SAMPLE_RATE_HZ)


@lru_cache(maxsize=256)
def speak(sentence: str) -> np.ndarray:
    """One sentence as (n,) int16 mono 16 kHz, read-only."""
    command = [SPEAKER, "--stdin", "--stdout"]
    said = subprocess.run(command, input=sentence.encode(), capture_output=True, check=True)
    samples = decode(said.stdout)
    samples.flags.writeable = False
    return samples
