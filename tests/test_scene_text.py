"""What is written in a picture, read by the real models, and nothing where nothing is written."""

import logging

import cv2
import numpy as np
import pytest

from assistant.scene_text import LEAST_CONFIDENCE, SceneReader

INK = (20, 20, 90)


@pytest.fixture(scope="module")
def reader() -> SceneReader:
    return SceneReader()


def scene(width_px: int = 640, height_px: int = 480) -> np.ndarray:
    """A blurred, noisy picture without any text."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 200, (12, 16, 3), dtype=np.uint8)
    blurred = cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    return (blurred + rng.normal(0, 6, blurred.shape)).clip(0, 255).astype(np.uint8)


def sign(*lines: str) -> np.ndarray:
    """A sign in a scene, one line of it below the other."""
    image = scene()
    cv2.rectangle(image, (120, 110), (540, 150 + 80 * len(lines)), (250, 245, 235), -1)
    for number, line in enumerate(lines):
        cv2.putText(image, line, (150, 180 + 80 * number), cv2.FONT_HERSHEY_SIMPLEX, 1.8, INK, 4)
    return image


def test_a_sign_is_read_line_by_line_from_the_top(reader: SceneReader) -> None:
    lines = reader.read(sign("BAKERY", "OPEN 9-17"))
    assert [line.text for line in lines] == ["BAKERY", "OPEN 9-17"]
    assert all(LEAST_CONFIDENCE <= line.confidence <= 1.0 for line in lines)
    assert all(30 < line.height_px < 90 for line in lines)


def test_lines_on_one_height_are_read_from_the_left(reader: SceneReader) -> None:
    image = scene()
    for left_px, word in ((420, "RIGHT"), (60, "LEFT")):
        cv2.putText(image, word, (left_px, 240), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255, 255, 255), 5)
    assert [line.text for line in reader.read(image)] == ["LEFT", "RIGHT"]


def test_a_scene_without_text_and_a_lone_letter_give_nothing(reader: SceneReader) -> None:
    assert reader.read(scene()) == []
    assert reader.read(sign("I")) == []


def test_a_huge_picture_is_read_as_well_and_its_heights_are_its_own(reader: SceneReader) -> None:
    (small,) = reader.read(sign("BAKERY"))
    (huge,) = reader.read(cv2.resize(sign("BAKERY"), (2560, 1920)))
    assert huge.text == "BAKERY" and huge.height_px == pytest.approx(4 * small.height_px, rel=0.25)


def test_reading_says_nothing_on_the_screen(reader: SceneReader, capfd: pytest.CaptureFixture[str]) -> None:
    reader.read(sign("BAKERY"))
    assert SceneReader().read(scene()) == []
    assert capfd.readouterr() == ("", "") and logging.getLogger("RapidOCR").level == logging.CRITICAL
