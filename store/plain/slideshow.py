"""Pictures with their times as a film: H.264 in MP4, in which every picture stands until the next one.

Pictures of any sizes go into one film; they come as a stream, and only one of them is in memory at a time. This file
does not know memories, sessions or gaps.
"""

import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import av
from PIL import Image, ImageOps

LARGEST_PX = 960  # of a film's sides; the pictures themselves lie beside it
SHORTEST_MS = 40  # a picture stands at least this long
TICK = Fraction(1, 1000)
# B-frames would reorder packets, whose durations are counted here; one thread makes the same film everywhere.
ENCODING = {"preset": "superfast", "crf": "23", "bf": "0", "g": "60", "threads": "1"}


class Shot(NamedTuple):
    """What is seen from `at_s` on, in seconds since the film began: a JPEG, or nothing (black)."""

    at_s: float
    jpeg: bytes | None


def film_size(width_px: int, height_px: int) -> tuple[int, int]:
    """(width, height) of a film for pictures of this size: even numbers, none above 960."""
    scale = min(1.0, LARGEST_PX / max(width_px, height_px, 1))
    return max(2, round(width_px * scale) // 2 * 2), max(2, round(height_px * scale) // 2 * 2)


def write_film(
    file: BinaryIO, shots: Iterable[Shot], ended_s: float, size: tuple[int, int], began: datetime, title: str
) -> None:
    """Write shots, at least one and in time order, the last of which stands until `ended_s`.

    `file` must be seekable, `size` (width, height) even. A picture that cannot be decoded is black.
    """
    output = _Output(file)
    try:
        with av.open(output, "w", format="mp4") as container:
            container.metadata.update(title=title, creation_time=began.astimezone(UTC).isoformat())
            stream = container.add_stream("libx264", width=size[0], height=size[1], options=ENCODING)
            stream.pix_fmt, stream.time_base, stream.codec_context.time_base = "yuv420p", TICK, TICK
            for packet in _lasting(_packets(stream, _frames(shots, size)), round(1000 * ended_s)):
                container.mux(packet)
    except av.FFmpegError:
        if output.error is not None:
            raise output.error from None
        raise


class _Output:
    """The file as PyAV writes it; PyAV forgets what kept it from writing, so that is remembered here."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.seek, self.tell = file, file.seek, file.tell
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = error
            raise


def _lasting(packets: Iterable[av.Packet], ended_ms: int) -> Iterator[av.Packet]:
    """Every packet until the next one, the last until the end."""
    last: av.Packet | None = None
    for packet in packets:
        if last is not None:
            last.duration = _at_ms(packet) - _at_ms(last)
            yield last
        last = packet
    if last is not None:
        last.duration = max(SHORTEST_MS, ended_ms - _at_ms(last))
        yield last


def _at_ms(packet: av.Packet) -> int:
    assert packet.pts is not None
    return packet.pts


def _packets(stream: av.VideoStream, frames: Iterable[av.VideoFrame]) -> Iterator[av.Packet]:
    """In the order of their times."""
    for frame in frames:
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _frames(shots: Iterable[Shot], size: tuple[int, int]) -> Iterator[av.VideoFrame]:
    at_ms = -SHORTEST_MS
    for shot in shots:
        at_ms = max(at_ms + SHORTEST_MS, round(1000 * shot.at_s))
        frame = av.VideoFrame.from_image(_image(shot.jpeg, size))
        frame.pts, frame.time_base = at_ms, TICK
        yield frame


def _image(jpeg: bytes | None, size: tuple[int, int]) -> Image.Image:
    """RGB in the size of the film, with black beside a picture of another shape."""
    try:
        with Image.open(io.BytesIO(jpeg or b""), formats=["JPEG"]) as image:
            image.draft("RGB", size)
            return ImageOps.pad(image.convert("RGB"), size, Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Image.new("RGB", size)
