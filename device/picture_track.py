"""PictureTrack: compressed pictures in, upright RGB pictures at a wanted rate out, decoding as few as the rate allows.

Where the source's key pictures come as often as pictures are wanted, only those are decoded. The rest of each group
is held until the next key picture comes, so that nothing is lost where that one is late: then the whole group is
decoded. One thread, so the same bytes always give the same pictures.

This file does not know containers, nor what time it was when the pictures were taken.
"""

import math
from collections.abc import Iterator

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from store.errors import CameraError

PLENTY = 10  # from this many times the wanted rate on, pictures no other depends on are not decoded
MOST_PIXELS = 64_000_000
TICK_SLACK_S = 0.001  # some containers round times to milliseconds
KEY_SLACK = 1.05  # 30 pictures at 29.97 a second are a second as well
LONGEST_WAIT_S = 10.0  # for the next key picture; what is held meanwhile is memory


class PictureTrack:
    """`shape` says what is really obtained, as in "1920 x 1080 at 30 fps, h264"; it is "" before the first picture.

    `origin_s` is where the source's own clock stood at its beginning, None before that is known.
    """

    def __init__(self, stream: av.VideoStream, name: str, wanted_fps: float) -> None:
        """`name` is what messages call the source. Raises CameraError where the pictures are enormous."""
        self.shape, self._stream, self._context, self._fps = "", stream, stream.codec_context, wanted_fps
        pixels = self._context.width * self._context.height
        if pixels > MOST_PIXELS:
            size = f"{self._context.width} x {self._context.height}"
            raise CameraError(f"{name} shows {size} pixels: too many.", f"At most {MOST_PIXELS:,} can be read.")
        self._context.thread_type = "NONE"
        self._context.options = {"max_pixels": str(MOST_PIXELS)}  # the size may change on the way
        rate = stream.average_rate
        if rate and rate >= PLENTY * wanted_fps:
            self._context.skip_frame = "NONREF"
        self._step_s = 1 / float(rate or 25)
        start, base = stream.start_time, stream.time_base
        self.origin_s = None if start is None or base is None else float(start * base)
        self._at_s, self._due_s, self._to_rgb = -self._step_s, -math.inf, VideoReformatter()
        self._wait_s = min(KEY_SLACK / wanted_fps, LONGEST_WAIT_S)
        self._key_s: float | None = None  # by the source's own clock
        self._lead_s = 0.0  # half a group, where a key picture may be nearer to its tick than the next
        self._held: list[av.Packet] = []  # the group since the last key picture, if it is not decoded
        self._decodes_all = self._stands_alone = self._is_whole = False

    @property
    def gave_any(self) -> bool:
        return self._due_s > -math.inf

    def take(self, packet: av.Packet) -> Iterator[tuple[float, np.ndarray]]:
        """The first picture at or after every tick, or the key picture nearest to it where only those are decoded.

        Seconds since the beginning and (H, W, 3) uint8 RGB.
        """
        return self._due(self._key(packet) if packet.is_keyframe else self._other(packet))

    def finish(self) -> Iterator[tuple[float, np.ndarray]]:
        """The pictures still to come when there are no more packets."""
        return self._due(self._rest())

    def _due(self, frames: Iterator[av.VideoFrame]) -> Iterator[tuple[float, np.ndarray]]:
        for frame in frames:
            at_s = self._seconds(frame)
            if at_s < self._at_s:  # a decoder that met damage gives pictures out of order
                continue
            self._at_s = at_s
            if at_s + self._lead_s >= self._due_s:
                next_s = (math.floor((at_s + TICK_SLACK_S) * self._fps) + 1) / self._fps - TICK_SLACK_S
                self._due_s = max(self._due_s + 1 / self._fps, next_s)
                yield at_s, self._picture(frame)

    def _key(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        shown_s, before_s = self._shown_s(packet), self._key_s
        if shown_s is not None and before_s is not None and shown_s < before_s:  # the source's clock started over
            yield from self._rest()
            self.origin_s, before_s = shown_s - self._at_s - self._step_s, None
        self._key_s = shown_s
        if shown_s is None or (before_s is not None and not 0 <= shown_s - before_s <= self._wait_s):
            yield from self._all(packet)
            return
        if self._decodes_all:
            yield from self._drain()
        self._held, self._decodes_all = [packet], False
        self._lead_s = 0.0 if before_s is None else (shown_s - before_s) / 2
        if self._is_due(packet):
            yield from self._alone(packet)

    def _alone(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        """The picture of a key packet, without any other."""
        frames = [*self._decode(packet), *self._drain()]
        if all(frame.pict_type == PictureType.I for frame in frames):
            self._stands_alone = self._stands_alone or bool(frames)
            yield from frames
        else:
            self._stands_alone = False
        if not frames:
            self._held = []  # damaged, and so would be what follows
        if not self._stands_alone:  # what is called a key picture here needs others
            self._wait_s = -1.0
            yield from self._all()

    def _other(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        """What follows a key picture. What is shown before it, or comes before the first, has lost its references."""
        shown_s = self._shown_s(packet)
        if self._decodes_all:
            yield from self._decode(packet)
        elif self._held and (shown_s is None or self._key_s is None or shown_s >= self._key_s):
            self._held.append(packet)
            if shown_s is None or self._key_s is None or shown_s - self._key_s > self._wait_s:
                yield from self._all()

    def _all(self, *packets: av.Packet) -> Iterator[av.VideoFrame]:
        """From here on everything is decoded, beginning with what was held."""
        held, self._held, self._decodes_all, self._lead_s = self._held, [], True, 0.0
        for packet in (*held, *packets):
            yield from self._decode(packet)

    def _rest(self) -> Iterator[av.VideoFrame]:
        if any(self._is_due(packet) for packet in self._held):
            yield from self._all()
        if self._decodes_all:
            yield from self._drain()
        self._held, self._decodes_all = [], False

    def _decode(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        try:
            frames = self._context.decode(packet)
        except FFmpegError:
            return  # a damaged packet; the decoder goes on with the next
        yield from self._whole(frames)

    def _drain(self) -> list[av.VideoFrame]:
        """What the decoder still holds; it is as new afterwards."""
        try:
            return list(self._whole(self._context.decode(None)))
        except FFmpegError:
            return []
        finally:
            self._context.flush_buffers()
            self._is_whole = False

    def _whole(self, frames: list[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The undamaged ones, from the first key picture on that a new decoder has met."""
        for frame in frames:
            self._is_whole = self._is_whole or frame.key_frame or frame.pict_type == PictureType.I
            if self._is_whole and not frame.is_corrupt:
                yield frame

    def _shown_s(self, packet: av.Packet) -> float | None:
        if packet.pts is None or packet.time_base is None:
            return None
        shown_s = float(packet.pts * packet.time_base)
        if self.origin_s is None:
            self.origin_s = shown_s
        return shown_s

    def _is_due(self, packet: av.Packet) -> bool:
        """Whether this picture would be given."""
        shown_s = self._shown_s(packet)
        return shown_s is None or shown_s - (self.origin_s or 0.0) + self._lead_s >= self._due_s

    def _seconds(self, frame: av.VideoFrame) -> float:
        """Seconds since the beginning."""
        if frame.pts is None or self._stream.time_base is None:  # raw streams carry no times
            return self._at_s + self._step_s
        shown_s = float(frame.pts * self._stream.time_base)
        if self.origin_s is None:
            self.origin_s = shown_s - self._at_s - self._step_s
        return shown_s - self.origin_s

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        image = self._to_rgb.reformat(frame, format="rgb24").to_ndarray()  # minds the range and matrix of the source
        upright = np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4))
        if not self.shape:
            rate, height_px, width_px = self._stream.average_rate or self._context.framerate, *upright.shape[:2]
            at = f" at {float(rate):.4g} fps" if rate else ""
            self.shape = f"{width_px} x {height_px}{at}, {self._context.codec.canonical_name}"
        return upright
