"""The neuron problems against 60 digits, the definition, and what the formulas must obey."""

from functools import cache
from itertools import groupby

import neuron_reference as reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neuron_points import GAPS, RECIPES, points
from neuron_reference import geometry, mp

import bench_ovp as ovp

EPS = np.finfo(float).eps
PROBLEMS = list(RECIPES)


@cache
def problem_of(name, n, d, teacher_norm=1.0):
    parameters = {
        "teacher-neuron": {"n": n, "d": d, "sigma": 0.1, "teacher_norm": teacher_norm},
        "exact-neuron": {"d": d, "sigma": 0.1, "teacher_norm": teacher_norm},
        "toy-case-1": {},
        "toy-case-2": {"n": n},
        "toy-case-3": {"n": n, "d": d, "sigma": 0.1},
    }
    return ovp.problem(name, **parameters[name])


def family(point):
    return (*point.w.shape, point.teacher_norm)


@cache
def evaluations(name):
    """(point, its geometry to 120 digits, loss, grad, observables by the problem) for each point."""
    found = []
    for shape, group in groupby(sorted(points(name), key=family), key=family):
        group = list(group)
        problem, w = problem_of(name, *shape), np.stack([point.w for point in group])
        loss, grad, seen = problem.loss(w), problem.grad(w), problem.observe(w)
        for k, point in enumerate(group):
            values = {observable: value[k] for observable, value in seen.items()}
            found.append((point, geometry(point.w, point.teacher_norm), loss[k], grad[k], values))
    return found


def small(name, size=12):
    return [point for point in points(name) if point.w.size <= size]


def norm(x):
    return mp.norm([mp.mpf(value) for value in np.ravel(x)])


def error(value, exact):
    """‖value − exact‖, value in float64."""
    value = np.asarray(value)
    assert value.shape == np.shape(exact)
    if not np.isfinite(value).all():
        return mp.inf
    return norm([mp.mpf(float(a)) - b for a, b in zip(value.flat, np.ravel(exact), strict=True)])


def assert_none(failures):
    """Fail with all failures, worst first: (error over tolerance, description)."""
    lines = [f"{float(excess):9.3g} x tolerance: {text}" for excess, text in sorted(failures, reverse=True)]
    assert not lines, "\n".join([f"{len(lines)} points", *lines])


def named(point):
    n, d = point.w.shape
    return f"{point.kind}, n={n}, d={d}, teacher_norm={point.teacher_norm:g}"


def ratio(part, whole):
    return part / whole if whole else (mp.inf if part else mp.zero)


# The reference itself.


def test_reference_is_the_definition():
    """E[f(x)] = ∫ f(cos φ, sin φ) dφ / π for f of degree 2 and x normal in the plane."""
    g = geometry(np.random.default_rng(2).standard_normal((2, 2)), 1.3)

    @cache
    def definition(phi):
        x = np.array([mp.cos(phi), mp.sin(phi)])
        reach = g.neuron @ x
        gap = sum(s * max(value, 0) for s, value in zip(g.sign, reach, strict=True))
        active = np.outer(reach[:2] > 0, x).astype(object)
        return [gap**2 / 2, *(gap * active).flat, *np.outer(active, active).flat]

    kinks = sorted((mp.atan2(y, x) + k * mp.pi / 2) % (2 * mp.pi) for x, y in g.neuron for k in (1, 3))
    closed = [reference.loss(g), *reference.grad(g).flat, *reference.gauss_newton(g).flat]
    for k, value in enumerate(closed):
        with mp.workdps(25):
            integral = mp.quad(lambda phi, k=k: definition(phi)[k], [*kinks, kinks[0] + 2 * mp.pi])
        assert abs(value - integral / mp.pi) < 1e-20
    assert abs(reference.loss(g) - reference.loss_by_kernel(g)) < 1e-100


W = np.random.default_rng(7).standard_normal((3, 3))


@pytest.mark.parametrize(
    "w",
    [
        pytest.param(W, id="generic"),
        pytest.param(W[[0, 0, 1]], id="equal"),
        pytest.param(W[[0, 0, 1]] * [[1], [-2], [1]], id="opposite"),
        pytest.param(W[[0, 0, 1]] * [[1], [3], [1]] * [1, 0, 0], id="on the teacher's axis"),
        pytest.param(W * [1, 1e-12, 1e-12], id="near the teacher's axis"),
    ],
)
def test_reference_derivatives(w):
    """Differences over 2⁻²⁰⁰ ≈ 6e-61: errors below the step, relative to the size of the derivatives."""
    g, step = geometry(w, 1.3), 2 ** (reference.RESOLUTION - 200)
    ticks, hessian = reference.integers(w), reference.hessian(g)
    assert (hessian == hessian.T).all()
    for k, (i, j) in enumerate(np.ndindex(3, 3)):
        shift = np.zeros((3, 3), dtype=object)
        shift[i, j] = step
        up, down = geometry(ticks + shift, 1.3), geometry(ticks - shift, 1.3)
        slope = mp.ldexp(reference.loss(up) - reference.loss(down), 199)
        assert abs(slope - reference.grad(g)[i, j]) < 1e-45
        slopes = (reference.grad(up) - reference.grad(down)) * mp.ldexp(1, 199)
        assert norm(slopes.ravel() - hessian[k]) < 1e-45


# Values, at the hard points.


@pytest.mark.parametrize("name", PROBLEMS)
def test_points_are_many_and_the_same(name):
    assert len(points(name)) >= 200
    assert all((a.w == b.w).all() for a, b in zip(points(name), points(name), strict=True))


@pytest.mark.parametrize("name", PROBLEMS)
def test_loss(name):
    """1e-13 of itself, or 4e-16 of the largest term of (23): two units in its last place."""
    failures = []
    for point, g, loss, _, _ in evaluations(name):
        terms = reference.loss_terms(g)
        off = error(loss, reference.loss(g))
        excess = min(ratio(off, 1e-13 * abs(reference.loss(g))), ratio(off, 4e-16 * max(abs(term) for term in terms)))
        if excess > 1:
            failures.append((excess, named(point)))
    assert_none(failures)


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradient(name):
    failures = []
    for point, g, _, grad, _ in evaluations(name):
        exact = reference.grad(g)
        excess = ratio(error(grad, exact), 1e-13 * norm(exact))
        if excess > 1:
            failures.append((excess, named(point)))
    assert_none(failures)


@pytest.mark.parametrize("name", PROBLEMS)
def test_observables(name):
    failures = []
    for point, g, _, _, seen in evaluations(name):
        exact_values = reference.observables(g)
        assert list(exact_values) == list(seen)
        for observable, exact in exact_values.items():
            if mp.isnan(exact):
                excess = 0 if np.isnan(seen[observable]) else mp.inf
            else:
                excess = ratio(error(seen[observable], exact), 1e-13 * abs(exact))
            if excess > 1:
                failures.append((excess, f"{observable}: {named(point)}"))
    assert_none(failures)


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_matrix(name, matrix):
    failures = []
    assert len(small(name)) >= 20
    for point in small(name):
        exact = getattr(reference, matrix)(geometry(point.w, point.teacher_norm))
        value = getattr(problem_of(name, *family(point)), matrix)(point.w)
        assert np.abs(value - value.T).max() <= EPS * np.abs(value).max()
        excess = ratio(error(value, exact), 1e-10 * norm(exact))
        if excess > 1:
            failures.append((excess, named(point)))
    assert_none(failures)


def test_matrices_share_their_off_diagonal_blocks():
    for point in small("teacher-neuron"):
        n, d, _ = family(point)
        problem = problem_of("teacher-neuron", *family(point))
        gauss_newton = problem.gauss_newton(point.w)
        same_student = np.kron(np.eye(n), np.ones((d, d))) > 0
        assert (gauss_newton[same_student] == np.tile(np.eye(d) / 2, (n, 1, 1)).ravel()).all()
        difference = problem.hessian(point.w) - gauss_newton
        assert np.abs(difference[~same_student]).max(initial=0.0) < 1e-15


def clearance(g):
    """The smallest ‖wᵢ‖ sin θ: how far a student may move before it meets another neuron's axis."""
    i, j = np.nonzero(~np.eye(len(g.sign), dtype=bool))
    across = g.area[i, j] / np.array([mp.sqrt(g.gram[k, k]) for k in j])
    return float(min(across[i < len(g.sign) - 1]))


def test_hessian_is_the_slope_of_the_gradient():
    """Fourth-order central differences over h = δ/300.

    The gradient is analytic in a ball of radius δ, the distance to the nearest axis of another neuron,
    so truncation is some (h/δ)⁴ ≈ 1e-10 of ‖∇²L‖. Rounding adds ε‖∇L‖/h from the gradient's own last
    digit, and ε‖∇²L‖‖w‖/h as w ± h is rounded too. No step does much better.
    """
    tested, failures = 0, []
    for point in small("teacher-neuron"):
        g = geometry(point.w, point.teacher_norm)
        angles = g.angle[np.triu_indices(len(g.sign), 1)]
        if not all(1e-3 < angle < np.pi - 1e-3 for angle in angles):
            continue
        tested += 1
        problem = problem_of("teacher-neuron", *family(point))
        room, size = clearance(g), point.w.size
        h = 2.0 ** np.floor(np.log2(room / 300))
        shifts = h * np.eye(size).reshape(size, *point.w.shape)
        far, near, back, behind = (problem.grad(point.w + k * shifts).reshape(size, size) for k in (2, 1, -1, -2))
        slopes = (8 * (near - back) - (far - behind)) / (12 * h)
        hessian, grad = problem.hessian(point.w), problem.grad(point.w)
        scale = np.linalg.norm(hessian)
        rounding = EPS * (np.linalg.norm(grad) + scale * np.linalg.norm(point.w)) / h
        excess = np.linalg.norm(slopes - hessian) / (5 * (h / room) ** 4 * scale + 5 * rounding)
        if excess > 1:
            failures.append((excess, named(point)))
    assert tested >= 20
    assert_none(failures)


@pytest.mark.parametrize("seed", [0, 1])
def test_sampled_definition(seed):
    """E[R²]/2 and E[1{wᵢ·x≥0}1{wⱼ·x≥0} x xᵀ] over 4e5 samples, x and −x as one: within 5 standard errors."""
    rng = np.random.default_rng(seed)
    pairs, n, d, teacher_norm = 200_000, 3, 3, 1.5
    problem, w = problem_of("teacher-neuron", n, d, teacher_norm), rng.standard_normal((n, d))
    half = rng.standard_normal((pairs, d))

    def active(x):
        return ((x @ w.T >= 0)[:, :, None] * x[:, None, :]).reshape(pairs, n * d)

    def halved_square(x):
        return (np.maximum(x @ w.T, 0).sum(axis=1) - teacher_norm * np.maximum(x[:, 0], 0)) ** 2 / 2

    losses = (halved_square(half) + halved_square(-half)) / 2
    assert abs(losses.mean() - problem.loss(w)) <= 5 * losses.std() / np.sqrt(pairs)
    # Of the samples (a aᵀ + b bᵀ)/2, the mean and the mean square.
    a, b = active(half), active(-half)
    mean = (a.T @ a + b.T @ b) / (2 * pairs)
    square = ((a * a).T @ (a * a) + (b * b).T @ (b * b) + 2 * (a * b).T @ (a * b)) / (4 * pairs)
    spread = np.sqrt((square - mean**2) / pairs)
    assert (np.abs(mean - problem.gauss_newton(w)) <= 5 * spread).all()


# Invariances.

students = st.builds(
    lambda seed, n, d, scale: scale * np.random.default_rng(seed).standard_normal((n, d)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(2, 6),
    st.sampled_from([1e-3, 0.1, 1.0, 10.0]),
)
seeds = st.integers(0, 2**32 - 1)
thorough = settings(max_examples=60, deadline=None, derandomize=True)


def assert_moved(w, moved, turn, factor=1.0, teacher_norm=1.0):
    """L(moved) = factor²·L(w) and ∇L(moved) = factor·turn(∇L(w)), up to what rounding `moved` changes."""
    here = problem_of("teacher-neuron", *w.shape)
    there = problem_of("teacher-neuron", *w.shape, teacher_norm)
    loss, grad, size = here.loss(w), here.grad(w), np.linalg.norm(w)
    slack = 1e-13 * np.array([loss + np.linalg.norm(grad) * size, np.linalg.norm(here.hessian(w)) * size])
    slack[1] += 1e-13 * np.linalg.norm(grad)
    assert abs(there.loss(moved) - factor**2 * loss) <= factor**2 * slack[0]
    assert np.linalg.norm(there.grad(moved) - factor * turn(grad)) <= factor * slack[1]


@thorough
@given(students, seeds)
def test_rotation_about_the_teacher(w, seed):
    d = w.shape[1]
    turn = np.eye(d)
    turn[1:, 1:], _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d - 1, d - 1)))
    assert_moved(w, w @ turn.T, lambda grad: grad @ turn.T)


@thorough
@given(students, seeds)
def test_permutation_of_students(w, seed):
    order = np.random.default_rng(seed).permutation(len(w))
    assert_moved(w, w[order], lambda grad: grad[order])


@thorough
@given(students, st.sampled_from([1e-3, 0.3, 3.0, 1e3]))
def test_scaling_of_students_and_teacher(w, factor):
    assert_moved(w, factor * w, lambda grad: grad, factor, teacher_norm=factor)


@thorough
@given(students, st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**20]))
def test_scaling_by_powers_of_two_is_exact(w, factor):
    here, there = problem_of("teacher-neuron", *w.shape), problem_of("teacher-neuron", *w.shape, factor)
    assert there.loss(factor * w) == factor**2 * here.loss(w)
    assert (there.grad(factor * w) == factor * here.grad(w)).all()


@thorough
@given(students, seeds, st.integers(1, 20))
def test_a_run_is_the_same_alone_and_in_a_batch(w, seed, runs):
    rng = np.random.default_rng(seed)
    batch, k = rng.standard_normal((runs, *w.shape)), rng.integers(runs)
    batch[k] = w
    problem = problem_of("teacher-neuron", *w.shape)
    together, alone, bare = (
        (problem.loss(x), problem.grad(x), *problem.observe(x).values()) for x in (batch, w[None], w)
    )
    for many, one, single in zip(together, alone, bare, strict=True):
        assert np.array_equal(many[k], one[0], equal_nan=True)  # a balance may not exist
        assert np.array_equal(many[k], single, equal_nan=True)
        assert np.shape(single) == many.shape[1:]


# What the paper misprints.


@pytest.mark.parametrize(("lambda1", "lambda2"), [(0.4, 0.3), (1.5, 0.2), (0.7, 2.0)])
def test_toy_case_1_recursion(lambda1, lambda2):
    """(21) has the factor 1 − η(1 − θ/π + sin 2θ/(2π)), not … + sin 2θ/λ₁; (22) is as printed.

    On v, ∇₁ is (λ₁ − ½) + ((sin 2θ − (‖v‖/‖w₁‖) sin θ)λ₁ − θ(2λ₁ − 1))/2π with ‖v‖/‖w₁‖ = cos θ/λ₁,
    so its bracket is (λ₁ − ½)(sin 2θ − 2θ): the λ₁ in front of the sine cancels the one below it.
    """
    lr = 0.05
    problem = ovp.problem("toy-case-1", lambda1=lambda1, lambda2=lambda2)
    w = problem.start(seeds=[0])[0]
    assert (w == [[lambda1, lambda2], [lambda1, -lambda2]]).all()
    l1, l2, eta = mp.mpf(lambda1), mp.mpf(lambda2), mp.mpf(lr)
    theta = mp.atan2(l2, l1)
    printed = 1 - theta / mp.pi + mp.sin(2 * theta) / l1
    right = 1 - theta / mp.pi + mp.sin(2 * theta) / (2 * mp.pi)
    across = (2 * theta + (l1 - 0.5) / l1 * mp.sin(2 * theta)) / (2 * mp.pi)

    def along(factor):
        return 0.5 + (l1 - 0.5) * (1 - eta * factor)

    step = reference.real(reference.gradient_step(w, lr))
    expected = along(right), l2 * (1 - eta * across)
    assert norm(step - [[expected[0], expected[1]], [expected[0], -expected[1]]]) < 1e-100
    assert abs(step[0, 0] - along(printed)) > 1e-3
    assert np.allclose(w - lr * problem.grad(w), step.astype(float), rtol=2 * EPS, atol=0)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_toy_case_2_contracts_to_one(n):
    """Σλᵢ − 1 is multiplied by 1 − nη/2 in each step: Σλᵢ converges to 1, not to 0."""
    problem, lr = problem_of("toy-case-2", n, 2), 0.05
    w = problem.start(seeds=[3])[0]
    assert (w[:, 1:] == 0).all()
    before, after = w[:, 0].sum(), (w - lr * problem.grad(w))[:, 0].sum()
    assert after - 1 == pytest.approx((before - 1) * (1 - n * lr / 2), rel=1e-12)


@pytest.mark.parametrize("c", [0.1, 0.25, 3.0])
@pytest.mark.parametrize("n", [1, 2, 4, 10])
def test_students_opposite_to_the_teacher(n, c):
    """At wᵢ = −cv the gradient is −(nc/2)v, not −((1 + nc)/2)v: all reach zero at once when η = 2/n."""
    teacher = 1.5 * np.eye(1, 3)
    w = -c * np.repeat(teacher, n, axis=0)
    exact = reference.grad(geometry(w, 1.5))
    assert norm(exact - np.repeat(reference.real(reference.integers(w[:1])) * n / 2, n, axis=0)) < 1e-100
    grad = problem_of("teacher-neuron", n, 3, 1.5).grad(w)
    assert error(grad, exact) <= 1e-13 * norm(exact)
    assert np.linalg.norm(w - 2 / n * grad) <= 1e-13 * np.linalg.norm(w)


@pytest.mark.parametrize("gap", [0, 1e-8, 1e-4])
@pytest.mark.parametrize("size", GAPS[::2])
def test_gradient_near_its_zero_at_the_origin(size, gap):
    """Towards wᵢ = 0 from −v the gradient goes to zero and its terms do not; 1e-13 of its norm, like everywhere."""
    w = size * (gap * np.random.default_rng(5).standard_normal((3, 4)) - np.eye(1, 4))
    for n in (1, 3):
        exact = reference.grad(geometry(w[:n]))
        assert error(problem_of("teacher-neuron", n, 4).grad(w[:n]), exact) <= 1e-13 * norm(exact)


# A trajectory.


@pytest.mark.parametrize(
    ("n", "d", "seed", "floor"), [(1, 3, 0, 1e-6), (2, 3, 0, 0), (2, 4, 1, 0), (3, 3, 0, 0), (3, 4, 1, 0)]
)
def test_gradient_descent_meets_exact_arithmetic(n, d, seed, floor):
    """A thousand steps, within 1e-11; seeds whose students never come near zero, which amplifies rounding."""
    w0 = 0.1 * np.random.default_rng(seed).standard_normal((n, d))
    if n == 1:
        problem = ovp.problem("exact-neuron", d=d, w0=w0.tolist())
    else:
        problem = ovp.problem("teacher-neuron", n=n, d=d, w0=w0.tolist())
    frame = ovp.run(problem, ovp.optimizer("gradient-descent", lr=0.05), seeds=[0], iterations=1000).frame()
    iterations = [int(iteration) for iteration in frame.iteration]
    assert {1, 10, 100, 1000} <= set(iterations)
    exact = reference.gradient_descent(w0, 0.05, iterations)
    for iteration, loss, expected in zip(iterations, frame.loss, exact, strict=True):
        if expected > floor:
            assert abs(loss - expected) <= 1e-11 * expected, f"at iteration {iteration}"
    assert frame.norm_min.min() > 0.01
