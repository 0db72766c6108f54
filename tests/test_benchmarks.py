"""The benchmarks of answering run at a tiny size anywhere, and the GPU's says so where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_every_precision_is_measured_against_its_floor(tmp_path: Path) -> None:
    run("gpu.py", "--size", "tiny", "--out", str(tmp_path / "gpu.md"))
    page = (tmp_path / "gpu.md").read_text()
    for precision in ("bf16", "int8", "nf4"):
        rows = page.partition(f"## {precision}\n")[2].partition("\n## ")[0].strip().splitlines()[2:]
        cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
        assert [name for name, *_ in cells] == [
            "encode 32 frames",
            "glimpse of 300",
            "glimpse, frames read before",
            "prefill",
            "decode 64 tokens",
            "an answer",
        ]
        assert all(float(spent) > 0 and float(times) > 0 for _, spent, _, times, _ in cells)


@pytest.mark.slow
def test_memory_is_weighed_against_what_every_precision_takes() -> None:
    said = run("room.py", "--size", "tiny")
    assert all(f" {precision} " in said for precision in ("fp32", "bf16", "int8", "nf4"))


@pytest.mark.slow
def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path) -> None:
    assert "no GPU" in run("gpu.py", "--out", str(tmp_path / "gpu.md"))
    assert not (tmp_path / "gpu.md").exists()


@pytest.mark.slow
def test_glimpse_and_fallback_read_far_less_than_all_frames_and_a_follow_up_less_still(tmp_path: Path) -> None:
    said = run("answer.py", "--sizes", "tiny", "--rounds", "1")
    assert "times fewer" in said and "follow-up, the same frames" in said
