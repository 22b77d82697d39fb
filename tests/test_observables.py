"""What is observed along a run, against 120 digits and more, where it is hard; the rest is in test_neuron_formulas."""

import neuron_reference as reference
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuron_deviations import deep
from neuron_deviations import geometry as deviating_geometry
from neuron_reference import mp

import bench_ovp as ovp
from bench_ovp_neuron.observables import EACH, MOST, WHOLE, names
from bench_ovp_neuron.twofold import add, multiply, product_of, root_of_ratio, unrotate

EPS = np.finfo(float).eps


def assert_seen(problem, w, g, tolerance):
    """Every observable, to a relative tolerance; NaN where it does not exist."""
    seen, right = problem.observe(w), reference.observables(g)
    assert list(seen) == list(right)
    for name, exact in right.items():
        if mp.isnan(exact):
            assert np.isnan(seen[name]), name
        else:
            assert abs(mp.mpf(float(seen[name])) - exact) <= tolerance * abs(exact), (name, seen[name], float(exact))


def bundle(rng, n, d, size, gap):
    """Students across the teacher by `size`, all in one direction up to an angle of about `gap`."""
    along = rng.standard_normal(d - 1)
    z = size * rng.uniform(0.2, 1.0, (n, 1)) * (along + gap * rng.standard_normal((n, d - 1)))
    return np.c_[rng.uniform(0.2, 1.0, (n, 1)), z]


@pytest.mark.parametrize("gap", [1.0, 0.1, 0.03, 1e-3, 1e-9, 1e-15])
@pytest.mark.parametrize("size", [1.0, 1e-9, 1e-60])
def test_students_that_point_almost_the_same_way(gap, size):
    """2e-15, nine ulps, of κ_max and all else, though chords know an angle to ε only; 4e-16 is seen."""
    rng = np.random.default_rng(11)
    for n, d in [(2, 3), (3, 4), (5, 4)] + [(MOST + 2, 3)] * (size == 1.0):
        problem, w = ovp.problem("teacher-neuron", n=n, d=d), bundle(rng, n, d, size, gap)
        with deep():
            assert_seen(problem, w, reference.geometry(w), 2e-15)


@pytest.mark.parametrize("gap", [1.0, 0.03, 1e-9, 1e-12])
@pytest.mark.parametrize("size", [1.0, 1e-9, 1e-60])
def test_the_same_in_deviations(gap, size):
    """Rows of x are known to ε, students are sums of them: their angles are right since sums have twice the digits."""
    rng = np.random.default_rng(12)
    for n, d in [(2, 3), (3, 4), (5, 4)]:
        start = ovp.problem("teacher-neuron", n=n, d=d)
        problem, x = start.recenter(bundle(rng, n, d, size, gap)[None])
        with deep():
            g = deviating_geometry(x[0])
            assert_seen(problem, x[0], g, 2e-15)
            assert reference.observables(g)["kappa_max"] > 0


@pytest.mark.parametrize(("n", "d", "seed"), [(2, 3, 1), (3, 4, 0), (5, 4, 3)])
def test_along_a_run(n, d, seed):
    """From a start, where students are behind the teacher, to angles of 1e-2: both kinds of coordinates, to 2e-15."""
    plain = ovp.problem("teacher-neuron", n=n, d=d)
    w = plain.start([seed])
    problem, x = plain.recenter(w)
    balances = []
    for steps in (0, 10, 100, 1000):
        for _ in range(steps):
            w, x = w - 0.1 * plain.grad(w), x - 0.1 * problem.grad(x)
        assert_seen(plain, w[0], reference.geometry(w[0]), 2e-15)
        with deep():
            assert_seen(problem, x[0], deviating_geometry(x[0]), 2e-15)
        balances.append(float(plain.observe(w)["balance"][0]))
    assert np.isnan(balances[0])
    assert balances[-1] >= 1.0


def test_a_student_that_passes_through_zero_in_deviations():
    """hᵢ is the difference of v/n and a deviation; 2e-15 of what the two leave, be it 1e-12."""
    start = ovp.problem("teacher-neuron", n=3, d=3)
    w = np.array([[1e-12, 1e-13, 0.0], [0.4, 0.2, 0.1], [0.7, -0.1, 0.3]])
    problem, x = start.recenter(w[None])
    with deep():
        g = deviating_geometry(x[0])
        assert 0 < reference.observables(g)["norm_min"] < 2e-12
        assert_seen(problem, x[0], g, 2e-15)


def test_directions_that_are_not_there():
    """κ_max is about zᵢ ≠ 0 alone, and exact where the students are parallel, equal or opposite."""

    def widest(*z):
        w = np.c_[np.ones(len(z)), np.array(z, dtype=float)]
        return float(ovp.problem("teacher-neuron", n=len(z), d=w.shape[1]).observe(w)["kappa_max"])

    assert widest([0.3, 0.4]) == 0.0
    assert widest([0.0, 0.0], [0.0, 0.0]) == 0.0
    assert widest([0.0, 0.0], [0.3, 0.4]) == 0.0
    assert widest([0.0, 0.0], [1.0, 0.0], [0.0, 1e-200]) == pytest.approx(np.pi / 2, rel=EPS)
    assert widest([0.1, 0.7], [0.3, 2.1]) == pytest.approx(widest([0.1, 0.7 * (1 + 1e-9)], [0.3, 2.1]), abs=1e-9)
    assert widest([0.1, 0.7], [0.1, 0.7], [0.2, 1.4]) == 0.0
    assert widest([0.1, 0.7], [-0.2, -1.4]) == pytest.approx(np.pi, rel=EPS)
    assert widest([3.0], [1e-300], [5e-10]) == 0.0
    assert widest([3.0], [-1e-300]) == np.pi


def test_single_students_are_told_up_to_a_number():
    assert len(names(MOST)) == len(WHOLE) + 3 * MOST
    assert names(MOST + 1) == WHOLE
    assert names(2)[len(WHOLE) :] == tuple(f"{one}_{i}" for one in EACH for i in (1, 2))


def test_a_suite_with_several_n_leaves_columns_empty(tmp_path):
    """Through store, tables and files: a column is there as soon as one problem has it."""
    import pandas as pd

    from bench_ovp.suite_run import run_suite

    file = tmp_path / "suite.yaml"
    file.write_text(
        "name: several\nproblems:\n  - teacher-neuron: {n: [1, 3], d: 3}\n"
        "optimizers: [gradient-descent]\nseeds: 2\nhorizon: {iterations: 1e2}\n"
    )
    folder = run_suite(file, tmp_path, executor="serial", report=False).folder
    traces = pd.read_parquet(folder / "traces.parquet")
    few, many = (traces[traces["problem.n"] == n] for n in (1, 3))
    assert {*names(3)} <= {*traces.columns}
    assert few[["theta_2", "h_3", "z_2"]].isna().all(axis=None)
    assert few[["theta_1", "h_1", "z_1"]].notna().all(axis=None)
    assert many[[*names(3)]].drop(columns="balance").notna().all(axis=None)
    assert np.array_equal(many["theta_max"], many[["theta_1", "theta_2", "theta_3"]].max(axis=1))
    one_sided = many[["h_1", "h_2", "h_3"]].min(axis=1) > 0
    assert np.array_equal(one_sided, many["balance"].notna())
    assert one_sided.any()


# Numbers of twice the digits.

doubles = st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30)


@given(doubles, doubles, doubles, doubles)
def test_twofold_arithmetic(a, b, c, d):
    def exact(pair):
        return mp.mpf(float(pair[0])) + mp.mpf(float(pair[1]))

    assert exact(product_of(a, b)) == mp.mpf(a) * mp.mpf(b)
    one, other = product_of(a, b), product_of(c, d)
    for found, right in (
        (add(one, other), exact(one) + exact(other)),
        (multiply(one, other), exact(one) * exact(other)),
    ):
        size = abs(exact(one)) + abs(exact(other)) if found == add(one, other) else abs(right)
        assert abs(exact(found) - right) <= 8 * EPS**2 * size


def test_roots_of_ratios():
    for i in range(1, 40):
        for a, b in ((1.0, float(i)), (i + 1.0, float(i))):
            found = root_of_ratio(a, b)
            assert abs(mp.mpf(found[0]) + mp.mpf(found[1]) - mp.sqrt(mp.mpf(a) / mp.mpf(b))) <= 8 * EPS**2 * found[0]


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_students_to_twice_the_digits(n):
    """Each coordinate to 32 n ε² of the deviations that it is made of, and ‖v‖; and equal students stay equal."""
    x = np.random.default_rng(3).standard_normal((2, n, 3))
    w, low = unrotate(1.5, x)
    for run in range(2):
        with deep():
            right = deviating_geometry(x[run], 1.5).neuron[:-1]
            off = max(
                abs(mp.mpf(a) + mp.mpf(b) - c) for a, b, c in zip(w[run].flat, low[run].flat, right.flat, strict=True)
            )
        assert off <= 32 * n * EPS**2 * (np.abs(x[run]).max() + 1.5)
    x[:, 1:] = 0.0
    w, low = unrotate(1.5, x)
    assert (w == w[:, :1]).all()
    assert (low == low[:, :1]).all()
