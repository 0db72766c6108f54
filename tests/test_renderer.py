"""The simulated camera's pictures: repeatable, telling things apart, and labelled where the things are."""

from collections.abc import Iterator
from dataclasses import replace
from math import cos, radians, sin

import numpy as np
import pytest

from device.simulated.home import THING_KINDS, Home, Thing, make_home
from device.simulated.lens import expose
from device.simulated.renderer import FURNITURE_ID, Renderer
from device.simulated.view import Hand, Placed, View

WIDTH_PX, HEIGHT_PX = 256, 192


@pytest.fixture(scope="module")
def home() -> Home:
    """A home with a thing of every kind."""
    found = next(h for h in map(make_home, range(50)) if any(p.fixture == "fridge" for p in h.furniture))
    return replace(found, things=tuple(Thing(kind, "red") for kind in THING_KINDS))


@pytest.fixture(scope="module")
def renderer(home: Home) -> Iterator[Renderer]:
    renderer = Renderer(home, WIDTH_PX, HEIGHT_PX)
    yield renderer
    renderer.close()


def stand_before(home: Home, index: int) -> View:
    """What the wearer sees 0.6 m in front of a piece of furniture."""
    piece = home.furniture[index]
    a, away = radians(piece.heading_deg), piece.shape.depth_m / 2 + 0.6
    eye = (piece.position[0] - away * sin(a), piece.position[1] + away * cos(a), 1.6)
    return View(1.0, eye, (piece.heading_deg + 180) % 360, -35.0, 0.0, (0.0, 0.0), piece.room, ())


def hold(home: Home, thing: int) -> View:
    return replace(stand_before(home, 0), hands=(Hand("right", (0.1, 0.45, -0.17), thing),))


def test_the_same_home_and_view_give_the_same_pixels_in_another_renderer(home: Home, renderer: Renderer) -> None:
    view = hold(home, 3)
    first = renderer.render(view)
    assert first.shape == (HEIGHT_PX, WIDTH_PX, 3) and first.dtype == np.uint8
    renderer.render(stand_before(home, 1))
    assert np.array_equal(renderer.render(view), first)
    other = Renderer(home, WIDTH_PX, HEIGHT_PX)
    assert np.array_equal(other.render(view), first)
    other.close()


def test_every_kind_of_thing_in_the_hand_looks_different_from_every_other(home: Home, renderer: Renderer) -> None:
    pictures = [renderer.render(hold(home, i)).astype(int) for i in range(len(THING_KINDS))]
    for i, one in enumerate(pictures):
        for other in pictures[i + 1 :]:
            assert (np.abs(one - other).max(2) > 40).sum() > 200


def test_an_open_fridge_looks_different_from_a_closed_one(home: Home, renderer: Renderer) -> None:
    index = next(i for i, piece in enumerate(home.furniture) if piece.fixture == "fridge")
    closed = stand_before(home, index)
    opened = replace(closed, active=frozenset({index}))
    change = np.abs(renderer.render(closed).astype(int) - renderer.render(opened)).max(2)
    assert (change > 40).mean() > 0.1


def test_a_segment_map_finds_the_held_thing_and_no_other(home: Home, renderer: Renderer) -> None:
    for thing in range(len(THING_KINDS)):
        found = renderer.segment(hold(home, thing))
        assert found.shape == (HEIGHT_PX // 16, WIDTH_PX // 16)
        assert set(found[(found > 0) & (found < FURNITURE_ID)]) == {1 + thing}


def test_a_segment_map_finds_the_furniture_and_what_lies_on_it(home: Home, renderer: Renderer) -> None:
    index = next(i for i, piece in enumerate(home.furniture) if piece.shape.surface_m)
    spot = next(home.furniture[index].spots())
    ball = THING_KINDS.index("ball")
    found = renderer.segment(replace(stand_before(home, index), placed=(Placed(ball, spot, 20.0),)))
    assert 1 + ball in found
    assert (found == FURNITURE_ID + index).sum() > 5


def test_the_lens_is_repeatable_blurs_a_turning_head_and_darkens_a_dim_room(home: Home, renderer: Renderer) -> None:
    view = stand_before(home, 0)
    clean = renderer.render(view)
    assert np.array_equal(expose(clean, view, home, 7), expose(clean, view, home, 7))
    assert not np.array_equal(expose(clean, view, home, 7), expose(clean, view, home, 8))
    turning = expose(clean, replace(view, turning_deg_s=(180.0, 0.0)), home, 7).astype(int)
    still = expose(clean, view, home, 7).astype(int)
    assert np.abs(np.diff(turning, axis=1)).mean() < np.abs(np.diff(still, axis=1)).mean()
    dim = replace(home, rooms=tuple(replace(room, dimness=0.45) for room in home.rooms))
    bright = replace(home, rooms=tuple(replace(room, dimness=0.0) for room in home.rooms))
    assert expose(clean, view, dim, 7).mean() < 0.8 * expose(clean, view, bright, 7).mean()
