"""Damped oscillation, as momentum makes it: found, and divided out of the curve.

L(t) = e^(-ct) t^a (A + B cos ωt + C sin ωt), a quadratic of deviations that obey a linear
recurrence with complex roots.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..cholesky import solve

Array = NDArray[np.float64]

COARSE = 0.08  # noise above this may be an oscillation that the points are too coarse to show
EXPLAINED = 0.1  # share of the scatter that may remain
TRIED, HOPELESS = 3, 0.6  # where so many peaks leave that share of it, no other will do
FEWEST = 14
PERIODS = 2.5  # fewer are a bend
DEEPEST = 0.02  # of a trough, relative to the mean; deeper ones are not trusted
_FREQUENCIES, _WORK, _PEAKS, _STEPS = 6000, 1e6, 6, 20


class Oscillation(NamedTuple):
    """log of 1 + (B cos ωt + C sin ωt)/A from point `first` on, and the error this leaves there."""

    first: int
    log_factor: Array
    error: Array


def find_oscillation(t: Array, y: Array, sigma: Array) -> Oscillation | None:
    """The oscillation of y = log L about t^a e^(-ct), or None if none explains the scatter.

    A least-squares periodogram proposes frequencies, Levenberg–Marquardt refines the best.

    Source: Lomb (1976); Scargle (1982); Marquardt (1963).
    """
    if t.size < FEWEST:
        return None
    late = y <= y.max() - 0.05 * (y.max() - y[-1])
    first = int(np.argmax(late))
    tw, yw = t[first:], y[first:]
    if tw.size < FEWEST:
        return None
    s = np.log(tw / tw[-1])
    base = np.column_stack([np.ones_like(s), tw / tw[-1], s])
    base /= np.linalg.norm(base, axis=0)
    mean = base @ np.linalg.lstsq(base, yw, rcond=None)[0]
    if not _waves(yw - mean, sigma[first:]):
        return None
    data = np.exp(np.clip(yw - mean, -30.0, 3.0))
    level = data.mean()
    data /= level
    q = np.linalg.qr(base)[0]
    scatter = data - q @ (q.T @ data)
    before = float(scatter @ scatter)
    span = tw[-1] - tw[0]
    if yw[0] - yw[-1] < 4.0:
        return None
    count = int(min(_FREQUENCIES, 2 * span / np.min(np.diff(t)), _WORK / tw.size))
    step = math.pi / (2 * span)
    power = np.empty(count)
    _periodogram(tw, scatter, step, power)
    inner = power[1:-1]
    peaks = 1 + np.flatnonzero((inner >= power[:-2]) & (inner >= power[2:]))
    peaks = peaks[peaks + 1 >= 4 * PERIODS]
    peaks = peaks[np.argsort(power[peaks])[::-1][:_PEAKS]]
    best, chosen = np.inf, None
    theta = np.empty(7)
    for tried, peak in enumerate(peaks):
        if tried >= TRIED and best > HOPELESS * before:
            break
        omega = (peak + 1) * step
        wave = np.column_stack([np.ones_like(tw), np.cos(omega * tw), np.sin(omega * tw)])
        theta[:3] = np.linalg.lstsq(wave, data, rcond=None)[0]
        theta[3:] = 0.0, 0.0, omega, 0.0
        left = _refine(tw, s, data, theta)
        if left < best and theta[5] * span >= 2 * math.pi * PERIODS:
            best, chosen = left, theta.copy()
            if best < 0.1 * EXPLAINED * before:
                break
    if chosen is None or not best < EXPLAINED * before:
        return None
    level, b, c, _, _, omega, drift = chosen
    phase = omega * tw + drift * tw[0] / tw
    factor = 1.0 + (b * np.cos(phase) + c * np.sin(phase)) / level
    trust = np.maximum(factor, DEEPEST)
    noise = math.sqrt(best / max(1, tw.size - 7)) / abs(level)
    error = noise / trust + np.where(factor < DEEPEST, 3.0, 0.0)
    return Oscillation(first, np.log(trust), error)


def _waves(residual: Array, sigma: Array) -> bool:
    """Whether the residual of a smooth fit is more than its noise, and changes sign as waves do."""
    scatter = float(np.std(residual))
    signs = np.sign(residual[np.abs(residual) > 0.2 * scatter])
    noise = float(np.median(sigma))
    return (noise > COARSE or scatter > 3 * noise + 0.01) and int(np.count_nonzero(np.diff(signs))) >= 5


@njit(cache=True)
def _periodogram(t: Array, r: Array, step: float, power: Array) -> None:
    """Share of r that cos ωt and sin ωt explain, at ω = step, 2 step, …"""
    n = t.size
    turn_c, turn_s, c, s = np.cos(step * t), np.sin(step * t), np.ones(n), np.zeros(n)
    for k in range(power.size):
        cc = ss = cs = rc = rs = 0.0
        for i in range(n):
            h = c[i] * turn_c[i] - s[i] * turn_s[i]
            s[i] = s[i] * turn_c[i] + c[i] * turn_s[i]
            c[i] = h
            cc += h * h
            ss += s[i] * s[i]
            cs += h * s[i]
            rc += r[i] * h
            rs += r[i] * s[i]
        det = cc * ss - cs * cs
        power[k] = (ss * rc * rc - 2 * cs * rc * rs + cc * rs * rs) / det if det > 1e-9 * cc * ss else 0.0


@njit(cache=True, error_model="numpy")
def _refine(t: Array, s: Array, data: Array, theta: Array) -> float:
    """Fit data ≈ e^(d t/T + a s) (A + B cos φ + C sin φ), φ = ωt + ψ t₀/t; residual sum of squares."""
    n = t.size
    jac, res = np.empty((n, 7)), np.empty(n)
    normal, right, trial = np.empty((7, 7)), np.empty(7), np.empty(7)
    damping, best = 1e-2, _residual(t, s, data, theta, jac, res)
    for _ in range(_STEPS):
        for a in range(7):
            right[a] = 0.0
            for i in range(n):
                right[a] += jac[i, a] * res[i]
            for b in range(a + 1):
                h = 0.0
                for i in range(n):
                    h += jac[i, a] * jac[i, b]
                normal[a, b] = normal[b, a] = h
        for a in range(7):
            normal[a, a] *= 1.0 + damping
        if not solve(normal, right, 0.0):
            break
        for a in range(7):
            trial[a] = theta[a] + right[a]
        total = _residual(t, s, data, trial, jac, res)
        if total < best:
            gain = best - total
            theta[:] = trial
            best = total
            damping = max(0.1 * damping, 1e-12)
            if gain < 1e-10 * best:
                break
        else:
            damping *= 10.0
            if damping > 1e6:
                break
            _residual(t, s, data, theta, jac, res)
    return best


@njit(cache=True, error_model="numpy")
def _residual(t: Array, s: Array, data: Array, theta: Array, jac: Array, res: Array) -> float:
    total = 0.0
    for i in range(t.size):
        scale = math.exp(theta[3] * t[i] / t[-1] + theta[4] * s[i])
        phase = theta[5] * t[i] + theta[6] * t[0] / t[i]
        c, d = math.cos(phase), math.sin(phase)
        wave = theta[0] + theta[1] * c + theta[2] * d
        jac[i, 0], jac[i, 1], jac[i, 2] = scale, scale * c, scale * d
        jac[i, 3], jac[i, 4] = scale * wave * t[i] / t[-1], scale * wave * s[i]
        turn = scale * (theta[2] * c - theta[1] * d)
        jac[i, 5], jac[i, 6] = turn * t[i], turn * t[0] / t[i]
        res[i] = data[i] - scale * wave
        total += res[i] * res[i]
    return total if math.isfinite(total) else np.inf
