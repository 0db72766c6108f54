"""What Linux says of a video device (V4L2, linux/videodev2.h): its name, whether it takes pictures, and which.

Only questions are asked here, nothing is set. This file does not know how pictures are read.
"""

import errno
import fcntl
import struct
from collections.abc import Iterator
from typing import NamedTuple

VIDEO_CAPTURE, DISCRETE, CAPTURE_BUFFERS = 0x1, 1, 1

# the C structures as they lie in memory, and the request numbers that the kernel makes of direction, size and name
CAPABILITY = struct.Struct("16s32s32sIII12x")  # driver, card, bus, version, capabilities, device_caps
FORMAT = struct.Struct("III32s4sI12x")  # index, type, flags, description, pixel format, mbus code
SIZE = struct.Struct("I4sIIIIIIIII")  # index, pixel format, type, then width and height or their range
INTERVAL = struct.Struct("I4sIIIIIIIIIII")  # index, pixel format, width, height, type, then seconds as a fraction
READ, WRITE_READ = 2, 3


def _request(direction: int, number: int, structure: struct.Struct) -> int:
    return direction << 30 | structure.size << 16 | ord("V") << 8 | number


QUERYCAP = _request(READ, 0, CAPABILITY)
ENUM_FMT = _request(WRITE_READ, 2, FORMAT)
ENUM_FRAMESIZES = _request(WRITE_READ, 74, SIZE)
ENUM_FRAMEINTERVALS = _request(WRITE_READ, 75, INTERVAL)


class Device(NamedTuple):
    """Who the driver says it is; `takes_pictures` is False for devices that give only metadata, for example."""

    name: str
    driver: str
    takes_pictures: bool


class Offer(NamedTuple):
    """One picture that a device offers, with the highest rate for it (0 where the driver tells none)."""

    format: str
    width_px: int
    height_px: int
    fps: float

    def __str__(self) -> str:
        return f"{self.width_px} x {self.height_px} at {self.fps:g} fps, {self.format}"


def describe(descriptor: int) -> Device:
    """Raises OSError where the device does not answer."""
    driver, card, _, _, _, device_caps = CAPABILITY.unpack(_ask(descriptor, QUERYCAP, bytes(CAPABILITY.size)))
    return Device(_text(card), _text(driver), bool(device_caps & VIDEO_CAPTURE))


def offers(descriptor: int) -> list[Offer]:
    """Every format and size of its own choosing; sizes that can be anything in a range are told by the largest."""
    found = []
    for _, _, _, _, pixels, _ in _every(descriptor, ENUM_FMT, FORMAT, CAPTURE_BUFFERS, 0, b"", b"", 0):
        for _, _, kind, *size in _every(descriptor, ENUM_FRAMESIZES, SIZE, pixels, *[0] * 9):
            width, height = (size[0], size[1]) if kind == DISCRETE else (size[1], size[4])
            found.append(Offer(_text(pixels).strip(), width, height, _fastest(descriptor, pixels, width, height)))
    return found


def _fastest(descriptor: int, pixels: bytes, width: int, height: int) -> float:
    asked = _every(descriptor, ENUM_FRAMEINTERVALS, INTERVAL, pixels, width, height, *[0] * 9)
    # discrete intervals, or the shortest of a range: both stand first
    return max((interval[6] / interval[5] for interval in asked if interval[5]), default=0.0)


def _every(descriptor: int, request: int, structure: struct.Struct, *question: object) -> Iterator[tuple]:
    """The answers to one question asked with rising index, until the driver says that there are no more."""
    for index in range(1000):
        try:
            yield structure.unpack(_ask(descriptor, request, structure.pack(index, *question)))
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOTTY):
                return
            raise


def _ask(descriptor: int, request: int, question: bytes) -> bytes:
    return fcntl.ioctl(descriptor, request, question)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")
