"""A memory of many days, made of rows: no pictures lie behind them, but for those that a test adds."""

import json
from pathlib import Path
from typing import Any

from store.episodic import EpisodicStore
from store.records import Heard

MIDNIGHT = 1_767_225_600.0  # 2026-01-01 00:00 UTC
DAY_S, HOUR_S = 86_400.0, 3600.0
KEYFRAMES = """
    INSERT INTO keyframes
    SELECT CAST((:began + value) * 1000000 AS INTEGER), :session, :began + value, 0, 64, 48, 1.0, 1, 0, 1, 0, 0
    FROM json_each(:at_s)
"""


class CountedStore(EpisodicStore):
    """Counts how often a strip is read: each is one look for the gaps of a span."""

    strips_read = 0

    def gaps(self, *span: Any) -> Any:
        self.strips_read += bool(span)
        return super().gaps(*span)


def live(directory: Path, days: int) -> None:
    """Every day worn from 8 to 11: pictures for the first minute of each hour, and in the second hour two gaps."""
    with EpisodicStore.open(directory, encrypt=False) as store:
        for day in range(days):
            began = MIDNIGHT + day * DAY_S + 8 * HOUR_S
            with store.database.transaction():
                session = store.begin_session("glasses", began, 0, 1.0).id
                at_s = [hour * HOUR_S + second for hour in range(3) for second in (0, 5, 30, 35)]
                row = {"session": session, "began": began, "at_s": json.dumps(at_s)}
                store.database.execute(KEYFRAMES, row)
                store.add_gap(session, began + HOUR_S + 600, began + HOUR_S + 1800, "lens covered")
                store.add_gap(session, began + HOUR_S + 1800, began + 2 * HOUR_S, "paused")
                store.end_session(session, began + 3 * HOUR_S, "stopped")


def say(store: EpisodicStore, day: int, at_s: float, text: str, source: str = "speech") -> None:
    """Words so many seconds after the beginning of a day of `live`."""
    began = MIDNIGHT + day * DAY_S + 8 * HOUR_S + at_s
    store.keep_heard([], [Heard(day + 1, began, began + 2, text, source, "an engine", 0.9)], True)
