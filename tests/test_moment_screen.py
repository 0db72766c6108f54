"""The moment on the screen: every key leads where it says, and what is destroyed is nowhere on it any more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Button, Static

from store.config import Config
from store.episodic import EpisodicStore
from store.layout import UPKEEP
from store.lock import RecordingLock
from store.plain.folder import is_export
from store.records import Keyframe
from store.spans import moment_span
from store.upkeep.backup import backup
from store.upkeep.forgetting import forget
from store.upkeep.pins import pins
from tests.filled_memory import BERLIN_S, START, add_picture, fill
from tui.app import Whereabouts
from tui.messages import MomentExported, MomentOpened, MomentPinned, NoteWritten, SpanForgotten
from tui.screens.forgetting import ForgettingScreen
from tui.screens.moment import MomentScreen
from tui.widgets.asked_line import AskedLine
from tui.widgets.still import Still

FACTS = (MomentExported, MomentPinned, NoteWritten, SpanForgotten)
SIZE = 100, 30
PATIENCE_S = 20.0
Opener = Callable[[list[Keyframe]], Keyframe]  # which keyframe somebody opened


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    with EpisodicStore.open(tmp_path / "memory") as store:
        fill(store)
    return tmp_path / "memory"


class Journey:
    """A person before the moment of a keyframe."""

    def __init__(self, app: Whereabouts, pilot: Pilot[None], store: EpisodicStore, facts: list[Message]) -> None:
        self.app, self.pilot, self.store, self.facts = app, pilot, store, facts

    @property
    def screen(self) -> MomentScreen:
        (screen,) = (each for each in self.app.screen_stack if isinstance(each, MomentScreen))
        return screen

    @property
    def at(self) -> int:
        return self.screen.sight.keyframe.id if self.screen.sight else 0

    def text(self, selector: str, screen: MomentScreen | ForgettingScreen | None = None) -> str:
        return str((screen or self.screen).query_one(selector, Static).content)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    def hold(self, key: str, times: int) -> None:
        """As fast as no keyboard repeats it."""
        for _ in range(times):
            self.app.simulate_key(key)

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await self.pilot.pause(0.02)

    async def dialog(self) -> ForgettingScreen:
        """The one that `d` opens, once it has counted."""
        await self.press("d")
        await self.until(lambda: isinstance(self.app.screen, ForgettingScreen))
        screen = self.app.screen
        assert isinstance(screen, ForgettingScreen)
        await self.until(lambda: "keyframes" in self.text("#told", screen))
        return screen


@asynccontextmanager
async def journey(memory: Path, opened: Opener, size: tuple[int, int]) -> AsyncIterator[Journey]:
    facts: list[Message] = []

    def note(message: Message) -> None:
        if isinstance(message, FACTS) and all(message is not known for known in facts):  # it passes many widgets
            facts.append(message)

    config = Config(model=replace(Config().model, checkpoint="/nowhere"))
    with EpisodicStore.open(memory) as store:
        app = Whereabouts(store, config)
        async with app.run_test(size=size, message_hook=note) as pilot:
            keyframe = opened(store.keyframes())
            app.post_message(MomentOpened(keyframe))
            walker = Journey(app, pilot, store, facts)
            await walker.until(lambda: isinstance(app.screen, MomentScreen))
            await walker.until(lambda: walker.screen.sight)
            yield walker


def travel(
    memory: Path,
    steps: Callable[[Journey], Awaitable[None]],
    opened: Opener = lambda keyframes: keyframes[0],
    size: tuple[int, int] = SIZE,
) -> None:
    async def go() -> None:
        async with journey(memory, opened, size) as walker:
            await steps(walker)

    asyncio.run(go())


def test_it_says_when_and_where_what_was_said_read_and_noted(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        facts, words = walker.text("Facts"), walker.text("Words Static")
        assert "09:15:01 Friday, 20 November 2026" in facts and "2 of 10 of the day  ▪ small picture" in facts
        assert f"keyframe {walker.at}, 40 x 30 px" in facts and "camera glasses in the Küche" in facts
        assert "♪ said  Tom & Jerry: <b>5 > 3</b> --> 00:00.000 --> ok" in words and "¶ read  EXIT" in words
        await walker.until(lambda: walker.screen.query_one(Still).render_line(5).text.strip())

    travel(memory, steps, lambda keyframes: keyframes[1])


def test_left_and_right_lead_from_frame_to_frame_and_say_what_lies_between(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        frames = [each.id for each in walker.store.keyframes()]
        assert "← the first keyframe" in walker.text("Facts")
        await walker.press(*["right"] * 4)
        await walker.until(lambda: walker.at == frames[4])
        assert "→ gap of 10 s: lens covered" in walker.text("Facts")
        await walker.press("right", "right")
        await walker.until(lambda: walker.at == frames[6])
        assert "← another session, 4 s away: glasses" in walker.text("Facts")
        await walker.press("left")
        await walker.until(lambda: walker.at == frames[5])
        assert "→ another session, 4 s away: phone" in walker.text("Facts")

    travel(memory, steps)


def test_a_key_that_is_held_ends_on_the_right_frame_and_stays_at_the_end(memory: Path) -> None:
    with EpisodicStore.open(memory) as store:
        session = store.begin_session("glasses", START + 200, BERLIN_S, 1.0)
        frames = [add_picture(store, session.id, 200 + at, BERLIN_S, (32, 24)) for at in range(90)]
        store.end_session(session.id, START + 300, "stopped")

    async def steps(walker: Journey) -> None:
        walker.hold("right", 57)
        await walker.until(lambda: walker.at == frames[57])
        walker.hold("left", 7)
        walker.hold("right", 1)
        await walker.until(lambda: walker.at == frames[51])
        await walker.until(lambda: walker.screen.query_one(Still)._shown[0] == walker.store.keyframe(frames[51]))
        walker.hold("right", 99)
        await walker.until(lambda: walker.at == frames[-1])
        assert "→ the newest keyframe" in walker.text("Facts")

    travel(memory, steps, lambda keyframes: next(each for each in keyframes if each.id == frames[0]))


def test_up_and_down_lead_from_moment_to_moment_and_home_and_end_through_the_day(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        frames = [each.id for each in walker.store.keyframes()]
        bests = [each.keyframe.id for each in walker.store.moments(newest_first=False)]
        await walker.press("down")
        await walker.until(lambda: walker.at == bests[1])
        await walker.press("down")
        await walker.until(lambda: walker.at == bests[2])
        await walker.press("up", "up")
        await walker.until(lambda: walker.at == bests[0])
        await walker.press("end")
        await walker.until(lambda: walker.at == frames[-1])
        await walker.press("home")
        await walker.until(lambda: walker.at == frames[0])

    travel(memory, steps)


def test_what_is_being_recorded_is_found_by_a_later_press(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        session = walker.store.begin_session("live", START + 400, BERLIN_S, 1.0)
        await walker.press("right")
        await walker.until(lambda: not walker.screen._is_looking)
        newest = walker.at
        added = add_picture(walker.store, session.id, 400, BERLIN_S, (32, 24))
        assert walker.at == newest
        await walker.press("right")
        await walker.until(lambda: walker.at == added)

    travel(memory, steps, lambda keyframes: keyframes[-1])


def test_a_moment_is_pinned_and_let_go_again(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        span = moment_span(walker.at)
        assert "pinned" not in walker.text("Facts")
        await walker.press("p")
        await walker.until(lambda: "◆ pinned" in walker.text("Facts"))
        await walker.press("p")
        await walker.until(lambda: "pinned" not in walker.text("Facts"))
        assert walker.facts == [MomentPinned(span, True), MomentPinned(span, False)]
        assert len(pins(walker.store)) == 1

    travel(memory, steps, lambda keyframes: keyframes[-1])


def test_a_note_is_written_changed_and_taken_away(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        line = walker.screen.query_one("#note", AskedLine)
        await walker.press("n", *"lent", "enter")
        await walker.until(lambda: "✎ noted  lent" in walker.text("Words Static"))
        await walker.press("n")
        assert line.value == "lent"
        await walker.press(*"s", "up", "escape")
        await walker.press("n", *"!", "enter")
        await walker.until(lambda: "✎ noted  lent!" in walker.text("Words Static"))
        assert [row.text for row in walker.store.notes_of(walker.at)] == ["lent!"]
        await walker.press("n", *["backspace"] * 5, "enter")
        await walker.until(lambda: "noted" not in walker.text("Words Static"))
        assert walker.store.notes_of(walker.at) == []
        assert [fact.text for fact in walker.facts if isinstance(fact, NoteWritten)] == ["lent", "lent!", ""]

    travel(memory, steps)


def test_a_moment_is_exported_into_a_folder_that_is_asked_for(memory: Path, tmp_path: Path) -> None:
    async def steps(walker: Journey) -> None:
        await walker.press("x")
        line = walker.screen.query_one("#folder", AskedLine)
        assert line.value == "~/whereabouts-2026-11-20-091500" and "not encrypted" in str(line.border_title)
        line.value = str(tmp_path / "plain")
        await walker.press("enter")
        await walker.until(lambda: walker.facts)
        assert walker.facts == [MomentExported(str(tmp_path / "plain"))]
        assert is_export(tmp_path / "plain") and len(list((tmp_path / "plain").rglob("*.jpg"))) == 5
        await walker.press("x")
        line.value = str(tmp_path / "plain")
        await walker.press("enter")
        await walker.until(lambda: walker.app._notifications)
        assert any("is not an empty folder" in each.title for each in walker.app._notifications)

    travel(memory, steps)


def test_forgetting_is_cancelled_by_whatever_is_nearest(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        for way_out in ("enter", "escape"):
            await walker.dialog()
            assert walker.app.focused and walker.app.focused.id == "cancel"
            await walker.press(way_out)
            await walker.until(lambda: walker.app.screen is walker.screen)
        assert walker.store.count() == 10 and walker.facts == []

    travel(memory, steps)


def test_the_counts_follow_the_scope_and_what_was_counted_is_destroyed(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        screen = await walker.dialog()
        assert "5 keyframes" in walker.text("#told", screen)
        await walker.press("right")
        await walker.until(lambda: "09:00:00 to 10:00:00" in walker.text("#told", screen))
        assert "10 keyframes" in walker.text("#told", screen)
        await walker.press("right")
        await walker.until(lambda: "09:15:00 to 09:16:00" in walker.text("#told", screen))
        await walker.press("left", "left")
        await walker.until(lambda: "5 keyframes" in walker.text("#told", screen))
        await walker.press("D")
        await walker.until(lambda: "Forgotten at" in walker.text("#told", screen))
        fact = walker.facts[0]  # and once more when the app sees that something is gone
        assert isinstance(fact, SpanForgotten) and fact.receipt and fact.receipt.destroyed.keyframes == 5
        await walker.press("enter")
        await walker.until(lambda: walker.at == walker.store.keyframes()[0].id)
        assert walker.store.count() == 5 and "♪" not in walker.text("Words Static")

    travel(memory, steps)


def test_what_is_being_destroyed_cannot_be_cancelled_and_says_so(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        screen = await walker.dialog()
        with RecordingLock(memory / UPKEEP).held():
            await walker.press("D")
            await walker.until(lambda: "⧗ Destroying" in walker.text("#told", screen))
            await walker.press("escape", "D", "right")
            assert walker.app.screen is screen and "⧗ Destroying" in walker.text("#told", screen)
        await walker.until(lambda: "Forgotten at" in walker.text("#told", screen))
        assert walker.store.count() == 5

    travel(memory, steps)


def test_a_backup_that_is_away_is_named_before_and_after(memory: Path, tmp_path: Path) -> None:
    with EpisodicStore.open(memory) as store:
        (tmp_path / "disk").mkdir()
        backup(store, tmp_path / "disk" / "backup")
    (tmp_path / "disk").rename(tmp_path / "away")

    async def steps(walker: Journey) -> None:
        screen = await walker.dialog()
        assert "but not in the backup" in walker.text("#told", screen)
        await walker.press("tab")
        assert screen.focused is screen.query_one("#destroy", Button)
        await walker.press("enter")
        await walker.until(lambda: "NOT forgotten in the backup" in walker.text("#told", screen))

    travel(memory, steps)


def test_where_nothing_is_left_it_closes(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        screen = await walker.dialog()
        await walker.press("right")
        await walker.until(lambda: "10 keyframes" in walker.text("#told", screen))
        await walker.press("D")
        await walker.until(lambda: "Forgotten at" in walker.text("#told", screen))
        await walker.press("escape")
        await walker.until(lambda: not any(isinstance(each, MomentScreen) for each in walker.app.screen_stack))

    travel(memory, steps)


def test_what_is_forgotten_elsewhere_goes_and_what_is_left_comes_up(memory: Path) -> None:
    async def steps(walker: Journey) -> None:
        gone = walker.at
        await walker.until(lambda: walker.screen.query_one(Still)._shown[0])
        with EpisodicStore.open(memory) as elsewhere:
            forget(elsewhere, [moment_span(gone)])
        await walker.until(lambda: walker.at == walker.store.keyframes()[0].id)
        await walker.until(lambda: walker.screen.query_one(Still)._shown[0] == walker.store.keyframes()[0])

    travel(memory, steps)


def test_a_damaged_picture_says_so_in_its_place(memory: Path) -> None:
    (pack,) = sorted((memory / "packs").glob("*.pack"))
    pack.write_bytes(bytes(len(pack.read_bytes())))

    async def steps(walker: Journey) -> None:
        still = walker.screen.query_one(Still)
        await walker.until(lambda: str(walker.at) in still.render_line(0).text)
        await walker.press("right")  # a small picture, which lies elsewhere
        await walker.until(lambda: "▀" in still.render_line(5).text)

    travel(memory, steps)


@pytest.mark.parametrize("size", [(20, 5), (40, 14), (80, 24), (140, 40), (140, 9)])
def test_it_fits_every_screen(memory: Path, size: tuple[int, int]) -> None:
    async def steps(walker: Journey) -> None:
        assert walker.screen.query_one("Facts").region.width > 0
        await walker.dialog()
        for small in ((20, 5), (200, 60), size):
            await walker.pilot.resize_terminal(*small)
            await walker.pilot.pause()
        await walker.press("escape", "right", "escape")
        await walker.until(lambda: not any(isinstance(each, MomentScreen) for each in walker.app.screen_stack))

    travel(memory, steps, size=size)
