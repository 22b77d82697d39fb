"""Coordinates in which float64 has no rounding floor: the distance to the minimum, in a rotated frame.

Stored students lose r = Σwᵢ − v to rounding at ε‖v‖, and the loss at the square of it. Helmert's rotation of the
students, row by row of w,

    x₀ = √n (mean of wᵢ − v/n) = r/√n,    xᵢ = √(i/(i + 1)) (mean of w₀ … wᵢ₋₁ − wᵢ),

stores r itself, and beside it differences between students, which do not contain it. It is an isometry of the n·d
coordinates: a method that commutes with isometries goes the same way in x as in w. Equal students have xᵢ = 0
exactly.

Source: Helmert (1876); by running means, as Welford (1962) updates a variance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def deviations(teacher: float, n: int) -> Array:
    """The constants with which `lanes` reads deviations: ‖v‖, then √((i + 1)/i), √(i/(i + 1)), 1/(i + 1) per row."""
    i = np.arange(1.0, n)
    factors = np.stack([np.sqrt((i + 1.0) / i), np.sqrt(i / (i + 1.0)), 1.0 / (i + 1.0)], axis=1)
    return np.concatenate([[teacher], factors.ravel(), [0.0]])  # longer than w's constants for n = 1 too


def rotate(w: Array) -> Array:
    """The rotation of the rows of w (…, n, d): √n times their mean, then the differences."""
    x = np.empty_like(w)
    mean = w[..., 0, :].copy()
    for i in range(1, w.shape[-2]):
        gap = mean - w[..., i, :]
        x[..., i, :] = np.sqrt(i / (i + 1.0)) * gap
        mean -= gap / (i + 1.0)
    x[..., 0, :] = np.sqrt(w.shape[-2]) * mean
    return x


def rotate_back(x: Array) -> Array:
    """The inverse of `rotate`."""
    n = x.shape[-2]
    i = np.arange(1.0, n)[:, None]
    gaps = np.sqrt((i + 1.0) / i) * x[..., 1:, :]
    # Running means of all students, all but the last, …, the first: each by one addition to the one before.
    means = np.cumsum(np.concatenate([x[..., :1, :] / np.sqrt(n), (gaps / (i + 1.0))[..., ::-1, :]], axis=-2), axis=-2)
    return np.concatenate([means[..., -1:, :], means[..., :0:-1, :] - gaps], axis=-2)


def to_deviations(teacher: float, w: Array) -> Array:
    """x of students w (runs, n, d); its first row is the compensated sum r over √n."""
    from .observables import residuals

    x = rotate(w)
    x[:, 0, :] = residuals(teacher, w) / np.sqrt(w.shape[1])
    return x


def to_students(teacher: float, x: Array) -> Array:
    """w of deviations x (runs, n, d), to the rounding of w."""
    shifted = x.copy()
    shifted[:, 0, 0] += teacher / np.sqrt(x.shape[1])
    return rotate_back(shifted)
