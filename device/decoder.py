"""Decoder: pictures at a wanted rate out of anything that FFmpeg opens.

It turns pictures upright, passes over what is damaged, decodes no more than the rate asks for, and says at the end
what it could not give. One thread, so the same bytes always give the same pictures.

This file does not know what time it was when the pictures were taken, nor whether the source is live.
"""

import math
from collections.abc import Iterator

import av
import numpy as np
from av.error import ExitError, FFmpegError
from av.stream import Disposition

from store.errors import CameraError

READ_TIMEOUT_S = 20.0
MISSING_END_S = 1.0  # containers round their duration
TICK_SLACK_S = 0.001  # some containers round times to milliseconds
PLENTY = 10  # from this many times the wanted rate on, pictures no other depends on are not decoded


class Decoder:
    """The first moving picture of `address`. `name` is what messages call it: an address may hold a password.

    `duration_s` is what the container declares, None where it declares nothing.
    """

    def __init__(self, address: str, name: str, wanted_fps: float, container_format: str | None = None) -> None:
        """Raises CameraError where there is nothing, nothing readable, or no moving picture."""
        self._name, self._fps = name, wanted_fps
        try:
            self._container = av.open(
                address, format=container_format, timeout=READ_TIMEOUT_S, metadata_errors="replace",
                options={"rtsp_transport": "tcp"},
            )  # fmt: skip
        except FFmpegError as error:
            raise CameraError(f"{name} cannot be read: {_reason(error)}.", "Give a video file or a camera.") from error
        moving = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not moving or self._container.format.name == "tty":  # FFmpeg would draw a text file as a film
            self._container.close()
            raise CameraError(f"{name} holds no moving picture.", "Give a video file or a camera.")
        self._video = moving[0]
        self._prepare()

    def _prepare(self) -> None:
        video, duration_us = self._video, self._container.duration
        self.duration_s = duration_us / 1e6 if duration_us else None
        self.metadata = {**video.metadata, **self._container.metadata}
        rate = float(video.average_rate or 25)
        video.codec_context.thread_type = "NONE"
        if rate >= PLENTY * self._fps:
            video.codec_context.skip_frame = "NONREF"
        self._step_s = 1 / rate
        start, base = video.start_time, video.time_base
        self._origin_s = None if start is None or base is None else float(start * base)
        self._at_s, self._due_s, self._read_s, self._trouble = -self._step_s, -math.inf, 0.0, ""

    def close(self) -> None:
        self._container.close()

    def pictures(self) -> Iterator[tuple[float, np.ndarray]]:
        """The first picture at or after every tick: seconds since the beginning and (H, W, 3) uint8 RGB.

        Raises CameraError after the last one if there was none at all, or if the source ended early.
        """
        for frame in self._frames():
            self._at_s = self._seconds(frame)
            if self._at_s >= self._due_s:
                self._due_s = (math.floor((self._at_s + TICK_SLACK_S) * self._fps) + 1) / self._fps - TICK_SLACK_S
                yield self._at_s, _upright(frame)
        self._check_end()

    def _check_end(self) -> None:
        if self._due_s == -math.inf:
            raise CameraError(f"No picture in {self._name} could be decoded.", "The file may be damaged.")
        missing_s = 0.0 if self.duration_s is None else self.duration_s - self._read_s
        if missing_s > MISSING_END_S:
            read = f"{self._read_s:.1f} of {self.duration_s:.1f} s of {self._name} could be read"
            raise CameraError(f"The film ends early: {read}.", "What could be read is kept.")
        if self._trouble and self.duration_s is None:
            raise CameraError(f"{self._name} broke off: {self._trouble}.", "What was read before is kept.")

    def _frames(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                frames = self._video.codec_context.decode(packet)
            except FFmpegError:
                continue  # a damaged packet; the decoder goes on with the next
            yield from (frame for frame in frames if not frame.is_corrupt)

    def _packets(self) -> Iterator[av.Packet | None]:
        """The video packets worth decoding, then None, which empties the decoder."""
        try:
            for packet in self._container.demux():
                self._note_progress(packet)
                if packet.stream_index == self._video.index and packet.size and not self._is_between_ticks(packet):
                    yield packet
        except FFmpegError as error:
            self._trouble = _reason(error)
        yield None

    def _note_progress(self, packet: av.Packet) -> None:
        """Sound may go on after the picture, so every stream counts for how far the source was read."""
        if packet.pts is not None and packet.time_base is not None:
            end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._read_s = max(self._read_s, end_s - (self._container.start_time or 0) / 1e6)

    def _is_between_ticks(self, packet: av.Packet) -> bool:
        """Whether each picture stands alone and this one would not be handed out."""
        if packet.pts is None or self._origin_s is None or not self._video.codec_context.codec.intra_only:
            return False
        return self._at_s <= float(packet.pts * packet.time_base) - self._origin_s < self._due_s

    def _seconds(self, frame: av.VideoFrame) -> float:
        """Seconds since the beginning, never falling."""
        if frame.pts is None or self._video.time_base is None:  # raw streams carry no times
            return self._at_s + self._step_s
        shown_s = float(frame.pts * self._video.time_base)
        if self._origin_s is None or shown_s - self._origin_s < self._at_s:
            # a source without a declared beginning, or one whose clock started over: go on from here
            self._origin_s = shown_s - self._at_s - self._step_s
        return shown_s - self._origin_s


def _upright(frame: av.VideoFrame) -> np.ndarray:
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4))


def _reason(error: FFmpegError) -> str:
    if isinstance(error, ExitError):
        return f"no answer for {READ_TIMEOUT_S:g} s"
    return (error.strerror or "unknown reason").lower()
