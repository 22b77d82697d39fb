"""The paper's result, from its suite file to the ranking: what the project is for."""

import math
from pathlib import Path

import pandas as pd
import pytest

import bench_ovp as ovp

SUITES = Path(__file__).parent.parent / "suites"
# Curvature of the valley: ½ for one student, n/2 for n equal or parallel ones (n = 5 by default).
RATES = {
    ("exact-neuron", "gradient-descent"): -2 * math.log(1 - 0.05 / 2) / 0.05,
    ("exact-neuron", "gradient-flow"): 1.0,
    ("toy-case-2", "gradient-descent"): -2 * math.log(1 - 5 * 0.05 / 2) / 0.05,
    ("toy-case-2", "gradient-flow"): 5.0,
    ("toy-case-3", "gradient-descent"): -2 * math.log(1 - 5 * 0.05 / 2) / 0.05,
    ("toy-case-3", "gradient-flow"): 5.0,
}


def ranking_of(suite, results):
    folder = ovp.run_suite(SUITES / suite, results)
    ranking = pd.read_csv(folder / "ranking.csv")
    runs = pd.read_csv(folder / "runs.csv")
    assert not runs.status.isin(["failed", "timeout"]).any()
    return ranking.assign(
        problem=ranking.problem.str.partition("[")[0], optimizer=ranking.optimizer.str.partition("[")[0]
    )


def check(ranking):
    """The laws, exponents and rates that theory gives, where it gives any."""
    for row in ranking.itertuples():
        where = f"{row.problem} x {row.optimizer}: {row.law} {row.value} ({row.low} to {row.high})"
        slow = row.problem in ("teacher-neuron", "toy-case-1")
        if slow and row.optimizer in ("gradient-descent", "gradient-flow"):
            assert row.law == "power", where
            assert row.low <= 3 <= row.high, where
            assert row.high - row.low <= 0.2, where
        if (row.problem, row.optimizer) in RATES:
            assert row.law == "exponential", where
            assert row.value == pytest.approx(RATES[row.problem, row.optimizer], rel=0.01), where
        if row.problem == "teacher-neuron" and row.optimizer == "preconditioned-gradient-descent":
            assert row.law in ("exponential", "superexponential"), where
        if slow and row.optimizer == "heavy-ball":
            assert (row.theory_law, row.theory_value) == ("power", 3), where
        if slow and row.optimizer in ("nesterov", "polyak-step"):
            assert pd.isna(row.theory_law), where
        assert pd.isna(row.theory_law) or row.agrees, where


def test_the_quick_suite_shows_the_contrast(tmp_path):
    ranking = ranking_of("quick.yaml", tmp_path)
    assert set(ranking.law) == {"power", "exponential"}
    check(ranking)


@pytest.mark.slow
def test_the_paper_suite_shows_the_result(tmp_path):
    ranking = ranking_of("paper.yaml", tmp_path)
    assert len(ranking) == 48
    check(ranking)
