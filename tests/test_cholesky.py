"""The compiled solution of small symmetric equations, against LAPACK."""

from __future__ import annotations

import numpy as np
import pytest

from bench_ovp.cholesky import solve


@pytest.mark.parametrize("size", [1, 2, 7, 20])
def test_it_solves(size):
    rng = np.random.default_rng(size)
    half = rng.standard_normal((size, size))
    a = half @ half.T + np.eye(size)
    b = rng.standard_normal(size)
    x = b.copy()
    assert solve(np.tril(a), x, 0.0)
    residual = np.abs(a @ x - b).max()
    assert residual <= 10 * size * np.finfo(float).eps * np.abs(a).sum(axis=1).max() * np.abs(x).max()  # Higham, 10.4


def test_it_refuses_small_pivots():
    a = np.diag([4.0, 1.0, 0.01])
    assert solve(a.copy(), np.ones(3), 0.0)
    assert not solve(a.copy(), np.ones(3), 0.1)
    assert not solve(np.diag([1.0, -1.0]), np.ones(2), 0.0)
    assert not solve(np.array([[np.nan]]), np.ones(1), 0.0)
