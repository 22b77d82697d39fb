"""A run that goes on later is the run that was never interrupted, bit for bit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench_ovp as ovp
from bench_ovp.checkpoints import Horizon, StopRule
from bench_ovp.integrate import integrate
from bench_ovp.optimizers import Optimizer, StepMethod
from bench_ovp.plan import list_cells
from bench_ovp.registry import installed
from bench_ovp.store import Outcome, Store
from bench_ovp.suite import Suite
from bench_ovp.trace import UNFINISHED, Run, Watch

NEURON = ovp.problem("teacher-neuron", n=3, d=6)
METHODS = ("gradient-descent", "heavy-ball", "nesterov", "polyak-step", "preconditioned-gradient-descent")


def wander(oracle, w, state, k, lr: float = 0.05):
    """A stranger's: it counts its steps in a state of another shape, and what it does depends on k."""
    steps, mean = state
    g = oracle.grad(w) + 0.1 * mean / (k + 1.0)
    return w - lr * g, (steps + 1.0, 0.9 * mean + g)


STRANGER = StepMethod("stranger", wander, lambda w: (np.zeros(len(w)), np.zeros_like(w)), compile=False)


def optimizer(name: str) -> Optimizer:
    return Optimizer(STRANGER) if name == "stranger" else ovp.optimizer(name)


def same(one: Run, other: Run) -> None:
    """All but the seconds, which are the clock's."""
    assert (one.seed, one.status, one.reason) == (other.seed, other.status, other.reason)
    assert (one.iterations, one.evaluations) == (other.iterations, other.evaluations)
    assert list(one.rows) == list(other.rows)
    for name, column in one.rows.items():
        assert column.tobytes() == other.rows[name].tobytes(), name


def in_portions(problem, method, seeds, horizon, stop=None, portion=0.0) -> dict[int, Run]:
    """Run in portions of at least one stretch each, as a suite does with a long task."""
    ended: dict[int, Run] = {}
    earlier: tuple[Run, ...] = ()
    left = list(seeds)
    while left:
        runs = integrate(problem, method, left, horizon, 20, stop, earlier=earlier, portion=portion).runs
        ended |= {run.seed: run for run in runs if run.status != UNFINISHED}
        earlier = tuple(run for run in runs if run.status == UNFINISHED)
        left = [run.seed for run in earlier]
    return ended


@pytest.fixture
def short_stretches(monkeypatch):
    """Stretches of steps so short that a run has many places to be put down at."""
    monkeypatch.setattr("bench_ovp.integrate.lockstep.STRETCH_SECONDS", 1e-4)


@pytest.mark.parametrize("name", [*METHODS, "stranger"])
def test_portions_make_no_difference(short_stretches, name):
    horizon = Horizon(iterations=60 if name.startswith("precond") else 1237)
    whole = integrate(NEURON, optimizer(name), [4, 0, 7], horizon).runs
    parts = in_portions(NEURON, optimizer(name), [4, 0, 7], horizon)
    for run in whole:
        same(run, parts[run.seed])


@given(first=st.integers(1, 3000), second=st.integers(1, 3000), n=st.integers(1, 4), lr=st.sampled_from([0.05, 0.7]))
def test_a_longer_horizon_goes_on(first, second, n, lr):
    first, second = sorted((first, second))
    problem, method = ovp.problem("teacher-neuron", n=n, d=3), ovp.optimizer("heavy-ball", lr=lr)
    short = integrate(problem, method, [0, 1], Horizon(iterations=first)).runs
    whole = integrate(problem, method, [0, 1], Horizon(iterations=second)).runs
    for run, long in zip(short, whole, strict=True):
        if run.state:
            [again] = integrate(problem, method, [run.seed], Horizon(iterations=second), earlier=[run]).runs
            same(again, long)
        elif run.state is not None:  # it ended by itself, and would again
            same(run, long)


def test_a_bound_on_evaluations_counts_what_was_spent():
    whole = integrate(NEURON, optimizer("gradient-descent"), [0], Horizon(evaluations=700)).runs
    [half] = integrate(NEURON, optimizer("gradient-descent"), [0], Horizon(evaluations=333)).runs
    assert half.evaluations == 333
    [again] = integrate(NEURON, optimizer("gradient-descent"), [0], Horizon(evaluations=700), earlier=[half]).runs
    same(again, whole[0])


@pytest.mark.parametrize("target", [1e-3, None])
def test_a_run_that_ended_by_itself_ends_there_again(target):
    problem, method = ovp.problem("exact-neuron", d=4), ovp.optimizer("gradient-descent", lr=1.0)
    short = integrate(problem, method, [0], Horizon(iterations=2000), 20, StopRule(loss=target)).runs[0]
    long = integrate(problem, method, [0], Horizon(iterations=9000), 20, StopRule(loss=target)).runs[0]
    assert short.status == ("floor" if target is None else "target")
    assert short.state == {}
    same(short, long)


@pytest.mark.parametrize(("first", "second"), [(3.0, 250.0), (10.0, 77.7), (123.4, 1000.0)])
def test_a_flow_goes_on(first, second):
    flow = ovp.optimizer("gradient-flow")
    short = integrate(NEURON, flow, [0, 1], Horizon(time=first)).runs
    again = integrate(NEURON, flow, [0, 1], Horizon(time=second), earlier=short).runs
    for run, long in zip(again, integrate(NEURON, flow, [0, 1], Horizon(time=second)).runs, strict=True):
        same(run, long)


@pytest.mark.parametrize(("first", "second"), [(4000, 9000), (2345, 6789), (5000, 200_000)])
def test_a_run_that_is_carried_goes_on(first, second):
    """Carried from some checkpoint behind iteration 1000 on: put down before, in a trial, and after."""
    horizons = [Horizon(iterations=end, stepped=1000) for end in (first, second)]
    short = integrate(NEURON, optimizer("gradient-descent"), [0, 3], horizons[0]).runs
    whole = integrate(NEURON, optimizer("gradient-descent"), [0, 3], horizons[1]).runs
    assert max(whole[0].rows["how"]) == 1.0
    for run, long in zip(short, whole, strict=True):
        [again] = integrate(NEURON, optimizer("gradient-descent"), [run.seed], horizons[1], earlier=[run]).runs
        same(again, long)


def test_a_state_that_is_no_float64_does_not_go_on():
    def step(oracle, w, state, k):
        return w - 0.1 * oracle.grad(w), (state[0] + 1,)

    method = Optimizer(StepMethod("counts", step, lambda w: (np.zeros(len(w), np.int64),), compile=False))
    [run] = integrate(NEURON, method, [0], Horizon(iterations=10)).runs
    assert run.state is None


def test_a_limit_of_time_counts_what_was_spent(short_stretches):
    class Spending(Watch):
        def start(self, seconds: float = 0.0) -> None:
            told.append(seconds)

    told: list[float] = []
    method = optimizer("gradient-descent")
    [run] = integrate(NEURON, method, [0], Horizon(iterations=10**7, stepped=10**7), portion=0.2, watch=Spending()).runs
    assert run.status == UNFINISHED
    spent = float(run.state["seconds"])
    assert spent > 0.2
    [run] = integrate(
        NEURON,
        method,
        [0],
        Horizon(iterations=10**7, stepped=10**7),
        20,
        StopRule(wall=spent + 0.1),
        Spending(),
        [run],
        math.inf,
    ).runs
    assert run.status == "timeout"
    assert told == [0.0, spent]


def test_a_suite_goes_on_from_what_is_stored(tmp_path):
    registry = installed()
    suite = Suite("s", (NEURON,), (ovp.optimizer("gradient-descent"),), (0, 1), Horizon(iterations=1000))
    [short] = list_cells(suite, registry)
    [long] = list_cells(replace(suite, horizon=Horizon(iterations=10_000)), registry)
    assert long.key == short.key
    from bench_ovp.crew import Crew
    from bench_ovp.engine import run_missing
    from bench_ovp.progress import Silent

    with Store(tmp_path) as store, Crew("serial") as crew:
        run_missing([short], store, registry, Silent(), crew)
        found = store.find_earlier(long, lambda place, spent: True)
        assert {seed: float(stored.run.state["position"]) for seed, stored in found.items()} == {0: 1000, 1: 1000}
        run_missing([long], store, registry, Silent(), crew)
        stored = store.load(long)
    for run in integrate(NEURON, suite.optimizers[0], [0, 1], Horizon(iterations=10_000)).runs:
        same(stored[run.seed].run, run)
    assert isinstance(Outcome(*stored[0]), Outcome)
