"""Microphone: live sound from PortAudio, in blocks of half a second of 16 kHz mono.

The sound card's thread hands small pieces over and never waits: what nobody fetches in time is dropped and counted.
The clock is this machine's at the first piece and the count of samples from there, until the two disagree by more
than a second (a sleeping machine, a clock that was set).

This file does not know what is said, nor how sound is kept. PortAudio's devices are looked up anew by every
Microphone, so a process has one open at a time.
"""

import queue
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Event
from typing import Any

import av
import numpy as np

from device.frame import SAMPLE_RATE_HZ, AudioBlock
from device.opus import SoundGatherer
from store.errors import CameraError

BLOCK_S = 0.5
PIECES_A_SECOND = 10
WAITING_PIECES = 30 * PIECES_A_SECOND
BUFFER_S = 0.5  # in the sound card, for when this process gets no time
SILENT_S = 5.0  # a sound card that is there hands over silence, not nothing
DISAGREE_S = 1.0
HINT = "Run: whereabouts cameras"

Piece = tuple[float, av.AudioFrame]  # when its first sample was captured, and the sound as the device gave it


class SampleClock:
    """UTC of a stream of samples: counted, and taken anew where the machine's clock disagrees by a second."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._next_at: float | None = None

    def stamp(self, samples: int, began_at: float) -> float:
        """When the first of these samples was captured; by the machine's clock at `began_at`, give or take."""
        if self._next_at is None or abs(began_at - self._next_at) > DISAGREE_S:
            self._next_at = began_at
        at = self._next_at
        self._next_at += samples / self._rate_hz
        return at


class Microphone:
    """The microphone of this name (a part of it is enough), or the machine's default one.

    `dropped` counts the pieces of a tenth of a second that came faster than they were fetched.
    """

    def __init__(self, device: str | None = None) -> None:
        """Raises CameraError where PortAudio or the microphone is missing."""
        self._portaudio = load_portaudio()
        try:
            self._found = self._portaudio.query_devices(device, "input")
        except (ValueError, self._portaudio.PortAudioError) as error:
            name = f"called {device!r}" if device else "attached"
            raise CameraError(f"There is no microphone {name}.", HINT) from error
        self.name: str = self._found["name"]
        self.dropped = 0
        self._pieces: queue.Queue[Piece] = queue.Queue(WAITING_PIECES)

    def blocks(self, stop: Event) -> Iterator[AudioBlock]:
        """Until `stop` is set. Raises CameraError, after the last block, where the microphone gives no sound."""
        stream = self._start()
        gatherer, resampler = SoundGatherer(BLOCK_S), av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)
        try:
            while piece := self._next_piece(stream, stop):
                at, sound = piece
                for converted in resampler.resample(sound):
                    for chunk in gatherer.add(AudioBlock(converted.to_ndarray()[0], at)):
                        yield AudioBlock(chunk.samples, chunk.started_at)
            for chunk in gatherer.flush():
                yield AudioBlock(chunk.samples, chunk.started_at)
        finally:
            stream.close()
        if not stop.is_set():
            raise CameraError(f"The microphone {self.name} gives no sound any more.", "Plug it in again.")

    def _start(self) -> Any:
        """A running stream at our rate, else at the device's own."""
        own = (round(self._found["default_samplerate"]), min(2, self._found["max_input_channels"]))
        reason = ""
        for rate_hz, channels in ((SAMPLE_RATE_HZ, 1), own):
            try:
                stream = self._stream(rate_hz, channels)
                stream.start()
                return stream
            except self._portaudio.PortAudioError as error:
                reason = str(error)
        raise CameraError(f"The microphone {self.name} cannot be opened: {reason}.", "Another program may hold it.")

    def _stream(self, rate_hz: int, channels: int) -> Any:
        clock = SampleClock(rate_hz)

        def take(data: Any, samples: int, times: Any, status: Any) -> None:
            piece = np.frombuffer(bytes(data), np.int16)[np.newaxis]
            sound = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono" if channels == 1 else "stereo")
            sound.sample_rate = rate_hz
            age_s = times.currentTime - times.inputBufferAdcTime
            if not 0 < age_s < SILENT_S:  # not every sound system tells
                age_s = samples / rate_hz
            try:
                self._pieces.put_nowait((clock.stamp(samples, time.time() - age_s), sound))
            except queue.Full:
                self.dropped += 1

        return self._portaudio.RawInputStream(
            samplerate=rate_hz,
            blocksize=rate_hz // PIECES_A_SECOND,
            device=self._found["index"],
            channels=channels,
            dtype="int16",
            latency=BUFFER_S,
            callback=take,
        )

    def _next_piece(self, stream: Any, stop: Event) -> Piece | None:
        """None where `stop` was set, or nothing came and nothing is coming."""
        give_up_s = time.monotonic() + SILENT_S
        while not stop.is_set():
            with suppress(queue.Empty):
                return self._pieces.get(timeout=0.1)
            if not stream.active or time.monotonic() > give_up_s:
                break
        return None


def load_portaudio() -> Any:
    """The module sounddevice, knowing what is attached now. Raises CameraError where PortAudio is missing."""
    try:
        import sounddevice  # here, because it looks for devices when it loads
    except (ImportError, OSError) as error:
        raise CameraError(
            "PortAudio is not installed, so no sound is heard.", "Run: apt install libportaudio2"
        ) from error
    sounddevice._terminate()
    sounddevice._initialize()
    return sounddevice
