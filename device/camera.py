"""Camera: one contract for every source of pictures, and open_camera, which finds the right one for an address.

    kitchen.mp4, file:///films/kitchen.mp4          a film
    usb:0, /dev/video0                              a camera on this machine
    rtsp://host/path                                a camera on the network; rtsps, rtmp(s), http(s), srt, udp, tcp too
    rtmp+listen://0.0.0.0:1935/live                 a camera that sends to this machine
    sim://home?seed=7&minutes=3                     a simulated home; also speed, width, height, speak, narrations

This file does not know how any of them works.
"""

import math
from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from device.film import Film
from device.frame import AudioBlock, Frame
from device.stream import SCHEMES, Stream
from store.errors import CameraError, UserError


class Camera(Protocol):
    """`source` is what a session remembers, without passwords; `length_s` is None where the end is not known.

    `live` says that what is not read now is lost. `shape` is what was really obtained, as in "1920 x 1080 at 30 fps,
    h264", and "" before that is known. `close` may be called more than once.
    """

    @property
    def source(self) -> str: ...

    @property
    def length_s(self) -> float | None: ...

    @property
    def live(self) -> bool: ...

    @property
    def shape(self) -> str: ...

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        """Walked once: frames in time order.

        With `on_sound` the source's own sound is decoded as well and handed over between frames, in time order, in
        blocks of at most a second. Raises CameraError where the source breaks off, after the frames it could give.
        """
        ...

    def close(self) -> None: ...


DEVICES = ("/dev/video", "/dev/v4l/")
MAYBE_LIVE = ("http", "https", "sim")  # a film on a server, a home at full speed


def open_camera(uri: str, wanted_fps: float = 1.0) -> Camera:
    """The camera at this address. Raises CameraError where there is none, UserError for an address not understood."""
    if not 0 < wanted_fps < math.inf:
        raise UserError(f"{wanted_fps} frames a second cannot be recorded.", "Give a rate above 0, such as 1.")
    if uri.startswith(DEVICES):
        return _open_device(uri, wanted_fps)
    scheme, _, rest = uri.partition(":")
    if scheme in _OPENERS:
        return _OPENERS[scheme](uri, wanted_fps)
    if rest.startswith("//"):
        raise UserError(f"Unknown kind of camera {scheme}:// in {uri}.", _nearest(scheme, _OPENERS))
    return Film(Path(uri), wanted_fps)


def is_live(uri: str) -> bool:
    """Whether what is not read from this address at once is lost; where it does not say so, it is opened to see.

    UserError for an address not understood. What does not answer now is taken for a camera that will.
    """
    scheme = uri.partition(":")[0]
    if uri.startswith(DEVICES) or scheme == "usb" or (scheme in SCHEMES and scheme not in MAYBE_LIVE):
        return True
    if scheme not in MAYBE_LIVE:
        return False
    try:
        camera = open_camera(uri)
    except CameraError:
        return True
    camera.close()
    return camera.live


def _open_file(uri: str, wanted_fps: float) -> Camera:
    return Film(Path(unquote(urlsplit(uri).path)), wanted_fps)


def _open_usb(uri: str, wanted_fps: float) -> Camera:
    return _open_device(f"/dev/video{uri.removeprefix('usb:')}", wanted_fps)


def _open_device(path: str, wanted_fps: float) -> Camera:
    from device.webcam import Webcam  # here, because OpenCV takes long to load

    return Webcam(path, wanted_fps)


def _open_simulated(uri: str, wanted_fps: float) -> Camera:
    parts = urlsplit(uri)
    if parts.netloc != "home":
        raise UserError(f"Nothing is simulated at {uri}.", "Run: whereabouts record 'sim://home?seed=7&minutes=3'")
    values: dict[str, Any] = {"seed": 7, "minutes": 3.0}
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        if key not in _SIMULATED:
            raise UserError(f"Unknown key {key} in {uri}.", _nearest(key, _SIMULATED))
        name, read = _SIMULATED[key]
        try:
            values[name] = read(text)
        except ValueError as error:
            raise UserError(f"{key}={text} in {uri}: {error}.", "Run: whereabouts record --help") from error
    from device.simulated.camera import SimulatedCamera  # here, because its renderer takes long to load

    return SimulatedCamera(wanted_fps=wanted_fps, **values)


def _nearest(word: str, known: Collection[str]) -> str:
    close = get_close_matches(word, known, 1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError("must be above 0")
    return number


def _speed(text: str) -> float:
    """0 is as fast as it goes, 1 is real time."""
    return 0.0 if text == "0" else _positive(text)


def _yes_or_no(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


_OPENERS: dict[str, Callable[[str, float], Camera]] = {
    "file": _open_file,
    "usb": _open_usb,
    "sim": _open_simulated,
    **dict.fromkeys(SCHEMES, Stream),
}

# key in the address: the simulated camera's own name for it, and how to read its value
_SIMULATED: dict[str, tuple[str, Callable[[str], Any]]] = {
    "seed": ("seed", int),
    "minutes": ("minutes", _positive),
    "speed": ("speed", _speed),
    "width": ("width_px", _whole),
    "height": ("height_px", _whole),
    "speak": ("speak", _yes_or_no),
    "narrations": ("narrations", Path),
}
