"""What does recording cost? CPU, memory, the way back of a camera and bytes a day, beside FFmpeg's bare decoding.

    python benchmarks/capture.py [--seconds 16] [--json]

It films moving, noisy pictures of 1080p30 at about 16 Mb/s, and takes the median of three interleaved rounds, CPU s, of

    floor      ffmpeg -threads 1 -i FILM -an -f null -
    recorder   a fresh process that imports the recorder and records the film at 1 fps into a new memory: decode, gate,
               384 px of every picture handed over, JPEG, commit
    network    the recorder's service, with the process that reads, over RTSP in real time until the film is over; its
               floor is ffmpeg over RTSP, and the server is not counted

and then how soon a camera that came back is recorded, and memory over a simulated day of small pictures.

It needs ffmpeg, and GStreamer's RTSP server with /usr/bin/python3; what has to be left out is said by its name.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.table import Table

from device.service import Service
from store.config import CameraSettings, Config, Disk
from store.episodic import EpisodicStore

ROOT = Path(__file__).parents[1]
ROUNDS, AWAY_S, PATIENCE_S, TIMEOUT_S = 3, 3.0, 60.0, 600.0
WORN_S = 16 * 3600
FILMS = {  # options of x264, and the target as a part of the floor
    "key picture every 1 s": ("-g 30", 0.40),
    "key picture every 10 s": ("-g 300", 1.15),
    "the same without B": ("-g 300 -bf 0", 1.15),
}
FILMING = (
    "ffmpeg -v error -f lavfi -i testsrc2=size=1920x1080:rate=30:duration={seconds},noise=alls=20:allf=t -c:v libx264 "
    "-pix_fmt yuv420p -preset veryfast -b:v 16M -maxrate 16M -bufsize 16M -sc_threshold 0 {options} {film}"
)
PRELUDE = r"""
import json, os, re, sys, threading
from contextlib import closing
from pathlib import Path
import cv2, numpy
from device import camera, frame, recorder, recording, room, service
from store.config import CameraSettings, Capture, Config, Disk
from store.episodic import EpisodicStore
class Watched(recording.Recording):
    def take(self, frame):
        cv2.resize(frame.image, (384, 384), interpolation=cv2.INTER_AREA)
        super().take(frame)
def mib(kind, own=os.getpid()):
    pids = [own, *Path(f"/proc/self/task/{own}/children").read_text().split()]
    return sum(int(re.search(kind + r":\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) for pid in pids) / 1024
recorder.Recording = service.Recording = Watched
source, told, stop, disk = sys.argv[1], {}, threading.Event(), Disk(1, 1)
store = EpisodicStore.open(Path(sys.argv[2]))
"""
RECORDER = """
with closing(camera.open_camera(source)) as film:
    done = recorder.record(store, film, Capture())
print(json.dumps({"peak_mib": mib("VmHWM"), "kept": done.kept, "kept_bytes": done.kept_bytes}))
"""
NETWORK = """
def end_with_the_film(state):
    if state.keyframes and state.state != "recording":
        told["peak_mib"] = mib("VmHWM")
        stop.set()
done = service.Service(store, CameraSettings(uri=source), Config(disk=disk), stop, end_with_the_film).run()
print(json.dumps({**told, "kept": done.kept, "kept_bytes": done.kept_bytes}))
"""
DAY = """
scenes = numpy.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), dtype=numpy.uint8)
with store.hold_for_recording():
    day = recording.Recording(store, source, Capture(fps=0.2), room=room.Room(store.directory, disk))
    for tick in range(24 * 720 + 1):
        day.take(frame.Frame(scenes[tick // 12 % 8], 1.76e9 + 5 * tick, 0))
        if tick in (2 * 720, 24 * 720):
            told[f"mib_{tick // 720}h"] = mib("VmRSS")
print(json.dumps(told))
"""
RTSP_PYTHON, ADDRESS = "/usr/bin/python3", "rtsp://127.0.0.1:{}/live"
RTSP_SERVER = """
import sys, gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
if not all(map(Gst.ElementFactory.find, ("qtdemux", "rtph264pay"))): sys.exit("a plugin is missing")
if len(sys.argv) > 1:
    server, film = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[2]), GstRtspServer.RTSPMediaFactory()
    film.set_launch(f"( filesrc location={sys.argv[1]} ! qtdemux ! queue ! rtph264pay name=pay0 pt=96 )")
    server.get_mount_points().add_factory("/live", film)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()
"""


def run(*command: str | Path) -> tuple[float, str]:
    """CPU seconds of a program and of those it started, and what it printed. CalledProcessError where it failed."""
    before = getrusage(RUSAGE_CHILDREN)
    ran = subprocess.run(command, cwd=ROOT, stdin=DEVNULL, stdout=PIPE, text=True, timeout=TIMEOUT_S, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ran.stdout


def decode(source: str | Path, *options: str) -> float:
    """CPU seconds of ffmpeg for decoding every picture, on one thread, and nothing else."""
    transport = ("-rtsp_transport", "tcp") if str(source).startswith("rtsp") else ()
    decoding = ("-i", source, *options, "-an", "-f", "null", "-")
    return run("ffmpeg", "-v", "error", "-threads", "1", *transport, *decoding)[0]


def child(program: str, source: str | Path, folder: Path) -> dict[str, float]:
    """CPU seconds of a fresh process with a memory of its own, and what it tells."""
    with TemporaryDirectory(dir=folder) as fresh:
        cpu_s, printed = run(sys.executable, "-c", PRELUDE + program, source, Path(fresh) / "memory")
    return {"cpu_s": cpu_s, **json.loads(printed)}


@contextmanager
def serving(film: Path, port: int = 0) -> Iterator[int]:
    """A camera on the network that shows the film from its beginning to whoever comes; its port."""
    command = [RTSP_PYTHON, "-c", RTSP_SERVER, str(film), str(port)]
    with subprocess.Popen(command, stdout=PIPE, stderr=DEVNULL, text=True) as server:
        try:
            assert server.stdout
            yield int(server.stdout.readline())
        finally:
            server.kill()


def measure_film(film: Path, folder: Path, with_network: bool) -> dict[str, dict[str, float]]:
    """One round: by path what was measured, with its `ratio` to the floor."""
    floor_s, recorder = decode(film), child(RECORDER, film, folder)
    found = {"floor": {"cpu_s": floor_s}, "recorder": {**recorder, "ratio": recorder["cpu_s"] / floor_s}}
    if with_network:
        with serving(film) as port:
            network = child(NETWORK, ADDRESS.format(port), folder)
        with serving(film) as port:  # the server does not say that the film is over
            floor_s = decode(ADDRESS.format(port), "-t", str(round(network["kept"] - 1)))
        found["floor over the network"] = {"cpu_s": floor_s}
        found["network"] = {**network, "ratio": network["cpu_s"] / floor_s}
    return found


def measure_films(films: dict[str, Path], folder: Path, with_network: bool) -> dict[str, Any]:
    """By film and path the medians of all rounds."""
    rounds = [{name: measure_film(film, folder, with_network) for name, film in films.items()} for _ in range(ROUNDS)]
    medians: dict[str, Any] = {}
    for name, paths in rounds[0].items():
        for path, measured in paths.items():
            found = {key: statistics.median(each[name][path][key] for each in rounds) for key in measured}
            medians.setdefault(name, {})[path] = found
    return medians


def measure_return(film: Path, memory: Path) -> list[float]:
    """Seconds from when a camera answers again to the first keyframe that others can read."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    seconds, stop, camera = [], Event(), CameraSettings(uri=ADDRESS.format(port))
    with EpisodicStore.open(memory) as theirs, EpisodicStore.open(memory) as ours:
        service = Thread(target=Service(theirs, camera, Config(disk=Disk(1, 1)), stop).run)
        service.start()
        try:
            for _ in range(1 + ROUNDS):
                before = ours.count()
                with serving(film, port):
                    began_s = time.monotonic()
                    while ours.count() == before and time.monotonic() < began_s + PATIENCE_S:
                        time.sleep(0.01)
                    seconds.append(time.monotonic() - began_s)
                time.sleep(AWAY_S)
        finally:
            stop.set()
            service.join()
    return seconds[1:]  # the first time it did not come back, it came


def measure(seconds: int) -> dict[str, Any]:
    """Everything that can be measured here; under "left_out" what cannot."""
    has_server = os.path.exists(RTSP_PYTHON) and not subprocess.call([RTSP_PYTHON, "-c", RTSP_SERVER], stderr=DEVNULL)
    missing = [] if has_server else ["network and return of a camera, for want of GStreamer's RTSP server"]
    found: dict[str, Any] = {"film_s": seconds, "left_out": missing}
    with TemporaryDirectory(prefix="capture-") as name:
        folder = Path(name)
        films = {film: folder / f"{number}.mp4" for number, film in enumerate(FILMS)}
        if shutil.which("ffmpeg"):
            for film, path in films.items():
                run(*FILMING.format(seconds=seconds, options=FILMS[film][0], film=path).split())
            found["films"] = measure_films(films, folder, has_server)
            if has_server:
                found["return_s"] = measure_return(next(iter(films.values())), folder / "return")
        else:
            found["left_out"].append("films, network and return of a camera, for want of the command ffmpeg")
        found["day"] = child(DAY, "camera", folder)
    return found


def rows_of(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What was measured, and its target."""
    for film, paths in found.get("films", {}).items():
        for path, each in paths.items():
            said, target = f"{each['cpu_s']:.2f} s CPU", ""
            if "kept" in each:
                said += f", {each['ratio']:.3f} of the floor"
                target = f"<= {FILMS[film][1]:.2f}, <= 350 MiB"
                said += f", {each['peak_mib']:.0f} MiB; {each['kept_bytes'] / each['kept'] / 1e3:.0f} kB a JPEG"
                said += f", {each['kept_bytes'] / found['film_s'] * WORN_S / 1e9:.0f} GB in 16 h"
            yield f"{path}, {film}", said, target
    if seconds := found.get("return_s"):
        said = f"median {statistics.median(seconds):.1f} s, worst {max(seconds):.1f} s"
        yield "camera back to first keyframe", said, "<= 5 s"
    early, late = found["day"]["mib_2h"], found["day"]["mib_24h"]
    yield "resident, 2 h -> 24 h", f"{early:.1f} -> {late:.1f} MiB, {late / early - 1:+.1%}", "< 2 %"
    yield from (("left out", each, "") for each in found["left_out"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=16, help="length of a film")
    parser.add_argument("--json", action="store_true")
    found = measure((arguments := parser.parse_args()).seconds)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    table = Table("what", "measured", "target")
    for row in rows_of(found):
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
