"""record: the capture loop of a camera that ends, from its first frame to its last or until it is stopped.

This file does not know which camera it reads, how signals arrive, nor that models exist. The camera is closed by
whoever opened it.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Event

from device.camera import Camera
from device.recording import DISK_FULL, Recording, nothing
from device.state import Recorded
from store.config import Capture, Sound
from store.episodic import EpisodicStore
from store.errors import CameraError, DiskFull, MemoryDamaged
from store.records import Keyframe


def record(
    store: EpisodicStore,
    camera: Camera,
    settings: Capture,
    progress: Callable[[Recorded], None] | None = None,
    stop: Event | None = None,
    on_keyframe: Callable[[Keyframe], None] | None = None,
    sound: Sound | None = None,
) -> Recorded:
    """Record one session; `progress` is called after every frame, `stop` is looked at before every frame.

    With `sound` whose source is "camera" the camera's own sound is kept, too. Raises MemoryBusy where another recorder
    holds the memory, UserError where this film is already in it, CameraError and DiskFull after ending the session:
    what was committed before stays; MemoryDamaged where the memory is gone.
    """
    with store.hold_for_recording():
        recording = Recording(store, camera.source, settings, sound, on_keyframe=on_keyframe or nothing)
        listen = recording.hear if sound and sound.source == "camera" else None
        try:
            because = "end of film" if camera.length_s is not None else "camera ended"
            for frame in camera.frames(listen):
                if stop and stop.is_set():
                    because = "stopped"
                    break
                recording.take(frame)
                if progress:
                    progress(recording.so_far)
        except BaseException as error:
            with suppress(DiskFull, MemoryDamaged):  # opening the memory again ends the session at its last heartbeat
                recording.end(why(error))
            if progress and recording.so_far.session:
                progress(recording.so_far)
            raise
        recording.end(because)
        return recording.so_far


def why(error: BaseException) -> str:
    """The reason a session remembers."""
    if isinstance(error, CameraError):
        return f"camera failed: {error.message}"
    if isinstance(error, DiskFull):
        return DISK_FULL
    return "stopped" if isinstance(error, KeyboardInterrupt) else f"recorder failed: {type(error).__name__}"
