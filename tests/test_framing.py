"""Pictures turned and cut, and everything else about the camera left as it is."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.frame import AudioBlock, Frame
from device.framing import QUARTERS, WHOLE, Crop, Framed
from store.errors import UserError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
FRACTION = st.floats(0, 1)


class Corners:
    """A camera of one picture and one block of sound: red, green / blue, white in the corners, clockwise R G W B."""

    def __init__(self, height_px: int = 40, width_px: int = 60) -> None:
        self.source, self.length_s, self.live, self.shape = "corners", 1.0, False, ""
        self.closed = 0
        self._image = np.zeros((height_px, width_px, 3), np.uint8)
        middle, half = height_px // 2, width_px // 2
        self._image[:middle, :half], self._image[:middle, half:] = RED, GREEN
        self._image[middle:, :half], self._image[middle:, half:] = BLUE, WHITE

    def frames(self, on_sound: Callable[[AudioBlock], None] | None = None) -> Iterator[Frame]:
        self.shape = "60 x 40 at 1 fps"
        if on_sound:
            on_sound(AudioBlock(np.zeros(10, np.int16), 5.0))
        yield Frame(self._image, 5.0, 3600)

    def close(self) -> None:
        self.closed += 1


def framed(rotation: int, crop: Crop = WHOLE) -> np.ndarray:
    [frame] = Framed(Corners(), rotation, crop).frames()
    assert (frame.captured_at, frame.zone_offset_s) == (5.0, 3600)
    return frame.image


def corners(image: np.ndarray) -> list[tuple[int, ...]]:
    """Clockwise from the top left."""
    return [tuple(map(int, image[row, column])) for row, column in ((0, 0), (0, -1), (-1, -1), (-1, 0))]


@pytest.mark.parametrize(
    ("rotation", "clockwise"),
    [
        (0, [RED, GREEN, WHITE, BLUE]),
        (90, [BLUE, RED, GREEN, WHITE]),
        (180, [WHITE, BLUE, RED, GREEN]),
        (270, [GREEN, WHITE, BLUE, RED]),
    ],
)
def test_a_picture_is_turned_clockwise(rotation: int, clockwise: list[tuple[int, ...]]) -> None:
    image = framed(rotation)
    assert corners(image) == clockwise
    assert image.shape == ((60, 40, 3) if rotation in (90, 270) else (40, 60, 3))
    assert image.flags.c_contiguous


@pytest.mark.parametrize("rotation", QUARTERS)
def test_the_crop_is_of_the_upright_picture(rotation: int) -> None:
    upright = framed(rotation)
    height_px, width_px = upright.shape[:2]
    cut = framed(rotation, (0.25, 0.5, 1.0, 0.9))
    rows, columns = slice(height_px // 2, round(0.9 * height_px)), slice(width_px // 4, width_px)
    assert np.array_equal(cut, upright[rows, columns])
    assert cut.flags.c_contiguous


@given(st.tuples(FRACTION, FRACTION, FRACTION, FRACTION), st.sampled_from(QUARTERS))
def test_any_crop_is_either_refused_or_leaves_a_picture(crop: Crop, rotation: int) -> None:
    try:
        camera = Framed(Corners(2, 3), rotation, crop)
    except UserError:
        assert crop[0] >= crop[2] or crop[1] >= crop[3]
    else:
        [frame] = camera.frames()
        assert frame.image.size > 0


@pytest.mark.parametrize("crop", [(-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0.5, 0, 0.5, 1), (0, 0, float("nan"), 1)])
def test_a_crop_that_cannot_be_meant_is_refused_with_its_value(crop: Crop) -> None:
    with pytest.raises(UserError) as refused:
        Framed(Corners(), 0, crop)
    assert str(list(crop)) in refused.value.message and "fractions" in refused.value.hint


@pytest.mark.parametrize("rotation", [45, -90, 360])
def test_an_angle_that_is_no_quarter_turn_is_refused_with_its_value(rotation: int) -> None:
    with pytest.raises(UserError, match=str(rotation)):
        Framed(Corners(), rotation)


def test_everything_else_is_the_cameras_own() -> None:
    camera, heard = Corners(), list[AudioBlock]()
    outside = Framed(camera, 90)
    assert (outside.source, outside.length_s, outside.live, outside.shape) == ("corners", 1.0, False, "")
    list(outside.frames(heard.append))
    assert outside.shape == "60 x 40 at 1 fps"
    assert len(heard) == 1
    outside.close()
    assert camera.closed == 1
