"""The problem on which methods are checked: smooth, convex, with compiled kernels, rotated copies and moved ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numba import njit

from ..problems import Array, Kernels

STUDENTS, DIMENSIONS = 3, 4
COUPLING = 0.1
COMPILED: dict[str, Any] = {"error_model": "numpy", "cache": True}


@njit(**COMPILED)
def batch_loss_and_grad(constants, w):  # type: ignore[no-untyped-def]
    """Loss (runs,) and gradient (runs, n, d); w in Fortran order;
    constants = [coupling, A row by row, targets row by row]."""
    runs, n, d = w.shape
    loss = np.zeros(runs)
    grad = np.zeros_like(w)
    total = np.zeros(d)
    for run in range(runs):
        for k in range(d):
            total[k] = 0.0
            for i in range(n):
                total[k] += w[run, i, k] - constants[1 + d * d + i * d + k]
            loss[run] += 0.5 * constants[0] * total[k] * total[k]
        for i in range(n):
            square = 0.0
            for k in range(d):
                for q in range(d):
                    grad[run, i, k] += constants[1 + k * d + q] * (w[run, i, q] - constants[1 + d * d + i * d + q])
                square += grad[run, i, k] * (w[run, i, k] - constants[1 + d * d + i * d + k])
            root = np.sqrt(1.0 + square)
            loss[run] += square / (1.0 + root)  # √(1 + q) − 1 without cancellation
            for k in range(d):
                grad[run, i, k] = grad[run, i, k] / root + constants[0] * total[k]
    return loss, grad


@njit(**COMPILED)
def batch_loss(constants, w):  # type: ignore[no-untyped-def]
    """Loss, shape (runs,)."""
    return batch_loss_and_grad(constants, w)[0]


@njit(**COMPILED)
def batch_grad(constants, w):  # type: ignore[no-untyped-def]
    """Gradient, the shape of w."""
    return batch_loss_and_grad(constants, w)[1]


class Bowl:
    """L(w) = Σᵢ (√(1 + zᵢᵀA zᵢ) − 1) + (γ/2)‖Σᵢ zᵢ‖², z = w − targets: three students in four dimensions.

    A has curvatures from 1 down to 0.1 along directions that are no axes, so a method that treats coordinates one
    by one sees whether the bowl was rotated.

    Args:
        rotation: 0 for the bowl itself; any other number seeds an orthogonal Q, and the bowl is L(w Qᵀ).
        padding: further dimensions, in which starts and targets are 0 and stay so.

    Source: pseudo-Huber; Charbonnier et al. (1997).
    """

    name: ClassVar[str] = "bowl-of-the-kit"

    def __init__(self, rotation: int = 0, padding: int = 0) -> None:
        rng = np.random.default_rng(7)
        basis = orthogonal(rng)
        self.turn = np.eye(DIMENSIONS) if rotation == 0 else orthogonal(np.random.default_rng(rotation))
        targets = rng.standard_normal((STUDENTS, DIMENSIONS)) @ self.turn
        shape = (self.turn.T @ basis * np.geomspace(1.0, 0.1, DIMENSIONS)) @ (basis.T @ self.turn)
        self.targets = np.pad(targets, ((0, 0), (0, padding)))
        self.shape = np.pad(0.5 * (shape + shape.T), (0, padding))
        self.shape[range(DIMENSIONS, DIMENSIONS + padding), range(DIMENSIONS, DIMENSIONS + padding)] = 1.0
        self._constants = np.concatenate([[COUPLING], self.shape.ravel(), self.targets.ravel()])

    def start(self, seeds: Sequence[int]) -> Array:
        """Targets with standard normal noise, turned as the bowl is."""
        noise = [np.random.default_rng(seed).standard_normal((STUDENTS, DIMENSIONS)) @ self.turn for seed in seeds]
        padding = self.targets.shape[1] - DIMENSIONS
        return self.targets + np.pad(np.stack(noise), ((0, 0), (0, 0), (0, padding)))

    def loss(self, w: Array) -> Array:
        """Loss, shape (runs,)."""
        return np.asarray(batch_loss(self._constants, np.asfortranarray(w)))

    def grad(self, w: Array) -> Array:
        """Gradient, the shape of `w`."""
        return np.ascontiguousarray(batch_grad(self._constants, np.asfortranarray(w)))

    def hessian(self, w: Array) -> Array:
        """Hessian, shape (runs, n·d, n·d)."""
        return self._curvature(w, bent=True)

    def gauss_newton(self, w: Array) -> Array:
        """The Hessian without its negative part, shape (runs, n·d, n·d)."""
        return self._curvature(w, bent=False)

    def kernels(self) -> Kernels | None:
        """Loss and gradient for the compiled engine."""
        return Kernels(self._constants, batch_loss, batch_grad, batch_loss_and_grad)

    def _curvature(self, w: Array, bent: bool) -> Array:
        runs, n, d = w.shape
        found = np.zeros((runs, n, d, n, d))
        for run, student in np.ndindex(runs, n):
            z = w[run, student] - self.targets[student]
            pull = self.shape @ z
            root = np.sqrt(1.0 + z @ pull)
            found[run, student, :, student] = self.shape / root - bent * np.outer(pull, pull) / root**3
        found += COUPLING * np.eye(d)[:, None, :]  # blocks (d, d) for each pair of students
        return found.reshape(runs, n * d, n * d)


class MovedBowl(Bowl):
    """The bowl in other coordinates x = Q w + b of all n·d, where Q mixes students; in NumPy.

    Args:
        seed: of the orthogonal Q and of b.

    Source: as the bowl.
    """

    name: ClassVar[str] = "moved-bowl-of-the-kit"

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self._basis = orthogonal(rng, self.targets.size)
        self._shift = rng.standard_normal(self.targets.shape)

    def move(self, w: Array) -> Array:
        """From the bowl's own coordinates to these."""
        return _turn(self._basis, w) + self._shift

    def move_back(self, x: Array) -> Array:
        """From these coordinates to the bowl's own."""
        return _turn(self._basis.T, x - self._shift)

    def start(self, seeds: Sequence[int]) -> Array:
        """The starts of the bowl, moved."""
        return self.move(super().start(seeds))

    def loss(self, w: Array) -> Array:
        """Loss, shape (runs,)."""
        return super().loss(self.move_back(w))

    def grad(self, w: Array) -> Array:
        """Gradient, the shape of `w`."""
        return _turn(self._basis, super().grad(self.move_back(w)))

    def kernels(self) -> None:
        """None."""

    def _curvature(self, w: Array, bent: bool) -> Array:
        return self._basis @ super()._curvature(self.move_back(w), bent) @ self._basis.T


def _turn(basis: Array, w: Array) -> Array:
    """The rotation of all n·d coordinates of each run, by a product per run: their bits do not mix."""
    return (basis @ w.reshape(len(w), -1, 1)).reshape(w.shape)


def orthogonal(rng: np.random.Generator, size: int = DIMENSIONS) -> Array:
    """A random orthogonal matrix, reflections among them."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)))
