"""Long work under way: recording, loading and indexing, each with a bar on stderr that leaves nothing behind.

This file does not know which command is running, nor how the work is done.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from store.config import CameraSettings, Capture, Config, Model, Retention, Sound, load_config
from store.episodic import EpisodicStore
from tui.clock import say_duration
from tui.report import say_state

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint
    from assistant.words import WrittenDown
    from device.camera import Camera
    from device.state import Recorded, State


def watch_recording(
    store: EpisodicStore,
    camera: "Camera",
    settings: Capture,
    stop: Event | None = None,
    sound: Sound | None = None,
) -> "Recorded":
    """Record one session, print what became of it, and hand it back. A failure, too, is told how far it came."""
    from device.recorder import record
    from device.state import Recorded

    so_far = Recorded()
    try:
        with _recording_bar(camera.length_s) as show:

            def keep(recorded: Recorded) -> None:
                nonlocal so_far
                so_far = recorded
                show(recorded)

            return record(store, camera, settings, keep, stop, sound=sound)
    finally:
        if so_far.session:
            _say_recorded(camera.source, so_far)


def watch_folder(store: EpisodicStore, path: Path, settings: Capture, sound: Sound, stop: Event) -> None:
    """Record the films of a folder as they come, until `stop`; then name those that could not be read."""
    from device.folder import FilmFolder, record_folder

    folder, kept = FilmFolder(path, settings.fps), store.count()
    print(f"Recording the films in {path}, and those that are copied there. Ctrl-C ends it.", flush=True)
    with _recording_bar(None) as show:
        record_folder(store, folder, settings, stop, show, sound=sound)
    for film, why in folder.passed_over.items():
        print(f"Passed over {film}: {why}")
    print(f"Recorded {store.count() - kept} keyframes from {path}.")


def watch_service(store: EpisodicStore, camera: CameraSettings, config: Config, stop: Event) -> None:
    """Record a live camera until `stop`; on a terminal its state is a line that changes, elsewhere every change one."""
    from device.service import Service

    console, told = Console(stderr=True), None
    with console.status("waiting for camera") as line:

        def show(state: "State") -> None:
            nonlocal told
            line.update(said := say_state(asdict(state)))
            if (state.state, state.warnings) != told and not console.is_terminal:
                print(said, file=sys.stderr, flush=True)
            told = state.state, state.warnings

        service = Service(store, camera, config, stop, show)
        recorded = service.run()
    _say_recorded(service.state.source or camera.uri, recorded)


def watch_loading(chosen: Model, *, to_answer: bool = False) -> "Checkpoint":
    """Load a checkpoint and, `to_answer`, its adapter and who words its answers; torch is imported at this moment.

    Where it was weighed in how many bits it fits, that is said.
    """
    with Console(stderr=True).status(f"loading the {chosen.checkpoint} checkpoint"):
        from assistant.checkpoints import load, load_to_answer

        checkpoint = load_to_answer(chosen) if to_answer else load(chosen.checkpoint, chosen.precision)
    if checkpoint.placement.precision != "fp32":
        print(f"{checkpoint.name} runs in {checkpoint.placement}.", file=sys.stderr)
    return checkpoint


def watch_indexing(store: EpisodicStore, checkpoint: "Checkpoint") -> int:
    """Embed what has no embedding yet; returns how many keyframes that were."""
    from assistant.indexer import catch_up

    waiting = store.count() - store.embedded_count(checkpoint.key)
    if not waiting:
        return 0
    with counted(f"indexing  {waiting} keyframes", waiting) as advance:
        return catch_up(store, checkpoint, advance, load_config().index.reduce)


def watch_words(store: EpisodicStore, config: Config, stop: Callable[[], bool] = lambda: False) -> "WrittenDown":
    """Write down what was said and what was to be read, as far as it waits; names what is damaged."""
    from assistant.words import WrittenDown, catch_up_on_words, waiting_for_words

    waiting = waiting_for_words(store)
    if not waiting.sounds + waiting.keyframes:
        return WrittenDown(0, 0, [])
    total = f"reading and listening  {waiting.keyframes} keyframes, {waiting.sounds} sounds"
    with counted(total, waiting.keyframes + waiting.sounds) as advance:
        done = catch_up_on_words(store, config.words, config.sound.keep, advance, stop)
    for line in done.damaged:
        print(line, file=sys.stderr)
    return done


def watch_tidying(
    store: EpisodicStore, checkpoint: "Checkpoint", settings: Retention, stop: Callable[[], bool]
) -> None:
    """Put whole days into the index where there are too many to compare them all, and let go what is not to be kept."""
    from store.upkeep.retention import apply

    with Console(stderr=True).status("tidying"):
        while not stop() and store.seal(checkpoint.key):
            pass
        apply(store, settings, time.time(), stop)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for work that says how much more of `total` is done each time."""
    with _bars() as bars:
        task = bars.add_task(what, total=total)
        yield lambda count: bars.advance(task, count)


@contextmanager
def done_of_total(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work that says how much of how much is done."""
    with _bars() as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def _recording_bar(length_s: float | None) -> "Iterator[Callable[[Recorded], None]]":
    with _bars() as bars:
        task = bars.add_task("recording", total=length_s)

        def show(recorded: "Recorded") -> None:
            seen = f"recording  {say_duration(recorded.duration_s)}, {recorded.kept} keyframes"
            bars.update(task, completed=recorded.duration_s, description=seen)

        yield show


@contextmanager
def _bars() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield bars


def _say_recorded(source: str, recorded: "Recorded") -> None:
    gaps = f", gaps: {recorded.gaps}" if recorded.gaps else ""
    length = say_duration(recorded.duration_s)
    print(f"Recorded {length} of {source}: {recorded.kept} keyframes of {recorded.frames} frames{gaps}.")
