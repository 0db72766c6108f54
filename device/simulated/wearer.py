"""The wearer of the simulated camera: where the head and hands are at any second of the day, and what is true then.

The day is planned once (script.py) as key poses, key hand positions and changes of the world; `view(at_s)` only
interpolates, so any second can be asked for in any order and always looks the same.

The acts are the ground truth. They leave this room only as narrations (narrations.py); no picture contains them.
This file does not know how a view is drawn.
"""

from bisect import bisect_right
from math import cos, hypot, pi, radians, sin
from random import Random

from device.simulated.home import ROOM_DEPTH_M, ROOM_WIDTH_M, Home
from device.simulated.script import EYE_HEIGHT_M, WALK_M_S, Point, Pose, write_script
from device.simulated.view import Hand, Placed, View

SWAY_HZ = (1.9, 0.95, 0.31, 0.43, 0.8, 1.3)  # steps, half steps, and the slow and quick unrest of a head


class Wearer:
    """One day in one home, `duration_s` long; `acts` is what truly happens."""

    def __init__(self, home: Home, duration_s: float) -> None:
        self.home = home
        self.duration_s = duration_s
        rng = Random(f"day {home.seed}")
        self._phases = [rng.uniform(0, 2 * pi) for _ in SWAY_HZ]
        self._script = write_script(home, duration_s, rng)
        self.acts = self._script.acts
        self._pose_times = [pose.at_s for pose in self._script.poses]
        self._hand_times = [key.at_s for key in self._script.hands]

    def view(self, at_s: float) -> View:
        """Everything visible at this second of the day."""
        pose = self._pose(at_s)
        before, after = self._pose(at_s - 0.03), self._pose(at_s + 0.03)
        speed = hypot(after.x - before.x, after.y - before.y) / 0.06
        bob = min(1.0, speed / WALK_M_S)
        wave = [sin(2 * pi * hz * at_s + phase) for hz, phase in zip(SWAY_HZ, self._phases, strict=True)]
        eye = (pose.x, pose.y, EYE_HEIGHT_M + 0.025 * bob * wave[0])
        heading = pose.heading_deg + 1.2 * wave[2] + 0.5 * wave[4]
        pitch = pose.pitch_deg + 1.0 * wave[3] + 0.4 * wave[5]
        placed, active = self._world(at_s)
        return View(
            at_s=at_s,
            eye=eye,
            heading_deg=heading,
            pitch_deg=pitch,
            roll_deg=1.0 * bob * wave[1],
            turning_deg_s=(
                (after.heading_deg - before.heading_deg) / 0.06,
                (after.pitch_deg - before.pitch_deg) / 0.06,
            ),
            room=self._room_at(pose.x, pose.y),
            placed=placed,
            hands=self._hands_at(at_s, eye, heading, pitch),
            active=active,
        )

    def _pose(self, at_s: float) -> Pose:
        i = bisect_right(self._pose_times, at_s)
        if i == 0:
            return self._script.poses[0]
        if i == len(self._script.poses):
            return self._script.poses[-1]
        a, b = self._script.poses[i - 1], self._script.poses[i]
        u = (at_s - a.at_s) / max(b.at_s - a.at_s, 1e-6)
        ease = u * u * (3 - 2 * u)
        return Pose(
            at_s,
            a.x + u * (b.x - a.x),
            a.y + u * (b.y - a.y),
            a.heading_deg + ease * (b.heading_deg - a.heading_deg),
            a.pitch_deg + ease * (b.pitch_deg - a.pitch_deg),
        )

    def _hands_at(self, at_s: float, eye: Point, heading_deg: float, pitch_deg: float) -> tuple[Hand, ...]:
        """The hand between its two keys around now, unless it rests out of sight."""
        i = bisect_right(self._hand_times, at_s)
        if i == 0 or i == len(self._script.hands):
            return ()
        a, b = self._script.hands[i - 1], self._script.hands[i]
        resting = a.world is None and b.world is None and abs(a.offset[2]) > 0.5 and abs(b.offset[2]) > 0.5
        if a.side != b.side or resting or b.at_s - a.at_s > 20:
            return ()
        start, end = (_seen_from(eye, heading_deg, pitch_deg, key.world) if key.world else key.offset for key in (a, b))
        u = (at_s - a.at_s) / max(b.at_s - a.at_s, 1e-6)
        ease = u * u * (3 - 2 * u)
        x, y, z = (p + ease * (q - p) for p, q in zip(start, end, strict=True))
        return (Hand(a.side, (x, y, z), a.holds),)

    def _world(self, at_s: float) -> tuple[tuple[Placed, ...], frozenset[int]]:
        lies: dict[int, Placed | None] = {}
        for changed_s, thing, placed in self._script.lies:
            if changed_s <= at_s:
                lies[thing] = placed
        active = {}
        for changed_s, furniture, on in self._script.switched:
            if changed_s <= at_s:
                active[furniture] = on
        return tuple(p for p in lies.values() if p), frozenset(i for i, on in active.items() if on)

    def _room_at(self, x: float, y: float) -> int:
        cell = (round(x / ROOM_WIDTH_M), round(y / ROOM_DEPTH_M))
        return next(i for i, room in enumerate(self.home.rooms) if room.cell == cell)


def _seen_from(eye: Point, heading_deg: float, pitch_deg: float, point: Point) -> Point:
    """A world point in the head's axes (right, forward, up); roll is small and left out."""
    h, p = radians(heading_deg), radians(pitch_deg)
    x, y, z = (to - at for to, at in zip(point, eye, strict=True))
    right = x * cos(h) + y * sin(h)
    level = -x * sin(h) + y * cos(h)
    return (right, level * cos(p) + z * sin(p), -level * sin(p) + z * cos(p))
