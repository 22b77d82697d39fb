"""The methods that people train with, against twenty lines each from their papers, and against optax."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

import bench_ovp as ovp

STEPS = 60  # more, and signs begin to turn on the last bits of a gradient
PROBLEM = ovp.problem("teacher-neuron", n=3, d=4)
SEEDS = (0, 1, 2)
ORACLE = SimpleNamespace(grad=PROBLEM.grad, loss_and_grad=lambda w: (PROBLEM.loss(w), PROBLEM.grad(w)))
Grad = Callable[[np.ndarray], np.ndarray]


def walk(name: str, **given: object) -> np.ndarray:
    """Where a shipped step leads, for all seeds at once: (steps, runs, n, d)."""
    method = ovp.optimizer(name, **given).method
    values = ovp.optimizer(name, **given).parameters
    w = PROBLEM.start(SEEDS)
    state = method.init(w) if method.init else ()
    places = []
    for k in range(STEPS):
        w, state = method.step(ORACLE, w, state, k, **values)
        places.append(w)
    return np.array(places)


def differ(name: str, reference: Callable[..., Iterator[np.ndarray]], **given: object) -> float:
    """The largest distance of a shipped method from its reference, run by run, relative to the teacher's norm."""
    places = walk(name, **given)
    worst = 0.0
    for run, seed in enumerate(SEEDS):
        followed = reference(PROBLEM.start([seed])[0], PROBLEM.grad, **given)
        worst = max(worst, *(np.abs(next(followed) - places[k, run]).max() for k in range(STEPS)))
    return worst


# The references: one run, a generator of iterates, loops where the paper has them.


def adam(w, grad, lr, beta1=0.9, beta2=0.999, eps=1e-8, cooling=0.0):
    """Algorithm 1 of Kingma & Ba, entry by entry, with t from 1."""
    m, v = np.zeros(w.shape), np.zeros(w.shape)
    for t in range(1, 10**9):
        g = grad(w)
        w = w.copy()
        for at in np.ndindex(w.shape):
            m[at] = beta1 * m[at] + (1 - beta1) * g[at]
            v[at] = beta2 * v[at] + (1 - beta2) * g[at] ** 2
            rate = lr * math.exp(-cooling * (t - 1))
            w[at] -= rate * (m[at] / (1 - beta1**t)) / (math.sqrt(v[at] / (1 - beta2**t)) + eps)
        yield w


def rmsprop(w, grad, lr, beta=0.9, eps=1e-8, cooling=0.0):
    """Slide 29 of lecture 6.5: divide by a running average of the recent magnitude."""
    squares = dict.fromkeys(np.ndindex(w.shape), 0.0)
    for k in range(10**9):
        g = grad(w)
        w = w.copy()
        for at, mean in squares.items():
            squares[at] = beta * mean + (1 - beta) * g[at] ** 2
            w[at] -= lr * math.exp(-cooling * k) * g[at] / (math.sqrt(squares[at]) + eps)
        yield w


def adagrad(w, grad, lr, eps=1e-10):
    """The diagonal of the root of the sum of all outer products of gradients."""
    seen = []
    while True:
        seen.append(grad(w).ravel())
        outer = sum(np.outer(g, g) for g in seen)
        w = w - lr * (seen[-1] / (np.sqrt(np.diag(outer)) + eps)).reshape(w.shape)
        yield w


def lion(w, grad, lr, beta1=0.9, beta2=0.99, cooling=0.0):
    """Program 1 of Chen et al., without weight decay."""
    m = np.zeros(w.shape)
    for k in range(10**9):
        g = grad(w)
        update = np.array([math.copysign(1.0, c) if c else 0.0 for c in (beta1 * m + (1 - beta1) * g).flat])
        w = w - lr * math.exp(-cooling * k) * update.reshape(w.shape)
        m = beta2 * m + (1 - beta2) * g
        yield w


def signs(w, grad, lr, cooling=0.0):
    """One step of equal length up or down in each coordinate."""
    for k in range(10**9):
        g = grad(w)
        w = w - lr * math.exp(-cooling * k) * ((g > 0).astype(float) - (g < 0))
        yield w


def unit(w, grad, lr, cooling=0.0):
    """Shor's: the step has a given length."""
    for k in range(10**9):
        g = grad(w)
        w = w - lr * math.exp(-cooling * k) * g / math.sqrt(math.fsum(g.ravel() ** 2))
        yield w


def muon(w, grad, lr, beta=0.95, cooling=0.0):
    """Jordan's zeropower_via_newtonschulz5 with Nesterov momentum, on singular values instead of matrices."""
    buffer = np.zeros(w.shape)
    for k in range(10**9):
        g = grad(w)
        buffer = beta * buffer + g
        left, values, right = np.linalg.svd(g + beta * buffer, full_matrices=False)
        values = values / math.sqrt(math.fsum(values**2))
        for _ in range(5):
            values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
        w = w - lr * math.exp(-cooling * k) * math.sqrt(max(1, w.shape[0] / w.shape[1])) * (left * values) @ right
        yield w


def scheduled(w, grad, rates):
    for rate in rates:
        w = w - rate * grad(w)
        yield w


def by_power(w, grad, lr, power):
    return scheduled(w, grad, (lr * math.pow(t, power) for t in range(1, 10**9)))


def by_cooling(w, grad, lr, cooling):
    factor = math.exp(-cooling)
    return scheduled(w, grad, (lr * factor**k for k in range(10**9)))


def by_cosine(w, grad, lr, steps):
    return scheduled(
        w, grad, (lr * math.cos(math.pi * k / (2 * steps)) ** 2 if k < steps else 0.0 for k in range(10**6))
    )


def by_silver(w, grad, lr):
    """The recursion of Altschuler & Parrilo: h ← [h, 1 + ρ^(m − 1), h]."""
    steps: list[float] = []
    for m in range(9):
        steps = [*steps, 1 + (1 + math.sqrt(2)) ** (m - 1), *steps]
    return scheduled(w, grad, (lr * step for step in steps))


def with_polyak(w, grad, lr, period):
    for k in range(1, 10**9):
        g = grad(w)
        rate = lr if k % period else float(PROBLEM.loss(w)) / math.fsum(g.ravel() ** 2)
        w = w - rate * g
        yield w


CASES = {
    "adam": (adam, {"lr": 0.01}),
    "adam, other memories, cooled": (adam, {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "cooling": 0.02}),
    "rmsprop": (rmsprop, {"lr": 0.003}),
    "rmsprop, cooled": (rmsprop, {"lr": 0.01, "beta": 0.99, "eps": 1e-4, "cooling": 0.03}),
    "adagrad": (adagrad, {"lr": 0.05}),
    "adagrad, with a large eps": (adagrad, {"lr": 0.1, "eps": 0.1}),
    "lion": (lion, {"lr": 0.003}),
    "lion, cooled": (lion, {"lr": 0.01, "beta1": 0.5, "beta2": 0.8, "cooling": 0.02}),
    "sign-descent": (signs, {"lr": 0.003, "cooling": 0.01}),
    "normalized-gradient-descent": (unit, {"lr": 0.02, "cooling": 0.01}),
    "muon": (muon, {"lr": 0.01}),
    "muon, cooled": (muon, {"lr": 0.003, "beta": 0.5, "cooling": 0.02}),
    "gradient-descent-power": (by_power, {"lr": 0.5, "power": -0.5}),
    "gradient-descent-cooling": (by_cooling, {"lr": 0.3, "cooling": 0.01}),
    "gradient-descent-cosine": (by_cosine, {"lr": 0.3, "steps": 100}),
    "gradient-descent-silver": (by_silver, {"lr": 0.1}),
    "gradient-descent-polyak": (with_polyak, {"lr": 0.3, "period": 7}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_method_is_the_one_of_its_paper(case):
    reference, given = CASES[case]
    name = case.partition(",")[0]
    assert differ(name, reference, **given) < 1e-12  # rounding, which steps amplify: 2e-13 at most was measured


@pytest.mark.parametrize("case", CASES)
def test_another_parameter_is_seen(case):
    """The negative control: a part in a million of the step size is a thousand times what the test above allows."""
    name, (_, given) = case.partition(",")[0], CASES[case]
    places, other = walk(name, **given), walk(name, **{**given, "lr": given["lr"] * (1 + 1e-6)})
    assert np.abs(places - other).max() > 1e-8


# optax.


def by_optax(make) -> np.ndarray:
    """The same walk by a transformation of optax, in float64, run by run."""
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    enable_x64 = getattr(jax, "enable_x64", None)
    if enable_x64 is None:  # before JAX 0.8
        from jax.experimental import enable_x64
    runs = []
    with enable_x64(True):
        transformation = make(optax)
        update = jax.jit(transformation.update)
        for seed in SEEDS:
            w = jax.numpy.asarray(PROBLEM.start([seed])[0])
            state = transformation.init(w)
            places = []
            for _ in range(STEPS):
                moves, state = update(jax.numpy.asarray(PROBLEM.grad(np.asarray(w))), state, w)
                w = optax.apply_updates(w, moves)
                places.append(np.asarray(w))
            runs.append(places)
    return np.array(runs).swapaxes(0, 1)


def cool(lr: float, cooling: float):
    """A schedule in float64; optax's own exponential decay is single precision."""

    def schedule(count):
        import jax

        return lr * jax.numpy.exp(-cooling * count)

    return schedule


OPTAX = {
    "adam": ({"lr": 0.01}, lambda optax: optax.adam(0.01)),
    "adam, cooled": (
        {"lr": 0.01, "cooling": 0.02},
        lambda optax: optax.adam(cool(0.01, 0.02)),
    ),
    "rmsprop": ({"lr": 0.003}, lambda optax: optax.rmsprop(0.003, decay=0.9, eps=1e-8, eps_in_sqrt=False)),
    "adagrad": (  # optax adds its eps below the root
        {"lr": 0.05, "eps": 1e-40},
        lambda optax: optax.adagrad(0.05, initial_accumulator_value=0.0, eps=1e-80),
    ),
    "lion": ({"lr": 0.003}, lambda optax: optax.lion(0.003, b1=0.9, b2=0.99, weight_decay=0.0)),
    "sign-descent": ({"lr": 0.003}, lambda optax: optax.sign_sgd(0.003)),
    "normalized-gradient-descent": (
        {"lr": 0.02},
        lambda optax: optax.chain(optax.normalize_by_update_norm(eps=0.0), optax.scale(-0.02)),
    ),
    "gradient-descent-cosine": (
        {"lr": 0.3, "steps": 100},
        lambda optax: optax.sgd(optax.cosine_decay_schedule(0.3, 100)),
    ),
    "gradient-descent-cooling": (
        {"lr": 0.3, "cooling": 0.01},
        lambda optax: optax.sgd(cool(0.3, 0.01)),
    ),
}


@pytest.mark.parametrize("case", OPTAX)
def test_a_method_is_the_one_of_optax(case):
    """Up to rounding, which the steps amplify."""
    given, make = OPTAX[case]
    assert np.abs(by_optax(make) - walk(case.partition(",")[0], **given)).max() < 1e-11


def test_the_step_of_muon_is_that_of_optax():
    """Without momentum, whose bias optax corrects. Students are columns there, and its factor is for tall matrices."""
    pytest.importorskip("optax.contrib")

    def make(optax):
        from optax.contrib import scale_by_muon

        return optax.chain(scale_by_muon(beta=0.0, weight_dimension_numbers=None), optax.scale(-0.01))

    apart = np.abs(by_optax(make) - walk("muon", lr=0.01, beta=0.0))[0]  # the first step; 60 of them amplify much
    assert apart.max() < 1e-9  # its coefficients are rounded to single precision
    assert apart.max() > 0.0


# What they are for.


def final_loss(name: str, iterations: int, n: int = 2, **given: object) -> float:
    trace = ovp.run(ovp.problem("teacher-neuron", n=n, d=10), ovp.optimizer(name, **given), 4, iterations=iterations)
    return max(float(run.rows["loss"][-1]) for run in trace.runs)


def test_a_long_step_in_every_twenty_goes_along_the_ravine():
    """Gradient descent alone is at 1e-9 by then: T^-3, with T = 1000."""
    assert final_loss("gradient-descent-polyak", 2000, lr=0.5) < 1e-20
    assert final_loss("gradient-descent", 2000, lr=0.5) > 1e-11


def test_a_constant_length_stays_above_its_square_and_a_cooled_one_does_not():
    """Near a minimum the loss is quadratic in the sum of the students: of a distance lr it is about lr²/4."""
    constant = final_loss("normalized-gradient-descent", 20_000, lr=1e-3)
    assert 1e-9 < constant < 1e-5
    assert final_loss("normalized-gradient-descent", 20_000, lr=1e-2, cooling=1e-3) < 1e-6 * constant


def test_steps_with_a_finite_sum_come_to_rest():
    """The flow reaches no farther than the sum of the steps, lr/cooling: all further iterations add nothing."""
    near, far = (final_loss("gradient-descent-cooling", k, lr=0.5, cooling=1e-3) for k in (20_000, 40_000))
    assert near > 1e-12
    assert far == pytest.approx(near, rel=1e-6)
    assert final_loss("gradient-descent", 20_000, lr=0.5) < 1e-3 * near
