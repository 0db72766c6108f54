"""Long work under way: recording, loading and indexing, each with a bar on stderr that leaves nothing behind.

This file does not know which command is running, nor how the work is done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from store.config import Capture
from store.episodic import EpisodicStore
from tui.clock import say_duration

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint
    from device.camera import Camera
    from device.recorder import Recorded


def watch_recording(store: EpisodicStore, camera: "Camera", settings: Capture, stop: Event | None = None) -> "Recorded":
    """Record one session, print what became of it, and hand it back. A failure, too, is told how far it came."""
    from device.recorder import Recorded, record

    so_far = Recorded()
    try:
        with _bars() as bars:
            task = bars.add_task("recording", total=camera.length_s)

            def show(recorded: Recorded) -> None:
                nonlocal so_far
                so_far = recorded
                seen = f"recording  {say_duration(recorded.duration_s)}, {recorded.kept} keyframes"
                bars.update(task, completed=recorded.duration_s, description=seen)

            return record(store, camera, settings, progress=show, stop=stop)
    finally:
        if so_far.session:
            _say_recorded(camera.source, so_far)


def watch_loading(name_or_folder: str) -> "Checkpoint":
    """Load a checkpoint; this is the moment at which torch is imported."""
    with Console(stderr=True).status(f"loading the {name_or_folder} checkpoint"):
        from assistant.checkpoints import load

        return load(name_or_folder)


def watch_indexing(store: EpisodicStore, checkpoint: "Checkpoint") -> int:
    """Embed what has no embedding yet; returns how many keyframes that were."""
    from assistant.indexer import catch_up

    waiting = store.count() - len(store.indexed_ids(checkpoint.key))
    if not waiting:
        return 0
    with counted(f"indexing  {waiting} keyframes", waiting) as advance:
        return catch_up(store, checkpoint, advance)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for work that says how much more of `total` is done each time."""
    with _bars() as bars:
        task = bars.add_task(what, total=total)
        yield lambda count: bars.advance(task, count)


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
