"""A keyframe's picture on the screen: in characters, in shades and in pixels, and always the one that is wanted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget
from textual_image.widget import SixelImage, TGPImage

from store.config import Config
from store.episodic import EpisodicStore
from store.records import Keyframe
from tests.filled_memory import fill, jpeg_of
from tui.mind import Mind
from tui.opened import Opened
from tui.widgets.still import Still

PATIENCE_S = 10.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as store:
        fill(store)
        yield store


class Wall(App[None]):
    """Nothing but a picture of 60 x 20 cells."""

    CSS = "Still { width: 60; height: 20; }"

    def __init__(self, store: EpisodicStore, keyframe: Keyframe, pixels: type[Widget] | None) -> None:
        super().__init__()
        self._opened = Opened(store, Mind(store.directory, Config(), self), Config(), pixels)
        self._keyframe = keyframe

    def compose(self) -> ComposeResult:
        yield Still(self._opened, self._keyframe)


Look = Callable[[Pilot[None], Still], Awaitable[None]]


def hung(store: EpisodicStore, keyframe: Keyframe, look: Look, pixels: type[Widget] | None = None) -> None:
    async def go() -> None:
        async with Wall(store, keyframe, pixels).run_test(size=(80, 24)) as pilot:
            still = pilot.app.query_one(Still)
            async with asyncio.timeout(PATIENCE_S):
                while still._shown[0] != still.keyframe:
                    await pilot.pause(0.01)
                await look(pilot, still)

    asyncio.run(go())


def marks(still: Still) -> list[str]:
    return [still.render_line(y).text for y in range(still.size.height)]


def test_half_blocks_fill_the_place_without_distortion(store: EpisodicStore) -> None:
    async def look(pilot: Pilot[None], still: Still) -> None:
        rows = marks(still)
        assert {len(row) for row in rows} == {60} and {row.strip() for row in rows} == {"▀" * 53}
        assert all(row.startswith(" " * 3) for row in rows)

    hung(store, store.keyframes()[0], look)  # 160 x 120 pixels


def test_a_tall_picture_is_as_high_as_its_place_and_no_wider_than_it_is(store: EpisodicStore) -> None:
    async def look(pilot: Pilot[None], still: Still) -> None:
        assert {row.strip() for row in marks(still)} == {"▀" * 26}

    hung(store, store.keyframes()[6], look)  # 64 x 98 pixels


def test_without_colours_it_is_drawn_in_shades(store: EpisodicStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def look(pilot: Pilot[None], still: Still) -> None:
        assert {mark for row in marks(still) for mark in row} <= set(" ░▒▓█")
        assert any(row.strip() for row in marks(still))

    hung(store, store.keyframes()[0], look)


@pytest.mark.parametrize("pixels", [TGPImage, SixelImage])
def test_where_the_terminal_shows_pixels_they_are_not_distorted_either(
    store: EpisodicStore, pixels: type[Widget]
) -> None:
    async def look(pilot: Pilot[None], still: Still) -> None:
        (shown,) = still.query_children(pixels)
        while not shown.region.area:
            await pilot.pause(0.01)
        cell_px = 10, 20  # of a terminal that does not say
        across, down = shown.region.width * cell_px[0], shown.region.height * cell_px[1]
        assert across / down == pytest.approx(160 / 120, rel=0.05)
        assert shown.region.height == 20 and shown.region.x == (60 - shown.region.width) // 2
        assert shown.image.size == (160, 120)  # type: ignore[attr-defined]
        still.keyframe = None
        await pilot.pause()
        assert shown.image is None  # type: ignore[attr-defined]

    hung(store, store.keyframes()[0], look, pixels)


@pytest.mark.parametrize("pixels", [None, TGPImage])
def test_what_is_damaged_says_so_in_its_place(store: EpisodicStore, pixels: type[Widget] | None) -> None:
    keyframe = store.keyframes()[0]
    for pack in (store.directory / "packs").glob("*.pack"):
        pack.write_bytes(bytes(pack.stat().st_size))

    async def look(pilot: Pilot[None], still: Still) -> None:
        assert f"{keyframe.id}" in " ".join(marks(still))

    hung(store, keyframe, look, pixels)


def test_bytes_that_are_no_picture_are_no_crash(store: EpisodicStore) -> None:
    session = store.sessions()[-1]
    strange = [
        store.add_keyframe(session.id, session.started_at + at, 3600, content, 32, 24, 0.0)
        for at, content in enumerate([b"no picture at all", jpeg_of("red", (320, 240))[:700]])
    ]

    async def look(pilot: Pilot[None], still: Still) -> None:
        for keyframe in strange:
            still.keyframe = keyframe
            while still._shown[0] != keyframe:
                await pilot.pause(0.01)
            assert "This is no picture" in marks(still)[0]

    hung(store, store.keyframes()[0], look)


def test_whoever_walks_fast_ends_on_the_right_picture(store: EpisodicStore) -> None:
    async def look(pilot: Pilot[None], still: Still) -> None:
        keyframes = store.keyframes()
        for each in 20 * keyframes:
            still.keyframe = each
        assert sum(worker.group == "look" for worker in pilot.app.workers) <= 1
        while still._shown[0] != keyframes[-1]:
            await pilot.pause(0.01)
        still.keyframe = None
        await pilot.pause()
        assert not any(row.strip() for row in marks(still))

    hung(store, store.keyframes()[0], look)
