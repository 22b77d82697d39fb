"""The Hessian (51) and the Gauss–Newton matrix of single runs.

With δ = ūᵢ − ūⱼ, σ = ūᵢ + ūⱼ, m = ‖δ‖ = 2 sin(θᵢⱼ/2) and p = ‖σ‖ = 2 cos(θᵢⱼ/2), the two rank-one terms of
an off-diagonal block of (51) add up to

    n̄ᵢⱼūⱼᵀ + n̄ⱼᵢūᵢᵀ = sin θᵢⱼ (σσᵀ/p² − δδᵀ/m²) = m/(2p)·σσᵀ − p/(2m)·δδᵀ,

which is 0 at θᵢⱼ = 0 and π and needs no difference of cosines; and n̄ⱼᵢ = (m/2)σ/p − (p/2)δ/m.

Source: eq. (51) of Xu & Du (2023), with its n normalised; Safran et al. (2020).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .vectors import COMPILED

HALF_OVER_PI = 0.5 / np.pi


@njit(**COMPILED)
def directions(w):
    """Unit vectors (n, d), norms (n,) and versines 1 − cos θᵢ (n,) of one run."""
    n, d = w.shape
    unit = np.empty((n, d))
    norm = np.empty(n)
    verse = np.empty(n)
    for i in range(n):
        zz = 0.0
        for k in range(1, d):
            zz += w[i, k] * w[i, k]
        h = w[i, 0]
        norm[i] = math.sqrt(h * h + zz)
        verse[i] = 1.0 - h / norm[i] if h < 0.0 else zz / (norm[i] * (norm[i] + h))
        for k in range(d):
            unit[i, k] = w[i, k] / norm[i]
    return unit, norm, verse


@njit(**COMPILED)
def spread(a, b, versine_a, versine_b, delta, sigma):
    """Fill δ = a − b and σ = a + b of unit vectors, and return (m, p, θ)."""
    delta[0] = versine_b - versine_a
    sigma[0] = 2.0 - versine_a - versine_b
    mm = delta[0] * delta[0]
    pp = sigma[0] * sigma[0]
    for k in range(1, len(a)):
        delta[k] = a[k] - b[k]
        sigma[k] = a[k] + b[k]
        mm += delta[k] * delta[k]
        pp += sigma[k] * sigma[k]
    m = math.sqrt(mm)
    p = math.sqrt(pp)
    return m, p, 2.0 * math.atan2(m, p)


@njit(**COMPILED)
def add_bend(out, i, unit_i, m, p, delta, sigma, factor):
    """Add factor · sin θ (I − ūᵢūᵢᵀ + n̄n̄ᵀ) to the i-th diagonal block: ζ of (51)."""
    d = len(unit_i)
    s = 0.5 * m * p
    a = 0.5 * m / p if p > 0.0 else 0.0
    b = 0.5 * p / m if m > 0.0 else 0.0
    for k in range(d):
        normal_k = a * sigma[k] - b * delta[k]
        for q in range(d):
            normal_q = a * sigma[q] - b * delta[q]
            out[i * d + k, i * d + q] += factor * s * (normal_k * normal_q - unit_i[k] * unit_i[q])
        out[i * d + k, i * d + k] += factor * s


@njit(**COMPILED)
def add_cross(out, i, j, m, p, theta, delta, sigma):
    """Set the (i, j) and (j, i) blocks less ½I: [−θI + n̄ᵢⱼūⱼᵀ + n̄ⱼᵢūᵢᵀ]/(2π), which is symmetric."""
    d = len(delta)
    a = 0.5 * m / p if p > 0.0 else 0.0
    b = 0.5 * p / m if m > 0.0 else 0.0
    for k in range(d):
        for q in range(d):
            x = a * sigma[k] * sigma[q] - b * delta[k] * delta[q]
            if k == q:
                x -= theta
            out[i * d + k, j * d + q] = HALF_OVER_PI * x
            out[j * d + k, i * d + q] = HALF_OVER_PI * x


@njit(**COMPILED)
def curvature(teacher, w, bent):
    """The Hessian (bent) or the Gauss–Newton matrix (not bent) of one run w (n, d), less ½I in each block of n × n.

    The Gauss–Newton matrix E[1{wᵢ·x ≥ 0} 1{wⱼ·x ≥ 0} x xᵀ] shares the off-diagonal blocks; its diagonal blocks
    are ½I. The ½ is that of ½Σwᵢ in the gradient, and all that is left at the minimum: what is returned tends to 0
    with the angles, and keeps its relative precision.
    """
    n, d = w.shape
    unit, norm, verse = directions(w)
    out = np.zeros((n * d, n * d))
    delta = np.empty(d)
    sigma = np.empty(d)
    v = np.zeros(d)
    v[0] = 1.0
    for i in range(n):
        if bent:
            m, p, _ = spread(unit[i], v, verse[i], 0.0, delta, sigma)
            add_bend(out, i, unit[i], m, p, delta, sigma, -HALF_OVER_PI * teacher / norm[i])
        for j in range(i):
            m, p, theta = spread(unit[i], unit[j], verse[i], verse[j], delta, sigma)
            add_cross(out, i, j, m, p, theta, delta, sigma)
            if bent:
                add_bend(out, i, unit[i], m, p, delta, sigma, HALF_OVER_PI * norm[j] / norm[i])
                for k in range(d):
                    delta[k] = -delta[k]
                add_bend(out, j, unit[j], m, p, delta, sigma, HALF_OVER_PI * norm[i] / norm[j])
    return out


@njit(**COMPILED)
def batch_curvature(teacher, w, bent):
    """`curvature` of each run of w (runs, n, d), shape (runs, n·d, n·d)."""
    runs, n, d = w.shape
    out = np.empty((runs, n * d, n * d))
    for run in range(runs):
        out[run] = curvature(teacher, w[run], bent)
    return out
