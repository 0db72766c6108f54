"""Narrations of both kinds of file become spans of films; a bad file is refused by what is wrong with it."""

import json
from pathlib import Path

import pytest

from assistant.training.data_engine import Narration
from assistant.training.narrations import read_narrations
from store.errors import UserError

EPIC = Path(__file__).parents[2] / "shared" / "real" / "epic100_narrations.csv"
HEADER = "video_id,start_timestamp,stop_timestamp,narration\n"


def moments(*told: tuple[float, str]) -> dict[str, object]:
    return {"narrations": [{"timestamp_sec": at_s, "narration_text": text} for at_s, text in told]}


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_a_csv_gives_every_film_its_narrations_in_time_order(tmp_path: Path) -> None:
    (tmp_path / "told.csv").write_text(
        f"{HEADER}b,00:01:02.5,00:01:03,wash cup\nb,00:00:01,00:00:02.25,take cup \na,01:00:00,01:00:01,open tap\n"
    )
    assert read_narrations(tmp_path / "told.csv") == {
        "b": [Narration(1.0, 2.25, "take cup"), Narration(62.5, 63.0, "wash cup")],
        "a": [Narration(3600.0, 3601.0, "open tap")],
    }


@pytest.mark.parametrize("wrapped", [True, False])
def test_ego4d_moments_reach_half_way_to_their_neighbours_and_no_farther_than_two_seconds(
    tmp_path: Path, wrapped: bool
) -> None:
    told = moments((11.0, "#C C opens  the tap #unsure"), (10.0, "#C C takes a cup"), (30.0, "#O X waves"))
    videos = {"uid": {"narration_pass_1": moments((1.0, "shorter")), "narration_pass_2": told}}
    films = read_narrations(written(tmp_path / "told.json", {"videos": videos} if wrapped else videos))
    assert films == {
        "uid": [
            Narration(8.0, 10.5, "#C C takes a cup"),
            Narration(10.5, 13.0, "#C C opens the tap"),
            Narration(28.0, 32.0, "#O X waves"),
        ]
    }


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("bad.csv", "video_id,narration\n1,2\n", "start_timestamp"),
        ("bad.csv", f"{HEADER}a,00:00:01,00:00:02,x\na,soon,00:00:02,x\n", "row 2: 'soon'"),
        ("bad.csv", f"{HEADER}a,00:00:01\n", "row 1: ''"),
        ("bad.csv", f"{HEADER}a,00:00:05,00:00:02,x\n", "row 1: the narration ends before it starts"),
        ("bad.csv", f"{HEADER}a,00:00:01,00:00:02,x\na,{10**20}:00:01,{10**20}:00:02,x\n", "row 2: '1000"),
        ("bad.csv", f"{HEADER}a,00:00:01,00:00:02,{'x' * 140_000}\n", "field larger than field limit"),
        ("bad.json", "[" * 200_000, "not laid out"),
        ("bad.json", json.dumps({"uid": {"narration_pass_1": moments((1e23, "x"))}}), r"1e\+23 is no time"),
        ("bad.json", json.dumps({"uid": {"narration_pass_1": moments((float("nan"), "x"))}}), "nan is no time"),
        ("bad.json", json.dumps({"uid": {"narration_pass_1": moments((10**400, "x"))}}), "not laid out"),
        ("bad.json", "{", "line 1"),
        ("bad.json", '{"videos": {"uid": {"narration_pass_1": {"narrations": [{"text": 1}]}}}}', "not laid out"),
        ("bad.json", "[]", "not laid out"),
        ("bad.txt", "", "neither"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_row(tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=told) as refused:
        read_narrations(tmp_path / name)
    assert name in refused.value.message


def test_an_absent_or_unreadable_file_is_told_to_the_person(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"a,00:00:01,00:00:02,p\xe2t\xe9\n")
    for name in ("absent.csv", "latin.csv"):
        with pytest.raises(UserError, match=name):
            read_narrations(tmp_path / name)


@pytest.mark.skipif(not EPIC.exists(), reason="EPIC-KITCHENS narrations are not beside the project")
def test_all_epic_kitchens_narrations_are_read() -> None:
    films = read_narrations(EPIC)
    assert sum(map(len, films.values())) == 43_956 and len(films) == 421
    assert all(told == sorted(told, key=lambda n: (n.start_s, n.end_s)) for told in films.values())
