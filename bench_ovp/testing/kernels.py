"""Checks of a problem's compiled forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..optimizers import Optimizer, StepMethod
from ..oracle import Oracle
from ..problems import Array, Kernels, Problem
from .check import Inapplicable, Nonconformance
from .differences import EPSILON, random_directions
from .points import ordinary_points
from .queries import Ask, refuse_coupling, same_bits

NUDGE = 1e-6
STEPS = 10
FOREVER = 2**62


def descend(oracle, w, state, k, lr: float = 0.01):  # type: ignore[no-untyped-def]
    """Gradient descent that asks for everything that kernels answer."""
    loss, grad = oracle.loss_and_grad(w)
    return w - lr * 0.5 * (grad + oracle.grad(w)) + 0.0 * (loss + oracle.loss(w)).reshape(-1, 1, 1), state


def check_kernels(problem: Problem) -> None:
    """Kernels answer as loss and grad do, within rounding; they are pure, and runs do not mix."""
    _kernels(problem)
    compare_kernels(problem, ordinary_points(problem))


def compare_kernels(problem: Problem, w: Array) -> None:
    """Raise Nonconformance where kernels do not answer about `w` as loss and grad do."""
    kernels = _kernels(problem)
    w = np.asfortranarray(w)
    constants = kernels.constants
    if not isinstance(constants, np.ndarray) or constants.dtype != np.float64 or constants.ndim != 1:
        raise Nonconformance("the kernels' constants must be one float64 vector: numpy.array([…], dtype=float)")
    kept = constants.copy()
    pair = kernels.loss_and_grad
    asks: dict[str, tuple[Callable[..., Any], Callable[[Array], Any]]] = {
        "the kernel of loss": (kernels.loss, problem.loss),
        "the kernel of grad": (kernels.grad, problem.grad),
        "loss_and_grad's loss": (lambda c, w: pair(c, w)[0], problem.loss),
        "loss_and_grad's gradient": (lambda c, w: pair(c, w)[1], problem.grad),
    }
    for name, (kernel, method) in asks.items():
        given = w.copy(order="F")
        found = kernel(constants, given)
        if not same_bits(given, w) or not same_bits(constants, kept):
            raise Nonconformance(f"{name} writes into its arguments; let it fill an array of its own")
        expected = np.asarray(method(w))
        if not isinstance(found, np.ndarray) or found.shape != expected.shape or found.dtype != np.float64:
            told = getattr(found, "shape", type(found).__name__)
            raise Nonconformance(f"{name} returns {told}; return a fresh float64 array of shape {expected.shape}")
        refuse_coupling(name, _asking(kernel, constants, name), w)
        gap = np.abs(found - expected)
        # Each is a sum of some n·d terms, and knows w to an ulp: two orders of summation differ by so much.
        room = 8.0 * EPSILON * (8 + w[0].size) * sensitivity(method, w)
        if np.any(gap > room.reshape(-1, *(1 for _ in gap.shape[1:]))) or not np.all(np.isfinite(found)):
            raise Nonconformance(
                f"{name} is off by {np.nanmax(gap):.3g} from what the method of the class says; "
                "make both compute the same formula from the same constants"
            )


def check_compiled_engine(problem: Problem) -> None:
    """The compiled engine can call the kernels, and goes where NumPy goes."""
    from ..integrate.compiled import CompiledEngine, NotCompilable
    from ..integrate.lockstep import NumpyEngine

    kernels = _kernels(problem)
    optimizer = Optimizer(StepMethod("descent-of-the-kit", descend))
    try:
        engine = CompiledEngine(kernels, optimizer, problem.start([0]))
    except (NotCompilable, TypeError) as refusal:  # numba's own where a kernel is no compiled function
        raise Nonconformance(
            f"the compiled engine cannot call the kernels: {refusal}; compile them with numba.njit as "
            "kernel(constants, w) of w in Fortran order, with the gradient in Fortran order too: numpy.zeros_like(w)"
        ) from None
    w = problem.start([0, 1, 2])
    oracle = Oracle(problem, len(w), w[0].size)
    fast, _, _ = engine.advance(oracle, w.copy(), (), 0, STEPS, FOREVER)
    slow, _, _ = NumpyEngine(optimizer).advance(oracle, w.copy(), (), 0, STEPS, FOREVER)
    gap = float(np.abs(fast - slow).max() / max(1e-300, float(np.abs(slow).max())))
    if not gap <= 1e-9:  # ten steps of 1 % of a gradient magnify rounding by little
        raise Nonconformance(
            f"{STEPS} compiled steps end {gap:.2g} away from NumPy's, relative to w; "
            "make kernels and methods compute the same formula"
        )


def _asking(kernel: Callable[..., Any], constants: Array, name: str) -> Ask:
    return lambda w: {name: np.asarray(kernel(constants, np.asfortranarray(w)))}


def sensitivity(quantity: Any, w: Array) -> Array:
    """Each run's size of `quantity` and of its response to a relative change of w, shape (runs,).

    A quantity that is a small difference of large numbers is small, but its response is not.
    """
    norms = np.sqrt(np.sum(w * w, axis=(1, 2), keepdims=True))
    here = np.asarray(quantity(w))
    size = _largest(here)
    for seed in range(2):
        moved = np.asarray(quantity(np.ascontiguousarray(w + NUDGE * norms * random_directions(w.shape, seed))))
        size = np.maximum(size, _largest(here) + _largest(moved - here) / NUDGE)
    return np.asarray(size)


def _kernels(problem: Problem) -> Kernels:
    kernels = problem.kernels
    if kernels is None:
        raise Inapplicable("the problem has no kernels, and runs in NumPy")
    if not isinstance(kernels, tuple) or len(kernels) != 4:
        raise Nonconformance("kernels() must return bench_ovp.Kernels(constants, loss, grad, loss_and_grad)")
    return Kernels(*kernels)


def _largest(values: Array) -> Array:
    return np.asarray(np.max(np.abs(values.reshape(len(values), -1)), axis=1))
