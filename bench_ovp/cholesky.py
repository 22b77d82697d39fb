"""Small symmetric equations in compiled code, where a call of a library costs more than the solution."""

from __future__ import annotations

import math

from numba import njit

from .problems import Array


@njit(cache=True, error_model="numpy")
def solve(a: Array, b: Array, least_pivot: float) -> bool:
    """Put the solution of a x = b into b, and Cholesky's factor into a; whether all pivots are above `least_pivot`.

    Args:
        a: a symmetric matrix (n, n), of which the lower half is read.
        b: (n,).
    """
    n = b.size
    for j in range(n):
        for k in range(j):
            a[j, j] -= a[j, k] * a[j, k]
        if not a[j, j] > least_pivot:
            return False
        a[j, j] = math.sqrt(a[j, j])
        for i in range(j + 1, n):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
    for i in range(n):
        for k in range(i):
            b[i] -= a[i, k] * b[k]
        b[i] /= a[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            b[i] -= a[k, i] * b[k]
        b[i] /= a[i, i]
    return True
