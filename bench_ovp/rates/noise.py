"""How noisy log L is, point by point, and how far the noise remembers itself."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHORT, LONG = 7, 24  # points in a local fit: short sees the level, long the memory
REACH = 20  # points on either side whose fits steady the level


@njit(cache=True)
def local_residuals(s: Array, y: Array, width: int, step: int, out: Array) -> int:
    """Residuals of local fits a + b s + c s² + d e^s, rows of `out`, one window every `step` points.

    The four columns hold power laws and exponentials exactly and are a cubic on a short window.
    """
    q = np.empty((4, width))
    e = np.empty(width)
    count = 0
    for first in range(0, s.size - width + 1, step):
        middle = 0.5 * (s[first] + s[first + width - 1])
        for i in range(width):
            x = s[first + i] - middle
            q[0, i], q[1, i], q[2, i] = 1.0, x, x * x
            q[3, i] = math.exp(min(x, 50.0)) - 1.0 - x - 0.5 * x * x
            e[i] = y[first + i]
        for j in range(4):
            for _ in range(2):  # twice is enough (Kahan, Parlett)
                for b in range(j):
                    dot = 0.0
                    for i in range(width):
                        dot += q[b, i] * q[j, i]
                    for i in range(width):
                        q[j, i] -= dot * q[b, i]
            size = 0.0
            for i in range(width):
                size += q[j, i] * q[j, i]
            size = math.sqrt(size)
            dot = 0.0
            for i in range(width):
                q[j, i] /= size + 1e-300
                dot += q[j, i] * e[i]
            for i in range(width):
                e[i] -= dot * q[j, i]
        out[count, :] = e
        count += 1
    return count


@cache
def _bias(width: int) -> tuple[Array, Array, Array]:
    """(ρ, lag-1 ratio seen, share of the variance left) in residuals of a local cubic under AR(1)."""
    x = np.vander(np.linspace(-1, 1, width), 4)
    left = np.eye(width) - x @ np.linalg.pinv(x)
    lag = np.eye(width, k=1)
    gap = np.abs(np.subtract.outer(np.arange(width), np.arange(width)))
    rho = np.linspace(0.0, 0.95, 20)
    ratio, share = np.empty_like(rho), np.empty_like(rho)
    for i, r in enumerate(rho):
        covariance = left @ (r**gap if r else np.eye(width)) @ left
        ratio[i] = np.sum(covariance * lag) / np.trace(covariance)
        share[i] = np.trace(covariance) / width
    return rho, ratio, share


def estimate_noise(s: Array, y: Array) -> tuple[Array, float]:
    """Standard deviation of every y and the lag-1 correlation of its noise.

    σᵢ² is the median residual variance of the local fits around point i, so that a kink, which
    spoils a few of them, does not pass for noise; ρ is matched to the lag-1 products of longer
    fits. Both are corrected for what the fits absorb.

    Args:
        s: log t, increasing; y: log L, same length, at least 6 points.
    Returns:
        σ (points,), ρ in [0, 0.95].
    """
    rho = _memory(s, y)
    width = min(SHORT, s.size)
    out = np.empty((s.size - width + 1, width))
    local_residuals(s, y, width, 1, out)
    table, _, share = _bias(width)
    variance = np.mean(out**2, axis=1) / np.interp(rho, table, share)
    freedom = width - 4
    median = 1 - 2 / (9 * freedom)  # of χ²/freedom, cubed: Wilson & Hilferty (1931)
    mode: Literal["reflect", "edge"] = "reflect" if variance.size > width else "edge"
    around = np.pad(variance, (width // 2, s.size - variance.size - width // 2), mode=mode)
    reach = min(2 * REACH + 1, 2 * ((s.size - 1) // 2) + 1)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(around, reach // 2, mode="reflect"), reach)
    return np.sqrt(np.median(near, axis=1) / median**3), rho


def _memory(s: Array, y: Array) -> float:
    """ρ from the quieter half of the longer fits: a kink or a bend has memory too."""
    width = min(LONG, s.size // 2)
    if width < 12:
        return 0.0
    out = np.empty((s.size, width))
    count = local_residuals(s, y, width, max(1, width // 8), out)
    e = out[:count]
    power = np.sum(e * e, axis=1) + 1e-300
    quiet = power <= 2 * np.quantile(power, 0.25)
    seen = float(np.median((np.sum(e[:, 1:] * e[:, :-1], axis=1) / power)[quiet]))
    rho, ratio, _ = _bias(width)
    return float(np.interp(seen, ratio, rho))
