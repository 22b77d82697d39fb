"""The coordinates without a rounding floor, and runs in them, against hundreds of digits."""

from dataclasses import replace
from itertools import product

import neuron_reference as reference
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuron_deviations import deep, deviating, draw, exact, geometry, helmert, norm, points, rotated
from neuron_reference import mp

import bench_ovp as ovp
from bench_ovp.oracle import Oracle
from bench_ovp_neuron.coordinates import rotate, rotate_back, to_students
from bench_ovp_neuron.lanes import batch_loss_and_grad

EPS = np.finfo(float).eps


@pytest.fixture(scope="module", autouse=True)
def digits():
    with deep():
        yield


def test_points_are_where_it_is_hard():
    losses, behind = zip(
        *((reference.loss(g), to_students(v, x[None])[0, :, 0] < 0) for x, v, _, g in points()), strict=True
    )
    assert min(losses) < 1e-279 < 0.5 < max(losses)
    assert sum(signs.all() for signs in behind) >= 8
    assert sum(signs.any() and not signs.all() for signs in behind) >= 2
    assert sum(len(x) > 1 and not x[1:].any() for x, *_ in points()) == 12


def test_loss():
    """4e-15 of itself: r and small angles are relatively precise, and what is summed cancels by little."""
    for x, _, problem, g in points():
        assert abs(problem.loss(x) - reference.loss(g)) <= 4e-15 * reference.loss(g), x


def terms(g):
    """Size of what is added up in each student's gradient, along the teacher and across it; see mathematics.md."""
    n, norms = len(g.sign) - 1, [mp.sqrt(square) for square in np.diag(g.gram)]
    along = np.array([mp.cos(angle) for angle in g.angle[n]], dtype=object)
    across = [mp.sin(angle) for angle in g.angle[n]]
    sizes = np.full((n, 2), mp.zero, dtype=object)
    for i, j in product(range(n), range(n + 1)):
        t, s = g.angle[i, j], mp.sin(g.angle[i, j])
        sizes[i, 0] += norms[j] * ((t - s) * abs(along[i]) + t * abs(along[i] - along[j])) / (2 * mp.pi)
        sizes[i, 1] += norms[j] * (s * across[i] + t * across[j]) / (2 * mp.pi)
    return norm(sizes[:, 0]), norm(sizes[:, 1])


def test_gradient():
    """The mean row and differences, along and across, each by itself: sizes range from θ to θ³.

    A rounding of the students is a relative error ε of the terms that are summed in them, and a row inherits it where
    these cancel: in a valley ½r and the mean of the rest do. 1e-15 is four or five ulps. Equal students stay equal.
    """
    for x, _, problem, g in points():
        grad, right = problem.grad(x), helmert(len(x)) @ reference.grad(g)
        for rows, (columns, size) in product(np.s_[:1, 1:], zip(np.s_[:1, 1:], terms(g), strict=True)):
            off, whole = norm(grad[rows, columns] - right[rows, columns]), norm(right[rows, columns])
            assert off <= 1e-15 * (whole + size), (x, rows, columns)
        if not x[1:].any():
            assert not grad[1:].any()
            assert len(np.unique(to_students(1.0, x[None])[0], axis=0)) == 1


def test_observables():
    """2e-15 of each."""
    for x, v, problem, g in points():
        seen = problem.observe(x)
        for name, right in reference.observables(g).items():
            off = abs(seen[name] - right)
            assert off <= 2e-15 * abs(right) or (mp.isnan(right) and np.isnan(seen[name])), (name, x, v)


@pytest.mark.parametrize("matrix", ["hessian", "gauss_newton"])
def test_matrix(matrix):
    """The block of the means, n/2, and that of the differences, O(θ), each in its own size: a solver divides by both.

    What couples them is O(θ) at most, and may be as good as zero: it is measured by the differences. Rounding is ε of
    each angle; 2e-14 allows for points where students at −v/n differ by a hundredth, which makes ε of them 20 ε of
    the angles between them. Entries of differences along the teacher are O(θ³), and known to ε of θ only, so they are
    not measured by themselves: a solver makes moves of them that are below an ulp (see the steps below).
    """
    for x, v, problem, g in points():
        n, d = x.shape
        if n > 1 and not x[1:].any():
            continue  # equal students: the block of the differences is that of one student and the teacher, or 0
        right, value = rotated(getattr(reference, matrix)(g), n, d), getattr(problem, matrix)(x)
        off = value - right
        assert norm(off[:d, :d]) <= 1e-14 * norm(right[:d, :d]), (x, v)
        if n > 1:
            assert norm(off[d:, d:]) <= 2e-14 * norm(right[d:, d:]), (x, v)
            assert norm(off[:d, d:]) <= 2e-14 * norm(right[d:, d:]), (x, v)
            assert np.abs(value - value.T)[d:, d:].max() <= 4 * EPS * np.abs(value[d:, d:]).max()


# Runs.


def test_exact_neuron_falls_at_its_rate():
    """To 1e-280, beside a trajectory of 220 digits: θ − sin θ cos θ is a relative θ² of its terms, f(θ) too.

    By symmetry two numbers are enough, r along the teacher and z across it. A step rounds each coordinate by ε/2, and
    these add up like a random walk: √12750·ε ≈ 2.5e-14 in the loss. In the rate they are spread over 460 = Δ ln L;
    what is left of the curvature's θ is below 1e-40.
    """
    problem, lr = ovp.problem("exact-neuron", d=3), 0.05
    frame = ovp.run(problem, ovp.optimizer("gradient-descent", lr=lr), seeds=1, iterations=12750).frame()
    steps, losses = frame.iteration.to_numpy(int), frame.loss.to_numpy(float)
    with mp.workdps(220):
        w, rate, done = exact(problem.start(1)[0, 0]), mp.mpf(lr), 0
        r, z = w[0] - 1, mp.norm(list(w[1:]))
        for step, loss in zip(steps, losses, strict=True):
            for _ in range(step - done):
                theta, square = mp.atan2(z, 1 + r), (1 + r) ** 2 + z * z
                along = r / 2 + (theta - z * (1 + r) / square) / (2 * mp.pi)
                r, z = r - rate * along, z - rate * (z / 2 - z * z / square / (2 * mp.pi))
            done = step
            right = (r * r + z * z) / 4 - (z - mp.atan2(z, 1 + r) * (1 + r)) / (2 * mp.pi)
            assert abs(loss - right) <= 2e-13 * right, step
    late = losses < 1e-80
    assert losses[-1] < 1e-280
    slope = np.log(losses[late][0] / losses[-1]) / (lr * (steps[-1] - steps[late][0]))
    assert slope == pytest.approx(-2 * np.log1p(-lr / 2) / lr, rel=1e-12)


@pytest.mark.parametrize(("damping", "power"), [(5.0, 1 / 3), (1.0, 0.5)])
def test_gauss_newton_steps(damping, power):
    """Single steps from the doubles on the way to 1e-285, so that no amplification of a trajectory blurs the answer.

    Each part is moved to 1e-12 of its move, to rounding of the gradient's terms, and of where it is: the mean row
    follows the differences, so that its move is what terms of order θ² and θ³ leave when they cancel; differences
    along the teacher, O(0.1), move by less than an ulp. What matters, the differences across, has no such allowance.
    """
    n, d, marks = 5, 4, [0.1, 1e-10, 1e-30, 1e-50, 1e-100, 1e-200, 1e-285]
    optimizer = ovp.optimizer("preconditioned-gradient-descent", damping=damping, power=power)
    start = ovp.problem("teacher-neuron", n=n, d=d)
    problem, x = start.recenter(start.start([2]))
    oracle, lr = Oracle(problem, 1, n * d), optimizer.parameters["lr"]
    while marks:
        y, _ = optimizer.method.step(oracle, x, (), 0, *optimizer.parameters.values())
        if problem.loss(x)[0] < marks[0]:
            g = geometry(x[0])
            shift = damping * reference.loss(g) ** mp.mpf(power)
            matrix = mp.matrix(rotated(reference.gauss_newton(g), n, d).tolist()) + shift * mp.eye(n * d)
            grad = helmert(n) @ reference.grad(g)
            move = np.array(list(mp.lu_solve(matrix, mp.matrix(list(grad.flat)))), dtype=object).reshape(n, d) * lr
            right = exact(x[0]) - move
            ratio = float(reference.loss(geometry(right)) / reference.loss(g))
            assert problem.loss(y)[0] / problem.loss(x)[0] == pytest.approx(ratio, rel=1e-13)
            for rows, (columns, size) in product(np.s_[:1, 1:], zip(np.s_[:1, 1:], terms(g), strict=True)):
                part = rows, columns
                slack = 1e-12 * norm(move[part]) + 1e-14 * size + 4 * EPS * norm(x[0][part])
                assert norm(y[0][part] - right[part]) <= slack, (marks[0], part)
            assert norm(y[0][1:, 1:] - right[1:, 1:]) <= 1e-13 * norm(move[1:, 1:])
            marks.pop(0)
        x = y
    assert not problem.degenerate(x).any()


@pytest.mark.parametrize("name", ["gradient-descent", "heavy-ball", "nesterov"])
@pytest.mark.parametrize(("n", "seeds"), [(2, [0, 1]), (3, [0, 1]), (5, [3, 5])])
def test_the_same_run_in_either_coordinates(name, n, seeds):
    """1e-11: in w, r is known to ε, and so a loss of 1e-10 to ε/√L = 2e-11 at the very worst; 2e-12 is seen."""
    problem, optimizer = ovp.problem("teacher-neuron", n=n, d=4), ovp.optimizer(name)
    plain = replace(optimizer, method=replace(optimizer.method, isometry_equivariant=False, rotation_equivariant=False))
    here, there = (ovp.run(problem, o, seeds=seeds, iterations=200) for o in (optimizer, plain))
    assert [run.resolution for run in here.runs + there.runs] == [1e-290] * 2 + [EPS**2] * 2
    a, b = here.frame(), there.frame()
    assert a.norm_min.min() > 0.01
    resolved = a.loss.to_numpy(float) > 1e-10
    assert resolved.sum() > 40
    assert a.loss.to_numpy(float)[resolved] == pytest.approx(b.loss.to_numpy(float)[resolved], rel=1e-11)


@pytest.mark.parametrize(("sigma", "resolution"), [(1e-6, (2 * EPS) ** 2), (0.1, 4e-290)])
def test_short_starts_stay_as_they_are(sigma, resolution):
    problem = ovp.problem("teacher-neuron", n=2, d=3, sigma=sigma, teacher_norm=2.0)
    trace = ovp.run(problem, ovp.optimizer("gradient-descent"), seeds=1, iterations=3)
    assert trace.runs[0].resolution == pytest.approx(resolution, rel=1e-15)
    assert (problem.recenter(problem.start(1))[0] is problem) == (sigma < 1e-3)


def test_a_vanished_student_has_no_direction():
    x = np.stack([np.zeros((2, 3)), np.zeros((2, 3))])
    x[:, 1, 0] = np.sqrt(0.5) * np.array([1.0, 0.9])  # students (1, 0) and (0.95, 0.05)
    assert deviating(2, 3).degenerate(x).tolist() == [True, False]


# Properties.

shapes = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(2, 6))


@given(shapes, st.sampled_from([1e-100, 1e-3, 1.0, 1e3]))
def test_rotation_is_an_isometry(shape, scale):
    """4 ulp of the largest number back and forth; inner products to n·d roundings of the two norms."""
    seed, n, d = shape
    a, b = scale * np.random.default_rng(seed).standard_normal((2, n, d))
    assert np.abs(rotate_back(rotate(a)) - a).max() <= 4 * EPS * np.abs(a).max()
    inner, size = np.vdot(rotate(a), rotate(b)), np.linalg.norm(a) * np.linalg.norm(b)
    assert abs(inner - np.vdot(a, b)) <= n * d * EPS * size
    assert np.linalg.norm(rotate(a)) == pytest.approx(np.linalg.norm(a), rel=n * EPS * 2)
    assert not rotate(np.repeat(a[:1], n, axis=0))[1:].any()


@given(shapes, st.sampled_from([0.1, 1e-5, 1e-50, 1e-90]))
def test_permuting_students(shape, size):
    """They are permuted in x, which would lose small numbers in w: 1e-13 allows for what cancels in loss and sums."""
    seed, n, d = shape
    rng = np.random.default_rng(seed)
    x, problem = draw(rng, n, d, size), deviating(n, d)
    other = x.copy()
    other[1:] = rotate(rotate_back(np.vstack([np.zeros((1, d)), x[1:]]))[rng.permutation(n)])[1:]
    assert problem.loss(other) == pytest.approx(problem.loss(x), rel=1e-13)
    assert np.linalg.norm(problem.grad(other)) == pytest.approx(np.linalg.norm(problem.grad(x)), rel=1e-13)


@given(shapes, st.integers(1, 9), st.sampled_from([1.0, 1e-40]))
def test_runs_do_not_see_each_other(shape, runs, size):
    """Bit by bit: alone, in batches of any length, in any order, the loss with or without the gradient."""
    seed, n, d = shape
    rng = np.random.default_rng(seed)
    batch, chosen = np.stack([draw(rng, n, d, size) for _ in range(9)]), rng.permutation(9)[:runs]
    plain = ovp.problem("teacher-neuron", n=n, d=d)
    for problem, at in ((deviating(n, d), batch), (plain, to_students(1.0, batch))):
        loss, grad = problem.loss(at[chosen]), problem.grad(at[chosen])
        both = batch_loss_and_grad(problem.instance.constants, np.asfortranarray(at[chosen]))
        assert np.array_equal(both[0], loss)
        assert np.array_equal(both[1], grad)
        for k, run in enumerate(chosen):
            assert problem.loss(at[run]) == loss[k]
            assert np.array_equal(problem.grad(at[run]), grad[k])
