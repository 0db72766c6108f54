"""The app driven by a test: keys in, and the facts that were told, in order."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from textual.events import Paste
from textual.message import Message
from textual.pilot import Pilot

from store.config import Config, Model
from store.episodic import EpisodicStore
from tui import messages
from tui.app import Whereabouts

PATIENCE_S = 60.0
CONFIG = Config(model=Model("nano"))
SEEN_EVERY_SECOND = (messages.StandingSeen,)

Journey = Callable[["Driven"], Awaitable[None]]


class Driven:
    """The app while it runs, and every fact once, in the order in which they were handled."""

    def __init__(self, store: EpisodicStore, config: Config) -> None:
        self.app, self.facts = Whereabouts(store, config), list[Message]()
        self.pilot: Pilot[None]

    def note(self, message: Message) -> None:
        """The recording hook: a fact passes several widgets as it bubbles."""
        is_fact = type(message).__module__ == messages.__name__ and not isinstance(message, SEEN_EVERY_SECOND)
        if is_fact and not any(message is each for each in self.facts):
            self.facts.append(message)

    @property
    def names(self) -> list[str]:
        return [type(fact).__name__ for fact in self.facts]

    def last(self, kind: type[Message]) -> Message | None:
        return next((fact for fact in reversed(self.facts) if isinstance(fact, kind)), None)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def paste(self, text: str) -> None:
        """Into what has the focus; far quicker than key by key."""
        self.app.post_message(Paste(text))
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object], what: str = "it") -> None:
        """Wait for something to hold, and for what is shown to follow. AssertionError if it never does."""
        end_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end_s, f"waited in vain for {what}; told: {self.names}"
            await self.pilot.pause(0.02)
        await self.pilot.pause()

    async def until_told(self, kind: type[Message], times: int = 1) -> None:
        await self.until(lambda: self.names.count(kind.__name__) >= times, kind.__name__)

    def text(self, selector: str) -> str:
        """What the widgets say that a selector finds."""
        return "\n".join(str(each.render()) for each in self.app.screen.query(selector))

    def screen_text(self) -> str:
        """Every character on the screen, line by line."""
        return "\n".join(
            "".join(segment.text for segment in strip).rstrip() for strip in self.app.screen._compositor.render_strips()
        )


def drive(
    store: EpisodicStore, journey: Journey, size: tuple[int, int] = (80, 24), checkpoint: str = "nano"
) -> list[Message]:
    """Run the app over a memory for the length of a journey; returns the facts."""

    async def run() -> list[Message]:
        driven = Driven(store, replace(CONFIG, model=Model(checkpoint)))
        async with driven.app.run_test(size=size, notifications=True, message_hook=driven.note) as pilot:
            driven.pilot = pilot
            await journey(driven)
        driven.app.opened.mind.end(PATIENCE_S)  # two minds at once would load at once
        return driven.facts

    return asyncio.run(run())
