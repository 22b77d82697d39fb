"""Least squares over every window that ends at the last point, by Givens rotations."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LANES = 4  # tolerances side by side: one SIMD register of doubles
SLIGHT = math.log(3e-3)  # fits this much less likely than the best are left out
_SINGULAR = 1e-16  # squared: a column this close to the span of the others has no coefficient


@njit(cache=True, error_model="numpy")
def sweep(rows: Array, index: Index, size: Index, log_prior: Array, log_weight: Array) -> None:
    """Log weight of every model on every window [i, end]: log prior - χ²/2 - k - i; -inf if nowhere near the best.

    Appends rows from the last point backwards to a triangular factor, so that all windows of
    a model cost one pass; a model stops when no longer window could bring it back.

    Args:
        rows: whitened columns, the whitened target last, shape (points, columns + 1, LANES).
        index: the columns of each model, shape (models, widest); size: how many.
        log_prior: of each model.
        log_weight: result, shape (LANES, models, points).
    Source: Golub & Van Loan, Matrix Computations, 4th ed., §6.5.3.
    """
    points, target, widest = rows.shape[0], rows.shape[1] - 1, index.shape[1]
    r = np.empty((widest, widest + 1, LANES))
    x = np.empty((widest + 1, LANES))
    norm = np.empty((widest, LANES))
    rss, c, s, least = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    best = np.full(LANES, -np.inf)
    log_weight[:] = -np.inf
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
                break
            for z in range(LANES):
                x[k, z] = rows[i, target, z]
            for j in range(k):
                for z in range(LANES):
                    square = r[j, j, z] * r[j, j, z] + x[j, z] * x[j, z]
                    over = 1.0 / math.sqrt(square) if square > 0.0 else 0.0
                    c[z] = r[j, j, z] * over if square > 0.0 else 1.0
                    s[z] = x[j, z] * over
                    r[j, j, z] = square * over
                for b in range(j + 1, k + 1):
                    for z in range(LANES):
                        h, g = r[j, b, z], x[b, z]
                        r[j, b, z] = c[z] * h + s[z] * g
                        x[b, z] = c[z] * g - s[z] * h
            alive, enough = False, points - i >= k + 2
            if enough:
                for z in range(LANES):
                    least[z] = r[0, 0, z] * r[0, 0, z] - _SINGULAR * norm[0, z]
                for j in range(1, k):
                    for z in range(LANES):
                        least[z] = min(least[z], r[j, j, z] * r[j, j, z] - _SINGULAR * norm[j, z])
            for z in range(LANES):
                rss[z] += x[k, z] * x[k, z]
                most = log_prior[a] - 0.5 * rss[z] - k
                alive = alive or most > best[z] + SLIGHT
                if enough and least[z] > 0.0:
                    log_weight[z, a, i] = most - i
                    best[z] = max(best[z], most - i)
            if not alive:
                break


@njit(cache=True)
def likely(log_weight: Array, model: Index, start: Index, weight: Array) -> int:
    """The (model, window) pairs that matter, sorted, with weights relative to the best; how many.

    Args:
        log_weight: shape (models, points); model, start, weight: results, long enough for all.
    """
    best, count = -np.inf, 0
    for a in range(log_weight.shape[0]):
        for i in range(log_weight.shape[1]):
            best = max(best, log_weight[a, i])
    for a in range(log_weight.shape[0]):
        for i in range(log_weight.shape[1]):
            if log_weight[a, i] > best + SLIGHT:
                model[count], start[count], weight[count] = a, i, math.exp(log_weight[a, i] - best)
                count += 1
    return count


@njit(cache=True)
def whiten(table: Array, sigma: Array, rho: float, tolerances: Array, rows: Array) -> None:
    """Rows of unit variance, each freed of what the row after it says, shape (points, columns, LANES).

    A point's variance is σ² + tolerance²; only the noise part of it has memory.
    """
    points = table.shape[0]
    for z in range(LANES):
        for i in range(points - 1, -1, -1):
            scale = 1.0 / math.sqrt(sigma[i] ** 2 + tolerances[z] ** 2)
            m, ahead = 0.0, 0.0
            if i < points - 1:
                ahead = 1.0 / math.sqrt(sigma[i + 1] ** 2 + tolerances[z] ** 2)
                m = rho * sigma[i] * scale * sigma[i + 1] * ahead
            free = 1.0 / math.sqrt(1.0 - m * m)
            for j in range(table.shape[1]):
                below = table[i + 1, j] * ahead if m > 0.0 else 0.0
                rows[i, j, z] = (table[i, j] * scale - m * below) * free


@njit(cache=True, error_model="numpy")
def append(rows: Array, columns: Index, k: int, first: int, last: int, r: Array, x: Array) -> None:
    """Append rows first, …, last - 1, last one first, to the triangular factor r (k, k + 1).

    `rows` is one lane of those of `sweep`; x is scratch.
    """
    target = rows.shape[1] - 1
    for i in range(last - 1, first - 1, -1):
        for j in range(k):
            x[j] = rows[i, columns[j]]
        x[k] = rows[i, target]
        for j in range(k):
            square = r[j, j] * r[j, j] + x[j] * x[j]
            if square == 0.0:
                continue
            over = 1.0 / math.sqrt(square)
            c, s = r[j, j] * over, x[j] * over
            r[j, j] = square * over
            for b in range(j + 1, k + 1):
                h = r[j, b]
                r[j, b] = c * h + s * x[b]
                x[b] = c * x[b] - s * h


@njit(cache=True, error_model="numpy")
def solve(r: Array, k: int, coef: Array, inverse: Array) -> None:
    """Coefficients from the triangular factor, and R⁻¹; their covariance is R⁻¹R⁻ᵀ."""
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
