"""What the proofs look at along a run, from w (runs, n, d), accurate at small angles."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .vectors import COMPILED

NAMES = ("theta_max", "residual_norm", "H", "Z", "norm_min", "norm_max")


@njit(**COMPILED)
def residuals(teacher, w):
    """r = Σwᵢ − v of each run of w (runs, n, d), shape (runs, d)."""
    found = np.empty((w.shape[0], w.shape[2]))
    for run in range(len(w)):
        found[run] = residual(teacher, w[run])
    return found


@njit(**COMPILED)
def residual(teacher, w):
    """r = Σwᵢ − v of one run (n, d), compensated, shape (d,)."""
    n, d = w.shape
    r = np.zeros(d)
    r[0] = -teacher
    low = np.zeros(d)
    for i in range(n):
        for k in range(d):
            total = r[k] + w[i, k]  # Knuth's two-sum
            rest = total - r[k]
            low[k] += (r[k] - (total - rest)) + (w[i, k] - rest)
            r[k] = total
    return r + low


@njit(**COMPILED)
def observe(w, r):
    """The observables of students w (runs, n, d) with r = Σwᵢ − v (runs, d), shape (runs, 6), in the order of NAMES.

    θ_max is the largest angle to the teacher, in radians; ‖r‖ = ‖Σwᵢ − v‖; H = ‖v‖ − Σhᵢ;
    Z = Σ_{i<j} ‖zᵢ − zⱼ‖; then the smallest and the largest ‖wᵢ‖.

    Source: Section 3 and Section 5 of Xu & Du (2023).
    """
    runs, n, d = w.shape
    out = np.zeros((runs, 6))
    for run in range(runs):
        for x in r[run]:
            out[run, 1] = math.hypot(out[run, 1], x)  # squares would underflow
        out[run, 2] = -r[run, 0]
        out[run, 4] = np.inf
        for i in range(n):
            zz = 0.0
            for k in range(1, d):
                zz += w[run, i, k] * w[run, i, k]
            h = w[run, i, 0]
            norm = math.sqrt(h * h + zz)
            out[run, 0] = max(out[run, 0], math.atan2(math.sqrt(zz), h))
            out[run, 4] = min(out[run, 4], norm)
            out[run, 5] = max(out[run, 5], norm)
            for j in range(i):
                gap = 0.0
                for k in range(1, d):
                    x = w[run, i, k] - w[run, j, k]
                    gap += x * x
                out[run, 3] += math.sqrt(gap)
    return out
