"""Commands of those who record: cameras, record, import, and pause, private and resume of a recorder that runs.

This file does not know how anything is recorded, nor what a recorder says of itself.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any

import click

from store.config import CameraSettings, Config, load_config
from store.errors import UserError
from store.units import read_quantity
from tui import report
from tui.clock import say_duration
from tui.exits import stopping
from tui.options import fps_option, json_option
from tui.progress import done_of_total, watch_folder, watch_recording, watch_service
from tui.secrecy import open_memory

HELD = {"pause": "Paused", "private": "Private: neither picture nor sound is recorded", "resume": "Recording goes on"}


@click.command()
@click.argument("camera")
@fps_option
@click.pass_obj
def record(memory: Path, camera: str, fps: float | None) -> None:
    """Record a camera until it ends or Ctrl-C; one that is live is waited for whenever it is gone.

    CAMERA is a name from config.toml, usb:0, rtsp://host/path (also rtmp, http, srt), rtmp+listen://0.0.0.0:1935/live
    for glasses that send to this machine, a folder that films are copied into, or sim://home?seed=7&minutes=3, a
    simulated home (also: speed, width, height, speak, narrations).
    """
    from device.camera import is_live, open_camera
    from device.framing import Framed

    config = _config(fps)
    worn = config.cameras.get(camera) or CameraSettings(uri=camera)
    sound = replace(config.sound, source=worn.sound or config.sound.source)
    with stopping() as stop:
        if Path(worn.uri).is_dir():
            with open_memory(memory) as store:
                watch_folder(store, Path(worn.uri), config.capture, sound, stop)
        elif is_live(worn.uri):
            with open_memory(memory) as store:
                watch_service(store, worn, config, stop)
        else:
            framed = Framed(open_camera(worn.uri, config.capture.fps), worn.rotation, worn.crop)
            with closing(framed) as film, open_memory(memory) as store:
                watch_recording(store, film, config.capture, stop, sound)


@click.command("import")
@click.argument("films", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--recorded-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]),
              help="When the film began, where the file does not say it.")  # fmt: skip
@fps_option
@click.pass_obj
def import_films(memory: Path, films: Sequence[Path], recorded_at: datetime | None, fps: float | None) -> None:
    """Record films as if they were worn, or take back the folder of an `export`."""
    from device.film import Film
    from store.plain.folder import is_export

    if len(films) == 1 and is_export(films[0]):
        _take_back(memory, films[0])
        return
    if recorded_at and len(films) > 1:
        raise UserError(f"--recorded-at is of one film, and there are {len(films)}.", "Import them one by one.")
    config = _config(fps)
    for path in films:
        with closing(Film(path, config.capture.fps, recorded_at)) as film, open_memory(memory) as store:
            watch_recording(store, film, config.capture, sound=config.sound)


def _take_back(memory: Path, folder: Path) -> None:
    from store.plain.importing import import_export

    with open_memory(memory) as store, done_of_total("importing") as progress:
        done = import_export(folder, store, progress)
    click.echo(f"{memory} is what {folder} was exported from: {done.sessions} sessions, {done.keyframes} keyframes.")


@click.command()
@json_option
def cameras(as_json: bool) -> None:
    """List the cameras and microphones there are, what they offer, and how to use them."""
    from device.attached import attached_cameras, attached_microphones

    named, attached = load_config().cameras, attached_cameras()
    microphones, problem = attached_microphones()
    if as_json:
        found = {
            "configured": {name: asdict(camera) for name, camera in named.items()},
            "attached": [{**asdict(camera), "offers": [str(offer) for offer in camera.offers]} for camera in attached],
            "microphones": [asdict(microphone) for microphone in microphones],
            "problem": problem or None,
        }
        click.echo(report.to_json(found))
    else:
        click.echo(report.say_cameras(named, attached, microphones, problem))


@click.command()
@click.argument("duration", required=False)
@click.pass_obj
def pause(memory: Path, duration: str | None) -> None:
    """Let the recorder stand still, for example: whereabouts pause 30m. Without DURATION until `resume`."""
    _hold(memory, "pause", duration)


@click.command()
@click.argument("duration", required=False)
@click.pass_obj
def private(memory: Path, duration: str | None) -> None:
    """Record nothing, and let the memory say that this was private. Without DURATION until `resume`."""
    _hold(memory, "private", duration)


@click.command()
@click.pass_obj
def resume(memory: Path) -> None:
    """Let a paused or private recorder go on."""
    _hold(memory, "resume", None)


def _hold(memory: Path, do: str, duration: str | None) -> None:
    from device.control import LONGEST_HOLD_S, request

    for_s = None if duration is None else read_quantity(duration, "s")
    if for_s is not None and not 1 <= for_s <= LONGEST_HOLD_S:
        raise UserError(f"Nothing can be held for {duration}.", "Give a duration from 1s to 3650d, or none.")
    open_memory(memory, create=False).close()  # says so where there is no memory
    state = request(memory, do, for_s)
    click.echo(say_held(do, for_s, state))
    for warning in state.get("warnings", ()):
        click.echo(warning, err=True)


def say_held(do: str, for_s: float | None, state: Mapping[str, Any], until: str = "run: whereabouts resume") -> str:
    """What came of asking a recorder to stand still or go on; `state` is its answer."""
    length = f" for {say_duration(for_s)}" if for_s else f" until you {until}" if do != "resume" else ""
    nobody = "" if state["running"] else " No recorder is running; the next one will know."
    return f"{HELD[do]}{length}.{nobody}"


def _config(fps: float | None) -> Config:
    config = load_config()
    if fps is not None and not 0 < fps < inf:
        raise UserError(f"{fps} frames a second cannot be recorded.", "Give a rate above 0, such as 1.")
    return config if fps is None else replace(config, capture=replace(config.capture, fps=fps))
