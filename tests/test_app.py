"""What works everywhere in the app: modes, recorder, help, palette, status page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.command import CommandPalette

from store.episodic import EpisodicStore
from tests.driven_app import Driven, drive
from tests.filled_memory import fill
from tui.messages import CheckpointLoaded, RecorderHeld


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodicStore]:
    with EpisodicStore.open(tmp_path / "memory") as opened:
        fill(opened)
        yield opened


@pytest.mark.parametrize(("key", "do", "reason"), [("f5", "pause", "paused"), ("f6", "private", "private")])
def test_one_key_holds_the_recorder_and_the_same_lets_it_go_on(
    store: EpisodicStore, key: str, do: str, reason: str
) -> None:
    async def journey(driven: Driven) -> None:
        await driven.until(lambda: "not recording" in driven.text("StatusLine"), "the state")
        await driven.press(key)
        await driven.until(lambda: f"not recording, {reason}" in driven.text("StatusLine"), "the hold")
        assert (hold := store.hold()) is not None and hold.reason == reason
        await driven.press(key)
        await driven.until(lambda: store.hold() is None, "the resumption")
        await driven.until_told(RecorderHeld, 2)
        held = [fact for fact in driven.facts if isinstance(fact, RecorderHeld)]
        assert [fact.do for fact in held] == [do, "resume"] and not held[0].state["running"]

    drive(store, journey)


def test_what_is_paused_can_become_private_and_no_key_but_its_own_ends_that(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        for key, reason in (("f5", "paused"), ("f6", "private")):
            await driven.press(key)
            await driven.until(lambda: f"not recording, {reason}" in driven.text("StatusLine"), reason)  # noqa: B023
        assert (hold := store.hold()) is not None and hold.reason == "private"

    drive(store, journey)


def test_the_line_at_the_top_is_on_every_page(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        for key in ("f3", "f4", "f2"):
            await driven.press(key)
            await driven.until(lambda: "not recording" in driven.text("StatusLine"), "the state")

    drive(store, journey)


def test_the_status_page_says_what_the_command_says(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await driven.press("f4")
        await driven.until(lambda: "Looking" not in driven.screen_text(), "the facts")
        shown = driven.screen_text()
        assert str(store.directory) in shown and "3 sessions, 10 keyframes" in shown and "0 keyframes by nano" in shown

    drive(store, journey, size=(140, 40))


def test_the_palette_offers_what_the_app_does(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        await driven.press("ctrl+p")
        await driven.until(lambda: isinstance(driven.app.screen, CommandPalette), "the palette")
        await driven.press(*"timeline")
        await driven.until(lambda: "Walk through the days" in driven.screen_text(), "the offer")
        await driven.press("enter", "enter")
        await driven.until(lambda: type(driven.app.screen).__name__ == "Timeline", "the timeline")

    drive(store, journey)


def test_the_checkpoint_that_answers_is_named(store: EpisodicStore) -> None:
    async def journey(driven: Driven) -> None:
        assert "loading the checkpoint" in driven.text("StatusLine")
        await driven.until_told(CheckpointLoaded)
        await driven.until(lambda: "nano" in driven.text("StatusLine"), "its name")

    drive(store, journey)


def test_a_damaged_picture_is_told_and_ends_nothing(store: EpisodicStore) -> None:
    (store.directory / "packs/000001.pack").write_bytes(b"")

    async def journey(driven: Driven) -> None:
        await driven.until_told(CheckpointLoaded)
        await driven.until(lambda: "IndexFailed" in driven.names, "the failure")
        await driven.press("f4", "f2")
        assert driven.app.is_running

    drive(store, journey)


def test_a_disk_that_is_away_for_a_moment_is_told_and_forgets_nothing(
    store: EpisodicStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EpisodicStore.open(store.directory) as elsewhere:
        assert elsewhere.forgotten_s() > 0  # so that "nothing can be told" differs from what was told before

    async def journey(driven: Driven) -> None:
        await driven.until(lambda: "not recording" in driven.text("StatusLine"), "the state")
        with monkeypatch.context() as away:
            away.setattr("tui.standing.shutil.disk_usage", raising)
            await driven.until(lambda: "the memory cannot be read" in driven.text("StatusLine"), "the trouble")
        await driven.until(lambda: "not recording" in driven.text("StatusLine"), "the disk")
        assert "SpanForgotten" not in driven.names

    def raising(path: Path) -> None:
        raise FileNotFoundError(path)

    drive(store, journey)
