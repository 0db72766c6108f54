"""SimulatedCamera: a home, its wearer and the renderer behind the same contract as any other camera.

`sim://home?seed=7&minutes=3` renders as fast as it can with a clock that starts at 08:00 on a fixed day;
`speed=1` runs in real time with the machine's clock. `narrations=FILE` writes the ground truth beside it.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from device.frame import AudioBlock, Frame
from device.simulated.home import make_home
from device.simulated.lens import expose
from device.simulated.narrations import narrate, narrated, write_narrations
from device.simulated.renderer import Renderer
from device.simulated.voice import Voice
from device.simulated.wearer import Wearer
from store.errors import UserError

FIRST_MORNING = datetime.fromisoformat("2026-03-02T08:00:00+01:00")


class SimulatedCamera:
    """Frames of one simulated day at `wanted_fps`; the same seed gives the same pixels."""

    def __init__(
        self,
        seed: int,
        minutes: float,
        wanted_fps: float,
        *,
        speed: float = 0.0,
        width_px: int = 640,
        height_px: int = 480,
        speak: bool = False,
        narrations: Path | None = None,
    ) -> None:
        """Raises UserError for a hurried voice, and for any without espeak-ng."""
        self.source = f"sim://home?seed={seed}&minutes={minutes:g}"
        self.length_s: float | None = minutes * 60
        self.live = speed > 0
        self.shape = f"{width_px} x {height_px} at {wanted_fps:g} fps, simulated"
        self._seed, self._fps, self._speed = seed, wanted_fps, speed
        self._size = (width_px, height_px)
        self._wearer = Wearer(make_home(seed), minutes * 60)
        if speak and speed not in (0.0, 1.0):
            raise UserError(f"Speech cannot be hurried: speed={speed:g}.", "Use speed=1 or speed=0 with speak=1.")
        said = [(act.start_s, narrate(self._wearer.home, act)) for act in narrated(self._wearer)]
        self._voice = Voice(said) if speak else None
        if narrations:
            write_narrations(self._wearer, narrations)

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        """Render the day; in real time each frame waits for its second. With `speak` the wearer says what it does."""
        began = datetime.now().astimezone() if self._speed else FIRST_MORNING
        zone = began.utcoffset()
        renderer = Renderer(self._wearer.home, *self._size)
        began_at, began_s = began.timestamp(), time.monotonic()
        try:
            for tick in range(int(self._wearer.duration_s * self._fps)):
                at_s = tick / self._fps
                if self._speed:
                    time.sleep(max(0.0, began_s + at_s / self._speed - time.monotonic()))
                view = self._wearer.view(at_s)
                image = expose(renderer.render(view), view, self._wearer.home, self._seed)
                seconds_on = at_s / self._speed if self._speed else at_s
                yield Frame(image, began_at + seconds_on, int(zone.total_seconds()) if zone else 0)
                if on_sound and self._voice:
                    for block in self._voice.blocks(at_s, (tick + 1) / self._fps, began_at):
                        on_sound(block)
        finally:
            renderer.close()

    def close(self) -> None:
        """Nothing is held between frames."""
