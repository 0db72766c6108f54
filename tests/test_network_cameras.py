"""The contract of every camera over real servers, each a program of its own; and servers that fail.

A server that cannot be had here is skipped by its name.
"""

import http.server
import os
import runpy
import shutil
import signal
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

import device.decoder
import device.stream
from device.camera import Camera, open_camera
from store.errors import CameraError

CONTRACT = runpy.run_path(str(Path(__file__).with_name("test_camera.py")))
LENGTH_S, FPS, WIDTH_PX, HEIGHT_PX = 4, 10, 160, 96
PATIENCE_S = 20.0
RTSP_PYTHON = "/usr/bin/python3"
RTSP_IMPORTS = """
import sys, gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
if missing := [name for name in ("qtdemux", "rtph264pay", "rtpmp4gpay") if not Gst.ElementFactory.find(name)]:
    sys.exit(f"no {missing}")
"""
RTSP_SERVER = """
server, film = GstRtspServer.RTSPServer(address="127.0.0.1", service="0"), GstRtspServer.RTSPMediaFactory()
film.set_launch(f"( filesrc location={sys.argv[1]} ! qtdemux name=d "
    "d.video_0 ! queue ! rtph264pay name=pay0 pt=96 d.audio_0 ! queue ! rtpmp4gpay name=pay1 pt=97 )")
server.get_mount_points().add_factory("/live", film)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""

Address = tuple[str, bool]  # what to open, and whether its sound is sent as well


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A white square that moves over grey, and a tone."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, width=WIDTH_PX, height=HEIGHT_PX, options={"g": str(FPS)})
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        for number in range(LENGTH_S * FPS):
            picture = av.VideoFrame.from_ndarray(picture_of(number), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
            tone = np.sin(np.arange(number * 1600, (number + 1) * 1600) * 0.2).astype(np.float32)[None] / 2
            block = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = 16_000, number * 1600, Fraction(1, 16_000)
            container.mux(sound.encode(block))
        container.mux([*video.encode(), *sound.encode()])
    return path


def picture_of(number: int) -> np.ndarray:
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    image[30:60, 2 * number : 2 * number + 30] = 255
    return image


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def ffmpeg(*protocols: str) -> str:
    command = shutil.which("ffmpeg")
    if not command:
        pytest.skip("the command ffmpeg is not here")
    known = subprocess.run([command, "-v", "quiet", "-protocols"], capture_output=True, text=True).stdout.split()
    for protocol in protocols:
        if protocol not in known:
            pytest.skip(f"the command ffmpeg speaks no {protocol} here")
    return command


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@contextmanager
def sending(film: Path, protocol: str, form: str, address: str, *options: str) -> Iterator[None]:
    """ffmpeg sends the film in real time, and begins again until somebody takes it."""
    command = [ffmpeg(protocol), "-v", "quiet", "-re", "-i", str(film), "-c", "copy", "-f", form, *options, address]
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.1):
            with running(*command) as child:
                while child.poll() is None and not over.wait(0.1):
                    pass
            if child.returncode == 0:
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def rtsp(film: Path) -> Iterator[Address]:
    if (
        not Path(RTSP_PYTHON).exists()
        or subprocess.run([RTSP_PYTHON, "-c", RTSP_IMPORTS], capture_output=True).returncode
    ):
        pytest.skip("GStreamer's RTSP server is not here")
    with running(RTSP_PYTHON, "-c", RTSP_IMPORTS + RTSP_SERVER, str(film)) as server:
        assert server.stdout
        yield f"rtsp://127.0.0.1:{server.stdout.readline().strip()}/live", True


@contextmanager
def rtmp_pulled(film: Path) -> Iterator[Address]:
    address = f"rtmp://127.0.0.1:{free_port()}/live/head"
    with sending(film, "rtmp", "flv", address, "-listen", "1"):
        yield address, True


@contextmanager
def rtmp_pushed(film: Path) -> Iterator[Address]:
    address = f"127.0.0.1:{free_port()}/live"
    with sending(film, "rtmp", "flv", f"rtmp://{address}/head"):
        yield f"rtmp+listen://{address}", True


@contextmanager
def srt(film: Path) -> Iterator[Address]:
    address = f"srt://127.0.0.1:{free_port()}?passphrase=only-we-two-know"
    with sending(film, "srt", "mpegts", f"{address}&mode=listener"):
        yield address, True


@contextmanager
def udp(film: Path) -> Iterator[Address]:
    address = f"udp://127.0.0.1:{free_port()}"
    with sending(film, "udp", "mpegts", f"{address}?pkt_size=1316"):
        yield address, True


@contextmanager
def tcp(film: Path) -> Iterator[Address]:
    address = f"tcp://127.0.0.1:{free_port()}"
    with sending(film, "tcp", "mpegts", f"{address}?listen=1"):
        yield address, True


@contextmanager
def serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def hls(film: Path) -> Iterator[Address]:
    """A playlist that grows while it is read."""
    playlist = film.parent / "live.m3u8"
    playlist.unlink(missing_ok=True)
    with sending(film, "file", "hls", str(playlist), "-hls_time", "1"):
        CONTRACT["wait_until"](playlist.exists)
        with serving(partial(CONTRACT["Quiet"], directory=str(film.parent))) as address:
            yield f"{address}/live.m3u8", True


def jpeg_of(number: int) -> bytes:
    bgr = np.ascontiguousarray(picture_of(number)[:, :, ::-1])
    return cv2.imencode(".jpg", bgr)[1].tobytes()


class Multipart(http.server.BaseHTTPRequestHandler):
    """A camera as they are: JPEGs without times, at its own pace, one of them empty."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=--next")
        self.end_headers()
        for number in range(LENGTH_S * FPS):
            jpeg = b"" if number == 12 else jpeg_of(number)
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            with suppress(OSError):
                self.wfile.write(head + jpeg + b"\r\n")
            time.sleep(1 / FPS)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def mjpeg(film: Path) -> Iterator[Address]:
    with serving(Multipart) as address:
        yield f"{address}/video", False


KINDS = [rtsp, rtmp_pulled, rtmp_pushed, srt, udp, tcp, hls, mjpeg]


def connected(address: str, wanted_fps: float) -> Camera:
    """The camera there, as soon as it answers."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return open_camera(address, wanted_fps)
        except CameraError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_network_camera_keeps_the_contract(
    kind: Callable[[Path], AbstractContextManager[Address]], film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind is udp:  # nobody says that it is over
        monkeypatch.setattr(device.decoder, "READ_TIMEOUT_S", 3.0)
    with kind(film) as (address, audible), closing(connected(address, 2.0)) as camera:
        assert camera.live and camera.length_s is None
        assert "only-we-two-know" not in camera.source and address.startswith(camera.source)
        walked = CONTRACT["walk"](camera)
        CONTRACT["assert_contract"](walked, wanted_fps=2.0, length_s=LENGTH_S, sound_s=LENGTH_S if audible else 0.0)
        assert walked.frames[0].image.shape == (HEIGHT_PX, WIDTH_PX, 3)


def test_an_srt_sender_is_received_by_a_program_that_tells_no_passphrase_and_ends_with_the_camera(film: Path) -> None:
    before = children()
    with srt(film) as (address, _), closing(connected(address, 2.0)) as camera:
        [receiver] = [pid for pid in children() - before if b"concat" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        assert b"only-we-two-know" not in Path(f"/proc/{receiver}/cmdline").read_bytes()
        next(camera.frames())
        camera.close()
        assert receiver not in children()


def children() -> set[str]:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("/proc is not here")
    return {pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


def test_a_missing_ffmpeg_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CameraError, match="needs the ffmpeg command") as refused:
        open_camera("srt://127.0.0.1:9?passphrase=only-we-two-know")
    assert "apt install ffmpeg" in refused.value.hint
    assert "only-we-two-know" not in refused.value.message


def test_nobody_to_publish_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.decoder, "READ_TIMEOUT_S", 0.5)
    address = f"rtmp+listen://127.0.0.1:{free_port()}/live"
    with pytest.raises(CameraError, match="no answer for 0.5 s") as refused:
        open_camera(address)
    assert address in refused.value.message


def test_waiting_for_a_publisher_can_be_interrupted() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it
    began_s = time.monotonic()
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            open_camera(f"rtmp+listen://127.0.0.1:{free_port()}/live")
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began_s < device.decoder.READ_TIMEOUT_S / 2


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "http", "tcp", "srt"])
def test_no_trace_of_a_failure_tells_a_password(scheme: str) -> None:
    if scheme == "srt":
        ffmpeg("srt")
    with pytest.raises(CameraError) as refused:
        open_camera(
            f"{scheme}://me:hush@127.0.0.1:{free_port()}/live?camera=2&access_token=hush&passphrase=hushhushhush"
        )
    assert "/live?camera=2" in refused.value.message
    assert "hush" not in "".join(traceback.format_exception(refused.value))


class Failing(http.server.BaseHTTPRequestHandler):
    """Half of what was announced, then silence or the end; text where a film should be."""

    content: bytes

    def do_GET(self) -> None:
        content = b"milk, bread, keys\n" * 50 if self.path == "/notes.txt" else self.content
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content if self.path == "/notes.txt" else content[: len(content) // 2])
            self.wfile.flush()
            if self.path == "/silent":
                time.sleep(3)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def failing(film: Path, tmp_path: Path) -> Iterator[str]:
    copy = tmp_path / "film.mkv"
    with av.open(str(film)) as source, av.open(str(copy), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = video
                target.mux(packet)
    Failing.content = copy.read_bytes()
    with serving(Failing) as address:
        yield address


@pytest.mark.parametrize("path, why", [("closing", "ends early"), ("silent", "ends early")])
def test_a_server_that_stops_midway_is_an_error_after_what_it_gave(
    failing: str, path: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device.decoder, "READ_TIMEOUT_S", 1.0)
    given = []
    with closing(open_camera(f"{failing}/{path}")) as camera, pytest.raises(CameraError, match=why):
        given.extend(camera.frames())
    assert 1 <= len(given) < LENGTH_S


def test_a_text_on_a_server_is_no_camera(failing: str) -> None:
    with pytest.raises(CameraError, match="notes.txt"):
        open_camera(f"{failing}/notes.txt")


@pytest.mark.parametrize(
    "heard, dated",
    [
        ([(100, 0), (101, 1), (102, 2)], [100, 101, 102]),
        ([(100, 0), (100, 1), (100, 2), (101, 3)], [100, 100, 100, 101]),  # what had been waiting is not of the future
        ([(100, 0), (103, 1), (103, 2), (103, 3)], [100, 101, 102, 103]),  # late pictures keep their time
        ([(100, 0), (130, 1), (131, 2)], [100, 130, 131]),  # the source stood still
        ([(100, 0), (101, 900), (102, 901)], [100, 101, 102]),  # its clock leapt
        ([(100, 0), (90, 1), (91, 2), (101, 12)], [100, 100, 100, 101]),  # ours was set back: time never falls
    ],
)
def test_a_live_picture_is_dated_by_this_machine_and_then_by_its_source(
    heard: list[tuple[float, float]], dated: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = device.stream.SourceClock(None, device.stream.DRIFT_S, patience_s=0.0)
    given = []
    for now, at_s in heard:
        monkeypatch.setattr(device.stream, "time", SimpleNamespace(time=lambda now=now: now))
        given.append(clock.seen_at(at_s))
    assert given == dated
