"""A picture made of characters: coloured half blocks, or shades where there is no colour."""

from io import BytesIO, StringIO

import pytest
from PIL import Image
from rich.console import Console

from tui.picture import Picture


@pytest.fixture
def jpeg() -> bytes:
    """64 x 48 pixels: white above, black below."""
    image = Image.new("RGB", (64, 48), "white")
    image.paste("black", (0, 24, 64, 48))
    written = BytesIO()
    image.save(written, "JPEG")
    return written.getvalue()


def drawn(jpeg: bytes, width_cells: int, **console: object) -> list[str]:
    screen = Console(file=StringIO(), width=80, **console)  # type: ignore[arg-type]
    screen.print(Picture(jpeg, width_cells))
    return screen.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_without_colour_it_is_drawn_in_shades(jpeg: bytes) -> None:
    assert drawn(jpeg, 16) == ["█" * 16] * 3 + [" " * 16] * 3


def test_a_person_who_wants_no_colour_gets_none(jpeg: bytes) -> None:
    lines = drawn(jpeg, 16, force_terminal=True, color_system="truecolor", no_color=True)
    assert lines == ["█" * 16] * 3 + [" " * 16] * 3


def test_with_colour_every_cell_shows_two_pixels(jpeg: bytes) -> None:
    lines = drawn(jpeg, 16, force_terminal=True, color_system="truecolor")
    assert len(lines) == 6 and all(line.count("▀") == 16 for line in lines)
    assert "38;2;255;255;255;48;2;255;255;255m" in lines[0] and "38;2;0;0;0;48;2;0;0;0m" in lines[-1]


def test_it_is_never_wider_than_the_screen(jpeg: bytes) -> None:
    assert {len(line) for line in drawn(jpeg, 500)} == {80}
