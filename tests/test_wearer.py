"""The wearer's day: what is narrated is what happens, and any second can be asked for in any order."""

from math import hypot

import pytest

from device.simulated.home import FIXTURES, ROOM_DEPTH_M, ROOM_WIDTH_M, make_home
from device.simulated.script import Act
from device.simulated.wearer import Wearer

DAY_S = 180.0


def day(seed: int) -> Wearer:
    return Wearer(make_home(seed), DAY_S)


def lies_on(wearer: Wearer, act: Act, at_s: float) -> bool:
    """Whether the act's thing lies on the act's furniture at this second."""
    spots = list(wearer.home.furniture[act.furniture].spots())
    return any(
        placed.thing == act.thing
        and any(hypot(placed.position[0] - x, placed.position[1] - y) < 0.1 for x, y, _ in spots)
        for placed in wearer.view(at_s).placed
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_thing_put_down_lies_there_afterwards_and_one_picked_up_did_before(seed: int) -> None:
    wearer = day(seed)
    moves = [act for act in wearer.acts if act.thing is not None]
    assert len(moves) >= 6
    for act in moves:
        put = act.verb == "put"
        assert lies_on(wearer, act, act.end_s) == put
        assert lies_on(wearer, act, act.start_s) == (not put)


@pytest.mark.parametrize("seed", range(12))
def test_the_hand_that_acts_is_in_view_and_holds_the_thing_at_some_moment_of_every_move(seed: int) -> None:
    wearer = day(seed)
    for act in wearer.acts:
        views = [wearer.view(act.start_s + (act.end_s - act.start_s) * i / 20) for i in range(21)]
        hands = [hand for view in views for hand in view.hands]
        assert hands and {hand.side for hand in hands} == {act.hand}
        assert act.thing is None or act.thing in {hand.holds for hand in hands}


def test_fixtures_are_set_before_they_are_unset() -> None:
    unset = {name: verbs[1] for name, verbs in FIXTURES.items()}
    for seed in range(12):
        wearer = day(seed)
        state: dict[int, bool] = {}
        for act in (act for act in wearer.acts if act.thing is None):
            fixture = wearer.home.furniture[act.furniture].fixture
            was_on = state.get(act.furniture, False)
            assert (act.verb == unset[fixture or ""]) == was_on
            state[act.furniture] = not was_on
            assert (act.furniture in wearer.view(act.end_s).active) == (not was_on)


def test_the_wearer_stays_in_the_home_and_walks_no_faster_than_a_person() -> None:
    wearer = day(3)
    before = wearer.view(0.0)
    for tick in range(1, int(DAY_S * 10)):
        view = wearer.view(tick / 10)
        x, y = wearer.home.rooms[view.room].centre
        assert abs(view.eye[0] - x) <= ROOM_WIDTH_M / 2 and abs(view.eye[1] - y) <= ROOM_DEPTH_M / 2
        assert hypot(view.eye[0] - before.eye[0], view.eye[1] - before.eye[1]) < 0.2
        before = view


def test_the_same_seed_gives_the_same_day_asked_in_any_order() -> None:
    one, other = day(5), day(5)
    assert one.acts == other.acts
    assert [one.view(t) for t in (100.0, 3.5, 57.2)] == [other.view(t) for t in (100.0, 3.5, 57.2)]
