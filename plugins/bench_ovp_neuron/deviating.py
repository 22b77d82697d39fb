"""The neuron problems in coordinates without a rounding floor; see `coordinates`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .coordinates import deviations, rotate, to_deviations, to_students
from .problems import EPSILON, Array, Neuron

SMALLEST = 1e-290  # a loss in units of ‖v‖²: below it, squares and cubes of what it is made of underflow
VANISHED = 2.0**14 * EPSILON  # ‖v‖: a student is known to ε‖v‖, so by now its direction and the loss to some 1e-4


class Deviating(Neuron):
    """What `Neuron` answers, at deviations `x` (runs, n, d) instead of students.

    Args:
        teacher_norm: ‖v‖.
        n: number of students.
    """

    def __init__(self, teacher_norm: float, n: int) -> None:
        super().__init__(teacher_norm)
        self.constants = deviations(self.teacher_norm, n)

    @property
    def resolution(self) -> float:
        """Relative precision ends where numbers do."""
        return SMALLEST * self.teacher_norm**2

    def recenter(self, w: Array) -> None:
        """It is so already."""

    def students(self, x: Array) -> Array:
        """Read back, to their rounding."""
        return to_students(self.teacher_norm, x)

    def settle(self, w: Array) -> tuple[Deviating, Array]:
        """Deviations of any number of students."""
        return Deviating(self.teacher_norm, w.shape[1]), to_deviations(self.teacher_norm, w)

    def residual(self, x: Array) -> Array:
        """As it is stored."""
        return np.asarray(np.sqrt(x.shape[1]) * x[:, 0, :])

    def observe(self, x: Array) -> dict[str, Array]:
        """As for students, which are read to twice the digits."""
        from .observables import names, observe
        from .twofold import unrotate

        students, low = unrotate(self.teacher_norm, x)
        found = observe(students, low, np.sqrt(x.shape[1]) * x[:, 0, :])
        return dict(zip(names(x.shape[1]), found.T, strict=True))

    def degenerate(self, x: Array) -> NDArray[np.bool_]:
        """Where a student is zero as far as can be told, and so has no direction, shape (runs,)."""
        small = np.abs(to_students(self.teacher_norm, x)) <= VANISHED * self.teacher_norm
        return np.asarray(np.any(np.all(small, axis=2), axis=1))

    def _curvature(self, x: Array, bent: bool) -> Array:
        """Q M Qᵀ of the matrix M without its ½ in each block, which becomes n/2 in the first alone."""
        from .curvature import batch_curvature

        runs, n, d = x.shape
        found = batch_curvature(self.teacher_norm, to_students(self.teacher_norm, x), bent)
        found = rotate(found.reshape(runs, n, d * n * d)).reshape(runs * n * d, n, d)
        found = rotate(found).reshape(runs, n * d, n * d)
        found[:, range(d), range(d)] += 0.5 * n
        return found
