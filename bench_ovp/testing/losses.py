"""Checks of a problem's loss and gradient as values: shape, finite numbers, and a minimum of 0."""

from __future__ import annotations

import numpy as np

from ..problems import Array, Problem
from .check import Nonconformance
from .points import SEEDS, ordinary_points, scales

DESCENT_STEPS = 200
SUFFICIENT = 1e-4  # of the decrease that the gradient promises: Armijo's condition
AT_REST = 1e-7  # ‖∇L‖ relative to that at the beginning
SAME = 1e-6


def check_values(problem: Problem) -> None:
    """Loss and gradient have their shapes, and are finite at starts and near them."""
    _check_values_at(problem, problem.start(SEEDS), "a start")
    _check_values_at(problem, ordinary_points(problem), "a point near a start")


def check_minimum(problem: Problem) -> None:
    """The loss is never below 0, and descends toward it along −∇L."""
    w = ordinary_points(problem)
    first = problem.loss(w)
    _refuse_negative(first, "at a start or near it")
    last, rest = descend(problem, w)
    _refuse_negative(last, "after a descent")
    moving = np.any(problem.grad(w) != 0.0, axis=(1, 2))
    if np.any(stuck := moving & ~(last < first)):
        raise Nonconformance(
            f"no step along −grad decreases the loss at {np.count_nonzero(stuck)} of {len(w)} points, however "
            "small; check the gradient's sign, or the loss"
        )
    least = float(last.min())
    # One spurious minimum may catch a run; twenty runs from all over the place that rest at one height found the floor.
    if len(w) > 4 and rest.all() and least > 0.0 and np.all(last - least <= SAME * least):
        if least <= SAME * float(first.min()) or least <= problem.resolution:
            return
        raise Nonconformance(
            f"descents from {len(w)} points all come to rest at a loss of {least:.6g}; "
            "the minimum must be 0: subtract it from the loss"
        )


def descend(problem: Problem, w: Array) -> tuple[Array, np.ndarray]:
    """The losses that gradient descent with backtracking reaches, and which runs came to rest, each (runs,)."""
    loss, grad = np.array(problem.loss(w)), problem.grad(w)
    squares = np.sum(grad * grad, axis=(1, 2))
    begin = np.sqrt(squares)
    lr = np.where(begin > 0.0, scales(w).ravel() / np.where(begin > 0.0, begin, 1.0), 1.0)
    for _ in range(DESCENT_STEPS):
        tried = w - lr[:, None, None] * grad
        reached = np.asarray(problem.loss(np.ascontiguousarray(tried)))
        accepted = reached <= loss - SUFFICIENT * lr * squares
        accepted &= np.isfinite(reached) & (squares > 0.0)
        w = np.where(accepted[:, None, None], tried, w)
        loss = np.where(accepted, reached, loss)
        lr = np.where(accepted, 1.5 * lr, 0.4 * lr)
        grad = problem.grad(np.ascontiguousarray(w))
        squares = np.sum(grad * grad, axis=(1, 2))
    return loss, np.sqrt(squares) <= AT_REST * begin


def _refuse_negative(loss: Array, where: str) -> None:
    if np.any(loss < 0.0):
        raise Nonconformance(
            f"the loss is {loss.min():.3g} {where}; its minimum must be 0: subtract the minimum, "
            "and compute it without cancellation, or cut it off at 0"
        )


def _check_values_at(problem: Problem, w: Array, where: str) -> None:
    for name, shape in (("loss", w.shape[:1]), ("grad", w.shape)):
        found = getattr(problem.instance, name)(w.copy())
        if not isinstance(found, np.ndarray) or found.shape != shape:
            told = getattr(found, "shape", type(found).__name__)
            axes = "(runs,): sum over axes (1, 2)" if name == "loss" else "that of w, (runs, n, d)"
            raise Nonconformance(f"{name} of w {w.shape} returns {told}; return an array of shape {axes}")
        if found.dtype != np.float64:
            raise Nonconformance(f"{name} returns {found.dtype}; return float64")
        if not np.all(np.isfinite(found)):
            raise Nonconformance(
                f"{name} is not finite at {where}; mend its formula there, or start where the loss is smooth"
            )
