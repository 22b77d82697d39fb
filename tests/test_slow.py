"""The late time: the slow dynamics against the definition, the exact gradient, closed forms and the flow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuron_flow import late_states
from neuron_reference import geometry, mp
from neuron_reference import loss as exact_loss

import bench_ovp as ovp
from bench_ovp_neuron.slow import (
    evolve,
    find_shapes,
    late_grad,
    late_hessian,
    late_loss,
    pair_constant,
    predict,
    predict_from_lengths,
    settle,
    shape_energy,
    shape_velocity,
    simplex_constant,
    simplex_rates,
    spectrum,
    triangle,
)

EPS = np.finfo(float).eps
shapes = st.tuples(st.integers(0, 2**32 - 1), st.integers(2, 7), st.integers(1, 4))


def draw(seed, n, c):
    """h > 0 of sum 1.3, and z of mean 0."""
    rng = np.random.default_rng(seed)
    h, z = rng.uniform(0.5, 1.5, n), rng.standard_normal((n, c))
    return 1.3 * h / h.sum(), z - z.mean(axis=0)


def simplex(n):
    """The regular simplex of n equal students, ‖v‖ = 1, at rest."""
    z = np.linalg.svd(np.eye(n) - 1 / n)[0][:, : n - 1]
    h = np.full(n, 1 / n)
    return h, z * np.sum(z * z) / (3 * late_loss(h, z))


# The leading order.


@pytest.mark.parametrize(("seed", "n", "c"), [(0, 2, 1), (1, 3, 1), (2, 5, 1), (3, 3, 2), (4, 4, 2)])
def test_late_loss_is_an_expectation_of_a_square(seed, n, c):
    """ℓ = (8π)^(−½) E ∫ R² dξ with R = Σ[hᵢξ + zᵢ·x]₊ − ‖v‖[ξ]₊, x ~ N(0, I): near x₁ = 0, in units of θ.

    R is linear between the −zᵢ·x/hᵢ and 0, and 0 outside, so that a piece of R² has Simpson's integral. The integral
    is cubic in ‖x‖, E‖x‖³ = 2√(2/π) at c = 1 and 3√(π/2) at c = 2, where a direction is averaged over.
    """
    h, z = draw(seed, n, c)

    def integral(direction):
        slopes = z @ direction
        knots = np.sort(np.append(-slopes / h, 0.0))

        def square(xi):
            return (np.maximum(np.outer(xi, h) + slopes, 0).sum(axis=1) - 1.3 * np.maximum(xi, 0)) ** 2

        a, b = knots[:-1], knots[1:]
        return np.sum((b - a) / 6 * (square(a) + 4 * square((a + b) / 2) + square(b)))

    if c == 1:
        mean = 2 * np.sqrt(2 / np.pi) * integral(np.ones(1))
    else:  # the kinks of the integrand in the angle leave the trapezoidal rule 1e-6 or less
        angles = np.pi * np.arange(6_000) / 6_000
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        mean = 3 * np.sqrt(np.pi / 2) * np.mean([integral(x) for x in circle])
    assert late_loss(h, z) == pytest.approx(mean / np.sqrt(8 * np.pi), rel=1e-12 if c == 1 else 1e-6)


@given(shapes)
def test_the_loss_tends_to_the_late_loss(shape):
    """L(h, εz) = ε³ℓ(h, z)(1 + O(ε²)) at r = 0: at ε = 1e-6, in 120 digits, 1e-9 allows for ‖z‖/h up to 30."""
    h, z = draw(*shape)
    small = 1e-6 * z
    small[-1] = -small[:-1].sum(axis=0)
    sums = mp.fsum([mp.mpf(float(x)) for x in h])
    g = geometry(np.c_[h, small], float(sums))
    slack = abs(sums - mp.mpf(float(sums))) + mp.mpf(1e-20)  # r is what rounding leaves of it
    assert abs(exact_loss(g) - mp.mpf(late_loss(h, small))) <= 1e-9 * late_loss(h, small) + slack**2 + 1e-32


@given(shapes)
def test_derivatives(shape):
    """Central differences over 1e-5, within 1e-8 of the largest; 1e-6 for the Hessian, whose slope may jump."""
    (h, z), step = draw(*shape), 1e-5
    z /= np.abs(z).max()
    by_z, by_h = late_grad(h, z)
    hessian = late_hessian(h, z)
    assert np.array_equal(hessian, hessian.transpose(2, 3, 0, 1))
    for i, k in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[i, k] += step
        down[i, k] -= step
        slope = (late_loss(h, up) - late_loss(h, down)) / (2 * step)
        assert abs(slope - by_z[i, k]) <= 1e-8 * np.abs(by_z).max()
        slopes = (late_grad(h, up)[0] - late_grad(h, down)[0]) / (2 * step)
        assert np.abs(slopes - hessian[:, :, i, k]).max() <= 1e-6 * np.abs(hessian).max()
    # ‖v‖ is held while hᵢ moves: the same loss with a silent student at z = 0 to make up for it, h₀|q|³ = 0.
    for i in range(len(h)):
        up, down = h.copy(), h.copy()
        up[i] += step
        down[i] -= step
        change = late_loss(up, z) - late_loss(down, z) + teacher_share(up, z, -step) - teacher_share(down, z, step)
        assert abs(change / (2 * step) - by_h[i]) <= 1e-7 * np.abs(by_h).max()


def teacher_share(h, z, excess):
    """What ℓ gains if ‖v‖ is less than Σhₖ by −`excess`: −excess·Σ hᵢ‖zᵢ/hᵢ‖³/6π."""
    return -excess * float(h @ np.linalg.norm(z / h[:, None], axis=1) ** 3) / (6 * np.pi)


@pytest.mark.parametrize(("seed", "n", "c"), [(0, 2, 2), (1, 3, 2), (2, 5, 3)])
def test_the_slow_velocity_is_that_of_the_exact_gradient(seed, n, c):
    """With r slaved to −2ḡ, −P∇L is t⁻²(dy/ds − y) to O(θ) at order 0, to O(θ²) with the next order.

    So tenfold smaller angles make the first error 10 and the second 100 times smaller; the former is there for n > 2.
    """
    h, z = draw(seed, n, c)
    problem = ovp.problem("teacher-neuron", n=n, d=c + 1, teacher_norm=float(h.sum()))
    errors = []
    for size in (1e-3, 1e-4):
        y = size * z
        by_z, _ = late_grad(h, y)
        mean = np.broadcast_to(by_z.mean(axis=0), y.shape)
        w = np.c_[h, y - 2 * mean / n]
        grad = problem.grad(w)[:, 1:]
        move = grad.mean(axis=0) - grad
        slow = shape_velocity(h, y) - y
        turned = np.einsum("ikjl,jl->ik", late_hessian(h, y), mean)
        more = slow + 2 / n * (turned - turned.mean(axis=0))
        errors.append([np.linalg.norm(move - a) / np.linalg.norm(move) for a in (slow, more)])
    (first, second), (first_after, second_after) = errors
    assert second < 1e-4
    assert 80 < second / second_after < 125
    if n > 2:
        assert 9 < first / first_after < 11
        assert first > 10 * second


# Shapes.


@given(shapes)
def test_shapes_go_downhill(shape):
    """dE/ds = −‖dy/ds‖², and E = −½ℓ, ℓ = ‖y‖²/3 where the velocity has no radial part."""
    h, z = draw(*shape)
    y = z * np.sum(z * z) / (3 * late_loss(h, z))
    assert abs(np.sum(y * shape_velocity(h, y))) <= 1e-13 * np.sum(y * y)
    assert shape_energy(h, y) == pytest.approx(-late_loss(h, y) / 2, rel=1e-13)
    velocity, step = shape_velocity(h, y), 1e-6
    ahead, behind = (shape_energy(h, y + sign * step * velocity) for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(-np.sum(velocity**2), rel=1e-5, abs=1e-8 * np.sum(y * y))


@pytest.mark.parametrize("h", [[0.3, 0.7], [0.39, 0.368, 0.242], [0.3, 0.27, 0.23, 0.2]])
def test_the_gradient_bound(h):
    """‖P∇ℓ‖ ≥ √3 C^(−1/6) ℓ^(2/3) with C the largest limit of L·t³, and no better: a hundred shapes and the slowest."""
    h = np.array(h)
    slowest = find_shapes(h, len(h) - 1, starts=12)[0]
    bound = np.sqrt(3) * slowest.constant ** (-1 / 6)

    def ratio(z):
        by_z, _ = late_grad(h, z)
        return np.linalg.norm(by_z - by_z.mean(axis=0)) / late_loss(h, z) ** (2 / 3)

    assert ratio(slowest.y) == pytest.approx(bound, rel=1e-9)
    rng = np.random.default_rng(4)
    for _ in range(100):
        z = h[:, None] * rng.standard_normal((len(h), len(h) - 1))
        assert ratio(z - z.mean(axis=0)) >= bound * (1 - 1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 8, 20])
def test_the_regular_simplex(n):
    """It rests at its constant, with −1 once, 0 for each rotation, and two rates more: a growing one from n = 6 on."""
    h, y = simplex(n)
    assert np.abs(shape_velocity(h, y)).max() <= 1e-13 * np.abs(y).max()
    assert late_loss(h, y) == pytest.approx(simplex_constant(n), rel=1e-13)
    against, still = simplex_rates(n)
    expected = [-1.0] + [0.0] * ((n - 1) * (n - 2) // 2)
    expected += [against] * (n - 1) * (n > 2) + [still] * (n * (n - 3) // 2)
    assert np.abs(spectrum(h, y) - np.sort(expected)).max() <= 1e-11
    assert (against < 0) == (n <= 5)


@pytest.mark.parametrize("teacher_norm", [1.0, 2.5])
def test_two_students(teacher_norm):
    """The one shape there is: both constants are the same at h₁ = h₂; z = 1/(1/z₀ + λ(t − t₀)) in closed form."""
    assert simplex_constant(2, teacher_norm) == pytest.approx(
        pair_constant(teacher_norm / 2, teacher_norm / 2), rel=1e-15
    )
    h = teacher_norm * np.array([0.3, 0.7])
    (shape,) = find_shapes(h, 1, starts=10)
    assert shape.constant == pytest.approx(pair_constant(*h), rel=1e-12)
    assert shape.spectrum == pytest.approx([-1.0], abs=1e-12)
    z0, t0, times = 0.02 * teacher_norm, 50.0, np.array([50.0, 70.0, 1e3, 1e6])
    z = np.array([[z0], [-z0]])
    rate = teacher_norm / (2 * np.pi * h[0] * h[1])
    along = 1 / (1 / z0 + rate * (times - t0))
    expected = teacher_norm * along**3 / (3 * np.pi * h[0] * h[1]) * times**3
    assert predict(h, z, t0, times, order=0) == pytest.approx(expected, rel=1e-9)


def test_shapes_of_three_equal_students():
    """The triangle, and two on a line: (1, −1, 0), a saddle, and (2, −1, −1), from which two directions lead away."""
    found = find_shapes(np.full(3, 1 / 3), 2, starts=40)
    assert [shape.constant for shape in found] == pytest.approx(
        [simplex_constant(3), 2 * np.pi**2 / 27, np.pi**2 / 18], rel=1e-9
    )
    assert [shape.dimension for shape in found] == [2, 1, 1]
    assert [(shape.growing, shape.undecided) for shape in found] == [(0, 0), (0, 1), (2, 0)]


@pytest.mark.parametrize(("n", "k"), [(5, 2), (6, 3), (5, 4), (9, 4), (12, 5)])
def test_students_on_the_teacher_drop_out(n, k):
    """A simplex of k equal students rests among n, at (k/n)² of its constant; the tetrahedron stably, beside any."""
    _, y = simplex(k)
    y = np.r_[y, np.zeros((n - k, k - 1))] * (k / n)  # z scales like h
    shape = settle(np.full(n, 1 / n), y)
    assert np.abs(shape.y - y).max() <= 1e-12 * np.abs(y).max()
    assert shape.constant == pytest.approx(simplex_constant(k) * (k / n) ** 2, rel=1e-12)
    if k == 4:
        assert shape.growing == shape.undecided == 0
        assert shape.constant > simplex_constant(n)


@pytest.mark.parametrize("a", [0.3, 0.35, 0.4, 0.45])
def test_a_line_with_the_third_student_on_the_teacher(a):
    """h = (a, a, b) at (1, −1, 0): L·t³ = 2π²a²/3, and (2/3)(1 − a/b) is the rate of the third off the line."""
    b = 1 - 2 * a
    shape = settle(np.array([a, a, b]), 2 * np.pi * a**2 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]))
    assert shape.constant == pytest.approx(2 * np.pi**2 * a**2 / 3, rel=1e-12)
    assert np.abs(shape.spectrum - 2 / 3 * (1 - a / b)).min() <= 1e-12
    assert (shape.growing == 0) == (a > b)


def test_four_and_five_equal_students_have_stable_simplices():
    """At n = 4 the square is stable beside the tetrahedron."""
    found = [
        shape for shape in find_shapes(np.full(4, 1 / 4), 3, starts=40) if not shape.growing and not shape.undecided
    ]
    assert [shape.dimension for shape in found] == [3, 2]
    assert found[0].constant == pytest.approx(simplex_constant(4), rel=1e-9)
    assert found[1].constant < found[0].constant
    h, y = simplex(5)
    shaken = y + 1e-2 * np.abs(y).max() * np.random.default_rng(0).standard_normal(y.shape)
    assert settle(h, shaken).constant == pytest.approx(simplex_constant(5), rel=1e-9)
    assert predict(h, shaken, 1.0, [1e60], order=0) == pytest.approx(simplex_constant(5), rel=1e-7)


def test_a_shape_relaxes_at_its_rate():
    """ℓ is stationary across y at rest: L·t³ comes near as t^(2·rate). Late, where 1 % is left of faster changes."""
    h, z = np.array([0.39, 0.368, 0.242]), triangle(np.array([0.3, 0.3, 0.28]))
    (_, late), times = evolve(h, z, 1.0, [1e30], order=0)[0], np.exp([30.0, 36.0])
    shape = settle(h, late * 1e30)
    far, near = predict(h, z, 1.0, times, order=0) - shape.constant
    slowest = max(rate for rate in shape.spectrum if rate < -1e-6)
    assert np.log(near / far) / 6 == pytest.approx(2 * slowest, rel=0.01)


def test_three_lengths_make_a_triangle():
    z = triangle(np.array([3.0, 4.0, 5.0]))
    assert np.linalg.norm(z, axis=1) == pytest.approx([3, 4, 5], rel=1e-15)
    assert np.abs(z.sum(axis=0)).max() < 1e-15
    assert triangle(np.array([1.0, 1.0, 2.0])) == pytest.approx(np.array([[1, 0], [1, 0], [-2, 0]]))


def test_what_is_not_late_is_refused():
    z = np.array([[0.1], [-0.1]])
    with pytest.raises(ValueError, match="every h must be positive"):
        evolve(np.array([1.1, -0.1]), z, 10.0, [20.0])
    with pytest.raises(ValueError, match="the time 5 is before 10"):
        evolve(np.array([0.5, 0.5]), z, 10.0, [5.0, 20.0])


# The flow.

MARKS = (1e2, 1e3, 1e4, 1e5, 1e6, 1e8)


def measured(n, seed, times=MARKS):
    states = late_states(n, seed, times)
    return states, np.array([loss * t**3 for (loss, _, _), t in zip(states, times, strict=True)])


def errors(n, seed, begin, order=1):
    """Of predictions from time MARKS[begin] on."""
    states, right = measured(n, seed)
    _, h, z = states[begin]
    return np.abs(predict(h, z, MARKS[begin], MARKS[begin + 1 :], order) / right[begin + 1 :] - 1)


def refuse_poor_prediction(n, seed):
    """From t = 1e4 on: 1e-7 at 1e5 and later, 1e-8 at 1e8; 1e-8 is the flow's own tolerance, of z and so of L."""
    off = errors(n, seed, 2)
    assert off.max() <= 1e-7, (n, seed)
    assert off[-1] <= 1e-8, (n, seed)


@pytest.mark.parametrize(("n", "seed"), [(3, 0), (3, 1), (5, 1), (5, 6)])
def test_slow_dynamics_predict_the_flow(n, seed):
    refuse_poor_prediction(n, seed)


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (3, 0), (3, 1)])
def test_what_a_trace_records_of_two_or_three_students_is_enough(n, seed):
    """1e-4 at 1e8, from 1e4: lengths tell a triangle up to r/θ = O(θ), a few 1e-4."""
    states, right = measured(n, seed)
    _, h, z = states[2]
    lengths = np.linalg.norm(z, axis=1)
    assert predict_from_lengths(h, lengths, MARKS[2], MARKS[3:]) == pytest.approx(right[3:], rel=1e-4)
    with pytest.raises(ValueError, match="lengths of 4 students"):
        predict_from_lengths(np.ones(4), np.ones(4), 1.0, [2.0])


def test_prediction_is_no_extrapolation_of_a_constant():
    """L·t³ moves by 3 to 6 % between 1e4 and 1e8 for these seeds."""
    for n, seed in ((3, 1), (5, 1), (5, 6)):
        _, right = measured(n, seed)
        assert abs(right[-1] / right[2] - 1) > 0.03


def test_the_next_order_is_needed_and_enough():
    """At 1e8, from t0 = 1e2 and 1e3: the next order gains a factor of 10 and more, and errors fall like t0⁻²."""
    for n, seed in ((3, 1), (5, 1)):
        early, later = errors(n, seed, 0)[-1], errors(n, seed, 1)[-1]
        assert early < 1e-5
        assert early > 30 * later
        assert errors(n, seed, 0, order=0)[-1] > 10 * early


def refuse_poor_pair(seed):
    """L·t³ at 1e9 is its limit to 1e-6: a shift of time by c leaves 3c/t, with c up to 20 or so."""
    states, (early, late) = measured(2, seed, (1e6, 1e9))
    limit = pair_constant(*states[1][1])
    assert late == pytest.approx(limit, rel=1e-6)
    assert abs(early / limit - 1) > 10 * abs(late / limit - 1)
    # Two equal students with that ‖v‖ would be elsewhere, but for h₁ = h₂.
    assert pair_constant(0.5, 0.5) >= limit


@pytest.mark.parametrize("seed", [0, 1])
def test_two_students_late(seed):
    refuse_poor_pair(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_two_students_late_for_every_seed(seed):
    refuse_poor_pair(seed)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("seed", range(20))
def test_slow_dynamics_predict_the_flow_for_every_seed(n, seed):
    refuse_poor_prediction(n, seed)
