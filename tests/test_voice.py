"""The simulated wearer speaks: each sentence at its time, whole, however the day is cut; by the real espeak-ng."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from device.frame import SAMPLE_RATE_HZ, AudioBlock
from device.opus import decode
from device.recorder import record
from device.simulated.camera import SimulatedCamera
from device.simulated.home import make_home
from device.simulated.narrations import narrate, narrated
from device.simulated.voice import BREATH_S, Voice, speak
from device.simulated.wearer import Wearer
from store.config import Capture, Sound
from store.episodic import EpisodicStore
from store.errors import UserError

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="the command espeak-ng is not installed")

BEGAN_AT = 1_760_000_000.0
WALLET, KEYS = "I put the red wallet on the kitchen table", "I pick up the keys"


def join(blocks: list[AudioBlock]) -> np.ndarray:
    return np.concatenate([block.samples for block in blocks])


@needs_espeak
def test_a_sentence_begins_at_its_act_and_the_rest_is_silent() -> None:
    heard = join(list(Voice([(2.5, WALLET), (8.0, KEYS)]).blocks(0, 11, BEGAN_AT)))
    for at_s, sentence in ((2.5, WALLET), (8.0, KEYS)):
        start, words = round(at_s * SAMPLE_RATE_HZ), speak(sentence)
        assert np.array_equal(heard[start : start + len(words)], words)
        heard[start : start + len(words)] = 0
    assert len(heard) == 11 * SAMPLE_RATE_HZ and not heard.any()


@needs_espeak
def test_a_sentence_waits_until_the_one_before_has_been_said() -> None:
    heard = join(list(Voice([(1.0, WALLET), (1.5, KEYS)]).blocks(0, 8, BEGAN_AT)))
    start = SAMPLE_RATE_HZ + len(speak(WALLET)) + round(BREATH_S * SAMPLE_RATE_HZ)
    assert np.array_equal(heard[start : start + len(speak(KEYS))], speak(KEYS))


@needs_espeak
@pytest.mark.parametrize("step_s", [1.0, 1 / 3, 0.7, 4.0])
def test_however_the_day_is_cut_it_sounds_the_same(step_s: float) -> None:
    sentences = [(0.2, KEYS), (3.0, WALLET)]
    whole, cut, blocks = Voice(sentences), Voice(sentences), list[AudioBlock]()
    for number in range(round(8 / step_s)):
        blocks += cut.blocks(number * step_s, (number + 1) * step_s, BEGAN_AT)
    heard = join(blocks)
    assert np.array_equal(heard, join(list(whole.blocks(0, 9, BEGAN_AT)))[: len(heard)])
    assert all(len(block.samples) <= SAMPLE_RATE_HZ and block.samples.dtype == np.int16 for block in blocks)
    ends = [block.captured_at + len(block.samples) / SAMPLE_RATE_HZ for block in blocks]
    assert np.allclose([block.captured_at for block in blocks], [BEGAN_AT, *ends[:-1]], atol=1e-4)


@needs_espeak
def test_every_narration_of_a_simulated_day_is_said() -> None:
    wearer = Wearer(make_home(11), 60.0)
    said = [(act.start_s, narrate(wearer.home, act)) for act in narrated(wearer)]
    heard = join(list(Voice(said).blocks(0, 60, BEGAN_AT))).astype(float)
    assert len(said) >= 3
    for at_s, _ in said:
        start = round(at_s * SAMPLE_RATE_HZ)
        assert np.abs(heard[start : start + SAMPLE_RATE_HZ]).max() > 3000


@needs_espeak
def test_the_voice_is_speech_at_our_rate() -> None:
    words = speak(WALLET)
    assert 1.5 < len(words) / SAMPLE_RATE_HZ < 4
    spectrum = np.abs(np.fft.rfft(words.astype(float)))
    voiced = partial(np.searchsorted, np.fft.rfftfreq(len(words), 1 / SAMPLE_RATE_HZ))
    assert spectrum[voiced(80) : voiced(1000)].max() == spectrum.max()


def test_without_espeak_a_person_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="espeak-ng, which is not installed") as refused:
        Voice([(1.0, WALLET)])
    assert "apt install espeak-ng" in refused.value.hint and "speak=1" in refused.value.hint


@needs_espeak
def test_what_the_wearer_says_is_in_the_memory_at_the_time_of_the_act(tmp_path: Path) -> None:
    camera = SimulatedCamera(7, 0.25, 1.0, width_px=96, height_px=72, speak=True)
    with EpisodicStore.open(tmp_path / "memory") as store:
        record(store, camera, Capture(), sound=Sound())
        sounds = store.sounds()
        heard = np.concatenate([decode(store.sound_bytes(sound)) for sound in sounds])
        began_at = store.sessions()[0].started_at
    assert (sounds[0].started_at, sounds[-1].ended_at) == (began_at, pytest.approx(began_at + 15, abs=0.1))
    spoken_s = np.flatnonzero(np.abs(heard) > 1000) / SAMPLE_RATE_HZ
    wearer = Wearer(make_home(7), 15)
    assert spoken_s[0] == pytest.approx(narrated(wearer)[0].start_s, abs=0.3)


def test_a_voice_that_is_hurried_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be hurried: speed=5"):
        SimulatedCamera(7, 1.0, 1.0, speed=5.0, speak=True)
