"""The laws of runs on another clock: per iteration, or per evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .grids import Grid
from .problems import Array
from .rates import Rate, fit_rate
from .trace import Run

STEADY = 1e-6  # relative; a clock that strays further from being proportional to time is fitted anew


def scale_rate(rate: Rate, ticks: float) -> Rate:
    """The same law on a clock that shows `ticks` units per unit of time.

    C t^−p = C ticks^p X^−p and C e^(−c t) = C e^(−(c/ticks) X), with X = ticks·t.
    """
    changes: dict[str, Any] = {"start": rate.start * ticks, "end": rate.end * ticks}
    if rate.law == "exponential":
        changes |= {"value": rate.value / ticks, "low": rate.low / ticks, "high": rate.high / ticks}
    if rate.law == "power":
        # Each bound of the constant goes with the value: their errors rise and fall together.
        factor = ticks**rate.value
        names = ("constant", "constant_low", "constant_high")
        changes |= {name: getattr(rate, name) * factor for name in names}
    return replace(rate, **changes)


def read_clock(
    runs: Sequence[Run], rates: Sequence[Rate], clock: str, rtol: float, grids: Sequence[Grid]
) -> list[Rate]:
    """The laws of runs on `clock`, from their laws in time.

    Converted where the clock is proportional to time over the window of the law, fitted anew elsewhere.

    Args:
        runs: of a method that has this clock; a flow has no iterations.
        rates: in time.
        clock: one of CLOCKS.
        rtol: a relative error that every loss may have, as for `fit_rate`.
        grids: of the runs.
    """
    found = list(rates)
    for grid in grids if clock != "time" else ():
        shown = grid.clocks[clock]
        kept = np.append(shown[1:] > shown[:-1], True)  # of records at one reading the last
        own = [rates[place] for place in grid.places]
        scales = find_ticks(grid.clocks["time"], shown, own)
        for place, rate, ticks, loss in zip(grid.places, own, scales, grid.loss, strict=True):
            if rate.law == "diverged":
                continue
            if math.isnan(ticks):
                found[place] = fit_rate(shown[kept], loss[kept], floor=runs[place].resolution, rtol=rtol)
            else:
                found[place] = scale_rate(rate, ticks)
    return found


def find_ticks(time: Array, shown: Array, rates: Sequence[Rate]) -> list[float]:
    """Units of a clock per unit of time over the window of each law; NaN where they change.

    Args:
        time, shown: ascending readings of both clocks at the same records.
        rates: laws of runs with these records.
    """
    starts, ends = np.array([(rate.start, rate.end) for rate in rates]).T
    zero = int(time.searchsorted(0.0, "right"))
    first = np.where(np.isnan(starts), zero, time.searchsorted(starts * (1 - STEADY)).clip(min=zero))
    last = np.where(np.isnan(ends), len(time), time.searchsorted(ends * (1 + STEADY), "right"))
    ticks = np.full(len(time), math.nan)
    ticks[zero:] = shown[zero:] / time[zero:]
    windows = list(zip(first.tolist(), last.tolist(), strict=True))
    settled = {window: _settle(ticks[slice(*window)]) for window in set(windows)}
    return [settled[window] for window in windows]


def _settle(ticks: Array) -> float:
    """The last of them, if all are as good as equal."""
    if not len(ticks):
        return math.nan
    final = float(ticks[-1])
    low, high = final * (1 - STEADY), final * (1 + STEADY)
    return final if final > 0 and low <= ticks.min() and ticks.max() <= high else math.nan
