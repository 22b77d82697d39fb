"""Runs carried beyond what can be stepped: series, orders, trials, records, and going on from where one was."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from cubic import grad, hessian, loss

import bench_ovp as ovp
from bench_ovp.checkpoints import Horizon
from bench_ovp.integrate import integrate, lockstep
from bench_ovp.integrate.collocation import Bases, Motion, Place, set_out
from bench_ovp.integrate.coordinates import choose_coordinates
from bench_ovp.integrate.horizon import Carriers, Flight, expand, find_series
from bench_ovp_optimizers.first_order import descend, remember, roll
from bench_ovp_optimizers.flow import Course, Whereabouts

DESCENT = (1.0, -1.0), (0.0, 0.1)


def heavy(lr, beta):
    return (1.0, -(1.0 + beta), beta), (0.0, lr)


def problem(n=2, d=4):
    return ovp.problem("teacher-neuron", n=n, d=d)


def run(optimizer, seeds=(0,), n=2, **horizon):
    return ovp.run(problem(n), optimizer, list(seeds), **horizon)


@pytest.fixture(scope="module")
def far():
    """Three runs, carried to 1e9 iterations."""
    return run(ovp.optimizer("gradient-descent"), range(3), iterations=1e9, stepped=3000)


def same_rows(one, other):
    count = min(len(one["loss"]), len(other["loss"]))
    for name, column in one.items():
        np.testing.assert_array_equal(column[:count], other[name][:count], err_msg=name)


# The series.


def test_descent_has_bernoulli_numbers():
    expected = [0.1, -0.1 / 2, 0.1 / 12, 0.0, -0.1 / 720, 0.0, 0.1 / 30240]
    np.testing.assert_allclose(expand(*DESCENT, terms=7), expected, rtol=1e-13, atol=1e-17)


@pytest.mark.parametrize(("lr", "beta"), [(0.05, 0.9), (0.2, 0.5), (1.0, 0.0)])
def test_the_series_of_the_heavy_ball(lr, beta):
    with mpmath.workdps(60):
        b = mpmath.mpf(beta)
        known = mpmath.taylor(lambda x: lr / ((mpmath.expm1(x) / x if x else 1) * (1 - b * mpmath.exp(-x))), 1e-30, 4)
    np.testing.assert_allclose(expand(*heavy(lr, beta), terms=5), [float(c) for c in known], rtol=1e-11, atol=1e-17)
    assert expand(*heavy(lr, beta))[0] == pytest.approx(lr / (1.0 - beta), rel=1e-15)


def test_what_has_no_modified_equation_is_refused():
    with pytest.raises(ValueError, match="add up to 0"):
        expand((1.0, -0.9), (0.0, 0.1))
    with pytest.raises(ValueError, match="does not die out"):
        expand(*heavy(0.1, 1.0))


def stepped(rho, sigma, x, count):
    """Iterates of a recurrence on the cubic loss, by hand."""
    past = [x] * (len(rho) - 1)
    for _ in range(count):
        new = -sum(f * w for f, w in zip(rho[1:], past, strict=True)) - sigma[1] * grad(past[0][None])[0]
        past = [new, *past[:-1]]
    return past[0]


@pytest.mark.parametrize(
    ("recurrence", "orders"), [(DESCENT, {1: 1, 2: 2, 3: 4}), (heavy(0.1, 0.5), {1: 1, 2: 2, 3: 3})]
)
def test_each_term_gains_an_order_in_the_iterations(recurrence, orders):
    """From k to 2k; descent gains two at once, for its next term is 0."""
    for terms, order in orders.items():
        errors = []
        for k in (100, 200, 400):
            x = stepped(*recurrence, np.array([[1.0, 0.1]]), k)
            truth = stepped(*recurrence, np.array([[1.0, 0.1]]), 2 * k)
            # What is known at k is smooth already: 1e-15 of it is left of the fast part.
            carried = Motion(loss, grad, Bases(hessian), expand(*recurrence, terms), 6).go(set_out(k, x), 2 * k)
            errors.append(abs(carried.x[0, 0] / truth[0, 0] - 1.0))
        slopes = np.log2(np.divide(errors[:-1], errors[1:]))
        assert slopes == pytest.approx(order, abs=0.4), (terms, errors)


# Runs.


def test_a_carried_run_ends_where_steps_end(far):
    plain = run(ovp.optimizer("gradient-descent"), range(3), iterations=1e5, stepped=1e5)
    for carried, walked in zip(far.runs, plain.runs, strict=True):
        count = len(walked.rows["loss"])
        error = np.abs(carried.rows["loss"][:count] / walked.rows["loss"] - 1.0)
        carrying = carried.rows["how"][:count] == 1.0
        assert carrying.any()
        assert np.all(error[~carrying] == 0.0)
        assert np.all(carried.rows["loss_rtol"][:count][~carrying] == 0.0)
        assert error.max() < 1e-11
        assert np.all(error[carrying] <= carried.rows["loss_rtol"][:count][carrying])


def test_two_students_reach_their_constant():
    """L·t³ = (8π²/3)(h₁h₂)²/‖v‖² at t = 5e13; h₁, h₂ are the norms there, for angles are 1e-13."""
    row = run(ovp.optimizer("gradient-descent"), iterations=1e15, stepped=3000).frame().iloc[-1]
    constant = 8.0 * np.pi**2 / 3.0 * (row.norm_min * row.norm_max) ** 2
    assert row.loss * row.time**3 == pytest.approx(constant, rel=1e-11)
    assert row.how == "carried"


def test_rows_depend_neither_on_the_horizon_nor_on_neighbours(far):
    nearer = run(ovp.optimizer("gradient-descent"), range(3), iterations=1e6, stepped=3000)
    alone = run(ovp.optimizer("gradient-descent"), [1], iterations=1e8, stepped=3000)
    for one, other in zip(nearer.runs, far.runs, strict=True):
        same_rows(one.rows, other.rows)
    same_rows(alone.runs[0].rows, far.runs[1].rows)


def test_charges_and_reasons_are_those_of_the_method(far):
    frame = far.frame()
    assert np.all(frame.evaluations == frame.iteration)
    assert {run.iterations for run in far.runs} == {10**9}
    for each in far.runs:
        assert each.reason.startswith("reached its horizon, iteration 1e+09, carried from iteration ")
    by_budget = run(ovp.optimizer("gradient-descent"), evaluations=1e9, stepped=3000).runs[0]
    assert by_budget.rows["evaluations"][-1] == 1e9
    assert "1e+09 evaluations, carried" in by_budget.reason or "iteration 1e+09, carried" in by_budget.reason


def test_a_run_goes_on_from_its_flight_bitwise():
    """Flights, stored as numbers and arrays, at each checkpoint: before the trial, in it, and carried."""
    optimizer = ovp.optimizer("gradient-descent")
    inner, w = choose_coordinates(problem(), optimizer, problem().start([0]))
    series = find_series(inner, optimizer)
    walk, flight, flights, states = Carriers(inner, series, 2000), None, [], []
    stations = [1000, 1500, 2000, 2500, 3000, 10**4, 10**6, 10**9]
    for k in stations:
        if flight is None or flight.carrier is None:
            assert k <= 10**4, "the trial never takes over"
            for _ in range(k - (stations[len(flights) - 1] if flights else 0)):
                w = w - 0.05 * inner.grad(w)
            flight, _ = walk.attempt(flight, k, w[0])
        else:
            flight = walk.carry(flight, k)
        flights.append(flight)
        states.append(w[0])
    assert [f.carrier is not None for f in flights] == [False, False, *[True] * 6]
    for i in range(2, len(stations) - 1):
        stored = Flight(*(copied(part) for part in flights[i]))
        afresh = Carriers(inner, series, 2000)
        for k, expected in zip(stations[i + 1 :], flights[i + 1 :], strict=True):
            stored = afresh.carry(stored, k)
            assert stored.rtol == expected.rtol
            np.testing.assert_array_equal(stored.carrier.x, expected.carrier.x)
    trial = Flight(*(copied(part) for part in flights[1]))
    assert Carriers(inner, series, 2000).attempt(trial, 2000, states[2])[0].rtol == flights[2].rtol


def copied(part):
    if isinstance(part, Place):
        return Place(*map(copied, part))
    return part.copy() if isinstance(part, np.ndarray) else part


def test_what_declares_nothing_is_stepped_and_says_why(monkeypatch):
    monkeypatch.setattr(lockstep, "MOST_STEPS", 2000)
    found = run(ovp.optimizer("nesterov"), iterations=1e15, stepped=100).runs[0]
    assert found.iterations == 1995
    assert found.reason.endswith("no more than 2000 are taken one by one, and nesterov declares no recurrence")
    assert np.all(found.rows["how"] == 0.0)


def test_a_wrong_recurrence_is_seen_by_its_trial(monkeypatch):
    monkeypatch.setattr(lockstep, "MOST_STEPS", 20000)
    wrong = ovp.StepMethod(
        "wrong", roll, remember, isometry_equivariant=True, recurrence=lambda lr, beta: ((1.0, -1.0), (0.0, lr))
    )
    found = run(ovp.Optimizer(wrong), iterations=1e15, stepped=1000).runs[0]
    assert found.iterations == 19953
    assert "differ by" in found.reason


def test_oscillations_are_not_carried(monkeypatch):
    """lr = 2 at curvature 1 and above: iterates hop, and lie on no smooth curve."""
    monkeypatch.setattr(lockstep, "MOST_STEPS", 5000)
    found = run(ovp.optimizer("gradient-descent", lr=1.99), iterations=1e12, stepped=100, n=2).runs[0]
    if found.status == "ok":
        assert np.all(found.rows["how"] == 0.0) or found.rows["loss_rtol"].max() < 1e-6


def test_the_heavy_ball_is_carried_from_steps_that_have_forgotten():
    method = ovp.optimizer("heavy-ball", beta=0.8)
    carried = run(method, iterations=1e5, stepped=1e4).runs[0]
    walked = run(method, iterations=1e5, stepped=1e5).runs[0]
    assert carried.rows["how"][-1] == 1.0
    assert carried.rows["loss"][-1] == pytest.approx(walked.rows["loss"][-1], rel=1e-10)


def test_a_stranger_may_declare_a_recurrence():
    mine = ovp.StepMethod("mine", descend, isometry_equivariant=True, recurrence=lambda lr: ((1.0, -1.0), (0.0, lr)))
    found = run(ovp.Optimizer(mine), iterations=1e15, stepped=3000).runs[0]
    assert found.rows["how"][-1] == 1.0
    assert found.iterations == 10**15


def test_a_target_and_a_wall_end_a_carried_run():
    optimizer = ovp.optimizer("gradient-descent")
    found = run(optimizer, iterations=1e15, stepped=3000, stop_loss=1e-25).runs[0]
    assert found.status == "target"
    assert found.rows["loss"][-1] <= 1e-25 < found.rows["loss"][-2]


def test_time_reaches_as_far():
    """1e15 is 2e16 iterations of lr = 0.05, exactly."""
    found = run(ovp.optimizer("gradient-descent"), time=1e15, stepped=3000).runs[0]
    assert found.iterations == 2 * 10**16
    assert found.rows["time"][-1] == 1e15


def test_an_end_off_the_grid_leaves_the_rest_alone(far):
    found = integrate(problem(), ovp.optimizer("gradient-descent"), [0], Horizon(iterations=123456789, stepped=3000))
    rows, count = found.runs[0].rows, len(found.runs[0].rows["loss"])
    assert rows["iteration"][-1] == 123456789
    for name, column in rows.items():
        np.testing.assert_array_equal(column[: count - 1], far.runs[0].rows[name][: count - 1])


# The flow.


def test_the_flow_of_two_students_reaches_its_constant():
    frame = run(ovp.optimizer("gradient-flow"), time=1e15).frame()
    row = frame.iloc[-1]
    constant = 8.0 * np.pi**2 / 3.0 * (row.norm_min * row.norm_max) ** 2
    assert row.loss * row.time**3 == pytest.approx(constant, rel=1e-11)
    assert set(frame.how) == {"integrated"}
    assert 0.0 < frame.loss_rtol.max() < 1e-8
    assert np.all(np.diff(frame.loss) < 0.0)


def test_the_flow_goes_on_from_its_whereabouts_bitwise():
    inner, w = choose_coordinates(problem(3), ovp.optimizer("gradient-flow"), problem(3).start([1]))
    stations = [0.1, 1.0, 10.0, 100.0, 300.0, 1e3, 1e4, 1e6, 1e9]
    course = Course(inner, 1e-8)
    at, seen = course.start(w[0]), []
    for t in stations:
        at = course.go(at, t)
        seen.append(at)
    assert seen[-1].stiff
    assert not seen[0].stiff
    for i in range(len(stations) - 1):
        sides = (side._replace(place=copied(side.place)) for side in (seen[i].first, seen[i].second))
        stored = Whereabouts(*sides, *seen[i][2:])
        afresh = Course(inner, 1e-8)
        for t, expected in zip(stations[i + 1 :], seen[i + 1 :], strict=True):
            stored = afresh.go(stored, t)
            np.testing.assert_array_equal(stored.first.place.x, expected.first.place.x)
            np.testing.assert_array_equal(stored.second.place.x, expected.second.place.x)


def test_equal_students_stay_equal():
    """Toy case 3 is exponential as long as rounding does not part the students."""
    frame = ovp.run(ovp.problem("toy-case-3", d=3), ovp.optimizer("gradient-flow"), [0], time=50.0).frame()
    assert frame.loss.iloc[-1] < 1e-90  # e^(−5t), while students apart would fall like t^−3
    assert np.all(frame.Z == 0.0)
