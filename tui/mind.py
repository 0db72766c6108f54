"""The mind: the one thread in which a model works, on what it is asked and, while nobody asks, on the index.

    mind.think(Question(listener, "where did I put my wallet?"))

The checkpoint is loaded behind whatever is shown. Where it cannot be, every thought fails with the reason. This file
does not know what a thought is about, nor who listens.
"""

import gc
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

from assistant.recent import Recent
from store.config import Config
from store.episodic import EpisodicStore
from store.errors import UserError
from tui.messages import CheckpointFailed, CheckpointLoaded, IndexFailed, KeyframesIndexed
from tui.thoughts import Listener, Thought

if TYPE_CHECKING:
    from assistant.checkpoints import Checkpoint

INDEX_EVERY_S = 3.0
AFTER_FAILURE_S = 60.0
END_S = 1.0


class Mind:
    """Lives from `begin` to `end`. `everybody` is told of the checkpoint and of the index."""

    def __init__(self, directory: Path, config: Config, everybody: Listener) -> None:
        self._directory, self._config, self._everybody = directory, config, everybody
        self._thoughts: SimpleQueue[Thought | None] = SimpleQueue()
        self._ending = Event()
        self._recent = Recent()
        self._thread = Thread(target=self._live, name="mind", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def think(self, thought: Thought) -> None:
        """After what was asked before."""
        self._thoughts.put(thought)

    def forget(self) -> None:
        """Of what was destroyed nothing is kept either."""
        self._recent.clear()

    def end(self, wait_s: float = END_S) -> None:
        """Leave off within the step that is under way; one that takes longer is not waited for."""
        self._ending.set()
        self._thoughts.put(None)  # wakes it up
        self._thread.join(wait_s)

    def _live(self) -> None:
        try:
            checkpoint, store = self._load(), EpisodicStore.open(self._directory, create=False)
        except Exception as error:
            failure = _told(error)
            self._everybody.post_message(CheckpointFailed(failure))
            while thought := self._thoughts.get():
                thought.fail(failure)
            return
        self._everybody.post_message(CheckpointLoaded(checkpoint.name))
        with store:
            wait_s = 0.0
            while not self._ending.is_set():
                try:
                    self._think(self._thoughts.get(timeout=wait_s), store, checkpoint)
                except Empty:
                    wait_s = self._index(store, checkpoint)

    def _load(self) -> "Checkpoint":
        """Torch is imported here, and what else the first question would have to wait for."""
        import dateparser  # noqa: F401
        import textual_plotext  # noqa: F401
        import torch

        from assistant.checkpoints import load_to_answer

        torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # one core is left to keys and screen
        checkpoint = load_to_answer(self._config.model)
        gc.freeze()  # the libraries' objects stay: to look through them for garbage would hold every key up
        return checkpoint

    def _think(self, thought: Thought | None, store: EpisodicStore, checkpoint: "Checkpoint") -> None:
        if thought is None or thought.stopped.is_set():
            return
        try:
            thought.think(store, checkpoint, self._config, self._recent)
        except Exception as error:
            thought.fail(_told(error))

    def _index(self, store: EpisodicStore, checkpoint: "Checkpoint") -> float:
        """Embed until there is something else to do; returns after how many seconds to look again."""
        from assistant.indexer import catch_up

        waiting: int | None = None  # counted once there is something to do: in a large memory it takes half a second

        def tell(done: int) -> None:
            nonlocal waiting
            if waiting is None:
                waiting = store.count() - store.embedded_count(checkpoint.key) + done
            waiting -= done
            self._everybody.post_message(KeyframesIndexed(done, max(0, waiting)))

        try:
            catch_up(store, checkpoint, tell, self._config.index.reduce, stop=lambda: not self._is_idle())
        except Exception as error:
            self._everybody.post_message(IndexFailed(_told(error)))
            return AFTER_FAILURE_S
        return INDEX_EVERY_S

    def _is_idle(self) -> bool:
        return self._thoughts.empty() and not self._ending.is_set()


def _told(error: Exception) -> UserError:
    """What a person is told of it."""
    if isinstance(error, UserError):
        return error
    hint = 'To see where it comes from, run: whereabouts --debug ask "..."'
    return UserError(f"Unexpected {type(error).__name__}: {error}", hint)
