"""The optax adapter against optax, driven by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from bench_ovp_optax import OPTAX, double_precision

import bench_ovp as ovp
from bench_ovp.registry import Registry, installed
from bench_ovp.suite import read_suite

jax = pytest.importorskip("jax", reason="jax is not installed")
optax = pytest.importorskip("optax", reason="optax is not installed")

STEPS = 200


@pytest.fixture(scope="module")
def problem():
    return ovp.problem("teacher-neuron", n=5, d=10, sigma=0.1)


def by_hand(problem, seed, make):
    """The losses after each of the steps."""
    losses = []
    with double_precision():
        transformation = make()
        w = jax.numpy.asarray(problem.start([seed])[0])
        state = transformation.init(w)
        for _ in range(STEPS):
            here = np.asarray(w)
            moves, state = transformation.update(
                jax.numpy.asarray(problem.grad(here)), state, w, value=jax.numpy.asarray(problem.loss(here))
            )
            w = optax.apply_updates(w, moves)
            losses.append(float(problem.loss(np.asarray(w))))
    return np.array(losses)


def run(problem, seeds=3, **given):
    return ovp.run(problem, ovp.Optimizer(OPTAX, given), seeds, iterations=STEPS, per_decade=1000)


def sums(method):
    """Whether a method sums over coordinates: JAX orders sums by the shape of arrays, and runs amplify rounding."""
    return any(word in method for word in ("norm", "lamb", "polyak"))


@pytest.mark.parametrize(
    ("given", "make"),
    [
        ({"method": "adam", "lr": 0.01}, lambda: optax.adam(0.01)),
        ({"method": "adam", "lr": 0.01, "b1": 0.8, "nesterov": True}, lambda: optax.adam(0.01, b1=0.8, nesterov=True)),
        ({"method": "lion", "lr": 0.001}, lambda: optax.lion(0.001)),
        ({"method": "lion", "lr": 0.01, "weight_decay": 0}, lambda: optax.lion(0.01, weight_decay=0.0)),
        ({"method": "sgd", "lr": 0.05, "momentum": 0.9}, lambda: optax.sgd(0.05, momentum=0.9)),
        ({"method": "lamb", "lr": 0.01}, lambda: optax.lamb(0.01)),
        (
            {"method": "chain(clip_by_global_norm(0.1), adam(lr, b2=0.99))", "lr": 0.02},
            lambda: optax.chain(optax.clip_by_global_norm(0.1), optax.adam(0.02, b2=0.99)),
        ),
        (
            {"method": "chain(trace(decay=0.9), scale(-lr))", "lr": 0.02},
            lambda: optax.chain(optax.trace(decay=0.9), optax.scale(-0.02)),
        ),
        (
            {"method": "adam", "lr": 0.02, "schedule": "cosine_decay_schedule(lr, 200)"},
            lambda: optax.adam(optax.cosine_decay_schedule(0.02, 200)),
        ),
        (
            {
                "method": "chain(clip(0.1), sgd(lr))",
                "lr": 0.1,
                "schedule": "join_schedules([cosine_decay_schedule(lr, 100), constant_schedule(0.01)], [50])",
            },
            lambda: optax.chain(
                optax.clip(0.1),
                optax.sgd(
                    optax.join_schedules([optax.cosine_decay_schedule(0.1, 100), optax.constant_schedule(0.01)], [50])
                ),
            ),
        ),
        ({"method": "polyak_sgd(1.0)", "lr": 1}, lambda: optax.polyak_sgd(1.0)),
    ],
    ids=lambda value: value.get("method") if isinstance(value, dict) else "",
)
def test_losses_are_optaxs(problem, given, make):
    for one in run(problem, **given).runs:
        losses = by_hand(problem, one.seed, lambda: optax.with_extra_args_support(make()))
        assert list(one.rows["iteration"]) == list(range(1, STEPS + 1))
        np.testing.assert_allclose(one.rows["loss"], losses, rtol=1e-6 if sums(given["method"]) else 1e-12, atol=0)
        assert one.evaluations == STEPS


@pytest.mark.parametrize("method", ["adam", "lion", "chain(clip_by_global_norm(0.1), adam(lr))", "adafactor", "lamb"])
def test_a_run_does_not_depend_on_its_company(problem, method):
    optimizer = ovp.Optimizer(OPTAX, {"method": method})
    together = ovp.run(problem, optimizer, 18, iterations=50)  # a block of 16 and one of 2
    for one in [*together.runs[:3], *together.runs[15:]]:
        [alone] = ovp.run(problem, optimizer, [one.seed], iterations=50).runs
        assert np.array_equal(one.rows["loss"], alone.rows["loss"])
        assert one.evaluations == alone.evaluations == 50


def test_single_precision_stays_the_rule_elsewhere(problem):
    run(problem, 1)
    assert jax.numpy.ones(1).dtype == np.float32


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "Adam"}, "method = 'Adam': unknown optimizer of optax; did you mean 'adam'?"),
        ({"beta1": 0.9}, "optax has no parameter 'beta1'; did you mean 'b1'?"),
        ({"method": "lion", "eps": 0.9}, "optax[method=lion] has no parameter 'eps'"),
        ({"b1": "0.9"}, "b1 = '0.9': input should be a valid number"),
        ({"mu_dtype": "flot"}, "optax: adam: data type 'flot' not understood"),
        ({"method": "clip"}, "clip takes no learning_rate; compose it, such as chain(clip(…), scale(-lr))"),
        ({"method": "chain(clip(1.0), adm(lr))"}, "unknown name 'adm'; did you mean 'adam'?"),
        ({"method": "chain(clip(1.0), adam(rate))"}, "'rate' is no value; did you mean"),
        ({"method": "adam(lr, beta=1)"}, "adam has no argument 'beta'; known: b1, b2"),
        ({"method": "constant_schedule(1.0)"}, "not a transformation; write one"),
        ({"schedule": "3"}, "not a schedule; write one, such as cosine_decay_schedule(lr, 1000)"),
        ({"schedule": "cosine_decay_schedule(lr)"}, "missing 1 required positional argument: 'decay_steps'"),
        ({"method": "lbfgs"}, "a line search within the step is not offered; write lbfgs(lr, linesearch=None)"),
    ],
)
def test_a_mistake_is_told(given, words):
    with pytest.raises(ovp.InputError, match=re.escape(words)) as caught:
        ovp.Optimizer(OPTAX, given)
    assert "\n" not in str(caught.value)


def test_the_suite_of_the_readme_reads(request, tmp_path):
    text = (request.path.parent.parent / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "suite.yaml").write_text(text)
    suite = read_suite(tmp_path / "suite.yaml", Registry(installed().problems, {"optax": OPTAX}))
    assert suite.optimizers[0].label == "optax[method=adam,lr=0.01]"
