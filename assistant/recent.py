"""Recent: what a checkpoint made of the last questions' frames, for the next: a follow-up looks at the same again.

    visual      a keyframe's visual tokens (T, C)
    grain       of a keyframe's picture, by which it is told whether it is foreign
    candidates  the compressed frames as the glimpse read them
    shown       the frames and words as the answer read them

It lives in memory only, in the hands of whoever asks, and what was longest unused goes first. Whatever is forgotten
takes all of it along: `renew` sees to it before anything else is asked, `clear` at once, and from then on nothing is
kept of the question that is under way. This file knows no tensors.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from threading import Lock
from typing import Any, Protocol, TypeVar

from store.records import Keyframe

LIMIT_BYTES = 2**30  # 32 frames as a 7B reads them take half of it


class Held(Protocol):
    """Anything that knows its size."""

    @property
    def nbytes(self) -> int: ...


Kind = TypeVar("Kind", bound=Held)


class Recent:
    """Of one memory and one checkpoint, at most `limit_bytes`. Only one thread asks; any may `clear`."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes, self._of, self._turn = limit_bytes, object(), Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._shown: set[int] = set()
        self._keeps = True

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in self._kept.values())

    def clear(self) -> None:
        """Of what was destroyed nothing is kept either, nor of a question that has seen it, until the next `renew`."""
        with self._turn:
            self._kept, self._shown, self._keeps = OrderedDict(), set(), False

    def renew(self, of: Hashable, present: Callable[[Sequence[int]], set[int]]) -> None:
        """Go on with what is kept, but only if it is still `of` the same, and every keyframe that it shows is there."""
        shown = sorted(self._shown)
        if of != self._of or len(present(shown)) < len(shown):
            self.clear()
        self._of, self._keeps = of, True

    def each(
        self, kind: str, keyframes: Sequence[Keyframe], make: Callable[[list[Keyframe]], Iterable[Kind]]
    ) -> list[Kind]:
        """What was made of each keyframe; `make` is asked for those that are not known, all at once."""
        found: dict[Keyframe, Any] = {keyframe: self.get((kind, keyframe)) for keyframe in keyframes}
        unknown = [keyframe for keyframe, value in found.items() if value is None]
        if unknown:
            fresh = dict(zip(unknown, make(unknown), strict=True))
            self.show(unknown)
            for keyframe, value in fresh.items():
                self.keep((kind, keyframe), value)
            found |= fresh
        return [found[keyframe] for keyframe in keyframes]

    def get(self, name: Hashable) -> Any | None:
        """What was kept under this name, or None."""
        kept = self._kept
        if name in kept:
            kept.move_to_end(name)
        return kept.get(name)

    def keep(self, name: Hashable, value: Held) -> None:
        """In place of what was kept under this name."""
        with self._turn:
            if not self._keeps:
                return
            self._kept[name] = value
            self._kept.move_to_end(name)
            spare = self._limit_bytes - self.nbytes
            while spare < 0:
                spare += self._kept.popitem(last=False)[1].nbytes

    def show(self, keyframes: Iterable[Keyframe]) -> None:
        """What is kept from now on may be made of these."""
        with self._turn:
            self._shown.update(keyframe.id for keyframe in keyframes)
