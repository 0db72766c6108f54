"""The score curve: how much the pointer made of every candidate, so that one sees why these moments were chosen.

This file does not know what a score means, nor where the candidates come from.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from textual_plotext import PlotextPlot

from store.records import Keyframe, Moment

TICKS_EVERY_CELLS = 16


class ScoreCurve(PlotextPlot):
    """Scores (N,) of N candidates over the wearer's clock, with the number of each moment above its best keyframe."""

    def __init__(self, candidates: Sequence[Keyframe], scores: np.ndarray, moments: Sequence[Moment]) -> None:
        super().__init__()
        self._candidates, self._scores, self._moments = candidates, scores, moments
        self.border_title = f"pointer score of {len(candidates)} keyframes"

    def on_mount(self) -> None:
        self.call_after_refresh(self._plot_all)

    def on_resize(self) -> None:
        self._plot_all()

    def _plot_all(self) -> None:
        """Against the place in the row of candidates: hours apart, they would be specks on an empty axis."""
        plot, places = self.plt, {each.id: place for place, each in enumerate(self._candidates)}
        plot.clear_figure()
        plot.plot(list(places.values()), [float(score) for score in self._scores], marker="braille")
        count = max(2, self.size.width // TICKS_EVERY_CELLS)
        ticks = np.unique(np.linspace(0, len(self._candidates) - 1, count).round())
        plot.xticks(ticks.tolist(), [self._clock(self._candidates[int(tick)]) for tick in ticks])
        top = float(max(self._scores, default=1.0))
        plot.ylim(0, top * 1.2)
        plot.yticks([0, top], ["0", f"{top:.2f}"])
        for number, moment in enumerate(self._moments, 1):
            if moment.keyframe.id in places:
                place = places[moment.keyframe.id]
                plot.text(str(number), place, float(self._scores[place]) + top * 0.1)
        self.refresh()

    def _clock(self, keyframe: Keyframe) -> str:
        first, last = self._candidates[0].local_time, self._candidates[-1].local_time
        if last - first > timedelta(days=2):
            return f"{keyframe.local_time:%d %b}"
        return f"{keyframe.local_time:{'%H:%M' if last - first > timedelta(hours=1) else '%H:%M:%S'}}"
