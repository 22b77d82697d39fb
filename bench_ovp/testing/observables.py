"""Checks of what a problem observes, of where it says it is degenerate, and of its reduced form."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..problems import Array, Problem
from .check import Inapplicable, Nonconformance
from .differences import EPSILON
from .kernels import sensitivity
from .points import ordinary_points

TAKEN = ("problem", "optimizer", "seed", "iteration", "time", "evaluations", "loss", "grad_norm")


def check_observables(problem: Problem) -> None:
    """observe returns a dict of finite (runs,) columns whose names are free and always the same."""
    if not hasattr(problem.instance, "observe"):
        raise Inapplicable("the problem observes nothing")
    w = ordinary_points(problem)
    found = problem.instance.observe(w.copy())
    if not isinstance(found, Mapping):
        raise Nonconformance(f"observe returns {type(found).__name__}; return a dict of (runs,) arrays by name")
    for name, column in found.items():
        if not isinstance(name, str) or name in TAKEN or "." in name or not name:
            raise Nonconformance(f"observe names a column {name!r}, which tables use; choose another name")
        if np.shape(column) != (len(w),):
            raise Nonconformance(f"observe returns {name!r} of shape {np.shape(column)}; return one number per run")
        if not np.all(np.isfinite(np.asarray(column, dtype=float))):
            raise Nonconformance(f"the observable {name!r} is not finite at an ordinary point; mend its formula")
    if list(problem.instance.observe(w[:1].copy())) != list(found):
        raise Nonconformance("observe returns other columns for other runs; always return the same names")


def check_degenerate(problem: Problem) -> None:
    """degenerate returns (runs,) of bool, and starts are not degenerate."""
    if not hasattr(problem.instance, "degenerate"):
        raise Inapplicable("the problem declares no point without a gradient")
    w = ordinary_points(problem)
    found = np.asarray(problem.instance.degenerate(w.copy()))
    if found.shape != (len(w),) or found.dtype != np.bool_:
        raise Nonconformance(
            f"degenerate returns {found.dtype} of shape {found.shape}; return one bool per run: numpy.any(…, axis=…)"
        )
    if found.any():
        raise Nonconformance("degenerate is True where loss and gradient are finite; narrow its condition")


def check_reduction(problem: Problem) -> None:
    """reduce keeps loss, gradient norm and observables, at a point and after a step of gradient descent."""
    if not hasattr(problem.instance, "reduce"):
        raise Inapplicable("the problem has no reduced form")
    w = ordinary_points(problem)
    small = problem.reduce(w)
    if small.ndim != 3 or small.shape[:2] != w.shape[:2] or small.shape[2] > w.shape[2]:
        raise Nonconformance(f"reduce of w {w.shape} returns {small.shape}; return (runs, n, fewer coordinates)")
    grad, small_grad = problem.grad(w), problem.grad(small)
    lr = 0.1 * np.sqrt(np.sum(w * w, axis=(1, 2)) / np.maximum(1e-300, np.sum(grad * grad, axis=(1, 2))))
    after = w - lr[:, None, None] * grad
    small_after = small - lr[:, None, None] * small_grad
    # A quantity is known to what an ulp in each of n·d coordinates does to it; a square root of a sum of squares
    # near 0 loses half of its digits.
    room = 64.0 * EPSILON * (8 + w[0].size)
    for where, full, short in (("", w, small), (" after a step", after, small_after)):
        for name, quantity in _kept(problem).items():
            full, short = np.ascontiguousarray(full), np.ascontiguousarray(short)
            a, b, size = quantity(full), quantity(short), sensitivity(quantity, full)
            if np.any(~(np.abs(a - b) <= room * size)):
                worst = int(np.argmax(np.abs(a - b) / (size + 1e-300)))
                raise Nonconformance(
                    f"reduce changes the {name}{where} from {a[worst]:.12g} to {b[worst]:.12g}; "
                    "return coordinates in an orthonormal basis of a space that w never leaves, or remove reduce"
                )


def _kept(problem: Problem) -> dict[str, Callable[[Array], Array]]:
    def norm(w: Array) -> Array:
        grad = problem.grad(w)
        return np.asarray(np.sqrt(np.sum(grad * grad, axis=(1, 2))))

    def observing(name: str) -> Callable[[Array], Array]:
        return lambda w: np.asarray(problem.observe(w)[name], dtype=float)

    some = problem.start([0])
    kept: dict[str, Callable[[Array], Array]] = {"loss": lambda w: np.asarray(problem.loss(w)), "gradient's norm": norm}
    return kept | {f"observable {name!r}": observing(name) for name in problem.observe(some)}
