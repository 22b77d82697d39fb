"""The scipy adapter against scipy.optimize.minimize, driven by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from bench_ovp_scipy import GRADIENT_FREE, OPTIONS, SCIPY, WITH_HESSIAN
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

import bench_ovp as ovp
from bench_ovp.registry import Registry, installed
from bench_ovp.suite import read_suite

N, D = 5, 10


@pytest.fixture(scope="module")
def problem():
    return ovp.problem("teacher-neuron", n=N, d=D, sigma=0.1)


def by_hand(problem, seed, method, **options):
    """The losses after each iteration, down to where the host ends a run, and SciPy's result.

    Below that, rounding rules: the conjugate gradients inside trust-ncg have no limit of their own and may not end.
    """
    shape = problem.start([seed])[0].shape

    def value(x):
        return float(problem.loss(x.reshape(shape)))

    def slope(x):
        return problem.grad(x.reshape(shape)).ravel()

    def curvature(x):
        return problem.hessian(x.reshape(shape))

    losses = []

    def note(x, *_):
        losses.append(value(x))
        if losses[-1] <= problem.resolution:
            raise StopIteration

    jac = None if method in GRADIENT_FREE else slope
    hess = curvature if method in WITH_HESSIAN else None
    with threadpool_limits(1), np.errstate(all="ignore"):  # as the host does
        result = minimize(
            value, problem.start([seed]).ravel(), method=method, jac=jac, hess=hess,
            callback=note, options=options,
        )  # fmt: skip
    return np.array(losses), result


def run(problem, iterations, seeds=2, **given):
    return ovp.run(problem, ovp.Optimizer(SCIPY, given), seeds, iterations=iterations, per_decade=1000)


@pytest.mark.parametrize(
    ("method", "tight"),
    [
        ("L-BFGS-B", {"ftol": 0, "gtol": 0}),
        ("trust-exact", {"gtol": 0}),
        ("trust-ncg", {"gtol": 0}),
        ("trust-krylov", {"gtol": 0}),
        ("BFGS", {"gtol": 0}),
        ("CG", {"gtol": 0}),
        ("Newton-CG", {"xtol": 0}),
        ("SLSQP", {"ftol": 0}),
        ("TNC", {"ftol": 0, "xtol": 0, "gtol": 0, "maxfun": 10**6}),
        ("Nelder-Mead", {"xatol": 0, "fatol": 0}),
        ("Powell", {"xtol": 0, "ftol": 0}),
        ("trust-constr", {"gtol": 0, "xtol": 0}),
    ],
)
def test_losses_are_scipys(problem, method, tight):
    iterations = 5 if method == "Powell" else 200  # each of Powell's is fifty line searches
    limit = {} if "maxfun" in tight else {"maxiter": iterations + 2}
    for run_of_seed in run(problem, iterations, method=method).runs:
        losses, _ = by_hand(problem, run_of_seed.seed, method, **tight, **limit)
        if method == "trust-constr":
            losses = losses[1:]  # it reports its start
        rows = run_of_seed.rows
        if method == "trust-krylov":  # its late steps are not the same from call to call, by hand either
            assert np.array_equal(rows["loss"][:10], losses[:10])
            continue
        assert len(rows["loss"]) >= min(iterations, len(losses)) or run_of_seed.status == "floor"
        assert np.array_equal(rows["loss"], losses[rows["iteration"].astype(int) - 1])


@pytest.mark.parametrize("method", ["L-BFGS-B", "trust-exact", "Newton-CG", "Nelder-Mead"])
def test_each_query_is_charged(problem, method):
    limits = {"maxiter": 12}
    given = {"ftol": 0.0, "gtol": 0.0} if method == "L-BFGS-B" else {}
    loose = {"gtol": 1e-4} if method == "trust-exact" else {"xtol": 1e-5} if method == "Newton-CG" else {}
    [one] = run(problem, 100, seeds=1, method=method, **limits, **given, **loose).runs
    _, result = by_hand(problem, 0, method, **limits, **(given or loose or {"xatol": 0, "fatol": 0}))
    asked = result.nfev + N * D * result.get("nhev", 0)
    assert asked <= one.evaluations <= asked + result.get("njev", 0)  # a gradient away from the last loss is a query
    assert one.iterations == result.nit - (method == "Nelder-Mead")  # which counts from 1
    if method != "Newton-CG":
        assert one.evaluations == asked


def test_a_run_that_ends_early_says_why(problem):
    [one] = run(problem, 1000, seeds=1, method="L-BFGS-B", gtol=1e-3).runs
    assert one.status == "ok"
    assert re.match(r"the method ended at iteration \d+: scipy's L-BFGS-B says: CONVERGENCE: NORM.OF", one.reason)
    assert one.rows["iteration"][-1] == one.iterations < 1000
    [none] = run(problem, 100, seeds=1, method="dogleg").runs
    assert none.iterations == 0
    assert "scipy's dogleg says: A linalg error occurred" in none.reason


def test_horizons_and_targets_end_runs(problem):
    [one] = ovp.run(problem, ovp.Optimizer(SCIPY), 1, evaluations=20).runs
    assert one.evaluations == 20 or "20 evaluations" in one.reason
    [one] = ovp.run(problem, ovp.Optimizer(SCIPY), 1, iterations=100, stop_loss=1e-3).runs
    assert one.status == "target"
    assert list(one.rows["time"]) == list(one.rows["iteration"])


@pytest.mark.parametrize("method", OPTIONS)
def test_every_method_runs_without_a_warning(method):
    """SciPy warns of an option that it does not know, and a warning is an error here."""
    problem = ovp.problem("teacher-neuron", n=1, d=3)
    [one] = ovp.run(problem, ovp.Optimizer(SCIPY, {"method": method}), 1, iterations=20).runs
    assert one.evaluations > 0
    assert not one.rows or one.rows["loss"][-1] < one.rows["loss"][0] or method == "COBYQA"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "LBFGS"}, "method = 'LBFGS': unknown method; did you mean 'BFGS'?"),
        ({"gtoll": 1e-8}, "scipy has no parameter 'gtoll'; did you mean 'gtol'?"),
        ({"method": "trust-exact", "ftol": 0.1}, "scipy[method=trust-exact] has no parameter 'ftol'; did you mean"),
        ({"maxcor": 2.5}, "maxcor = 2.5: input should be a valid integer"),
        ({"method": "trust-exact", "eta": 0.5}, "eta = 0.5: input should be less than 0.25"),
        ({"method": "dogleg", "initial_trust_radius": 1e4}, "scipy: dogleg: the initial trust radius must be less"),
    ],
)
def test_a_mistake_is_told(given, words):
    with pytest.raises(ovp.InputError, match=re.escape(words)):
        ovp.Optimizer(SCIPY, given)


def test_the_suite_of_the_readme_reads(request, tmp_path):
    text = (request.path.parent.parent / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "suite.yaml").write_text(text)
    suite = read_suite(tmp_path / "suite.yaml", Registry(installed().problems, {"scipy": SCIPY}))
    assert suite.optimizers[0].label == "scipy[method=L-BFGS-B]"
