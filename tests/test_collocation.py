"""Steps in log time against closed forms: orders, eigenvalues, conservation, and where it starts again."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from cubic import grad, hessian, loss

from bench_ovp.integrate import collocation
from bench_ovp.integrate.collocation import Bases, Motion, Place, find_basis, find_nodes, set_out, weigh
from bench_ovp.integrate.twins import Pace


def exact(start, since, t):
    return start / (1.0 + start * (t - since))


def motion(series=(1.0,), stages=5):
    return Motion(loss, grad, Bases(hessian), series, stages)


@pytest.mark.parametrize("stages", range(1, 8))
def test_nodes_integrate_and_differentiate_polynomials(stages):
    nodes = find_nodes(stages)
    c = nodes.places[1:]
    for degree in range(stages):  # all that go through the nodes; at the right end, twice as many but one
        np.testing.assert_allclose(nodes.integrate @ c**degree, c ** (degree + 1) / (degree + 1), atol=1e-14)
    for degree in range(2 * stages - 1):
        assert nodes.integrate[-1] @ c**degree == pytest.approx(1.0 / (degree + 1), rel=1e-11)
    assert abs(nodes.integrate[-1] @ c ** (2 * stages - 1) - 0.5 / stages) > 1e-9  # and not one more
    for degree in range(1, stages + 1):
        slopes = nodes.differentiate @ nodes.places**degree
        np.testing.assert_allclose(slopes, degree * nodes.places ** (degree - 1), atol=1e-11 * stages**3)


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_the_order_is_twice_the_stages_less_one(stages, monkeypatch):
    monkeypatch.setattr(collocation, "BALANCED", 1.0)  # a step that errs is what is looked at
    place, errors = set_out(1.0, np.array([[1.0, 0.0]])), []
    for parts in (1, 2, 4):
        end = motion(stages=stages).go(place, 4.0, parts)
        errors.append(abs(end.x[0, 0] / exact(1.0, 1.0, 4.0) - 1.0))
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    assert slopes == pytest.approx(2 * stages - 1, abs=0.25)


def test_fifteen_decades_err_by_rounding():
    end = motion().go(set_out(1.0, np.array([[1.0, 1e-3]])), 1e15)
    assert end.x[0, 0] == pytest.approx(exact(1.0, 1.0, 1e15), rel=1e-12)
    assert abs(end.x[0, 1]) < 1e-40  # and what is fast is gone


def test_small_eigenvalues_keep_their_digits():
    """A Hessian at angles of 1e-14: O(θ) for the slow ones, which come first, O(1) for the fast, O(θ) between."""
    rng = np.random.default_rng(0)
    fast, slow = (part @ part.T + np.eye(3) for part in rng.standard_normal((2, 3, 3)))
    mixed = 1e-14 * rng.standard_normal((3, 3))
    matrix = np.block([[1e-14 * slow, mixed], [mixed.T, fast]])
    with mpmath.workdps(60):
        exact_values = [float(value) for value in mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True)]
    basis = find_basis(1.0, matrix)
    np.testing.assert_allclose(basis.values, exact_values, rtol=1e-13)
    assert np.abs(np.linalg.eigvalsh(matrix) / exact_values - 1.0).max() > 1e-4  # the solver alone loses them
    assert basis.slow == np.sum(basis.values <= 0.1 * basis.values[-1])
    np.testing.assert_array_equal(basis.pace(2.0)[: basis.slow], basis.values[: basis.slow])
    np.testing.assert_array_equal(basis.pace(2.0)[basis.slow :], 2.0 * basis.values[basis.slow :])


def test_a_step_that_dissipates_what_the_loss_does_not_lose_is_refused():
    wrong = Motion(loss, lambda x: 1.00001 * grad(x), Bases(hessian), (1.0,), 5)
    assert wrong.go(set_out(1.0, np.array([[1.0, 0.0]])), 1.1) is None


def test_a_motion_that_newton_cannot_follow_is_refused():
    bad = Motion(loss, lambda x: grad(x) * np.nan, Bases(hessian), (1.0,), 5)
    assert bad.go(set_out(1.0, np.array([[1.0, 0.0]])), 1.1) is None


def test_dissipation_is_that_of_the_series():
    # Along any curve, ∫ g·(c₀g + c₁g') dt = c₀∫g² dt + ½c₁[g²]; g = 1/t is known to 5 stages as e^(−s).
    weights = weigh(5, 2.0, 2.2, (1.0, -0.3))
    g = 1.0 / weights.times
    told = g @ weights.power @ g
    assert told == pytest.approx((1 / 2.0 - 1 / 2.2) - 0.15 * (1 / 2.2**2 - 1 / 2.0**2), rel=1e-9)


def test_a_motion_goes_on_from_its_place_bitwise():
    stations = [10.0, 20.0, 55.0, 300.0, 4e4]
    place, whole = set_out(1.0, np.array([[0.7, 0.2]])), []
    going = motion((1.0, -0.05, 0.01))
    for t in stations:
        place = going.go(place, t)
        whole.append(place)
    for i, at in enumerate(whole[:-1]):
        stored = Place(*(np.array(part) if isinstance(part, np.ndarray) else float(part) for part in at))
        for t, expected in zip(stations[i + 1 :], whole[i + 1 :], strict=True):
            stored = motion((1.0, -0.05, 0.01)).go(stored, t)
            np.testing.assert_array_equal(stored.x, expected.x)


def test_twins_tell_their_error():
    pace = Pace(loss, grad, hessian, (1.0,))
    x = np.array([[1.0, 0.0]])
    found = pace.go(pace.start(1.0, x, x * (1.0 + 1e-7)), 100.0)
    error = abs(found.first.x[0, 0] / exact(1.0, 1.0, 100.0) - 1.0)
    gap = abs(pace.part(found.first.x, found.second.x))
    assert gap == pytest.approx(3e-7 / 100.0, rel=1e-3)  # w loses a head start of δ as δ/t, and the loss is w³
    assert 3.0 * error < 1e-3 * gap
    assert Pace(loss, lambda x: grad(x) * np.nan, hessian, (1.0,)).go(pace.start(1.0, x, x), 2.0).first.t == 1.0
