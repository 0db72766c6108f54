"""A microphone: its clock, and the real thing, which here is a PulseAudio server that hears its own loudspeaker."""

import ctypes.util
import shutil
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import device.microphone
from device.attached import attached_microphones
from device.frame import SAMPLE_RATE_HZ, AudioBlock
from device.microphone import DISAGREE_S, Microphone, SampleClock
from store.errors import CameraError

START_AT = 1_760_000_000.0
RATE_HZ = 1000
MISSING = [name for name in ("pulseaudio", "paplay") if not shutil.which(name)]
if not ctypes.util.find_library("portaudio"):
    MISSING.append("the library PortAudio")
needs_pulse = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@given(st.lists(st.floats(-0.4, 0.4), min_size=1, max_size=40))
def test_samples_that_come_now_early_and_now_late_are_stamped_evenly(lateness_s: list[float]) -> None:
    clock = SampleClock(RATE_HZ)
    stamps = [clock.stamp(500, START_AT + 0.5 * number + late) for number, late in enumerate(lateness_s)]
    assert np.allclose(np.diff(stamps), 0.5, atol=1e-6)


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 3000)), max_size=40))
def test_whatever_happens_no_stamp_is_more_than_a_second_off(pieces: list[tuple[float, int]]) -> None:
    clock, now = SampleClock(RATE_HZ), START_AT
    for slept_s, samples in pieces:
        now += slept_s
        assert abs(clock.stamp(samples, now) - now) <= DISAGREE_S + 1e-6


def test_a_machine_that_slept_goes_on_at_the_right_time() -> None:
    clock = SampleClock(RATE_HZ)
    assert [clock.stamp(500, START_AT + at) for at in (0.0, 0.6, 3601.0, 3601.4)] == [
        START_AT + at for at in (0.0, 0.5, 3601.0, 3601.5)
    ]


@pytest.fixture
def pulse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A server of this test's own, whose only loudspeaker is heard by its only microphone."""
    socket = tmp_path / "socket"
    monkeypatch.setenv("PULSE_SERVER", f"unix:{socket}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    protocol = f"module-native-protocol-unix socket={socket} auth-anonymous=1"
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm"]
    command += ["-L", "module-null-sink sink_name=room norewinds=1", "-L", protocol]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        for _ in range(100):
            if socket.exists():
                break
            time.sleep(0.02)
        yield server
        server.kill()


def play_tone(folder: Path, hertz: int, length_s: float) -> None:
    samples = 9000 * np.sin(2 * np.pi * hertz * np.arange(round(length_s * 48_000)) / 48_000)
    with wave.open(str(folder / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(samples.astype(np.int16).tobytes())
    subprocess.run(["paplay", "--latency-msec=20", str(folder / "tone.wav")], check=True)


def listen(microphone: Microphone, blocks: int) -> list[AudioBlock]:
    stop, heard = Event(), list[AudioBlock]()
    for block in microphone.blocks(stop):
        heard.append(block)
        if len(heard) == blocks:
            stop.set()
    return heard


def assert_tone(heard: list[AudioBlock], hertz: int) -> None:
    samples = np.concatenate([block.samples for block in heard])
    loudest = np.abs(np.fft.rfft(samples.astype(float))).argmax() * SAMPLE_RATE_HZ / len(samples)
    assert loudest == pytest.approx(hertz, abs=3)
    assert np.abs(samples).max() > 3000


@needs_pulse
def test_a_tone_in_the_room_is_heard_when_it_sounds(pulse: subprocess.Popen[bytes], tmp_path: Path) -> None:
    began_at = time.time()
    playing = Timer(0.3, play_tone, (tmp_path, 440, 0.6))
    playing.start()
    heard = listen(Microphone(), 3)
    playing.join()
    assert_tone(heard, 440)
    for block in heard:
        assert block.samples.dtype == np.int16 and len(block.samples) == SAMPLE_RATE_HZ // 2
    assert np.allclose(np.diff([block.captured_at for block in heard]), 0.5, atol=0.25)
    onset = next(block for block in heard if np.abs(block.samples).max() > 3000)
    sounded_at = onset.captured_at + int(np.argmax(np.abs(onset.samples) > 3000)) / SAMPLE_RATE_HZ
    assert sounded_at - began_at == pytest.approx(0.3, abs=0.3)


@needs_pulse
def test_a_microphone_that_refuses_our_rate_is_heard_at_its_own(
    pulse: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.microphone, "BLOCK_S", 0.1)
    microphone = Microphone()
    opened, portaudio = microphone._stream, device.microphone.load_portaudio()

    def refuse_ours(rate_hz: int, channels: int) -> object:
        if rate_hz == SAMPLE_RATE_HZ:
            raise portaudio.PortAudioError("Invalid sample rate")
        assert (rate_hz, channels) == (44_100, 2)
        return opened(rate_hz, channels)

    monkeypatch.setattr(microphone, "_stream", refuse_ours)
    playing = Timer(0.1, play_tone, (tmp_path, 1000, 0.5))
    playing.start()
    assert_tone(listen(microphone, 7), 1000)
    playing.join()


@needs_pulse
def test_a_microphone_that_is_unplugged_is_an_error_after_what_was_heard(
    pulse: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.microphone, "BLOCK_S", 0.1)
    heard: list[AudioBlock] = []
    with pytest.raises(CameraError, match="microphone .* gives no sound any more"):
        for block in Microphone().blocks(Event()):
            heard.append(block)
            pulse.kill()
    assert heard


@needs_pulse
def test_what_nobody_fetches_is_dropped_and_counted(
    pulse: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.microphone, "WAITING_PIECES", 2)
    monkeypatch.setattr(device.microphone, "BLOCK_S", 0.1)
    microphone, stop = Microphone(), Event()
    blocks = microphone.blocks(stop)
    first = next(blocks)
    time.sleep(0.7)
    later = [next(blocks) for _ in range(4)][-1]  # behind those that still fitted in
    stop.set()
    assert microphone.dropped >= 3
    assert later.captured_at - first.captured_at > 0.6


@needs_pulse
def test_microphones_are_listed_and_one_is_found_by_a_part_of_its_name(pulse: subprocess.Popen[bytes]) -> None:
    found, reason = attached_microphones()
    assert reason == "" and "pulse" in [microphone.name for microphone in found]
    assert [microphone.is_default for microphone in found].count(True) == 1
    assert all(microphone.channels and microphone.rate_hz for microphone in found)
    assert Microphone("pul").name == "pulse"
    with pytest.raises(CameraError, match="no microphone called 'headset'") as refused:
        Microphone("headset")
    assert "whereabouts cameras" in refused.value.hint


@pytest.mark.skipif(not ctypes.util.find_library("portaudio"), reason="the library PortAudio is not installed")
def test_no_microphone_at_all_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    if attached_microphones()[0]:
        pytest.skip("a microphone is attached to this machine")
    with pytest.raises(CameraError, match="There is no microphone attached"):
        Microphone()
