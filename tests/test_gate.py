"""The gate: what is kept, what is let go, and the promise that no ten seconds pass without a keyframe."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.frame import Frame
from device.gate import NoveltyGate

EVERY_S = 10.0
START_AT = 1_760_000_000.0
REPEATABLE = settings(derandomize=True, deadline=None, database=None)


def kitchen(brightness: float = 1.0) -> np.ndarray:
    """A still scene: a grey counter before a lighter wall, with something dark in it."""
    image = np.full((480, 640, 3), 190, np.uint8)
    image[260:] = (120, 116, 110)
    cv2.rectangle(image, (420, 120), (560, 300), (40, 45, 50), -1)
    return (image * brightness).astype(np.uint8)


def frame(image: np.ndarray, after_s: float = 0.0) -> Frame:
    return Frame(image, START_AT + after_s, 0)


SCENES = [np.full((36, 64, 3), level, np.uint8) for level in (0, 3, 90, 200)]
WATCHED = st.lists(st.tuples(st.sampled_from(range(len(SCENES))), st.floats(0.04, 15.0)), min_size=1, max_size=40)


def walk(watched: list[tuple[int, float]]) -> list[tuple[Frame, bool, float]]:
    gate, at_s, judged = NoveltyGate(keyframe_every_s=EVERY_S), 0.0, []
    for scene, pause_s in watched:
        seen = frame(SCENES[scene], at_s)
        verdict = gate.worth(seen)
        judged.append((seen, verdict.keep, verdict.novelty))
        at_s += pause_s
    return judged


@REPEATABLE
@given(WATCHED)
def test_the_first_frame_is_kept_and_no_frame_is_let_go_once_ten_seconds_have_passed(
    watched: list[tuple[int, float]],
) -> None:
    judged = walk(watched)
    assert judged[0][1]
    kept_at = judged[0][0].captured_at
    for seen, keep, _ in judged:
        assert keep or seen.captured_at - kept_at < EVERY_S
        kept_at = seen.captured_at if keep else kept_at


@REPEATABLE
@given(WATCHED)
def test_a_frame_identical_to_the_last_kept_is_kept_only_after_ten_seconds(watched: list[tuple[int, float]]) -> None:
    judged = walk(watched)
    last_kept = judged[0][0]
    for seen, keep, novelty in judged[1:]:
        if seen.image is last_kept.image:
            assert novelty == 0
            assert keep == (seen.captured_at - last_kept.captured_at >= EVERY_S - 0.001)
        last_kept = seen if keep else last_kept


@REPEATABLE
@given(WATCHED)
def test_the_same_frames_are_always_judged_alike(watched: list[tuple[int, float]]) -> None:
    assert [judged[1:] for judged in walk(watched)] == [judged[1:] for judged in walk(watched)]


def test_at_one_frame_a_second_a_still_scene_is_kept_every_tenth_second() -> None:
    gate = NoveltyGate(keyframe_every_s=EVERY_S)
    kept = [second for second in range(41) if gate.worth(frame(kitchen(), second)).keep]
    assert kept == [0, 10, 20, 30, 40]


def test_a_covered_lens_is_still_kept_every_ten_seconds() -> None:
    gate, noise = NoveltyGate(keyframe_every_s=EVERY_S), np.random.default_rng(0)
    black = [noise.integers(0, 6, (480, 640, 3), dtype=np.uint8) for _ in range(21)]
    assert [second for second, image in enumerate(black) if gate.worth(frame(image, second)).keep] == [0, 10, 20]


@pytest.mark.parametrize("brightness", [1.0, 0.3])
@pytest.mark.parametrize("place", [(100, 300), (320, 360), (620, 470)])
def test_a_mug_put_down_is_worth_remembering_in_the_light_and_in_the_dark(
    brightness: float, place: tuple[int, int]
) -> None:
    gate, after = NoveltyGate(), kitchen(brightness)
    cv2.circle(after, place, 20, tuple(int(c * brightness) for c in (200, 60, 60)), -1)
    gate.worth(frame(kitchen(brightness)))
    assert gate.worth(frame(after, 1)).keep


def test_a_change_of_colour_alone_is_seen() -> None:
    gate, after = NoveltyGate(), kitchen()
    gate.worth(frame(kitchen()))
    cv2.circle(after, (320, 360), 20, (200, 90, 34), -1)  # as bright as the counter it stands on
    assert gate.worth(frame(after, 1)).keep


def test_the_noise_of_a_sensor_is_no_news() -> None:
    gate, noise = NoveltyGate(), np.random.default_rng(0)
    gate.worth(frame(kitchen()))
    noisy = np.clip(kitchen() + noise.normal(0, 6, (480, 640, 3)), 0, 255).astype(np.uint8)
    assert not gate.worth(frame(noisy, 1)).keep


def test_a_picture_of_another_size_is_compared_all_the_same() -> None:
    gate = NoveltyGate()
    gate.worth(frame(kitchen()))
    assert not gate.worth(frame(cv2.resize(kitchen(), (1280, 960), interpolation=cv2.INTER_NEAREST), 1)).keep


def test_a_clock_set_back_does_not_silence_the_gate() -> None:
    gate = NoveltyGate(keyframe_every_s=EVERY_S)
    gate.worth(frame(kitchen()))
    assert gate.worth(frame(kitchen(), -3600)).keep
