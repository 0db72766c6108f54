"""The timeline on the screen: where every key leads, and that none is ever waited for."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.events import MouseScrollDown
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import ContentSwitcher, Static

from store.config import Config, Model
from store.episodic import EpisodicStore
from store.records import Span
from store.upkeep.forgetting import forget
from store.upkeep.pins import pin
from tests.filled_memory import fill, jpeg_of
from tests.lived_days import DAY_S, HOUR_S, KEYFRAMES, MIDNIGHT, CountedStore, live, say
from tui.app import Whereabouts
from tui.messages import EndPassed, MomentOpened, MomentsFound, SearchLeft, SpanForgotten, StretchOpened, ThoughtFailed
from tui.screens import timeline
from tui.screens.timeline import Timeline
from tui.widgets.moment_row import MomentRow
from tui.widgets.moment_rows import MomentRows
from tui.widgets.search_box import SearchBox
from tui.widgets.stretch_rows import StretchRows

FACTS = (EndPassed, MomentOpened, MomentsFound, SearchLeft, StretchOpened, ThoughtFailed)
SIZE, LARGE, TINY = (80, 24), (140, 40), (20, 5)
PATIENCE_S = 20.0
DAYS = 60


class Journey:
    """A person before the timeline."""

    def __init__(self, app: Whereabouts, pilot: Pilot[None], store: CountedStore, facts: list[Message]) -> None:
        self.app, self.pilot, self.store, self.facts = app, pilot, store, facts

    @property
    def screen(self) -> Timeline:
        (screen,) = (each for each in self.app.screen_stack if isinstance(each, Timeline))
        return screen

    @property
    def shown(self) -> str | None:
        return self.screen.query_one(ContentSwitcher).current

    @property
    def days(self) -> StretchRows:
        return self.screen.query_one("#days", StretchRows)

    @property
    def hours(self) -> StretchRows:
        return self.screen.query_one("#hours", StretchRows)

    @property
    def moments(self) -> MomentRows:
        return self.screen.query_one("#moments", MomentRows)

    @property
    def found(self) -> MomentRows:
        return self.screen.query_one("#found", MomentRows)

    @property
    def told(self) -> list[type[Message]]:
        return [type(fact) for fact in self.facts]

    def text(self, selector: str) -> str:
        return str(self.screen.query_one(selector, Static).content)

    def lines(self) -> list[str]:
        """What stands on the screen."""
        return ["".join(part.text for part in line) for line in self.app.screen._compositor.render_strips()]

    async def hold(self, key: str, times: int) -> None:
        """As fast as no keyboard repeats it, until the last has come."""
        for _ in range(times):
            self.app.simulate_key(key)
        await self.press("f12")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        await self.press(*("space" if each == " " else each for each in text))

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await self.pilot.pause(0.02)

    async def into_moments(self) -> None:
        """Of the newest hour."""
        await self.press("enter")
        await self.until(lambda: self.shown == "hours")
        await self.press("enter")
        await self.until(lambda: self.shown == "moments")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For those who only look."""
    directory = tmp_path_factory.mktemp("lived") / "memory"
    live(directory, DAYS)
    return directory


@asynccontextmanager
async def before(store: CountedStore, size: tuple[int, int], checkpoint: str) -> AsyncIterator[Journey]:
    facts: list[Message] = []

    def hear(message: Message) -> None:
        if isinstance(message, FACTS) and all(message is not fact for fact in facts):  # it bubbles
            facts.append(message)

    app = Whereabouts(store, replace(Config(), model=Model(checkpoint)))
    async with app.run_test(size=size, message_hook=hear, notifications=True) as pilot:
        journey = Journey(app, pilot, store, facts)
        await journey.press("f3")
        await journey.until(lambda: isinstance(app.screen, Timeline) and journey.screen.query("#place"))
        await journey.until(lambda: journey.days.rows or journey.shown == "nothing")
        yield journey


def travel(
    directory: Path,
    journey: Callable[[Journey], Awaitable[None]],
    size: tuple[int, int] = SIZE,
    checkpoint: str = "/nowhere",
) -> None:
    """With a checkpoint that is not there, unless another is named: most of it is done without any model."""

    async def go(store: CountedStore) -> None:
        async with before(store, size, checkpoint) as each:
            await journey(each)

    with CountedStore.open(directory, encrypt=False) as store:  # closed once no thread reads any more
        asyncio.run(go(store))


def test_enter_leads_from_days_to_hours_to_moments_and_backspace_back_to_where_one_was(lived: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.press("down", "down")
        await at.until(lambda: at.text("#place") == f"All days › 3 of {DAYS}")
        await at.into_moments()
        await at.until(lambda: at.text("#place") == "All days › Fri 27 Feb 2026 › 10:00 to 11:00 › 1 of 2")
        newest = at.moments.rows[0].moment.keyframe
        await at.press("enter")
        await at.until(lambda: MomentOpened in at.told)
        assert at.told == [StretchOpened, StretchOpened, MomentOpened] and at.facts[-1].keyframe == newest
        await at.press("escape")
        await at.until(lambda: at.app.screen is at.screen)
        await at.press("backspace")
        await at.until(lambda: at.shown == "hours")
        await at.press("escape")
        await at.until(lambda: at.shown == "days")
        assert at.days.cursor == 2 and at.screen.focused is at.days

    travel(lived, journey)


def test_the_cursor_says_the_time_and_the_gap_under_it_and_enter_goes_there(lived: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.until(lambda: at.lines()[4].count("‖") == 1)
        await at.press("right")
        await at.until(lambda: "07:48 to 08:24: recorded 67% of it" in at.text("#told"))
        await at.press("right", "right", "right")
        await at.until(lambda: at.text("#told").endswith("09:36 to 10:12: recorded 33% of it, mostly paused"))
        await at.press("enter")
        await at.until(lambda: at.shown == "hours")
        assert at.hours.rows[at.hours.cursor].name == "09:00 to 10:00"
        await at.until(lambda: any("░" * 20 + "‖" * 30 in line for line in at.lines()))

    travel(lived, journey)


def test_left_goes_first_to_the_last_cell_in_which_it_was_worn_and_the_ends_hold(lived: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.until(lambda: "‖" in at.lines()[4])
        await at.press("left")
        await at.until(lambda: "10:48 to 11:24" in at.text("#told"))
        await at.hold("right", 100)
        await at.until(lambda: "23:24 to 00:00: not worn" in at.text("#told"))
        await at.hold("left", 100)
        await at.until(lambda: "00:00 to 00:36: not worn" in at.text("#told"))

    travel(lived, journey)


def test_walking_on_behind_an_end_goes_on_in_the_hour_beside(lived: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.into_moments()
        await at.press("up")
        await at.until(lambda: EndPassed in at.told)
        await at.press("end", "down")
        await at.until(lambda: "09:00 to 10:00 › 1 of 2" in at.text("#place"))
        await at.press("up")
        await at.until(lambda: "10:00 to 11:00 › 2 of 2" in at.text("#place"))
        await at.hold("down", 400)
        await at.until(lambda: "10:00 to 11:00" not in at.text("#place"))

    travel(lived, journey)


@pytest.mark.parametrize("size", [SIZE, LARGE])
def test_keys_never_wait_for_a_strip_and_of_what_they_pass_none_is_read(
    lived: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    going_on, read = threading.Event(), CountedStore.gaps

    def wait(self: CountedStore, *span: Span) -> object:
        if span:
            going_on.wait(PATIENCE_S)
        return read(self, *span)

    async def journey(at: Journey) -> None:
        await at.until(lambda: at.days._reading)
        for key in ("down", "up", "down"):
            await at.hold(key, DAYS)
        await at.until(lambda: f"{DAYS} of {DAYS}" in at.text("#place"))
        assert at.store.strips_read == 0
        going_on.set()
        await at.until(lambda: not at.days._reading)
        assert at.store.strips_read <= at.days.page + 1  # one was under way already
        assert all("‖" in line for line in at.lines()[4 : 4 + at.days.page])

    monkeypatch.setattr(CountedStore, "gaps", wait)
    travel(lived, journey, size)


def test_only_the_rows_in_sight_exist(tmp_path: Path) -> None:
    live(tmp_path / "memory", 1)
    with EpisodicStore.open(tmp_path / "memory", create=False) as store:
        row = {"began": MIDNIGHT + 10 * HOUR_S, "session": 1, "at_s": json.dumps([30 * each for each in range(2, 120)])}
        store.database.execute(KEYFRAMES, row)

    async def journey(at: Journey) -> None:
        await at.into_moments()
        await at.until(lambda: at.moments.count > 100)
        await at.hold("down", 50)
        await at.until(lambda: at.moments.cursor == 50)
        await at.pilot.pause(0.1)
        assert len(at.screen.query(MomentRow)) <= at.moments.page + 6
        await at.hold("pagedown", 100)
        await at.until(lambda: at.moments.cursor == at.moments.count - 1)
        await at.press("home")
        await at.until(lambda: any(line.startswith("▸") for line in at.lines()))
        assert at.moments.cursor == 0

    travel(tmp_path / "memory", journey)


def test_it_is_resized_at_every_zoom_and_the_cursor_stays_in_sight(lived: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.hold("down", 40)
        for level in ("days", "hours", "moments"):
            await at.until(lambda level=level: at.shown == level)
            for size in (TINY, LARGE, (30, 8), SIZE):
                await at.pilot.resize_terminal(*size)
                await at.until(lambda size=size: at.app.size == size)
                await at.until(lambda size=size: size == TINY or any(line.startswith("▸") for line in at.lines()))
            await at.press("enter")
        await at.until(lambda: MomentOpened in at.told)

    travel(lived, journey)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("2026-02-03 09:20", "All days › Tue 03 Feb 2026 › 09:00 to 10:00 › 1 of 2"),
        ("3 February 2026", "All days › Tue 03 Feb 2026 › 3 of 3"),
        ("2025-12-24", "All days › Thu 01 Jan 2026 › 3 of 3"),
        ("2026-02-03 23:00", "All days › Tue 03 Feb 2026 › 10:00 to 11:00 › 1 of 2"),
        ("January 2026", f"All days › {DAYS - 30} of {DAYS}"),
    ],
)
def test_g_goes_to_the_day_or_hour_that_is_nearest_to_what_was_typed(lived: Path, said: str, place: str) -> None:
    async def journey(at: Journey) -> None:
        await at.press("g")
        await at.write(said)
        await at.press("enter")
        await at.until(lambda: at.text("#place") == place)

    travel(lived, journey)


def test_what_is_no_time_is_said_and_t_goes_to_the_newest(lived: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.press("end")
        await at.until(lambda: at.days.cursor == DAYS - 1)
        await at.press("g")
        await at.write("soonish")
        await at.press("enter")
        await at.until(lambda: any("'soonish' is not a time." in note.title for note in at.app._notifications))
        await at.into_moments()
        assert "Thu 01 Jan 2026" in at.text("#place")
        await at.press("t")
        await at.until(lambda: at.text("#place").startswith("All days › Sun 01 Mar 2026 › 10:00 to 11:00"))

    travel(lived, journey)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Three days in which something was said."""
    directory = tmp_path / "told"
    live(directory, 3)
    with EpisodicStore.open(directory, create=False) as store:
        say(store, 0, 1, "the bus leaves at nine")
        say(store, 1, 31, "[b]BUS[/b] \x1b[2Jstop", "scene-text")
        say(store, 2, 2, "nothing of the kind")
        began = MIDNIGHT + DAY_S + 8 * HOUR_S
        pin(store, Span(began + 30, began + 60))
    return directory


def test_words_are_found_while_they_are_typed_and_pictures_that_cannot_be_are_said(told: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.press("slash")
        await at.write("bus")
        await at.until(lambda: ThoughtFailed in at.told and at.found.count == 2)
        assert at.told == [MomentsFound, ThoughtFailed] and not at.facts[0].by_pictures
        await at.until(lambda: "by words; no pictures: No checkpoint" in at.text("#findings > Static"))
        await at.until(lambda: any("◆ pinned" in line for line in at.lines()))
        screen = "\n".join(at.lines())
        assert "said: the bus leaves at nine" in screen and "read: [b]BUS[/b] [2Jstop" in screen
        await at.press("escape")
        await at.until(lambda: at.told[-1] is SearchLeft and at.shown == "days")
        assert at.screen.query_one(SearchBox).value == "" and at.screen.focused is at.days

    travel(told, journey)


def test_a_time_in_the_search_restricts_it_and_one_alone_lists_what_was_then(told: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.press("slash")
        await at.write("bus on 2026-01-02")
        await at.until(lambda: at.found.count == 1)
        assert at.found.rows[0].words[0].source == "scene-text"
        await at.press("enter")
        await at.until(lambda: at.screen.focused is at.found)
        await at.press("enter")
        await at.until(lambda: at.told[-1] is MomentOpened)
        await at.press("escape", "escape", "slash")
        await at.write("on 2026-01-03")
        await at.until(lambda: at.found.count == 6)

    travel(told, journey)


def test_nothing_found_is_said_with_what_was_looked_through(told: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.press("slash")
        await at.write("giraffe on 2026-01-02")
        await at.until(lambda: "no pictures" in at.text("#findings > Static"))
        said = at.text("#findings > Static")
        assert 'No moment found for "giraffe on 2026-01-02"' in said and "said, read or noted: 1. Recorded" in said
        assert "Recorded 2 h 10 min of 3 h 0 min worn" in said

    travel(told, journey)


def test_the_pictures_follow_from_the_mind_and_the_newest_search_wins(tmp_path: Path, tiny_folder: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:
        fill(store)

    async def journey(at: Journey) -> None:
        await at.until(lambda: at.app.answers.startswith("tiny"))
        await at.until(lambda: at.store.count() == at.store.embedded_count(at.store.checkpoints()[0]))
        await at.press("slash")
        await at.write("wallet")
        await at.until(lambda: MomentsFound in at.told)
        earlier = at.screen.query_one(SearchBox)._search
        await at.write(" keys")
        await at.until(lambda: at.facts[-1].query == "wallet keys" and at.facts[-1].by_pictures)
        assert earlier.stopped.is_set()
        await at.until(lambda: "by words and pictures" in at.text("#findings > Static"))
        assert any(row.seen for row in at.found.rows)

    travel(tmp_path / "memory", journey, checkpoint=str(tiny_folder))


def test_an_empty_memory_says_how_to_record_and_fills_while_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "LOOK_EVERY_S", 0.05)

    async def journey(at: Journey) -> None:
        assert at.shown == "nothing" and "whereabouts record usb:0" in at.text("#nothing")
        session = at.store.begin_session("glasses", MIDNIGHT, 0, 1.0)
        at.store.beat(session.id, MIDNIGHT + 60)
        await at.until(lambda: at.shown == "days" and at.days.count == 1)
        await at.until(lambda: "recorded 1 min 0 s" in at.text("#told"))
        at.store.beat(session.id, MIDNIGHT + 120)
        await at.until(lambda: "recorded 2 min 0 s" in at.text("#told"))

    travel(tmp_path / "memory", journey)


def test_while_today_grows_no_other_day_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "LOOK_EVERY_S", 0.05)
    live(tmp_path / "memory", 10)

    async def journey(at: Journey) -> None:
        now = MIDNIGHT + 10 * DAY_S
        session = at.store.begin_session("glasses", now, 0, 1.0)
        at.store.beat(session.id, now + 60)
        await at.until(lambda: at.days.count == 11 and at.days.rows[0].recorded_s == 60)
        await at.until(lambda: not at.days._wished())
        before = at.store.strips_read
        at.store.beat(session.id, now + 3600)
        await at.until(lambda: at.days.rows[0].recorded_s == 3600)
        await at.until(lambda: not at.days._wished())
        assert at.store.strips_read - before == 1

    travel(tmp_path / "memory", journey)


def test_what_is_forgotten_is_let_go_wherever_one_is(tmp_path: Path) -> None:
    directory = tmp_path / "memory"
    with EpisodicStore.open(directory, encrypt=False) as store:
        fill(store)

    async def journey(at: Journey) -> None:
        await at.into_moments()
        assert at.moments.count == 4
        receipt = forget(at.store, [at.store.span()])
        at.app.post_message(SpanForgotten(receipt))
        await at.until(lambda: at.shown == "nothing" and not at.moments.rows)
        assert not at.screen.query(MomentRow) and not at.days.rows and not at.hours.rows
        await at.press("backspace")
        await at.until(lambda: len(at.screen.path) == 1)
        await at.press("backspace")
        await at.until(lambda: at.screen.path == ())

    travel(directory, journey)


def test_a_click_selects_a_second_one_opens_and_the_wheel_scrolls(lived: Path) -> None:
    async def journey(at: Journey) -> None:
        await at.until(lambda: "‖" in at.lines()[6])
        x, y = at.lines()[6].index("‖"), 6
        await at.pilot.click(offset=(x, y))
        await at.until(lambda: at.days.cursor == 2 and "mostly paused" in at.text("#told"))
        await at.pilot.click(offset=(x, y))
        await at.until(lambda: at.shown == "hours")
        assert at.hours.rows[at.hours.cursor].name == "09:00 to 10:00"
        await at.press("backspace")
        await at.until(lambda: at.shown == "days")
        at.days.post_message(MouseScrollDown(at.days, 5, 5, 0, 0, 0, False, False, False))
        await at.until(lambda: at.days.scroll_offset.y > 0)
        assert at.days.cursor == 2

    travel(lived, journey)


def test_a_picture_of_a_moment_is_drawn_beside_its_words(tmp_path: Path) -> None:
    with EpisodicStore.open(tmp_path / "memory", encrypt=False) as store:
        session = store.begin_session("glasses", MIDNIGHT, 0, 1.0)
        store.add_keyframe(session.id, MIDNIGHT + 1, 0, jpeg_of("red", (64, 48)), 64, 48, 1.0)
        store.end_session(session.id, MIDNIGHT + 60, "stopped")

    async def journey(at: Journey) -> None:
        await at.into_moments()
        await at.until(lambda: any("▀▀▀" in line and "00:00:01" in line for line in at.lines()))

    travel(tmp_path / "memory", journey)
