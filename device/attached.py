"""What is attached to this machine: cameras and microphones, and the address each is recorded with.

Nothing attached is a normal answer, and what cannot be asked is listed with the reason.
This file does not know how cameras and microphones are read.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from device import v4l2
from device.microphone import load_portaudio
from device.v4l2 import Offer
from store.errors import CameraError


@dataclass(frozen=True, slots=True)
class AttachedCamera:
    """`address` is what to record; where the machine keeps names, it outlives unplugging. `offers`: largest first."""

    name: str
    path: str
    address: str
    driver: str = ""
    offers: tuple[Offer, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AttachedMicrophone:
    """`address` is what [sound] source in config.toml takes."""

    name: str
    address: str
    channels: int
    rate_hz: int
    is_default: bool


def attached_cameras(devices: Path = Path("/dev")) -> list[AttachedCamera]:
    """Every video device that takes pictures, in the order of their numbers."""
    nodes = sorted(devices.glob("video[0-9]*"), key=lambda node: int(node.name.removeprefix("video")))
    asked = [_ask(node, _lasting_address(devices, node)) for node in nodes]
    return [camera for camera in asked if camera]


def attached_microphones() -> tuple[list[AttachedMicrophone], str]:
    """The microphones, and why none can be seen: "" unless PortAudio is missing."""
    try:
        portaudio = load_portaudio()
    except CameraError as error:
        return [], error.message
    default = portaudio.default.device[0]
    return [
        AttachedMicrophone(
            name=found["name"],
            address=f"microphone:{found['name']}",
            channels=found["max_input_channels"],
            rate_hz=round(found["default_samplerate"]),
            is_default=found["index"] == default,
        )
        for found in portaudio.query_devices()
        if found["max_input_channels"]
    ], ""


def _ask(node: Path, address: str) -> AttachedCamera | None:
    """What the driver says of this device; None where it takes no pictures, such as one that gives only metadata."""
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return _silent(node, address, error)
    try:
        device = v4l2.describe(descriptor)
        offers = v4l2.offers(descriptor) if device.takes_pictures else []
    except OSError as error:
        return _silent(node, address, error)
    finally:
        os.close(descriptor)
    if not device.takes_pictures:
        return None
    offers.sort(key=lambda offer: (offer.width_px * offer.height_px, offer.fps), reverse=True)
    return AttachedCamera(device.name, str(node), address, device.driver, tuple(offers))


def _silent(node: Path, address: str, error: OSError) -> AttachedCamera:
    problem = f"cannot be asked: {(error.strerror or str(error)).lower()}"
    return AttachedCamera(node.name, str(node), address, problem=problem)


def _lasting_address(devices: Path, node: Path) -> str:
    """The name by which this device is found again after it was unplugged, where the machine keeps such names."""
    names = sorted((devices / "v4l/by-id").glob("*"))
    return next((str(name) for name in names if name.resolve() == node.resolve()), str(node))
