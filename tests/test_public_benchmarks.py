"""Public benchmarks: each layout read as published, unknown and damaged files refused by name."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from assistant.evaluation.public_benchmarks import PublicQuestion, read_benchmark
from store.errors import UserError

EGOTEMPO = Path(__file__).parents[2] / "shared" / "real" / "egotempo_openQA.json"

SCHEMA = {"q_uid": "00-a", "google_drive_id": "x", "question": "what is the purpose?"} | {
    f"option {number}": f"purpose {number}" for number in range(5)
}
QA = {
    "video_id": "v1", "sample_id": "s1", "question": "where did I put the pen?", "answer": "on the table",
    "moment_start_frame": 30, "moment_end_frame": 75,
}  # fmt: skip
TEMPO = {
    "question_id": "f00-1_-0.5_34.25_0", "clip_id": "f00-1_-0.5_34.25", "question_type": "counting objects",
    "question": "how many bowls?", "answer": "Two.",
}  # fmt: skip
CONVERSATIONS = {
    "video_id": "v2", "video_path": "videos/v2.mp4", "duration": 480.5,
    "conversations": [
        {"question": "where is my cup?", "choices": ["on the car", "in the drawer", "on the shelf", "behind it"],
         "answer": "in the drawer", "temporal_windows": [[105, 109]]},
        {"question": "how many peppers?", "choices": ["four", "one", "three", "two"], "answer": "two",
         "temporal_windows": [[384, 388], [390, 391]]},
    ],
}  # fmt: skip
EPIC = {
    "inputs": {"video 1": {"id": "P01-1", "start_time": "00:03:1.8", "end_time": "01:00:02.250"}},
    "question": "how was it opened?", "choices": ["pushed", "pulled", "turned", "kicked", "left"], "correct_idx": 3,
}  # fmt: skip


def written(tmp_path: Path, content: Any, name: str = "questions.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return path


def test_egoschema_is_read_with_the_answers_that_are_public(tmp_path: Path) -> None:
    path = written(tmp_path, [SCHEMA, {**SCHEMA, "q_uid": "00-b"}])
    options = tuple(f"purpose {number}" for number in range(5))
    hidden = PublicQuestion("EgoSchema", "00-a", 0.0, None, "what is the purpose?", options, None, None)
    assert read_benchmark(path)[0] == hidden
    written(tmp_path, {"00-b": 4}, "subset_answers.json")
    first, second = read_benchmark(path)
    assert first == hidden and (second.video, second.gold, second.answer) == ("00-b", 4, "purpose 4")


def test_qaego4d_is_read_open_with_its_moment_as_evidence(tmp_path: Path) -> None:
    (question,) = read_benchmark(written(tmp_path, [QA]))
    assert question == PublicQuestion(
        "QAEgo4D", "v1", 0.0, None, "where did I put the pen?", (), None, "on the table", evidence_s=((1.0, 2.5),)
    )
    without = {key: value for key, value in QA.items() if not key.startswith("moment")}
    assert read_benchmark(written(tmp_path, [without]))[0].evidence_s == ()


@pytest.mark.parametrize(
    ("extra", "options", "gold"),
    [
        ({"wrong_answers": ["on the bed", "under it"]}, ("on the bed", "on the table", "under it"), 1),
        ({"options": ["under it", "On the table"]}, ("under it", "On the table"), 1),
        ({"options": ["on the table", "under it", "no"], "answer": "C"}, ("on the table", "under it", "no"), 2),
    ],
)
def test_qaego4d_is_read_with_options_in_all_their_forms(
    tmp_path: Path, extra: dict[str, Any], options: tuple[str, ...], gold: int
) -> None:
    (question,) = read_benchmark(written(tmp_path, [QA | extra]))
    assert (question.options, question.gold, question.answer) == (options, gold, options[gold])


def test_qaego4d_mc_is_read_conversation_by_conversation(tmp_path: Path) -> None:
    cup, peppers = read_benchmark(written(tmp_path, [CONVERSATIONS]))
    assert (cup.dataset, cup.video, cup.start_s, cup.end_s) == ("QAEgo4D-MC", "v2", 0.0, 480.5)
    assert (cup.gold, cup.answer, cup.evidence_s) == (1, "in the drawer", ((105.0, 109.0),))
    assert (peppers.gold, peppers.options[3], len(peppers.evidence_s)) == (3, "two", 2)


def test_egotempo_is_read_with_the_times_inside_its_clip_ids(tmp_path: Path) -> None:
    (question,) = read_benchmark(written(tmp_path, {"info": {"version": "1.0"}, "annotations": [TEMPO]}))
    assert question == PublicQuestion(
        "EgoTempo", "f00-1", 0.0, 34.25, "how many bowls?", (), None, "Two.", "counting objects"
    )


@pytest.mark.skipif(not EGOTEMPO.exists(), reason="shared/real/egotempo_openQA.json is not here")
def test_the_published_egotempo_file_is_read_whole() -> None:
    questions = read_benchmark(EGOTEMPO)
    assert len(questions) == 500 and {q.dataset for q in questions} == {"EgoTempo"}
    assert set(Counter(q.kind for q in questions).values()) == {50}
    assert all(q.end_s is not None and 0 <= q.start_s < q.end_s and len(q.video) == 36 for q in questions)
    first = questions[0]
    assert (first.video, first.start_s, first.end_s) == ("0d270946-95c5-4e71-ae49-b9e802548147", 120.0, 180.0)
    assert first.answer == "A spoon." and first.kind == "action-specific object"


def test_hd_epic_is_read_with_its_kind_from_the_id_and_its_times_from_the_clock(tmp_path: Path) -> None:
    image = {"inputs": {"video 1": {"id": "P02-1"}, "image 1": {"id": "P02-1", "time": "00:00:01.0"}}}
    content = {"gaze_estimation_0": EPIC, "object_motion_17": EPIC | image}
    cut, whole = read_benchmark(written(tmp_path, content))
    assert (cut.dataset, cut.video, cut.kind) == ("HD-EPIC", "P01-1", "gaze_estimation")
    assert (cut.start_s, cut.end_s) == (pytest.approx(181.8), pytest.approx(3602.25))
    assert (cut.gold, cut.answer) == (3, "kicked")
    assert (whole.video, whole.start_s, whole.end_s, whole.kind) == ("P02-1", 0.0, None, "object_motion")


@pytest.mark.parametrize("content", [[], {}, [{"a": 1}], {"annotations": [{"a": 1}]}, "text", 3, [[1]], {"a": 1}])
def test_an_unknown_layout_is_refused_and_the_known_ones_are_named(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UserError, match="no known benchmark") as refused:
        read_benchmark(written(tmp_path, content))
    for name in ("EgoSchema", "QAEgo4D", "QAEgo4D-MC", "EgoTempo", "HD-EPIC", "q_uid", "clip_id"):
        assert name in refused.value.hint


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ([SCHEMA, {"q_uid": "00-b", "option 0": "p"}], "00-b", "option 1"),
        ([{key: value for key, value in SCHEMA.items() if key != "question"}], "00-a", "'question'"),
        ([SCHEMA | {"answer": 5}], "00-a", "no option 5"),
        ([QA, QA | {"sample_id": "s2", "question": " "}], "s2", "empty"),
        ([QA | {"options": ["a", "b"]}], "s1", "none of its options"),
        ([QA | {"moment_end_frame": None}], "s1", "NoneType"),
        ([CONVERSATIONS | {"duration": "long"}], "v2", "long"),
        ([TEMPO | {"clip_id": "f00"}], "f00-1_-0.5_34.25_0", "unpack"),
        ([TEMPO | {"clip_id": "f00_30_20"}], "f00-1_-0.5_34.25_0", "before it starts"),
        ({"k_0": EPIC, "k_1": EPIC | {"correct_idx": -1}}, "k_1", "no option -1"),
        ({"k_0": EPIC | {"inputs": {"video 1": {"id": "a"}, "video 2": {"id": "b"}}}}, "k_0", "2 films"),
        ([TEMPO, 7], "number 1", ""),
        ({"k_0": EPIC, "k_1": 7}, "number 1", ""),
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused_by_its_id(tmp_path: Path, content: Any, name: str, reason: str) -> None:
    with pytest.raises(UserError) as refused:
        read_benchmark(written(tmp_path, content))
    assert f"record {name} cannot be used" in refused.value.message and reason in refused.value.message


def test_a_file_that_is_no_json_or_not_there_is_refused_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    for name in ("broken.json", "absent.json"):
        with pytest.raises(UserError, match=f"{name} cannot be read"):
            read_benchmark(tmp_path / name)
    path = written(tmp_path, [SCHEMA])
    written(tmp_path, [3], "subset_answers.json")
    with pytest.raises(UserError, match=r"subset_answers\.json holds no answers"):
        read_benchmark(path)
