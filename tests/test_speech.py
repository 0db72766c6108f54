"""Where somebody speaks: real speech found to a fraction of a second, silence and noise left alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assistant.speech import RATE_HZ, decode_sound, speech_spans
from device.opus import encode
from device.simulated.voice import speak
from store.errors import MemoryDamaged

ROOT = Path(__file__).resolve().parent.parent
needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="the command espeak-ng is not installed")


def silence(length_s: float) -> np.ndarray:
    """A quiet room."""
    return np.random.default_rng(0).normal(0, 8, round(length_s * RATE_HZ)).astype(np.int16)


@needs_espeak
def test_speech_is_found_within_a_third_of_a_second_and_silence_is_not() -> None:
    words = speak("the meeting is at nine o'clock")
    (span,) = speech_spans(np.concatenate([silence(3), words, silence(4)]))
    assert span == pytest.approx((3.0, 3.0 + len(words) / RATE_HZ), abs=0.3)


@needs_espeak
def test_a_breath_parts_nothing_and_a_pause_does() -> None:
    words = speak("take the bus at nine")
    assert len(speech_spans(np.concatenate([words, silence(0.2), words]))) == 1
    assert len(speech_spans(np.concatenate([words, silence(1.5), words]))) == 2


@needs_espeak
def test_who_does_not_stop_is_parted_after_thirty_seconds_and_nothing_is_lost() -> None:
    words = np.trim_zeros(speak("please remember to buy milk and bread"))
    speech = np.tile(words, 45 * RATE_HZ // len(words))
    spans = speech_spans(speech)
    assert len(spans) > 1 and max(end - start for start, end in spans) <= 30.0
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))
    assert sum(end - start for start, end in spans) > len(speech) / RATE_HZ - 1.0


def test_silence_noise_and_a_hum_are_not_speech() -> None:
    seconds = np.arange(5 * RATE_HZ) / RATE_HZ
    hum = (4000 * np.sin(2 * np.pi * 100 * seconds)).astype(np.int16)
    hiss = np.random.default_rng(0).normal(0, 2000, len(hum)).astype(np.int16)
    assert [speech_spans(samples) for samples in (silence(5), hum, hiss, np.zeros(0, np.int16))] == [[], [], [], []]


def test_looking_for_speech_leaves_torch_its_threads() -> None:
    program = (
        "import numpy, torch; from assistant.speech import speech_spans; torch.set_num_threads(2);"
        "speech_spans(numpy.zeros(16000, numpy.int16)); print(torch.get_num_threads())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "2"


def test_a_kept_sound_is_as_long_as_it_was_and_nothing_moves() -> None:
    tone = (8000 * np.sin(np.arange(5 * RATE_HZ) * 0.1)).astype(np.int16)
    tone[: 2 * RATE_HZ] = 0
    decoded = decode_sound(encode(tone))
    assert decoded.dtype == np.int16 and abs(len(decoded) - len(tone)) < 10
    assert np.argmax(np.abs(decoded) > 3000) / RATE_HZ == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("content", [b"", b"no sound at all" * 20, encode(silence(1))[:100]])
def test_what_is_not_a_sound_is_damage(content: bytes) -> None:
    with pytest.raises(MemoryDamaged, match="not a recording"):
        decode_sound(content)
