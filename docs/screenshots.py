"""The pictures of the README: the app drives itself over the demo's home and exports what it shows.

    python docs/screenshots.py

Writes ask.svg, not-seen.svg, moment.svg and timeline.svg beside this file. The home is simulated, the recorder, the
memory and the nano checkpoint are real. Fonts are the reader's own: nothing is fetched by who looks at them.
"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.events import Paste
from textual.pilot import Pilot

from store.config import Config
from store.episodic import EpisodicStore
from tui.app import Whereabouts
from tui.demo import WALLET, record_morning
from tui.widgets.still import Still

SIZE, PATIENCE_S = (110, 32), 120.0
FETCHED_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """TimeoutError if it does not hold in time."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await pilot.pause(0.1)
    await pilot.pause(1.0)  # what is read in threads


async def take(app: Whereabouts, pilot: Pilot[None], name: str) -> None:
    svg = FETCHED_FONTS.sub("", app.export_screenshot(title="whereabouts tui"))
    Path(__file__).with_name(f"{name}.svg").write_text(svg)


async def ask(app: Whereabouts, pilot: Pilot[None], question: str, how: str) -> None:
    app.post_message(Paste(question))
    await pilot.press("enter")
    await until(pilot, lambda: app.screen.query(f"Exchange.{how} ScoreCurve"))
    await until(pilot, lambda: all(still._rows for still in app.screen.query(Still)))


async def walk(app: Whereabouts, pilot: Pilot[None]) -> None:
    """Ask, open the evidence, look at the day."""
    await ask(app, pilot, WALLET, "-seen")
    await take(app, pilot, "ask")
    await pilot.press("tab", "enter")
    await until(pilot, lambda: getattr(app.screen, "sight", None))
    await take(app, pilot, "moment")
    await pilot.press("escape", "f3")
    await until(pilot, lambda: app.screen.query("StretchRows"))
    await pilot.press("enter")
    await pilot.pause(1.0)
    await pilot.press("enter")
    await until(pilot, lambda: app.screen.query("MomentRow"))
    await take(app, pilot, "timeline")
    await pilot.press("f2", "escape")
    await ask(app, pilot, "where did I put my glasses?", "-unseen")
    await take(app, pilot, "not-seen")


async def main() -> None:
    with TemporaryDirectory() as folder, EpisodicStore.open(Path(folder) / "memory", encrypt=False) as store:
        record_morning(store)
        app = Whereabouts(store, Config())
        async with app.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: app.answers == "nano")  # all is indexed
            await walk(app, pilot)


if __name__ == "__main__":
    asyncio.run(main())
