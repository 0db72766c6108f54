"""Tables for people and plain values for programs."""

from io import StringIO
from itertools import count

import pytest
from rich.console import Console

from assistant.finding import Found
from store.records import Keyframe, Moment, Transcript
from tui.report import found_json, json_list, moment_json, moment_lines, quoted_json, to_json

AT = 1_772_434_800.0  # 08:00 an hour east of UTC
KEYFRAME = Keyframe(1_772_434_805_000_000, 1, AT + 5, 3600, 64, 48, 1.0, 1, 0, 1, 0)
MOMENT = Moment(AT, AT + 29.5, KEYFRAME, 30, 0.123456)


def printed(*tables: object) -> str:
    screen = Console(file=StringIO(), width=100)
    screen.print(*tables)
    return screen.file.getvalue()  # type: ignore[attr-defined]


def test_a_moment_for_programs_is_on_the_wearers_clock() -> None:
    assert moment_json(MOMENT) == {
        "start": "2026-03-02T08:00:00.000+01:00",
        "end": "2026-03-02T08:00:29.500+01:00",
        "keyframe": KEYFRAME.id,
        "keyframes": 30,
        "score": 0.1235,
    }


def test_moments_are_told_as_they_come() -> None:
    lines = moment_lines(MOMENT for _ in count())
    heading, line = next(lines), next(lines)
    assert line.split() == ["2026-03-02", "08:00:00", "08:00:29", "30", "s", "30", str(KEYFRAME.id)]
    assert heading.index("best keyframe") == line.index(str(KEYFRAME.id))


@pytest.mark.parametrize("values", [[], [1], [{"a": [1, {"b": "x\ny"}]}, None, "z"]])
def test_a_list_in_pieces_is_the_list_in_one(values: list[object]) -> None:
    assert "".join(json_list(values)) == to_json(values)


def test_what_was_found_for_programs_says_why() -> None:
    quoted = Transcript(1, AT, AT + 10, "EXIT", "scene-text", "rapidocr", 0.98765, 7)
    found = found_json(Found(MOMENT, (quoted,), True), 3600)
    assert found == {**moment_json(MOMENT), "seen": True, "quoted": [quoted_json(quoted, 3600)]}


def test_quoted_words_for_programs_are_on_the_wearers_clock() -> None:
    assert quoted_json(Transcript(1, AT, AT + 10, "EXIT", "scene-text", "rapidocr", 0.98765, 7), 3600) == {
        "start": "2026-03-02T08:00:00.000+01:00",
        "end": "2026-03-02T08:00:10.000+01:00",
        "text": "EXIT",
        "source": "scene-text",
        "engine": "rapidocr",
        "confidence": 0.9877,
    }
