"""What of a loss curve can be read: above the floor, before the end, thin enough to fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-11  # a flat tail this far below the largest loss is rounding, not a limit
FEWEST = 8  # points that a floor must follow
FLOOR_MARGIN = 300.0  # losses below this many floors are not read: 6% error, and rarely Gaussian


@dataclass(frozen=True, eq=False)
class Curve:
    """The readable part of a loss curve."""

    time: Array
    loss: Array
    error: Array  # known relative error of every loss
    end: str  # why it ends there: "" (all was read), "zero", "infinite", "floor", "rounding"
    next_time: float = 0.0  # of the first loss not read, 0 if all were
    next_loss: float = 0.0  # that loss, or the floor if it is below


def read_curve(time: ArrayLike, loss: ArrayLike, floor: float, rtol: float) -> Curve:
    """The part of (time, loss) above the floor.

    Raises:
        ValueError: lengths differ, time does not increase, a loss is negative.
    """
    t = np.asarray(time, dtype=np.float64)
    y = np.asarray(loss, dtype=np.float64)
    if t.ndim != 1 or t.shape != y.shape:
        raise ValueError(f"time and loss must be 1-D of one length, not {t.shape} and {y.shape}")
    if not (np.all(np.isfinite(t)) and np.all(np.diff(t) > 0) and (t.size == 0 or t[0] >= 0)):
        raise ValueError("time must be finite, non-negative and increasing")
    if np.any(y < 0):
        raise ValueError(f"losses must be non-negative: loss[{int(np.argmax(y < 0))}] = {y[y < 0][0]:g}")
    if not (floor >= 0 and rtol >= 0):
        raise ValueError("floor and rtol must be non-negative")
    if t.size and t[0] == 0:
        t, y = t[1:], y[1:]
    first, end = _readable(y, floor)
    if end != "infinite":
        begins, level = _rounding(t[:first], y[:first])
        if begins < first:
            first, end, floor = begins, "rounding", level
    following = (float(t[first]), max(float(y[first]), floor)) if first < t.size else (0.0, 0.0)
    t, y = t[:first], y[:first]
    return Curve(t, y, np.sqrt(floor / y + rtol**2), end, *following)


def _readable(loss: Array, floor: float) -> tuple[int, str]:
    """How many losses can be read, and why no more."""
    ends = {"infinite": ~np.isfinite(loss), "zero": loss == 0, "floor": loss <= FLOOR_MARGIN * floor}
    found = [(int(np.argmax(bad)), end) for end, bad in ends.items() if bad.any()]
    return min(found, key=lambda f: f[0]) if found else (loss.size, "")


def _rounding(t: Array, loss: Array) -> tuple[int, float]:
    """Where an unannounced rounding floor begins, and its level; (size, 0) without one."""
    none = loss.size, 0.0
    if loss.size < FEWEST:
        return none
    s, y = np.log(t), np.log(loss)
    level = float(np.median(y[-5:]))
    deep = np.max(y) + np.log(ROUNDING)
    band = min(4.0, float(np.max(np.abs(y[-5:] - level))) + 0.7)
    outside = np.flatnonzero(np.abs(y - level) > band)
    first = int(outside[-1]) + 1 if outside.size else 0
    tail = y.size - first
    if level < deep and tail >= 4 and first >= 4:
        before = slice(max(0, first - max(tail, 5)), first)
        steep = _line(s[before], y[before])[0]
        flat = _line(s[first:], y[first:])[0]
        if steep < -1.0 and abs(flat) < 0.2 * abs(steep):
            near = np.flatnonzero(y <= level + band + np.log(4.0))
            return int(near[0]), float(np.exp(level))
    for first in range(max(FEWEST, y.size - 3), y.size):
        if y[first] < deep and _lags(s, y, first):
            return first, float(np.exp(y[first]))
    return none


def _lags(s: Array, y: Array, first: int) -> bool:
    """Whether a tail too short to fit has stopped falling, above what the points before it lead to."""
    before = slice(first - FEWEST, first)
    columns = np.column_stack([np.ones_like(s), s, np.exp(s - s[-1])])  # any power, any exponential
    inverse = np.linalg.pinv(columns[before])
    expected = columns @ (inverse @ y[before])
    scatter = np.sqrt(np.mean((y - expected)[before] ** 2) * FEWEST / (FEWEST - 3))
    lever = np.linalg.norm(columns[first:] @ inverse, axis=1)
    above = (y - expected)[first:] > 0.1 + 6 * scatter * (1 + lever)
    # a decay that only slows is a law of its own
    return bool(np.all(above) and y[-1] - y[-2] > 0.2 * (expected[-1] - expected[-2]))


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Slope and intercept of the least-squares line."""
    middle = x.mean()
    slope = float((x - middle) @ y / ((x - middle) @ (x - middle)))
    return slope, float(y.mean() - slope * middle)
