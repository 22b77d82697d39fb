"""From a problem, an optimizer and seeds to a trace: how runs end, what is recorded, what is charged."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit
from threadpoolctl import threadpool_info

import bench_ovp as ovp
from bench_ovp.checkpoints import Horizon, StopRule, grid
from bench_ovp.errors import InputError, PluginError, Stop
from bench_ovp.integrate import integrate, lockstep
from bench_ovp.integrate.compiled import CompiledEngine
from bench_ovp.integrate.lockstep import FOREVER, NumpyEngine
from bench_ovp.optimizers import DriverMethod, Optimizer, StepMethod
from bench_ovp.oracle import Oracle
from bench_ovp.problems import Problem
from bench_ovp.trace import Watch

STEPS = ["gradient-descent", "heavy-ball", "nesterov", "polyak-step"]


class Valley:
    """½‖w‖², two students in three dimensions; no compiled kernels, and nothing to observe."""

    name = "valley"

    def start(self, seeds):
        return np.stack([np.random.default_rng(seed).standard_normal((2, 3)) for seed in seeds])

    def loss(self, w):
        return 0.5 * np.sum(w * w, axis=(1, 2))

    def grad(self, w):
        return w.copy()

    def hessian(self, w):
        return np.broadcast_to(np.eye(6), (len(w), 6, 6))


def descend(oracle, w, state, k, lr: float = 0.1):
    """Go down."""
    return w - lr * oracle.grad(w), state


DESCENT = StepMethod("descent", descend)
VALLEY = Problem(Valley)


def run(problem, optimizer, seeds=1, per_decade=20, loss=None, wall=None, **horizon):
    seeds = range(seeds) if isinstance(seeds, int) else seeds
    return integrate(problem, optimizer, seeds, Horizon(**horizon), per_decade, StopRule(loss, wall))


def only(trace):
    (found,) = trace.runs
    return found


# How runs end.


def test_a_run_ends_at_its_iterations():
    found = only(run(VALLEY, Optimizer(DESCENT), iterations=70))
    assert (found.status, found.reason) == ("ok", "reached its horizon, iteration 70")
    assert found.iterations == found.rows["iteration"][-1] == 70
    assert found.rows["time"][-1] == pytest.approx(7.0)


def test_a_run_ends_at_its_nominal_time():
    found = only(run(VALLEY, Optimizer(DESCENT, {"lr": 0.05}), iterations=1000, time=2.5))
    assert found.iterations == 50
    assert np.array_equal(found.rows["time"], 0.05 * found.rows["iteration"])


def ask_one_by_one(oracle, w, state, k, lr=0.1):
    g = np.empty_like(w)
    for run in range(len(w)):
        g[run] = oracle.grad(w[run : run + 1])[0]
    return w - lr * g, state


@pytest.mark.parametrize("compiled", [True, False])
def test_a_question_about_some_runs_is_charged_to_those(compiled):
    method = StepMethod("one-by-one", ask_one_by_one, compile=compiled)
    trace = run(ovp.problem("exact-neuron", d=3), Optimizer(method), seeds=4, iterations=10)
    assert trace.engine.startswith("compiled" if compiled else "numpy")
    assert [found.evaluations for found in trace.runs] == [10] * 4


def test_a_run_ends_at_its_evaluations():
    found = only(run(VALLEY, Optimizer(DESCENT), iterations=1000, evaluations=33))
    assert (found.status, found.reason) == ("ok", "reached its horizon, 33 evaluations")
    assert found.iterations == found.evaluations == found.rows["evaluations"][-1] == 33


def test_a_run_ends_at_the_first_checkpoint_at_its_target():
    found = only(run(VALLEY, Optimizer(DESCENT), loss=1e-3, iterations=1000))
    assert found.status == "target"
    assert f"0.001 at iteration {found.iterations}" in found.reason
    assert found.rows["loss"][-1] <= 1e-3 < found.rows["loss"][-2]
    assert found.iterations in grid(20, 1000)


def test_a_loss_of_zero_is_the_floor():
    found = only(run(VALLEY, Optimizer(DESCENT, {"lr": 1.0}), iterations=1000))
    assert (found.status, found.reason) == ("floor", "the loss is exactly 0 at iteration 1")


def test_a_loss_below_what_double_precision_resolves_is_the_floor():
    problem = ovp.problem("exact-neuron", d=3)
    found = only(run(problem, ovp.optimizer("gradient-descent", lr=1.9), iterations=10_000))
    assert found.status == "floor"
    assert found.rows["loss"][-1] <= found.resolution < found.rows["loss"][-2]
    assert found.iterations < 1000


@pytest.mark.parametrize("per_decade", [3, 20])
def test_a_diverging_run_tells_the_iteration_whatever_the_checkpoints(per_decade):
    problem, lr = ovp.problem("teacher-neuron", n=2, d=3), 100.0
    w = problem.start([0])
    expected = 0
    with np.errstate(all="ignore"):
        while np.isfinite(after := w - lr * problem.grad(w)).all():
            w, expected = after, expected + 1
    found = only(run(problem, ovp.optimizer("gradient-descent", lr=lr), per_decade=per_decade, iterations=10_000))
    assert found.status == "diverged"
    assert "finite" in found.reason
    assert found.iterations == found.evaluations == expected
    assert np.isfinite(found.rows["loss"]).all()
    assert found.rows["iteration"][-1] <= expected


@pytest.mark.parametrize(("n", "c"), [(2, 0.5), (4, 0.25), (8, 1.0)])
def test_students_that_a_step_takes_to_zero_are_degenerate(n, c):
    # Remark 26 of Xu & Du (2023): at wᵢ = −cv the gradient is −(nc/2)v, and a step of 2/n leads to zero.
    problem = ovp.problem("teacher-neuron", w0=[[-c, 0.0]] * n)
    w = problem.start([0])
    assert np.all(w - 2.0 / n * problem.grad(w) == 0.0)
    found = only(run(problem, ovp.optimizer("gradient-descent", lr=2.0 / n), iterations=100))
    assert (found.status, found.reason) == ("degenerate", "the loss has no gradient at iteration 1")
    assert found.iterations == 1


def test_degenerate_between_checkpoints_is_not_divergence():
    problem = ovp.problem("teacher-neuron", w0=[[-0.5, 0.0]] * 2)

    def late(oracle, w, state, k, lr: float = 1.0):
        return w - (lr if k == 11 else 0.0) * oracle.grad(w), state

    found = only(run(problem, Optimizer(StepMethod("late", late, compile=False)), per_decade=1, iterations=100))
    assert (found.status, found.iterations) == ("degenerate", 12)
    assert list(found.rows["iteration"]) == [1, 10]


def test_the_wall_limit_ends_a_run():
    def doze(oracle, w, state, k, lr: float = 0.1):
        time.sleep(0.02)
        return w - lr * oracle.grad(w), state

    begun = time.monotonic()
    found = only(run(VALLEY, Optimizer(StepMethod("doze", doze)), wall=0.1, iterations=100_000))
    assert time.monotonic() - begun < 5.0
    assert (found.status, found.reason) == ("timeout", "the wall limit of 0.1 s")
    assert 1 <= found.iterations < 100
    assert found.rows["iteration"][-1] <= found.iterations


def test_each_run_ends_in_its_own_way():
    def fork(oracle, w, state, k):
        oracle.grad(w)
        return w * np.where(w[:, :1, :1] > 0.0, 0.5, np.inf), state  # seeds that start to the left diverge

    starts = VALLEY.start(range(8))[:, 0, 0]
    trace = run(VALLEY, Optimizer(StepMethod("fork", fork)), seeds=8, loss=1e-10, iterations=100)
    assert [found.seed for found in trace.runs] == list(range(8))
    assert [found.status for found in trace.runs] == ["target" if x > 0.0 else "diverged" for x in starts]
    assert len({found.status for found in trace.runs}) == 2
    for found in trace.runs:  # those that go on pay nothing for those that do not
        assert found.evaluations == found.iterations if found.status == "target" else found.evaluations == 0


def test_a_gradient_that_overflows_is_a_result_and_no_warning():
    trace = run(VALLEY, Optimizer(DESCENT, {"lr": 1e160}), per_decade=20, iterations=100)
    assert only(trace).status == "diverged"


def test_no_horizon_that_a_method_obeys_is_refused_with_the_remedy():
    with pytest.raises(InputError, match="obeys a horizon in time; add `time: 1e4`"):
        run(VALLEY, ovp.optimizer("gradient-flow"), iterations=100)
    with pytest.raises(InputError, match="needs a horizon: iterations, time or evaluations"):
        run(VALLEY, Optimizer(DESCENT))


# What is recorded.


@pytest.mark.parametrize(("per_decade", "end"), [(20, 1000), (20, 777), (5, 1), (7, 12)])
def test_checkpoints_are_rounded_powers_and_the_end(per_decade, end):
    found = only(run(VALLEY, Optimizer(DESCENT, {"lr": 1e-3}), per_decade=per_decade, iterations=end))
    powers = {round(10 ** (k / per_decade)) for k in range(4 * per_decade + 1)}
    assert list(found.rows["iteration"]) == sorted({p for p in powers if p <= end} | {end})
    assert list(found.rows)[:5] == ["iteration", "time", "evaluations", "loss", "grad_norm"]


def test_a_row_is_the_state_at_its_iteration():
    problem = ovp.problem("teacher-neuron", n=2, d=3)
    found = only(run(problem, ovp.optimizer("gradient-descent", lr=0.1), iterations=10))
    w = problem.start([0])
    for row in range(10):
        w = w - 0.1 * problem.grad(w)
        expected = {"loss": problem.loss(w)[0], "grad_norm": np.linalg.norm(problem.grad(w)), **problem.observe(w)}
        for name, value in expected.items():
            assert found.rows[name][row] == pytest.approx(np.ravel(value)[0], rel=1e-11), name


def test_a_flow_has_times_and_no_iterations():
    found = only(run(ovp.problem("exact-neuron", d=3), ovp.optimizer("gradient-flow"), per_decade=5, time=20.0))
    assert found.rows["time"][0] == pytest.approx(0.01)
    assert found.rows["time"][-1] == 20.0
    assert {1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 16.0} <= set(found.rows["time"])
    assert np.isnan(found.rows["iteration"]).all()
    assert found.iterations is None
    assert found.reason == "reached its horizon, t = 20"


def test_time_is_the_iteration_where_there_is_no_lr():
    found = only(run(ovp.problem("exact-neuron", d=3), ovp.optimizer("polyak-step"), time=12))
    assert found.iterations == 12
    assert np.array_equal(found.rows["time"], found.rows["iteration"])


# What is charged.


def ask_loss_too(oracle, w, state, k, lr: float = 0.1):
    """A loss and a gradient, one after the other."""
    oracle.loss(w + 1.0)
    return w - lr * oracle.grad(w), state


def ask_both(oracle, w, state, k, lr: float = 0.1):
    """A loss and a gradient at once."""
    _, grad = oracle.loss_and_grad(w)
    return w - lr * grad, state


def ask_hessian(oracle, w, state, k, lr: float = 0.1):
    """A Hessian and a gradient."""
    runs, n, d = w.shape
    move = np.linalg.solve(oracle.hessian(w), oracle.grad(w).reshape(runs, n * d, 1))
    return w - lr * move.reshape(w.shape), state


@pytest.mark.parametrize(("step", "price"), [(descend, 1), (ask_both, 1), (ask_loss_too, 2), (ask_hessian, 1 + 2 * 3)])
@pytest.mark.parametrize("per_decade", [2, 50])
def test_a_step_is_charged_for_its_queries_and_records_are_free(step, price, per_decade):
    trace = run(VALLEY, Optimizer(StepMethod("asks", step)), seeds=3, per_decade=per_decade, iterations=40)
    for found in trace.runs:
        assert np.array_equal(found.rows["evaluations"], price * found.rows["iteration"])
        assert found.evaluations == price * 40


@pytest.mark.parametrize("name", STEPS)
def test_compiled_steps_are_charged_alike(name):
    trace = run(ovp.problem("teacher-neuron", n=2, d=3), ovp.optimizer(name), seeds=2, iterations=50)
    assert trace.engine == "compiled"
    assert [found.evaluations for found in trace.runs] == [50, 50]


def test_curvature_costs_the_full_dimension_even_where_the_problem_was_reduced():
    optimizer = ovp.optimizer("preconditioned-gradient-descent")
    found = only(run(ovp.problem("teacher-neuron", n=2, d=20), optimizer, iterations=3))
    assert found.evaluations == 3 * (1 + 2 * 20)


def test_the_last_step_of_a_budget_is_finished():
    found = only(run(VALLEY, Optimizer(StepMethod("asks", ask_hessian)), evaluations=20))
    assert (found.iterations, found.evaluations) == (3, 21)


def test_the_last_step_of_a_budget_is_finished_in_compiled_code_too():
    optimizer = Optimizer(StepMethod("asks", ask_loss_too))
    trace = run(ovp.problem("teacher-neuron", n=2, d=3), optimizer, per_decade=1, evaluations=33)
    assert trace.engine == "compiled"
    assert (only(trace).iterations, only(trace).evaluations) == (17, 34)
    assert list(only(trace).rows["iteration"]) == [1, 10, 17]


def test_runs_that_ended_are_charged_no_more():
    trace = run(VALLEY, Optimizer(DESCENT), seeds=8, loss=1e-3, iterations=1000)
    assert len({found.evaluations for found in trace.runs}) > 1
    for found in trace.runs:
        assert found.evaluations == found.iterations == found.rows["evaluations"][-1]


# Compiled and not.


def in_numpy(optimizer: Optimizer) -> Optimizer:
    return replace(optimizer, method=replace(optimizer.method, compile=False))


def look_aside(oracle, w, state, k, lr: float = 0.1):
    """Heavy ball in steps of a bounded length: it reshapes, which numba knows in C order only."""
    (before,) = state
    g = oracle.grad(w)
    flat = g.reshape(len(g), -1)
    size = np.sqrt(np.sum(flat * flat, axis=1))
    return w - lr * (flat / (1.0 + size).reshape(-1, 1)).reshape(w.shape) + 0.5 * (w - before), (w,)


RESHAPING = Optimizer(StepMethod("look-aside", look_aside, lambda w: (w,), isometry_equivariant=True))
COMPILED = {**{name: ovp.optimizer(name) for name in STEPS}, "reshaping": RESHAPING}
KINDS = [*STEPS, "reshaping"]


@pytest.mark.parametrize("recentered", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_compiled_and_numpy_take_the_same_step(name, recentered):
    problem, optimizer = ovp.problem("teacher-neuron", n=3, d=4), COMPILED[name]
    w = problem.start(range(20))
    if recentered:
        problem, w = problem.recenter(w)
    states = []
    for engine in (CompiledEngine(problem.kernels, optimizer, w[:1]), NumpyEngine(optimizer)):
        init = optimizer.method.init
        state = tuple(0.9 * part for part in init(w)) if init else ()  # as if it had moved
        oracle = Oracle(problem, 20, curvature_cost=0)
        after, _, taken = engine.advance(oracle, w.copy(), state, 5, 1, FOREVER)
        assert (taken, oracle.evaluations) == (1, 1)
        states.append(after)
    compiled, numpy = states
    assert np.abs(numpy - w).max() > 1e-3
    np.testing.assert_allclose(compiled, numpy, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", KINDS)
def test_compiled_and_numpy_stay_together(name):
    # Away from zero, where the loss is smooth: a student that passes close by 0 amplifies rounding.
    problem, optimizer = ovp.problem("teacher-neuron", n=2, d=4, sigma=0.3), COMPILED[name]
    compiled = run(problem, optimizer, seeds=4, iterations=300)
    numpy = run(problem, in_numpy(optimizer), seeds=4, iterations=300)
    assert (compiled.engine, numpy.engine) == ("compiled", "numpy")
    smooth = 0
    for one, other in zip(compiled.runs, numpy.runs, strict=True):
        if min(one.rows["norm_min"]) <= 0.01:
            continue
        smooth += 1
        assert (one.status, one.iterations, one.evaluations) == (other.status, other.iterations, other.evaluations)
        for column in ("loss", "grad_norm", "residual_norm", "norm_max"):
            np.testing.assert_allclose(one.rows[column], other.rows[column], rtol=1e-11)
    assert smooth >= 2


def sling(oracle, w, state, k, lr: float = 0.1, beta: float = 0.8):
    """The heavy ball of a stranger, by its velocity."""
    (velocity,) = state
    velocity = beta * velocity - lr * oracle.grad(w)
    return w + velocity, (velocity,)


def look_ahead(oracle, w, state, k, lr: float = 0.1, beta: float = 0.8):
    """Nesterov's method of a stranger, with constant momentum."""
    (before,) = state
    ahead = w + beta * (w - before)
    return ahead - lr * oracle.grad(ahead), (w,)


@pytest.mark.parametrize(("step", "init"), [(sling, lambda w: (0.0 * w,)), (look_ahead, lambda w: (w,))])
def test_what_commutes_with_isometries_goes_the_same_way_in_other_coordinates(step, init):
    # Away from zero, as above.
    problem = ovp.problem("teacher-neuron", n=3, d=6, sigma=0.3)
    plain, declared = (
        run(problem, Optimizer(StepMethod("mine", step, init, isometry_equivariant=told)), seeds=8, iterations=100)
        for told in (False, True)
    )
    assert plain.engine == declared.engine == "compiled"
    smooth = 0
    for one, other in zip(plain.runs, declared.runs, strict=True):
        assert other.resolution < 1e-280 < 1e-40 < one.resolution
        if min(one.rows["norm_min"]) > 0.01:
            smooth += 1
            for column in ("loss", "grad_norm", "residual_norm", "theta_max", "norm_min", "norm_max"):
                np.testing.assert_allclose(other.rows[column], one.rows[column], rtol=1e-10)
    assert smooth >= 4


def test_a_step_that_numba_does_not_know_runs_in_numpy_and_says_so():
    problem = ovp.problem("teacher-neuron", n=2, d=3)
    trace = run(problem, Optimizer(StepMethod("newton", ask_hessian)), iterations=5)
    assert trace.engine.startswith("numpy (the step does not compile: ")
    assert "hessian" in trace.engine
    assert "\n" not in trace.engine
    assert only(trace).status == "ok"


def test_a_problem_without_kernels_runs_in_numpy_and_says_so():
    assert run(VALLEY, Optimizer(DESCENT), iterations=2).engine == "numpy (valley has no compiled kernels)"


def test_state_without_a_run_axis_is_refused():
    method = StepMethod("scalar", descend, init=lambda w: (1.0,))
    with pytest.raises(PluginError, match="scalar: each array of its state needs a leading run axis"):
        run(VALLEY, Optimizer(method), iterations=2)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (lambda oracle, w, state, k: (w[0], state), "must return w as float64 of shape"),
        (lambda oracle, w, state, k: (w.astype(np.float32), state), "must return w as float64"),
        (lambda oracle, w, state, k: (w, None), "must return its state as a tuple"),
    ],
)
def test_a_step_that_returns_something_else_is_refused(step, told):
    with pytest.raises(PluginError, match=told):
        run(VALLEY, Optimizer(StepMethod("odd", step)), iterations=2)


# A run's bits depend on nothing but its start.

OPTIMIZERS = {
    "compiled": ovp.optimizer("gradient-descent", lr=0.5),
    "compiled, with momentum": ovp.optimizer("heavy-ball", lr=0.3),
    "compiled, adaptive": ovp.optimizer("polyak-step"),
    "numpy": ovp.optimizer("preconditioned-gradient-descent"),
    "driver": ovp.optimizer("gradient-flow"),
}
INDEPENDENT = ovp.problem("teacher-neuron", n=2, d=4, sigma=0.5)
alone: dict[tuple[str, int], ovp.Run] = {}


def batch(kind: str, seeds: list[int]):
    # A target that seeds reach at different times: the batch gets narrower on the way.
    return run(INDEPENDENT, OPTIMIZERS[kind], seeds, loss=1e-4, iterations=150, time=50.0).runs


def same(one: ovp.Run, other: ovp.Run) -> bool:
    facts = [(r.seed, r.status, r.reason, r.iterations, r.evaluations, list(r.rows)) for r in (one, other)]
    return facts[0] == facts[1] and all(
        column.tobytes() == other.rows[name].tobytes() for name, column in one.rows.items()
    )


@pytest.mark.parametrize("kind", OPTIMIZERS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seeds=st.lists(st.integers(0, 20), min_size=1, max_size=20, unique=True))
def test_a_run_is_bitwise_the_same_in_any_company(kind, seeds):
    seeds = seeds[:3] if kind == "driver" else seeds
    for found in batch(kind, seeds):
        key = (kind, found.seed)
        if key not in alone:
            (alone[key],) = batch(kind, [found.seed])
        assert same(found, alone[key]), f"seed {found.seed} among {seeds}"


@pytest.mark.parametrize("kind", [k for k in OPTIMIZERS if k != "driver"])
def test_more_runs_than_a_block_in_either_order(kind):
    seeds = list(range(70 if kind.startswith("compiled") else 20))
    forward, backward = batch(kind, seeds), batch(kind, seeds[::-1])
    assert len({found.iterations for found in forward}) > 1
    assert all(same(one, other) for one, other in zip(forward, reversed(backward), strict=True))


@pytest.mark.parametrize("recentered", [False, True])
@pytest.mark.parametrize(("n", "d"), [(3, 4), (12, 12)])  # in blocks of 64 runs, and of 8
@pytest.mark.parametrize("name", KINDS)
def test_compiled_steps_are_bitwise_the_same_in_any_block(name, n, d, recentered):
    problem, optimizer = ovp.problem("teacher-neuron", n=n, d=d), COMPILED[name]
    w = problem.start(range(70))
    if recentered:
        problem, w = problem.recenter(w)
    engine = CompiledEngine(problem.kernels, optimizer, w[:1])

    def advance(runs, budget=FOREVER):
        given = w[runs]
        state = optimizer.method.init(given) if optimizer.method.init else ()
        return engine.advance(Oracle(problem, len(given), curvature_cost=0), given, state, 0, 8, budget)

    def check(found, runs):
        assert found[0].tobytes() == whole[0][runs].tobytes()
        assert [part.tobytes() for part in found[1]] == [part[runs].tobytes() for part in whole[1]]

    whole = advance(list(range(70)))
    for count in range(1, 70):
        check(advance(list(range(count))), list(range(count)))
    order = np.random.default_rng(0).permutation(70)
    check(advance(order), order)
    check(advance(order[:13]), order[:13])
    check(advance(order, budget=1000), order)  # all in one block, so that all stop at one step


class Shifted(Valley):
    """½‖w − 1‖²: rounding brings a descent to rest a few ulp off the minimum."""

    name = "shifted"

    def loss(self, w):
        return super().loss(w - 1.0)

    def grad(self, w):
        return w - 1.0


def test_a_run_at_rest_is_at_the_floor():
    found = only(run(Problem(Shifted), Optimizer(DESCENT), iterations=20_000))
    assert found.status == "floor"
    assert "no longer change" in found.reason
    assert 0.0 < found.rows["loss"][-1] < 1e-28
    assert found.iterations < 20_000


def test_a_run_ends_alike_however_its_steps_are_cut_into_stretches(monkeypatch):
    found = []
    for seconds in (1e-9, 1e9):  # a step at a time; from checkpoint to checkpoint
        monkeypatch.setattr(lockstep, "STRETCH_SECONDS", seconds)
        found.append(only(run(Problem(Shifted), Optimizer(DESCENT), iterations=20_000)))
    assert same(*found)


# Drivers.


def drive(method_or_function, loss=None, seeds=1, **horizon):
    method = method_or_function
    if not isinstance(method, DriverMethod):
        method = DriverMethod("driver", method_or_function)
    return run(VALLEY, Optimizer(method), seeds=seeds, loss=loss, per_decade=5, **horizon)


def walk(oracle, w, checkpoints, until: int = 10**9):
    """Halve w, and report every iteration."""
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - 0.5 * oracle.grad(w)
        checkpoints.record(k, w)
        if k == until:
            return "it had enough"
    return None


def test_a_driver_is_recorded_at_the_checkpoints_and_reaches_its_horizon():
    found = only(drive(walk, iterations=20))
    assert list(found.rows["iteration"]) == [1, 2, 3, 4, 6, 10, 16, 20]
    assert (found.status, found.reason) == ("ok", "reached its horizon, iteration 20")
    assert found.evaluations == 20
    assert np.array_equal(found.rows["evaluations"], found.rows["iteration"])


def test_a_driver_that_stops_early_gives_its_reason_and_is_recorded_there():
    optimizer = Optimizer(DriverMethod("driver", walk), {"until": 13})
    found = only(run(VALLEY, optimizer, per_decade=5, iterations=20))
    assert (found.status, found.reason) == ("ok", "the method ended at iteration 13: it had enough")
    assert list(found.rows["iteration"]) == [1, 2, 3, 4, 6, 10, 13]
    assert found.iterations == found.evaluations == 13


def test_a_driver_that_stops_early_without_a_word():
    found = only(drive(lambda oracle, w, checkpoints: checkpoints.record(1, w), iterations=20))
    assert found.reason == "the method ended at iteration 1: it gave no reason"


def test_a_driver_that_records_nothing_is_an_error():
    with pytest.raises(RuntimeError, match=r"without reporting anything; call checkpoints\.record"):
        drive(lambda oracle, w, checkpoints: None, iterations=20)


def test_a_driver_that_reports_another_shape_is_an_error():
    with pytest.raises(ValueError, match=r"driver reports w of shape \(2, 3\), not \(1, 2, 3\)"):
        drive(lambda oracle, w, checkpoints: checkpoints.record(1, w[0]), iterations=20)


def test_a_driver_that_leaves_a_checkpoint_out_is_an_error():
    def leap(oracle, w, checkpoints):
        checkpoints.record(checkpoints.positions[0], w)
        checkpoints.record(checkpoints.horizon, w)

    with pytest.raises((RuntimeError, ValueError), match="went past the checkpoint at 2 without recording it"):
        drive(leap, iterations=20)


def test_a_driver_may_catch_the_stop_and_tidy_up():
    tidied = []

    def tidy(oracle, w, checkpoints):
        try:
            walk(oracle, w, checkpoints)
        except Stop:
            tidied.append(oracle.evaluations)
            raise

    found = only(drive(tidy, loss=1e-3, iterations=100))
    assert found.status == "target"
    assert tidied == [found.evaluations]


def test_a_drivers_budget_ends_it():
    found = only(drive(walk, iterations=20, evaluations=7))
    assert found.reason == "reached its horizon, 7 evaluations"
    assert list(found.rows["iteration"]) == [1, 2, 3, 4, 6, 7]


def test_a_drivers_wall_limit_ends_it():
    def doze(oracle, w, checkpoints):
        for k in range(1, 10_000):
            time.sleep(0.02)
            checkpoints.record(k, w)

    optimizer = Optimizer(DriverMethod("doze", doze))
    found = only(run(VALLEY, optimizer, per_decade=5, wall=0.1, iterations=10_000))
    assert (found.status, found.reason) == ("timeout", "the wall limit of 0.1 s")


@pytest.mark.parametrize(("batched", "sizes"), [(False, [1, 1, 1]), (True, [3])])
def test_a_driver_is_handed_one_run_or_all(batched, sizes):
    seen = []

    def count(oracle, w, checkpoints):
        seen.append(len(w))
        walk(oracle, w, checkpoints)

    trace = drive(DriverMethod("driver", count, batched=batched), seeds=3, iterations=10)
    assert seen == sizes
    assert [found.evaluations for found in trace.runs] == [10, 10, 10]
    for found, w in zip(trace.runs, VALLEY.start(3), strict=True):
        assert found.rows["loss"][0] == 0.125 * np.sum(w * w)


def test_numbers_do_not_depend_on_the_cores():
    def look(oracle, w, checkpoints):
        pools.extend(threadpool_info())
        return walk(oracle, w, checkpoints)

    pools: list[dict[str, object]] = []
    drive(look, iterations=2)
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}


FIRST = """
import os, sys
from threadpoolctl import threadpool_info
import bench_ovp as ovp
from bench_ovp.trace import Recorder

assert "scipy.linalg" not in sys.modules
pools = []
record = Recorder.record
Recorder.record = lambda self, *args: (pools.extend(threadpool_info()), record(self, *args))[1]
ovp.run(ovp.problem("teacher-neuron", n=2, d=3), ovp.optimizer("gradient-descent"), seeds=1, iterations=2)
print({pool["num_threads"] for pool in pools if pool["user_api"] == "blas"})
"""


def test_numbers_of_the_first_task_of_a_process_do_not_either():
    """numba brings SciPy's BLAS along; loaded within the task, it would have as many threads as there are cores."""
    told = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout.strip() == "{1}"


def test_a_ticking_caller_may_interrupt():
    class Refusing(Watch):
        def tick(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        integrate(VALLEY, Optimizer(DESCENT), [0], Horizon(iterations=10), watch=Refusing())


@njit
def shrink(w):  # compiled before: a step may call it
    """Half of w."""
    return 0.5 * w


def halve(oracle, w, state, k):
    """w ← w/2, by a helper."""
    return shrink(w), state


def test_a_compiled_step_may_call_compiled_helpers():
    trace = run(ovp.problem("teacher-neuron", n=1, d=2), Optimizer(StepMethod("halve", halve)), iterations=3)
    assert trace.engine == "compiled"
    assert only(trace).evaluations == 0
