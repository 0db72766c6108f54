"""The simulated home: the same for the same seed, furnished as a person would name it, nothing inside anything else."""

from itertools import combinations

import pytest

from device.simulated.home import (
    COLOURS,
    FURNITURE_KINDS,
    ROOM_DEPTH_M,
    ROOM_KINDS,
    ROOM_WIDTH_M,
    THING_KINDS,
    Furniture,
    make_home,
)

SEEDS = range(60)


def footprint(piece: Furniture) -> tuple[float, float, float, float]:
    (x, y), shape = piece.position, piece.shape
    sideways = piece.heading_deg in (90.0, 270.0)
    width, depth = (shape.depth_m, shape.width_m) if sideways else (shape.width_m, shape.depth_m)
    return x - width / 2, y - depth / 2, x + width / 2, y + depth / 2


def test_there_is_as_much_to_lose_and_to_lose_it_on_as_promised() -> None:
    with_surface = [kind for kind, shape in FURNITURE_KINDS.items() if shape.surface_m is not None]
    assert len(ROOM_KINDS) >= 7 and len(with_surface) >= 15 and len(THING_KINDS) >= 18 and len(COLOURS) >= 8


def test_the_same_seed_gives_the_same_home_and_another_seed_another() -> None:
    assert make_home(7) == make_home(7)
    assert len({make_home(seed).rooms for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_names_name_one_place_and_one_thing(seed: int) -> None:
    home = make_home(seed)
    places = [home.place_name(i) for i in range(len(home.furniture))]
    assert 4 <= len(home.rooms) <= 7 and 28 <= len(home.furniture) <= 56 and 10 <= len(home.things) <= 14
    assert len(set(places)) == len(places)
    assert len({thing.kind for thing in home.things}) == len(home.things)
    fixtures = [piece.fixture for piece in home.furniture if piece.fixture]
    assert len(set(fixtures)) == len(fixtures)


@pytest.mark.parametrize("seed", SEEDS)
def test_furniture_stands_within_its_room_and_in_nothing_else(seed: int) -> None:
    home = make_home(seed)
    for piece in home.furniture:
        (x, y), (left, front, right, back) = home.rooms[piece.room].centre, footprint(piece)
        assert x - ROOM_WIDTH_M / 2 <= left and right <= x + ROOM_WIDTH_M / 2
        assert y - ROOM_DEPTH_M / 2 <= front and back <= y + ROOM_DEPTH_M / 2
    for a, b in combinations(map(footprint, home.furniture), 2):
        assert a[2] <= b[0] + 1e-9 or b[2] <= a[0] + 1e-9 or a[3] <= b[1] + 1e-9 or b[3] <= a[1] + 1e-9


def test_things_lie_on_different_spots_of_surfaces() -> None:
    for seed in SEEDS:
        home = make_home(seed)
        assert len(set(home.lies)) == len(home.things)
        assert all(spot < len(list(home.furniture[piece].spots())) for piece, spot in home.lies)


def test_every_room_can_be_walked_to() -> None:
    for seed in SEEDS:
        rooms = make_home(seed).rooms
        assert all(room.doors for room in rooms)
