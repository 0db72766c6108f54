"""Stream: a camera that is live, on the network (rtsp, rtmp, http) or on this machine (V4L2, such as USB).

Its clock is this machine's at the first picture, and from there the source's own. A password in the address is used
but never handed on: neither `source` nor any message holds it.

This file does not know how pictures are decoded, nor what becomes of them.
"""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from device.decoder import Decoder
from device.frame import Frame


class Stream:
    """Implements device.camera.Camera. `length_s` is None unless the address is a film on a server."""

    def __init__(self, address: str, wanted_fps: float = 1.0, container_format: str | None = None) -> None:
        """Raises CameraError where nothing answers or what answers is no picture."""
        parts = urlsplit(address)
        self.source = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._decoder = Decoder(address, self.source, wanted_fps, container_format)
        self.length_s = self._decoder.duration_s

    def frames(self) -> Iterator[Frame]:
        """Walked once. Raises CameraError where the stream breaks off."""
        start_at: float | None = None
        for at_s, image in self._decoder.pictures():
            if start_at is None:
                start_at = time.time() - at_s
            zone = datetime.fromtimestamp(start_at + at_s).astimezone().utcoffset() or timedelta()
            yield Frame(image, start_at + at_s, int(zone.total_seconds()))

    def close(self) -> None:
        self._decoder.close()
