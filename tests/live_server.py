"""A camera on the network for tests: a real HTTP server that streams a small film in real time, and may fall silent."""

import io
import socket
import threading
import time
from contextlib import suppress
from fractions import Fraction
from functools import cache

import av
import numpy as np

FPS = 10
LENGTH_S = 120
HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: video/x-matroska\r\n\r\n"


@cache
def film() -> list[bytes]:
    """The pieces of a Matroska stream, one a picture: a white square wanders over grey."""
    file, pieces, sent = io.BytesIO(), [], 0
    options = {"live": "1", "cluster_time_limit": "100", "flush_packets": "1"}
    with av.open(file, "w", format="matroska", options=options) as container:
        video = container.add_stream("mjpeg", rate=FPS, width=160, height=96)
        video.pix_fmt = "yuvj420p"
        for number in range(FPS * LENGTH_S):
            image = np.full((96, 160, 3), 90, np.uint8)
            image[30:60, 2 * (number % 60) : 2 * (number % 60) + 30] = 255
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
            pieces.append(file.getvalue()[sent:])
            sent = len(file.getvalue())
    return pieces


class LiveServer:
    """Streams the film to whoever connects. While `silent` is set it accepts, and says nothing."""

    def __init__(self) -> None:
        film()
        self.silent = threading.Event()
        self._port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/live.mkv"

    def start(self) -> None:
        """Listen, at the same address as before."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, args=(self._listener, self._clients), daemon=True).start()

    def stop(self) -> None:
        """Break every connection off, and answer no more."""
        for each in (self._listener, *self._clients):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listener: socket.socket, clients: list[socket.socket]) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threading.Thread(target=self._stream, args=(client,), daemon=True).start()

    def _stream(self, client: socket.socket) -> None:
        began_s = time.monotonic()
        with suppress(OSError):
            client.recv(4096)
            if not self.silent.is_set():
                client.sendall(HEADER)
            for number, piece in enumerate(film()):
                time.sleep(max(0.0, began_s + number / FPS - time.monotonic()))
                while self.silent.is_set():
                    time.sleep(0.05)
                client.sendall(piece)
