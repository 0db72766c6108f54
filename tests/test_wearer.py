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


def lies(wearer: Wearer, act: Act, at_s: float) -> bool:
    """Whether the act's thing lies anywhere at this second."""
    return any(placed.thing == act.thing for placed in wearer.view(at_s).placed)


@pytest.mark.parametrize("seed", range(12))
def test_a_thing_put_down_lies_there_until_it_is_picked_up_and_one_picked_up_lay_there(seed: int) -> None:
    wearer = day(seed)
    moves = [act for act in wearer.acts if act.thing is not None]
    assert len(moves) >= 6
    for i, act in enumerate(moves):
        put = act.verb == "put"
        assert lies_on(wearer, act, act.end_s) == put
        assert lies_on(wearer, act, act.start_s) == (not put)
        later = next((move.start_s for move in moves[i + 1 :] if move.thing == act.thing), act.end_s + 60)
        assert not put or lies_on(wearer, act, later)


def test_what_is_in_the_pocket_lies_nowhere_until_it_is_put_down() -> None:
    pocketed, carried = 0, 0
    for seed in range(12):
        wearer = day(seed)
        moves = [act for act in wearer.acts if act.thing is not None]
        for thing in {act.thing for act in moves}:
            own = [act for act in moves if act.thing == thing]
            assert all(one.verb != other.verb for one, other in zip(own, own[1:], strict=False))
            if own[0].verb == "put":  # it came in the pocket
                carried += 1
                assert not lies(wearer, own[0], 0.0)
            for one, other in zip(own, own[1:], strict=False):
                if one.verb == "pick up":
                    pocketed += any(one.end_s < act.start_s < other.start_s for act in moves)
                    assert not lies(wearer, one, (one.end_s + other.start_s) / 2)
    assert pocketed and carried >= 3


@pytest.mark.parametrize("seed", range(12))
def test_the_hand_that_acts_is_in_view_throughout_and_holds_the_thing_at_some_moment_of_every_move(seed: int) -> None:
    wearer = day(seed)
    for act in wearer.acts:
        views = [wearer.view(act.start_s + (act.end_s - 0.3 - act.start_s) * i / 20) for i in range(21)]
        assert all([hand.side for hand in view.hands] == [act.hand] for view in views)  # it may be down 0.3 s before
        held = [hand.holds for view in views for hand in view.hands]
        assert act.thing in held if act.thing is not None else set(held) == {None}


def test_both_hands_are_used_for_every_kind_of_act() -> None:
    used = {(act.verb, act.hand) for seed in range(24) for act in day(seed).acts}
    assert len(used) == 2 * len({verb for verb, _ in used}) == 12


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
