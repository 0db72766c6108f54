"""Still: a keyframe's picture, as large as its place allows, read and drawn in a thread of its own.

One picture is drawn at a time, and then the one that is wanted by then: whoever walks fast sees as many as can be
drawn, ends on the right one, and the keys never wait. Where the terminal shows pixels (kitty, sixel) textual-image
draws them, else half blocks do, or shades without colour. This file does not know why a keyframe is shown.
"""

from PIL import Image
from rich.segment import Segment
from textual import work
from textual.app import ComposeResult
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from store.errors import UserError
from store.records import Keyframe
from tui.opened import Opened
from tui.picture import decoded, draw, fit

# What a place of some cells asks of a JPEG's decoder, in pixels a cell: twice what half blocks show, or all there is.
FINE, WHOLE = (2, 4), (100, 200)


class Still(Widget):
    """Shows `keyframe`, or nothing; a picture that cannot be read says why in its place."""

    DEFAULT_CSS = """
    Still { height: 8; align: center middle; }
    Still > * { width: auto; height: auto; max-width: 290; max-height: 290; }
    """

    keyframe: reactive[Keyframe | None] = reactive(None)

    def __init__(
        self, opened: Opened, keyframe: Keyframe | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(Still.keyframe, keyframe)
        self._opened = opened
        self._rows: list[Strip] = []
        self._shown: tuple[Keyframe | None, Size] = None, Size()  # of which keyframe, for a place of which size
        self._is_looking = False

    def compose(self) -> ComposeResult:
        if self._opened.pixels:
            yield self._opened.pixels()

    def watch_keyframe(self) -> None:
        self._look()

    def on_resize(self) -> None:
        self._look()

    def render_line(self, y: int) -> Strip:
        """Who is painted without its picture asks for it: not every size is told where the layout changes quickly."""
        if not y and (self.keyframe, self.content_size) != self._shown:
            self.app.call_later(self._look)
        row = self._rows[y] if y < len(self._rows) else Strip([])
        return row.adjust_cell_length(self.size.width, self.rich_style)

    def _look(self) -> None:
        """Show what is wanted now, unless it is shown; while a picture is being drawn, that one comes first."""
        wanted = self.keyframe, self.content_size
        if self.keyframe is None:
            self._show([], *wanted)  # at once: it may have been forgotten
        elif not self._is_looking and wanted != self._shown and self.content_size.area:
            self._is_looking = True
            self._read(*wanted)

    @work(thread=True, group="look", exit_on_error=False)
    def _read(self, keyframe: Keyframe, size: Size) -> None:
        try:
            drawn = self._drawn(self._opened.gallery.jpeg(keyframe), size)
        except (UserError, OSError) as error:
            drawn = [Strip([Segment(line[: size.width], self.rich_style)]) for line in _say(error)]
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self._arrive, drawn, keyframe, size)

    def _drawn(self, jpeg: bytes, size: Size) -> list[Strip] | Image.Image:
        across, down = WHOLE if self._opened.pixels else FINE
        image = decoded(jpeg, across * size.width, down * size.height)
        if self._opened.pixels:
            return image
        (width, rows), in_colour = fit(image, *size), not self.app.no_color
        left = Segment(" " * ((size.width - width) // 2), self.rich_style)
        drawn = [Strip([left, *row]) for row in draw(image, width, rows, in_colour)]
        if not in_colour:
            drawn = [row.apply_style(self.rich_style) for row in drawn]
        return [Strip([])] * ((size.height - rows) // 2) + drawn

    def _arrive(self, drawn: list[Strip] | Image.Image, keyframe: Keyframe, size: Size) -> None:
        self._is_looking = False
        if self.keyframe is not None:
            self._show(drawn, keyframe, size)
        self._look()

    def _show(self, drawn: list[Strip] | Image.Image, keyframe: Keyframe | None, size: Size) -> None:
        self._shown = keyframe, size
        self._rows = drawn if isinstance(drawn, list) else []
        for widget in self.query_children():
            widget.image = None if self._rows or not drawn else drawn  # type: ignore[attr-defined]
        self.refresh()


def _say(error: UserError | OSError) -> list[str]:
    if isinstance(error, UserError):
        return [error.message, error.hint]
    return ["This is no picture: its bytes are whole, but they are no JPEG."]
