"""Decoder: pictures at a wanted rate, and sound, out of anything that FFmpeg opens.

It passes over what is damaged, and says at the end what it could not give.

This file does not know what time it was when the pictures were taken, nor whether the source is live.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import av
import numpy as np
from av.error import ExitError, FFmpegError
from av.stream import Disposition

from device.picture_track import PictureTrack
from device.sound_track import SoundTrack
from store.errors import CameraError

READ_TIMEOUT_S = 20.0
MISSING_END_S = 1.0  # containers round their duration
HINT = "Give a video file or a camera."

Hear = Callable[[float, np.ndarray], None]


class Bytes(Protocol):
    """What a program sends."""

    def read(self, size: int) -> bytes: ...


class Decoder:
    """The first moving picture of `source`, and its first sound.

    `name` is what messages call it: an address may hold a password. `duration_s` is what the container declares,
    None where it declares nothing; `kind` is FFmpeg's name of the container.
    """

    def __init__(self, source: str | Bytes, name: str, wanted_fps: float, **options: str) -> None:
        """`options` are FFmpeg's. Raises CameraError where there is nothing, nothing readable, or no moving picture."""
        self._name, self._container = name, _open(source, name, options)
        self.kind, duration_us = self._container.format.name, self._container.duration
        self.duration_s = duration_us / 1e6 if duration_us else None
        moving = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        try:
            if not moving or self.kind == "tty":  # FFmpeg would draw a text file as a film
                raise CameraError(f"{name} holds no moving picture.", HINT)
            self._video, self._pictures = moving[0], PictureTrack(moving[0], name, wanted_fps)
        except CameraError:
            self.close()
            raise
        self.metadata = {**self._video.metadata, **self._container.metadata}
        self._read_s, self._trouble = 0.0, ""

    @property
    def shape(self) -> str:
        return self._pictures.shape

    def close(self) -> None:
        self._container.close()

    def pictures(self, on_sound: Hear | None = None) -> Iterator[tuple[float, np.ndarray]]:
        """The first picture at or after every tick: seconds since the beginning and (H, W, 3) uint8 RGB.

        `on_sound` is called between them with blocks of at most a second of 16 kHz mono int16 samples and the time of
        their first one. Raises CameraError after the last picture if there was none at all, or if the source ended
        early.
        """
        audible = self._container.streams.audio if on_sound else ()
        sound = SoundTrack(audible[0]) if audible else None
        for packet in self._packets():
            if packet.stream_index == self._video.index:
                yield from self._pictures.take(packet)
            elif on_sound and sound and packet.stream_index == audible[0].index:
                self._hand_over(sound.take(packet), on_sound)
        yield from self._pictures.finish()
        if on_sound and sound:
            self._hand_over(sound.finish(), on_sound)
        self._check_end()

    def _hand_over(self, blocks: Iterator[tuple[float, np.ndarray]], on_sound: Hear) -> None:
        for at_s, samples in blocks:
            if self._pictures.origin_s is not None:
                on_sound(at_s - self._pictures.origin_s, samples)

    def _packets(self) -> Iterator[av.Packet]:
        began_s = time.monotonic()
        try:
            for packet in self._container.demux():
                if not packet.size:
                    continue
                if self.kind == "mpjpeg":  # pictures without times: they are taken as they come
                    packet.pts = packet.dts = round((time.monotonic() - began_s) / packet.time_base)
                self._note_progress(packet)
                yield packet
        except FFmpegError as error:
            self._trouble = _reason(error)

    def _note_progress(self, packet: av.Packet) -> None:
        """Sound may go on after the picture, so every stream counts for how far the source was read."""
        if packet.pts is not None and packet.time_base is not None:
            end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._read_s = max(self._read_s, end_s - (self._container.start_time or 0) / 1e6)

    def _check_end(self) -> None:
        if not self._pictures.gave_any:
            raise CameraError(f"No picture in {self._name} could be decoded.", "The file may be damaged.")
        missing_s = 0.0 if self.duration_s is None else self.duration_s - self._read_s
        if missing_s > MISSING_END_S:
            read = f"{self._read_s:.1f} of {self.duration_s:.1f} s of {self._name} could be read"
            raise CameraError(f"The film ends early: {read}.", "What could be read is kept.")
        if self._trouble and self.duration_s is None:
            raise CameraError(f"{self._name} broke off: {self._trouble}.", "What was read before is kept.")


def _open(source: Any, name: str, options: dict[str, str]) -> av.container.InputContainer:
    try:
        return av.open(source, timeout=READ_TIMEOUT_S, metadata_errors="replace", options=options)
    except FFmpegError as error:
        reason = _reason(error)
    # not from the error, which holds the address with its password
    raise CameraError(f"{name} cannot be read: {reason}.", HINT)


def _reason(error: FFmpegError) -> str:
    if isinstance(error, ExitError):
        return f"no answer for {READ_TIMEOUT_S:g} s"
    return (error.strerror or "unknown reason").lower()
