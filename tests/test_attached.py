"""What is attached: usually nothing here, so the kernel's answers about cameras are written out, byte for byte."""

import ctypes.util
import errno
import fcntl
import os
import struct
import sys
from pathlib import Path

import pytest

from device import v4l2
from device.attached import attached_cameras, attached_microphones
from device.microphone import load_portaudio
from device.v4l2 import Offer
from store.errors import CameraError

CAPTURE, METADATA = 0x1, 0x800000
# format -> size -> frames a second
OFFERS = {b"MJPG": {(1280, 720): (30, 15), (1920, 1080): (15, 30)}, b"YUYV": {(640, 480): (30,), (1280, 720): (10,)}}


def answer(descriptor: int, request: int, question: bytes) -> bytes:
    """What the driver of a webcam answers; devices with an odd number give metadata only, number 8 is broken."""
    number = int(os.readlink(f"/proc/self/fd/{descriptor}").rpartition("video")[2])
    if number == 8:
        raise OSError(errno.ENODEV, "No such device")
    if request == v4l2.QUERYCAP:
        name = f"Head Camera {number}".encode()
        return struct.pack("16s32s32sIII12x", b"uvcvideo", name, b"usb", 1, 1, METADATA if number % 2 else CAPTURE)
    index, pixels = struct.unpack_from("I4s", question)
    if request == v4l2.ENUM_FMT:
        pixels = _choice(list(OFFERS), index)
        return struct.pack("III32s4sI12x", index, 1, 0, b"described", pixels, 0)
    if request == v4l2.ENUM_FRAMESIZES:
        return struct.pack("I4sIII24x", index, pixels, 1, *_choice(list(OFFERS[pixels]), index))
    size = struct.unpack_from("II", question, 8)
    return struct.pack("I4sIIIII24x", index, pixels, *size, 1, 1, _choice(OFFERS[pixels][size], index))


def _choice(choices: list, index: int):
    if index >= len(choices):
        raise OSError(errno.EINVAL, "Invalid argument")
    return choices[index]


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like /dev whose video devices are answered for by `answer`."""
    monkeypatch.setattr(fcntl, "ioctl", answer)
    for number in (0, 1, 10, 2):
        (tmp_path / f"video{number}").touch()
    (tmp_path / "video-codec").touch()
    return tmp_path


def test_no_camera_is_a_normal_answer(tmp_path: Path) -> None:
    assert attached_cameras(tmp_path) == []
    assert attached_cameras(tmp_path / "missing") == []


def test_cameras_are_listed_in_order_and_metadata_devices_are_not(devices: Path) -> None:
    cameras = attached_cameras(devices)
    assert [(camera.name, camera.path) for camera in cameras] == [
        (f"Head Camera {number}", str(devices / f"video{number}")) for number in (0, 2, 10)
    ]
    assert {(camera.driver, camera.problem) for camera in cameras} == {("uvcvideo", "")}


def test_a_camera_tells_each_picture_it_offers_once_largest_first_at_its_highest_rate(devices: Path) -> None:
    offers = attached_cameras(devices)[0].offers
    assert offers == (
        Offer("MJPG", 1920, 1080, 30),
        Offer("MJPG", 1280, 720, 30),
        Offer("YUYV", 1280, 720, 10),
        Offer("YUYV", 640, 480, 30),
    )
    assert str(offers[0]) == "1920 x 1080 at 30 fps, MJPG"


def test_the_address_is_the_name_that_outlives_unplugging(devices: Path) -> None:
    lasting = devices / "v4l/by-id/usb-Maker_Head_Camera-index0"
    lasting.parent.mkdir(parents=True)
    lasting.symlink_to("../../video2")
    addresses = [camera.address for camera in attached_cameras(devices)]
    assert addresses == [str(devices / "video0"), str(lasting), str(devices / "video10")]


def test_a_device_that_cannot_be_asked_is_listed_with_the_reason(devices: Path) -> None:
    (devices / "video8").touch()
    (devices / "video20").mkdir()
    problems = {camera.name: camera.problem for camera in attached_cameras(devices) if camera.problem}
    assert problems == {"video8": "cannot be asked: no such device", "video20": "cannot be asked: is a directory"}


def test_what_is_no_video_device_at_all_is_told_by_the_real_kernel(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    [camera] = attached_cameras(tmp_path)
    assert camera.problem == "cannot be asked: inappropriate ioctl for device"


def test_without_portaudio_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    found, reason = attached_microphones()
    assert found == [] and "PortAudio is not installed" in reason
    with pytest.raises(CameraError) as refused:
        load_portaudio()
    assert "libportaudio2" in refused.value.hint


@pytest.mark.skipif(not ctypes.util.find_library("portaudio"), reason="the library PortAudio is not installed")
def test_no_microphone_is_a_normal_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    found, reason = attached_microphones()
    assert reason == ""
    assert all(microphone.address == f"microphone:{microphone.name}" for microphone in found)
