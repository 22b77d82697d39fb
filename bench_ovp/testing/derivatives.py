"""Checks of a problem's derivatives, against differences."""

from __future__ import annotations

import numpy as np

from ..problems import Array, Problem
from .check import Inapplicable, Nonconformance
from .differences import EPSILON, Slope, differentiate, random_directions
from .points import few_points

DIRECTIONS = 3
TOLERANCE = 1e-9  # relative to ‖∇L‖: what loss and gradient may lose to rounding, beside the error of differences
BLUNT = 0.1  # differences that are not known to this say nothing: the point is next to a kink


def check_gradient(problem: Problem) -> None:
    """The gradient is the slope of the loss, along random directions at several points."""
    w = few_points(problem)
    grad = problem.grad(w)
    size = np.sqrt(np.sum(grad * grad, axis=(1, 2)))
    ratios, told = [], 0
    for seed in range(DIRECTIONS):
        u = random_directions(w.shape, seed)
        slope = differentiate(problem.loss, w, u)
        claimed = np.sum(grad * u, axis=(1, 2))
        off, sharp = _compare(claimed, slope, np.maximum(size, np.abs(slope.value)))
        told += int(np.count_nonzero(sharp))
        ratios += list(claimed[off] / slope.value[off])
    if ratios:
        raise Nonconformance(f"grad is not the slope of the loss: {_diagnose(ratios)}{_place(problem, w, grad)}")
    if not told:
        raise Inapplicable("differences settle at no point: the loss has kinks or noise wherever it was asked")


def check_hessian(problem: Problem) -> None:
    """The Hessian is symmetric, and the slope of the gradient."""
    w, matrix = _matrix(problem, "hessian")
    _check_symmetry("hessian", matrix)
    size = np.sqrt(np.sum(matrix * matrix, axis=(1, 2)) / matrix.shape[1])
    told = 0
    for seed in range(DIRECTIONS):
        u = random_directions(w.shape, seed)
        slope = differentiate(problem.grad, w, u)
        claimed = (matrix @ u.reshape(len(u), -1, 1)).reshape(w.shape)
        off, sharp = _compare(claimed, slope, np.maximum(size, _norm(slope.value)))
        told += int(np.count_nonzero(sharp))
        if off.any():
            run = int(np.flatnonzero(off)[0])
            ratio = float(np.sum(claimed[run] * slope.value[run]) / np.sum(slope.value[run] ** 2))
            gap = float(_norm(claimed - slope.value)[run] / _norm(slope.value)[run])
            raise Nonconformance(
                f"hessian is not the slope of grad: off by {gap:.2g} of its size, {_multiple(ratio)}; "
                "check its formula, and that row i·d + k stands for coordinate [i, k]"
            )
    if not told:
        raise Inapplicable("differences settle at no point: the gradient jumps wherever it was asked")


def check_gauss_newton(problem: Problem) -> None:
    """The Gauss–Newton matrix is symmetric and has no negative eigenvalue."""
    _, matrix = _matrix(problem, "gauss_newton")
    _check_symmetry("gauss_newton", matrix)
    values = np.linalg.eigvalsh(matrix)
    # An eigenvalue is known to the rounding of a sum of n·d terms of the size of the largest.
    if np.any(low := values[:, 0] < -64.0 * EPSILON * matrix.shape[1] * np.abs(values).max(axis=1)):
        raise Nonconformance(
            f"gauss_newton has an eigenvalue of {values[low, 0].min():.3g}; "
            "leave out the second derivatives of the residuals, so that it is JᵀJ"
        )


def _matrix(problem: Problem, name: str) -> tuple[Array, Array]:
    if not hasattr(problem.instance, name):
        raise Inapplicable(f"the problem has no {name}")
    w = few_points(problem)
    size = w.shape[1] * w.shape[2]
    matrix = getattr(problem.instance, name)(w.copy())
    if not isinstance(matrix, np.ndarray) or matrix.shape != (len(w), size, size):
        told = getattr(matrix, "shape", type(matrix).__name__)
        raise Nonconformance(f"{name} of w {w.shape} returns {told}; return shape (runs, n·d, n·d)")
    if not np.all(np.isfinite(matrix)):
        raise Nonconformance(f"{name} is not finite at an ordinary point; mend its formula")
    return w, matrix


def _check_symmetry(name: str, matrix: Array) -> None:
    gap = np.abs(matrix - matrix.transpose(0, 2, 1)).max(axis=(1, 2))
    # Two orders of summation of n·d terms may round apart, no more.
    if np.any(off := gap > 8.0 * EPSILON * matrix.shape[1] * np.abs(matrix).max(axis=(1, 2))):
        raise Nonconformance(f"{name} is not symmetric, by {gap[off].max():.3g}; check the blocks below the diagonal")


def _compare(claimed: Array, slope: Slope, size: Array) -> tuple[np.ndarray, np.ndarray]:
    """Which runs are off, and at which the differences can tell."""
    sharp = slope.error <= BLUNT * size
    off = sharp & (_norm(claimed - slope.value) > slope.error + TOLERANCE * size)
    return off, sharp


def _norm(values: Array) -> Array:
    return np.asarray(np.sqrt(np.sum(np.abs(values.reshape(len(values), -1)) ** 2, axis=1)))


def _diagnose(ratios: list[float]) -> str:
    middle = float(np.median(ratios))
    if np.ptp(ratios) <= 1e-3 * abs(middle - 1.0):  # they agree on what is wrong, not merely that little is
        return "its sign is wrong" if abs(middle + 1.0) < 1e-5 else f"it is {middle:.4g} times that; check a factor"
    return "they differ by no single factor; check each term"


def _multiple(ratio: float) -> str:
    return "with the wrong sign" if abs(ratio + 1.0) < 1e-4 else f"{ratio:.4g} times that along it"


def _place(problem: Problem, w: Array, grad: Array) -> str:
    """The coordinate that is off the most, at the first point."""
    n, d = w.shape[1:]
    here = np.repeat(w[2:3], n * d, axis=0)
    axes = np.eye(n * d).reshape(-1, n, d)
    slope = differentiate(problem.loss, here, axes)
    k = int(np.argmax(np.abs(grad[2].ravel() - slope.value)))
    return f" (coordinate [{k // d}, {k % d}]: grad {grad[2].flat[k]:.9g}, slope {slope.value[k]:.9g})"
