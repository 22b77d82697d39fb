"""What of a loss curve can be read: above the floor, before the end, thin enough to fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-11  # a flat tail this far below the largest loss is rounding, not a limit
FLOOR_MARGIN = 300.0  # losses below this many floors are not read: 6% error, and rarely Gaussian


@dataclass(frozen=True, eq=False)
class Curve:
    """The readable part of a loss curve."""

    time: Array
    loss: Array
    error: Array  # known relative error of every loss
    end: str  # why it ends there: "" (all was read), "zero", "infinite", "floor", "rounding"
    next_time: float = 0.0  # of the first loss not read, 0 if all were


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
    whole = t
    end = ""
    bad = ~np.isfinite(y)
    if bad.any():
        t, y, end = t[: np.argmax(bad)], y[: np.argmax(bad)], "infinite"
    elif (y == 0).any():
        first = int(np.argmax(y == 0))
        t, y, end = t[:first], y[:first], "zero"
    below = y <= FLOOR_MARGIN * floor
    if below.any():
        first = int(np.argmax(below))
        t, y, end = t[:first], y[:first], "floor"
    if end != "infinite":
        first, level = _rounding(t, y)
        if first < y.size:
            t, y, end, floor = t[:first], y[:first], "rounding", level
    following = float(whole[t.size]) if t.size < whole.size else 0.0
    return Curve(t, y, np.sqrt(floor / y + rtol**2), end, following)


def _rounding(t: Array, loss: Array) -> tuple[int, float]:
    """Where an unannounced rounding floor begins, and its level; (size, 0) without one."""
    none = loss.size, 0.0
    if loss.size < 8:
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
        steep = np.polyfit(s[before], y[before], 1)[0]
        flat = np.polyfit(s[first:], y[first:], 1)[0]
        if steep < -1.0 and abs(flat) < 0.2 * abs(steep):
            near = np.flatnonzero(y <= level + band + np.log(4.0))
            return int(near[0]), float(np.exp(level))
    # a tail too short to be seen flat: decay that suddenly lags behind its own log-log line
    for first in range(y.size - 3, y.size):
        line = slice(max(0, first - 6), first)
        slope, offset = np.polyfit(s[line], y[line], 1)
        scatter = float(np.std(y[line] - offset - slope * s[line]))
        if y[first] < deep and slope < -1.0 and np.all(y[first:] - offset - slope * s[first:] > 0.2 + 5 * scatter):
            return first, float(np.exp(y[first]))
    return none


def block_starts(t: Array, most: int) -> NDArray[np.int64]:
    """First indices of at most `most` consecutive blocks, even in index and in log t together."""
    if t.size <= most:
        return np.arange(t.size)
    s = np.log(t)
    place = np.arange(t.size) / t.size + (s - s[0]) / (s[-1] - s[0])
    return np.unique(np.floor(0.5 * most * place), return_index=True)[1]
