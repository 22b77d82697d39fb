"""Least squares over every window that ends at the last point, by Givens rotations."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LANES = 4  # tolerances side by side: one SIMD register of doubles
_SINGULAR = 1e-16  # squared: a column this close to the span of the others has no coefficient


@njit(cache=True, error_model="numpy")
def sweep(rows: Array, index: Index, size: Index, chi2: Array) -> None:
    """χ² of every model on every window [i, end]; inf where it cannot be fitted.

    Appends rows from the last point backwards to a triangular factor, so that all windows of
    a model cost one pass.

    Args:
        rows: whitened columns, the whitened target last, shape (points, columns + 1, LANES).
        index: the columns of each model, shape (models, widest); size: how many.
        chi2: result, shape (models, points, LANES).
    Source: Golub & Van Loan, Matrix Computations, 4th ed., §6.5.3.
    """
    points, target, widest = rows.shape[0], rows.shape[1] - 1, index.shape[1]
    r = np.empty((widest, widest + 1, LANES))
    x = np.empty((widest + 1, LANES))
    norm = np.empty((widest, LANES))
    rss, c, s = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for a in range(size.size):
        k = size[a]
        r[:] = 0.0
        norm[:] = 0.0
        rss[:] = 0.0
        for i in range(points - 1, -1, -1):
            for j in range(k):
                for z in range(LANES):
                    x[j, z] = rows[i, index[a, j], z]
                    norm[j, z] += x[j, z] * x[j, z]
            if not math.isfinite(norm[k - 1, 0] + norm[k // 2, 0]):  # left of a column's pole
                chi2[a, : i + 1, :] = np.inf
                break
            for z in range(LANES):
                x[k, z] = rows[i, target, z]
            for j in range(k):
                for z in range(LANES):
                    d = math.sqrt(r[j, j, z] * r[j, j, z] + x[j, z] * x[j, z])
                    c[z] = r[j, j, z] / d if d > 0 else 1.0
                    s[z] = x[j, z] / d if d > 0 else 0.0
                    r[j, j, z] = d
                for b in range(j + 1, k + 1):
                    for z in range(LANES):
                        h, g = r[j, b, z], x[b, z]
                        r[j, b, z] = c[z] * h + s[z] * g
                        x[b, z] = c[z] * g - s[z] * h
            for z in range(LANES):
                rss[z] += x[k, z] * x[k, z]
                chi2[a, i, z] = rss[z] if points - i >= k + 2 else np.inf
            for j in range(k):
                for z in range(LANES):
                    if r[j, j, z] * r[j, j, z] <= _SINGULAR * norm[j, z]:
                        chi2[a, i, z] = np.inf


@njit(cache=True, error_model="numpy")
def solve(rows: Array, columns: Index, k: int, start: int, coef: Array, inverse: Array) -> None:
    """Coefficients of one model on [start, end] and the inverse R⁻¹ of its triangular factor.

    The covariance of the coefficients is R⁻¹R⁻ᵀ. `rows` is one lane of those of `sweep`.
    """
    points, target = rows.shape[0], rows.shape[1] - 1
    r = np.zeros((k, k + 1))
    x = np.empty(k + 1)
    for i in range(points - 1, start - 1, -1):
        for j in range(k):
            x[j] = rows[i, columns[j]]
        x[k] = rows[i, target]
        for j in range(k):
            d = math.sqrt(r[j, j] * r[j, j] + x[j] * x[j])
            if d == 0.0:
                continue
            c, s = r[j, j] / d, x[j] / d
            r[j, j] = d
            for b in range(j + 1, k + 1):
                h = r[j, b]
                r[j, b] = c * h + s * x[b]
                x[b] = c * x[b] - s * h
    for j in range(k - 1, -1, -1):
        total = r[j, k]
        for b in range(j + 1, k):
            total -= r[j, b] * coef[b]
        coef[j] = total / r[j, j]
    for b in range(k):
        inverse[b, b] = 1.0 / r[b, b]
        for j in range(b - 1, -1, -1):
            total = 0.0
            for e in range(j + 1, b + 1):
                total -= r[j, e] * inverse[e, b]
            inverse[j, b] = total / r[j, j]
