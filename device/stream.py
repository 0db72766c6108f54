"""Stream: a camera on the network, pulled from it (rtsp, rtmp, http, srt) or pushed to us (rtmp+listen).

A live one is dated by this machine's clock at its first picture, and from there by its own; a film on a server as if
it had just ended. A password in the address is used but never handed on: neither `source` nor any message holds it.

This file does not know how pictures are decoded, nor what becomes of them.
"""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime, timedelta
from threading import Thread
from urllib.parse import urlsplit

import numpy as np

from device import decoder
from device.decoder import Bytes, Decoder
from device.frame import AudioBlock, Frame
from device.srt import SrtBytes

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtmp+listen", "http", "https", "srt", "udp", "tcp")
# what is read to find out what is there comes late: at most 2,000,000 microseconds, and none for the rate alone
OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "2000000", "fpsprobesize": "0"}
SECRETS = ("auth", "key", "pass", "pwd", "secret", "sig", "token")
DRIFT_S = 5.0


class Stream:
    """Implements device.camera.Camera. `length_s` is None unless the address is a film on a server."""

    def __init__(self, address: str, wanted_fps: float = 1.0) -> None:
        """Raises CameraError where nothing answers, nobody publishes, or what comes is no picture."""
        self.source, self._step_s = _without_secrets(address), 1 / wanted_fps
        self._bytes: SrtBytes | None = None
        scheme = urlsplit(address).scheme
        source: str | Bytes = address
        options = dict(OPTIONS)
        if scheme == "srt":
            source = self._bytes = SrtBytes(address, self.source, decoder.READ_TIMEOUT_S)
        elif scheme == "rtmp+listen":
            source, options["listen"] = address.replace("+listen", "", 1), "1"
        try:
            self._decoder = _interruptibly(lambda: Decoder(source, self.source, wanted_fps, **options))
        except BaseException:
            self._hang_up()
            raise
        self.live = self._decoder.duration_s is None or scheme not in ("http", "https")
        if self.live:
            self._decoder.duration_s = None  # some declare the length of what they began with
        self.length_s = self._decoder.duration_s

    @property
    def shape(self) -> str:
        return self._decoder.shape

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        """Walked once. Raises CameraError where the stream breaks off."""
        start_at, drift_s = (None, DRIFT_S) if self.length_s is None else (time.time() - self.length_s, math.inf)
        clock = SourceClock(start_at, drift_s, DRIFT_S + self._step_s if self._decoder.kind == "hls" else 0.0)

        def hear(at_s: float, samples: np.ndarray) -> None:
            if on_sound:
                on_sound(AudioBlock(samples, clock.heard_at(at_s)))

        for at_s, image in self._decoder.pictures(hear if on_sound else None):
            captured_at = clock.seen_at(at_s)
            zone = datetime.fromtimestamp(captured_at).astimezone().utcoffset() or timedelta()
            yield Frame(image, captured_at, int(zone.total_seconds()))

    def close(self) -> None:
        self._decoder.close()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._bytes:
            self._bytes.close()


class SourceClock:
    """This machine's time of what the source shows, from seconds since the source's beginning. It never falls.

    Nothing can be from the future: such a picture moves the clock back. One from `drift_s` ago means that the source
    stood still, or that its own clock started over: the clock moves on.
    """

    def __init__(self, start_at: float | None, drift_s: float, patience_s: float) -> None:
        """`patience_s` is for a source that hands out seconds at once: so long a picture waits until it is time."""
        self._start_at, self._drift_s, self._patience_s = start_at, drift_s, patience_s
        self._seen_at = self._heard_at = 0.0

    def seen_at(self, at_s: float) -> float:
        now = time.time()
        start_at = now - at_s if self._start_at is None else self._start_at
        ahead_s = start_at + at_s - now
        if 0 < ahead_s <= self._patience_s:
            time.sleep(ahead_s)
        elif not -self._drift_s <= ahead_s <= 0:
            start_at = now - at_s
        self._start_at, self._seen_at = start_at, max(self._seen_at, start_at + at_s)
        return self._seen_at

    def heard_at(self, at_s: float) -> float:
        """Sound follows the pictures: it moves nothing, but may begin first."""
        now = time.time()
        self._start_at = now - at_s if self._start_at is None else self._start_at
        self._heard_at = max(self._heard_at, min(self._start_at + at_s, now))
        return self._heard_at


def _without_secrets(address: str) -> str:
    """The address as it may be shown: no name, no password, and no secret among its parameters."""
    parts = urlsplit(address)
    shown = [part for part in parts.query.split("&") if not any(word in part.split("=")[0].lower() for word in SECRETS)]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="&".join(shown)).geturl()


def _interruptibly(work: Callable[[], Decoder]) -> Decoder:
    """What `work` returns, or raises. Ctrl-C ends the waiting at once, which FFmpeg would not notice."""
    future: Future[Decoder] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result()
