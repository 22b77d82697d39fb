"""Whether what a law leaves over is a random walk: then the law may be no more than the walk's drift."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench_ovp.rates.noise import LONG, local_residuals

Array = NDArray[np.float64]

STEP = 7e-3  # sd of a walk's steps in log L; what walks less does not walk away within a curve
ROUGH = 3.0  # steps this many times larger than the scatter of the curve are smooth misfit
EVEN = 1.5  # upper over lower quartile of the spacing of a grid that is even
FEWEST = 8
FEW, CHOSEN = 60, 1.1  # a window and a model that were chosen to fit leave less: what is asked more of few points

NEAR = 13.5  # root 1 − NEAR/N against which a trend is taken out (Elliott, Rothenberg & Stock)

# 0.5% quantiles of the t of `_returning` for residuals of 2, 3 and 4 columns on N points that walk,
# from 60,000 simulated walks each.
_POINTS = np.array([8, 12, 16, 24, 40, 80, 200])
_QUANTILES = np.array(
    [
        [-8.04, -5.90, -5.22, -4.61, -4.14, -3.91, -3.73],
        [-11.0, -7.10, -6.02, -5.24, -4.73, -4.42, -4.25],
        [-16.1, -8.49, -6.95, -5.86, -5.24, -4.88, -4.66],
    ]
)

# 0.5% quantiles of the lag-1 correlation of local residuals over a whole curve, from 4,000 walks each.
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
    Source: Elliott, Rothenberg & Stock (1996), Econometrica 64, 813.
    """
    narrow, wide = np.quantile(np.diff(clock), [0.25, 0.75])
    if y.size < FEWEST or wide > EVEN * narrow:
        return False
    scaled: Array = columns / np.linalg.norm(columns, axis=0)
    left: Array = y - scaled @ np.linalg.lstsq(_quasi_differences(scaled), _quasi_differences(y), rcond=None)[0]
    steps = np.diff(left)
    size = float(np.sqrt(np.mean(steps**2)))
    if size < STEP or size > ROUGH * float(np.median(sigma)):
        return False
    return _returning(left, steps) > _quantile(left.size, columns.shape[1])


def _quasi_differences(x: Array) -> Array:
    """What a walk that almost returns would leave white: x[0], then x[i] − (1 − NEAR/N) x[i − 1]."""
    return np.concatenate([x[:1], x[1:] - (1.0 - NEAR / len(x)) * x[:-1]])


def _returning(left: Array, steps: Array) -> float:
    """t of b in steps = b · left + noise: near 0 for a walk, negative for noise that returns."""
    before = left[:-1]
    power = float(before @ before)
    b = float(before @ steps) / power
    rest = steps - b * before
    return b / math.sqrt(float(rest @ rest) / (steps.size - 1) / power)


def _quantile(points: int, columns: int) -> float:
    row = _QUANTILES[min(max(columns, 2), 4) - 2]
    return float(np.interp(-1.0 / points, -1.0 / _POINTS, row)) * (CHOSEN if points < FEW else 1.0)


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
