"""Events: what the simulated home narrates is read back, word for word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.training.data_engine import Narration
from assistant.training.events import ROOMS, UNSET, Event, read_events
from device.simulated.home import FIXTURES, ROOM_KINDS, make_home
from device.simulated.narrations import narrate
from device.simulated.wearer import Wearer


@pytest.mark.parametrize(
    ("sentence", "event"),
    [
        (
            "I put the red wallet on the living room coffee table with my left hand",
            Event(0, "put", "wallet", "red", "on", "living room coffee table", "left"),
        ),
        (
            "I pick up the blue pill box from the kitchen washing machine with my right hand",
            Event(0, "pick up", "pill box", "blue", "from", "kitchen washing machine", "right"),
        ),
        ("I put the red wallet on the office desk", Event(0, "put", "wallet", "red", "on", "office desk")),
        ("I turn off the lamp with my left hand", Event(0, "turn off", "lamp", hand="left")),
        ("I open the fridge", Event(0, "open", "fridge")),
    ],
)
def test_a_sentence_is_read_as_its_event(sentence: str, event: Event) -> None:
    assert read_events([Narration(0, 1, sentence)]) == [event]


@pytest.mark.parametrize("sentence", ["I look about", "put the red wallet on the desk", "I put the red wallet", ""])
def test_a_sentence_that_says_no_event_is_left_out_and_the_others_keep_their_numbers(sentence: str) -> None:
    told = [Narration(0, 1, sentence), Narration(2, 3, "I open the fridge")]
    assert [event.index for event in read_events(told)] == [1]


@pytest.mark.parametrize(
    ("place", "room"),
    [("kitchen table", "kitchen"), ("living room coffee table", "living room"), ("dining room stool", "dining room")],
)
def test_an_event_knows_its_room_and_how_its_thing_is_called(place: str, room: str) -> None:
    event = Event(0, "put", "wallet", "red", "on", place)
    assert event.room == room and event.name == "red wallet"
    assert Event(0, "open", "fridge").room == "" and Event(0, "open", "fridge").name == "fridge"


def test_the_homes_rooms_and_fixtures_are_the_ones_that_are_read() -> None:
    assert set(ROOMS) == set(ROOM_KINDS)
    assert set(UNSET.items()) == set(FIXTURES.values())


@given(st.integers(0, 5000))
def test_every_act_of_any_home_is_read_back(seed: int) -> None:
    home = make_home(seed)
    acts = Wearer(home, 90.0).acts
    events = read_events([Narration(act.start_s, act.end_s, narrate(home, act)) for act in acts])
    assert len(events) == len(acts)
    for act, event in zip(acts, events, strict=True):
        piece = home.furniture[act.furniture]
        assert (event.verb, event.hand) == (act.verb, act.hand)
        if act.thing is None:
            assert event.thing == piece.fixture
        else:
            assert event.name == home.things[act.thing].name and event.place == home.place_name(act.furniture)
            assert event.room == home.rooms[piece.room].kind
