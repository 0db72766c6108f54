"""SoundTrack: compressed sound in, blocks of 16 kHz mono samples out.

This file does not know containers, nor what time it was when the sound was heard.
"""

from collections.abc import Iterator

import av
import numpy as np
from av.error import FFmpegError

from device.frame import SAMPLE_RATE_HZ

LONGEST_BLOCK = SAMPLE_RATE_HZ  # samples
HOLE_S = 0.1  # where so much is missing or too much, a new block begins


class SoundTrack:
    """Times are seconds of the source's own clock."""

    def __init__(self, stream: av.AudioStream) -> None:
        self._context = stream.codec_context
        self._resampler = _resampler()
        self._samples, self._start_s = np.empty(0, np.int16), 0.0

    def take(self, packet: av.Packet) -> Iterator[tuple[float, np.ndarray]]:
        """Whole seconds of sound, each with the time of its first sample; a shorter one only before a hole."""
        for frame in self._resampled(packet):
            if frame.pts is None or frame.time_base is None:
                continue
            at_s = float(frame.pts * frame.time_base)
            if abs(at_s - self._end_s) > HOLE_S:
                yield from self._cut(1)
            if not self._samples.size:
                self._start_s = at_s
            self._samples = np.concatenate((self._samples, frame.to_ndarray()[0]))
            yield from self._cut(LONGEST_BLOCK)

    def finish(self) -> Iterator[tuple[float, np.ndarray]]:
        """What is left when there are no more packets."""
        yield from self._cut(1)

    @property
    def _end_s(self) -> float:
        return self._start_s + self._samples.size / SAMPLE_RATE_HZ

    def _cut(self, shortest: int) -> Iterator[tuple[float, np.ndarray]]:
        while self._samples.size >= shortest:
            block, self._samples = np.split(self._samples, [LONGEST_BLOCK])
            yield self._start_s, block
            self._start_s += block.size / SAMPLE_RATE_HZ

    def _resampled(self, packet: av.Packet) -> list[av.AudioFrame]:
        try:
            frames = self._context.decode(packet)
        except FFmpegError:
            return []  # a damaged packet; the decoder goes on with the next
        return [out for frame in frames for out in self._resample(frame)]

    def _resample(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        try:
            return self._resampler.resample(frame)
        except ValueError:  # the source changed its rate or channels
            self._resampler = _resampler()
            return self._resampler.resample(frame)


def _resampler() -> av.AudioResampler:
    return av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
