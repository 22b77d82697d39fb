"""suites/optimizers.yaml, and what docs/optimizers-study.md says of it: by formulas, and at longer horizons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bench_ovp as ovp
from bench_ovp.candidates import Tunable
from bench_ovp.suite import read_suite
from bench_ovp.suite_run import read_registry
from bench_ovp.trace import Trace
from bench_ovp.work import fit_run

SUITE = Path(__file__).resolve().parent.parent / "suites" / "optimizers.yaml"


def run(n: int, name: str, iterations: float, seeds: int = 4, **given: object) -> Trace:
    problem, optimizer = ovp.problem("teacher-neuron", n=n, d=20), ovp.optimizer(name, **given)
    return ovp.run(problem, optimizer, seeds, iterations=iterations, stepped=iterations)


def last(trace: Trace) -> np.ndarray:
    return np.array([float(one.rows["loss"][-1]) for one in trace.runs])


def laws(trace: Trace) -> list[str]:
    return [fit_run(one, trace.optimizer).law for one in trace.runs]


def test_the_suite_is_the_study():
    suite = read_suite(SUITE, read_registry(SUITE))
    assert len({thing.method.name for thing in suite.optimizers if thing.method.name != "scipy"}) >= 15
    assert len(suite.optimizers) == 29
    free = {"gradient-flow", "polyak-step", "BFGS", "Newton-CG"}  # they have no step size to choose
    assert {thing.label for thing in suite.optimizers if not isinstance(thing, Tunable)} == free
    assert not set(suite.seeds) & set(suite.tuning.seeds)


@pytest.mark.parametrize("n", [2, 5])
def test_steps_of_one_length_leave_a_cycle(n):
    """Two steps carry r = Σwᵢ − v there and back: ‖r‖ before and after add up to √n lr, and L = ‖r‖²/4 there."""
    here, there = (last(run(n, "normalized-gradient-descent", k, lr=1e-3)) for k in (20_000, 20_001))
    assert np.sqrt(here) + np.sqrt(there) == pytest.approx(np.sqrt(n) * 1e-3 / 2, rel=0.02)


@pytest.mark.parametrize(
    ("name", "given", "time"),
    [
        ("gradient-descent-cosine", {"lr": 0.4, "steps": 20_000}, 0.4 * 10_000),
        ("gradient-descent-cooling", {"lr": 0.4, "cooling": 1e-4}, 0.4e4 * (1 - np.exp(-2))),
        ("gradient-descent-power", {"lr": 0.4, "power": -0.5}, 0.4 * (2 * np.sqrt(20_000) - 1.4603545)),
        ("gradient-descent-power", {"lr": 0.02, "power": 0.25}, 0.02 * 20_000**1.25 / 1.25),
    ],
)
def test_a_schedule_is_gradient_descent_on_the_clock_of_its_sum(name, given, time):
    """Steps of another length differ by the second term of the modified equation: a few parts in a thousand here."""
    scheduled = last(run(5, name, 20_000, **given))
    plain = last(run(5, "gradient-descent", round(time / 0.1), lr=0.1))
    assert scheduled == pytest.approx(plain, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "lr"), [(2, 0.8), (5, 0.4)])
def test_the_heavy_ball_only_seems_to_escape(n, lr):
    """What a memory of 1000 steps holds dies like e^(−k/1000); behind it the power law was there all the time."""
    short = run(n, "heavy-ball", 1e5, lr=lr, beta=0.999)
    assert laws(short).count("exponential") >= 3
    long = run(n, "heavy-ball", 1e7, lr=lr, beta=0.999)
    assert laws(long) == ["power"] * 4
    rates = [fit_run(one, long.optimizer) for one in long.runs]
    assert all(rate.low < 3 < rate.high for rate in rates)


@pytest.mark.slow
def test_a_fixed_period_ends_the_exponential():
    """A long step of L^(−1/3) throws off the fast directions, and the short ones have only so many steps to mend it:
    until L is about |1 − n lr/2|^(3·(period − 1)), here 1e-40, and never where n lr = 2."""
    early = run(2, "gradient-descent-polyak", 1000, lr=0.8, period=20)
    assert (last(early) < 1e-28).all()
    late = last(run(2, "gradient-descent-polyak", 20_000, lr=0.8, period=20))
    assert ((late > 1e-42) & (late < 1e-34)).all()
    assert (last(run(5, "gradient-descent-polyak", 20_000, lr=0.4, period=20)) < 1e-200).all()
