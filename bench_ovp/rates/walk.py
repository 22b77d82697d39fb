"""Whether what a law leaves over is a random walk: then the law may be no more than the walk's drift."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench_ovp.rates.noise import LONG, local_residuals

Array = NDArray[np.float64]

STEP = 1e-2  # sd of a walk's steps in log L; what walks less does not walk away within a curve
ROUGH = 3.0  # steps this many times larger than the scatter of the curve are smooth misfit
EVEN = 1.5  # upper over lower quartile of the spacing of a grid that is even
FEWEST = 8

# 0.5% quantiles of Dickey & Fuller's t for residuals of 2, 3 and 4 columns on N points that walk,
# from 20,000 simulated walks each.
_POINTS = np.array([8, 12, 16, 24, 40, 80, 200])
_QUANTILES = np.array(
    [
        [-6.92, -5.82, -5.33, -4.81, -4.51, -4.39, -4.23],
        [-8.53, -6.93, -6.21, -5.60, -5.08, -4.87, -4.63],
        [-10.1, -8.41, -7.15, -6.26, -5.67, -5.24, -5.10],
    ]
)

# The same of the lag-1 correlation of local residuals over a whole curve, from 4,000 walks each.
_CURVE = np.array([24, 40, 60, 80, 120, 200])
_LAG = np.array([-0.284, -0.124, -0.02, 0.056, 0.116, 0.16])


def could_walk(clock: Array, y: Array, columns: Array, sigma: Array) -> bool:
    """Whether y − (its fit by columns) may be a random walk.

    A walk whose steps have a mean is, on a grid even in a law's clock, that law with an error that never
    fades; on other grids it looks like no law. Only a rough residual can walk: a smooth one is misfit.

    Args:
        clock: log t for a power, t for an exponential, at every point of the window.
        y: log L, perhaps averaged over blocks of points; columns: of the law's fit, (blocks, 2 to 4);
            sigma: scatter of y about a smooth curve.
    Source: Dickey & Fuller (1979), J. Am. Stat. Assoc. 74, 427.
    """
    narrow, wide = np.quantile(np.diff(clock), [0.25, 0.75])
    if y.size < FEWEST or wide > EVEN * narrow:
        return False
    weight = 1.0 / np.hypot(sigma, 1e-4)
    scaled = columns / np.linalg.norm(columns * weight[:, None], axis=0)
    left = y - scaled @ np.linalg.lstsq(scaled * weight[:, None], y * weight, rcond=None)[0]
    steps = np.diff(left)
    size = float(np.sqrt(np.mean(steps**2)))
    if size < STEP or size > ROUGH * float(np.median(sigma)):
        return False
    return _dickey_fuller(left, steps) > _quantile(left.size, columns.shape[1])


def _dickey_fuller(left: Array, steps: Array) -> float:
    """t of b in steps = b · left + noise: near 0 for a walk, negative for noise that returns."""
    before = left[:-1]
    power = float(before @ before)
    b = float(before @ steps) / power
    rest = steps - b * before
    return b / math.sqrt(float(rest @ rest) / (steps.size - 1) / power)


def _quantile(points: int, columns: int) -> float:
    row = _QUANTILES[min(max(columns, 2), 4) - 2]
    return float(np.interp(-1.0 / points, -1.0 / _POINTS, row))


def returns(s: Array, y: Array) -> bool:
    """Whether the scatter of a whole curve about its local fits is too choppy for a walk.

    Args:
        s: log t; y: log L; of the whole curve, perhaps in blocks.
    """
    if y.size < LONG:
        return False
    out = np.empty((y.size, LONG))
    e = out[: local_residuals(s, y, LONG, LONG // 4, out)]
    power = np.sum(e * e, axis=1) + 1e-300
    lag = float(np.mean(np.sum(e[:, 1:] * e[:, :-1], axis=1) / power))
    return lag < float(np.interp(y.size, _CURVE, _LAG))
