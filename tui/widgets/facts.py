"""Facts: when and where a keyframe was seen, its place in the day, and what lies before and behind it.

This file does not know how any of it is found.
"""

from textual.widgets import Static

from store.errors import UserError
from tui.evidence import day_strip
from tui.sight import Sight


class Facts(Static):
    """14:03:22 Monday, 2 March 2026 ... or why there is nothing to say."""

    def __init__(self) -> None:
        super().__init__(markup=False)

    def show(self, sight: Sight) -> None:
        keyframe = sight.keyframe
        marks = ["◆ pinned"] * sight.pinned + ["▪ small picture"] * bool(keyframe.reduced)
        lines = [
            f"{keyframe.local_time:%H:%M:%S %A, %d %B %Y}",
            day_strip(sight.moment, sight.day),
            "  ".join([f"{sight.number} of {sight.count} of the day", *marks]),
            f"keyframe {keyframe.id}, {keyframe.width_px} x {keyframe.height_px} px",
            f"camera {sight.camera}",
            f"← {sight.before}" if sight.before else "",
            f"→ {sight.after}" if sight.after else "",
        ]
        self.update("\n".join(filter(None, lines)))

    def fail(self, error: UserError) -> None:
        self.update(f"▲ {error.message}\n{error.hint}")
