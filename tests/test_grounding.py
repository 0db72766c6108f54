"""The shipped checkpoint answers from the frames it is shown: what blind accuracy does not tell."""

from pathlib import Path
from random import Random

import pytest

from assistant.evaluation.probes import ABSENT, SWAP, probe
from tui.laboratory import Home, record_home

VALIDATION_HOMES = (900_600, 900_601, 900_602)


@pytest.mark.slow
def test_of_two_acts_shown_the_asked_one_is_named_and_one_that_is_not_shown_is_not_seen(tmp_path: Path) -> None:
    probes = []
    for seed in VALIDATION_HOMES:
        home = Home(seed, 2.0, tmp_path / str(seed))
        record_home(home)
        with home.opened("nano") as examined:
            probes += probe(examined, Random(seed))
    swaps, absents = ([each for each in probes if each.kind == kind] for kind in (SWAP, ABSENT))
    assert len(swaps) >= 4 and len(absents) >= 4
    assert sum(each.own for each in swaps) >= len(swaps) - 1
    assert sum(each.not_seen for each in absents) >= len(absents) - 1
