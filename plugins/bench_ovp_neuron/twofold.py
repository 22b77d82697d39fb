"""Numbers as unevaluated sums of two doubles, for students that are stored as deviations.

A student is v/n and a sum of deviations, which may cancel: hᵢ passes through zero, and students that point almost the
same way differ by little. With twice the digits what is left after that is still good to an ulp.

Source: Dekker (1971); Knuth (1997), 4.2.2, Theorems A and B.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .vectors import COMPILED

SPLITTER = 134217729.0  # 2²⁷ + 1


@njit(**COMPILED)
def sum_of(a, b):
    """a + b and what rounding left of it, exactly."""
    total = a + b
    rest = total - a
    return total, (a - (total - rest)) + (b - rest)


@njit(**COMPILED)
def halves(a):
    """a as a sum of two numbers of 26 bits."""
    c = SPLITTER * a
    high = c - (c - a)
    return high, a - high


@njit(**COMPILED)
def product_of(a, b):
    """a·b and what rounding left of it, exactly unless that underflows."""
    product = a * b
    ah, al = halves(a)
    bh, bl = halves(b)
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


@njit(**COMPILED)
def add(a, b):
    """The sum of pairs, to some ε² of the larger one."""
    total, low = sum_of(a[0], b[0])
    return sum_of(total, low + (a[1] + b[1]))


@njit(**COMPILED)
def multiply(a, b):
    """The product of pairs, to some ε²."""
    product, low = product_of(a[0], b[0])
    return sum_of(product, low + (a[0] * b[1] + a[1] * b[0]))


@njit(**COMPILED)
def root_of_ratio(a, b):
    """√(a/b) of whole numbers, as a pair: one step of Newton from the rounded root."""
    high = math.sqrt(a / b)
    square, low = product_of(high, high)
    whole, rest = product_of(b, square)
    return high, ((a - whole) - rest - b * low) / (2.0 * b * high)


@njit(**COMPILED)
def unrotate(teacher, x):
    """Students of deviations x (runs, n, d), rounded once, and what that left: two arrays of the shape of x.

    Source: `coordinates.rotate_back`, with the teacher's share v/n.
    """
    runs, n, d = x.shape
    w = np.empty(x.shape)
    low = np.empty(x.shape)
    first = root_of_ratio(1.0, float(n))
    share = multiply((teacher, 0.0), multiply(first, first))
    for i in range(n - 1, -1, -1):
        scale = root_of_ratio(i + 1.0, float(max(i, 1)))
        part = root_of_ratio(1.0, i + 1.0)
        part = multiply(part, part)
        for run in range(runs):
            for k in range(d):
                if i == n - 1:  # the running mean of students 0 … i waits in the row of the first
                    mean = multiply((x[run, 0, k], 0.0), first)
                    if k == 0:
                        mean = add(mean, share)
                else:
                    mean = w[run, 0, k], low[run, 0, k]
                if i > 0:
                    gap = multiply((x[run, i, k], 0.0), scale)
                    mean = add(mean, multiply(gap, part))
                    w[run, i, k], low[run, i, k] = add(mean, (-gap[0], -gap[1]))
                w[run, 0, k], low[run, 0, k] = mean
    return w, low
