"""Tables for people and plain values for programs."""

from io import StringIO

from rich.console import Console

from store.records import Keyframe, Moment, Transcript
from tui.report import moment_json, moments_table, quoted_json

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


def test_a_table_of_moments_names_what_show_takes() -> None:
    line = printed(moments_table([MOMENT])).splitlines()[1]
    assert line.split() == ["2026-03-02", "08:00:00", "08:00:29", "30", "s", "30", str(KEYFRAME.id)]


def test_quoted_words_for_programs_are_on_the_wearers_clock() -> None:
    assert quoted_json(Transcript(1, AT, AT + 10, "EXIT", "scene-text", "rapidocr", 0.98765, 7), 3600) == {
        "start": "2026-03-02T08:00:00.000+01:00",
        "end": "2026-03-02T08:00:10.000+01:00",
        "text": "EXIT",
        "source": "scene-text",
        "engine": "rapidocr",
        "confidence": 0.9877,
    }
