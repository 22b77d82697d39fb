"""Deviations from the minimum, where they are hard in float64, and exact arithmetic with them.

An angle of 1e-93 makes a loss of 1e-279, as a difference from squares of order 1. The reference that writes formulas
from their definitions alone pays for it in digits: points in units of 2⁻²⁴⁰⁰ ≈ 1e-722, all else with 720 digits.
"""

from contextlib import contextmanager
from functools import cache
from itertools import product

import neuron_reference as reference
import numpy as np
from neuron_reference import mp

import bench_ovp as ovp

SIZES = [1.0, 0.3, 1e-3, 1e-8, 1e-30, 1e-60, 1e-90, 1e-93]


@contextmanager
def deep():
    """The reference with digits enough."""
    shallow, reference.RESOLUTION = reference.RESOLUTION, 2400
    with mp.workdps(720):
        yield
    reference.RESOLUTION = shallow


def helmert(n):
    """Q, by its definition, and not by the running means of the code."""
    rows = np.full((n, n), 1 / mp.sqrt(n), dtype=object)
    for i in range(1, n):
        rows[i] = [mp.one] * i + [-mp.mpf(i)] + [mp.zero] * (n - 1 - i)
        rows[i] = rows[i] / mp.sqrt(i * (i + 1))
    return rows


def exact(x):
    return np.array([mp.mpf(float(value)) for value in np.ravel(x)], dtype=object).reshape(np.shape(x))


def geometry(x, teacher_norm=1.0):
    """Of the students at deviations x, doubles or exact."""
    x = x.copy() if x.dtype == object else exact(x)
    x[0, 0] += mp.mpf(teacher_norm) / mp.sqrt(len(x))
    w = helmert(len(x)).T @ x
    ticks = [int(mp.nint(mp.ldexp(value, reference.RESOLUTION))) for value in w.flat]
    return reference.geometry(np.array(ticks, dtype=object).reshape(w.shape), teacher_norm)


def rotated(matrix, n, d):
    """Q M Qᵀ."""
    q, blocks = helmert(n), np.reshape(matrix, (n, d, n, d))
    blocks = np.tensordot(q, np.tensordot(q, blocks, (1, 0)), (1, 2))  # (j', i', d, d)
    return blocks.transpose(1, 2, 0, 3).reshape(n * d, n * d)


def norm(x):
    return float(mp.norm([mp.mpf(value) for value in np.ravel(x)]))


def deviating(n, d, teacher_norm=1.0):
    """The problem at deviations."""
    problem, _ = ovp.problem("teacher-neuron", n=n, d=d, teacher_norm=teacher_norm).recenter(np.ones((1, n, d)))
    return problem


def draw(rng, n, d, size, power=1.5):
    """Students apart by 0.1 along the teacher, by `size` across it; the mean is off by size^power."""
    x = size * rng.standard_normal((n, d))
    x[0] *= size ** (power - 1) if n > 1 else 1.0
    x[1:, 0] = (1.0 if size == 0.3 else 0.3 / n) * rng.uniform(-1, 1, n - 1)  # at 0.3, students behind the teacher
    return x


@cache
def points():
    """(x, ‖v‖, the problem, its geometry)."""
    rng, found = np.random.default_rng(5), []
    for n, d, size in product([1, 2, 3, 5], [3, 4], SIZES):
        x, teacher_norm = draw(rng, n, d, size, power=2.0 if d == 3 else 1.5), [1.0, 4.0][n % 2]
        found.append(teacher_norm * x)
        if size in (1e-3, 1e-90):
            equal = np.zeros((n, d))
            equal[0] = teacher_norm * size * rng.standard_normal(d)
            found.append(equal)
        found += [-2.0 * teacher_norm / np.sqrt(n) * np.eye(n, 1) * np.eye(1, d) + 0.01 * x] * (
            size == 1.0
        )  # all near −v/n
    norms = [[1.0, 4.0][len(x) % 2] for x in found]
    return [(x, v, deviating(*x.shape, v), geometry(x, v)) for x, v in zip(found, norms, strict=True)]
