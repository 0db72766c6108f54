"""Sound as it is kept: gathered into chunks of about 10 s, each a self-contained Ogg-Opus file.

A chunk is never torn: its samples adjoin one another to within a quarter of a second, so the time of every sample
follows from the time of the first.

This file does not know where sound comes from, nor where the files are kept.
"""

import io
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from device.frame import SAMPLE_RATE_HZ, AudioBlock

ADJOIN_S = 0.25
# long frames cost less where nobody speaks; constrained, because a hum would take twice the bit rate otherwise
OPUS = {"application": "voip", "frame_duration": "60", "vbr": "constrained"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Sound without a break: `samples` is (n,) int16 mono 16 kHz, the times are UTC seconds."""

    started_at: float
    ended_at: float
    samples: np.ndarray


class SoundGatherer:
    """Blocks in, chunks of `chunk_s` out; where the source was silent for a while a chunk ends early."""

    def __init__(self, chunk_s: float = 10.0) -> None:
        self._wanted = round(chunk_s * SAMPLE_RATE_HZ)
        self._started_at = 0.0
        self._samples = np.zeros(0, np.int16)

    def add(self, block: AudioBlock) -> list[Chunk]:
        """The chunks that this block finished, in time order."""
        at, samples = block.captured_at, block.samples
        finished = [] if abs(at - self._ended_at) <= ADJOIN_S else self.flush()
        while len(samples):
            if not len(self._samples):
                self._started_at = at
            taken = samples[: self._wanted - len(self._samples)]
            self._samples = np.concatenate([self._samples, taken])
            samples, at = samples[len(taken) :], at + len(taken) / SAMPLE_RATE_HZ
            if len(self._samples) == self._wanted:
                finished += self.flush()
        return finished

    def flush(self) -> list[Chunk]:
        """What was gathered and is not yet a whole chunk: one or none."""
        gathered = [Chunk(self._started_at, self._ended_at, self._samples)] if len(self._samples) else []
        self._samples = np.zeros(0, np.int16)
        return gathered

    @property
    def _ended_at(self) -> float:
        return self._started_at + len(self._samples) / SAMPLE_RATE_HZ


def encode(samples: np.ndarray, bitrate_kbps: int = 24) -> bytes:
    """(n,) int16 mono 16 kHz, n > 0, as an Ogg-Opus file; the same samples give the same bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE_HZ, layout="mono", options=OPUS)
        stream.bit_rate = bitrate_kbps * 1000
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def decode(file: bytes) -> np.ndarray:
    """The first sound track of any file that FFmpeg opens, as (n,) int16 mono 16 kHz; not a sample is lost or added."""
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)
    pieces, length_s = [np.zeros(0, np.int16)], Fraction(0)
    with av.open(io.BytesIO(file), "r") as container:
        for frame in container.decode(audio=0):
            length_s += Fraction(frame.samples, frame.sample_rate)
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    samples, wanted = np.concatenate(pieces), round(length_s * SAMPLE_RATE_HZ)
    return np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))  # the resampler rounds the end
