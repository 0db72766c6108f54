"""Opened: a memory as the screens share it: its rows and pictures to look at, and the mind to ask.

Every thread may use it. This file does not know what is shown of it.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from store.config import Config
from store.episodic import EpisodicStore

if TYPE_CHECKING:
    from textual.widget import Widget

    from tui.mind import Mind

PICTURES_KEPT = 64


class Gallery:
    """The JPEGs of keyframes, the last ones kept for who walks to and fro."""

    def __init__(self, store: EpisodicStore) -> None:
        self.jpeg = lru_cache(PICTURES_KEPT)(store.jpeg)

    def forget(self) -> None:
        """Of what was destroyed nothing is kept either."""
        self.jpeg.cache_clear()


@dataclass(frozen=True)
class Opened:
    """`pixels`: the widget that shows a picture where the terminal can show pixels, else None."""

    store: EpisodicStore
    mind: "Mind"
    config: Config
    pixels: "type[Widget] | None" = None
    gallery: Gallery = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gallery", Gallery(self.store))

    @property
    def directory(self) -> Path:
        return self.store.directory
