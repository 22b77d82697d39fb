"""The law of a run on another clock: per iteration, or per evaluation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .problems import Array
from .rates import Rate, fit_rate
from .trace import Run

CLOCKS = ("time", "iteration", "evaluations")
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


def read_clock(run: Run, rate: Rate, clock: str, rtol: float = 0.0) -> Rate:
    """The law of a run on `clock`, from its law in time.

    Converted where the clock is proportional to time over the window of the law, fitted anew elsewhere.

    Args:
        run: of a method that has this clock; a flow has no iterations.
        rate: in time.
        clock: one of CLOCKS.
        rtol: a relative error that every loss may have, as for `fit_rate`.
    """
    if clock == "time" or rate.law == "diverged" or not run.rows:
        return rate
    shown = np.asarray(run.rows[clock])
    ticks = _find_ticks(np.asarray(run.rows["time"]), shown, rate)
    if ticks is not None:
        return scale_rate(rate, ticks)
    kept = np.append(shown[1:] > shown[:-1], True)  # of records at one reading the last
    return fit_rate(shown[kept], np.asarray(run.rows["loss"])[kept], floor=run.resolution, rtol=rtol)


def _find_ticks(time: Array, shown: Array, rate: Rate) -> float | None:
    """Units of a clock per unit of time over the window of the law, or None where they change."""
    first = max(int(np.searchsorted(time, 0.0, "right")), _find_place(time, rate.start * (1 - STEADY), "left", 0))
    last = _find_place(time, rate.end * (1 + STEADY), "right", len(time))
    if first >= last:
        return None
    ticks = shown[first:last] / time[first:last]
    final = float(ticks[-1])
    low, high = final * (1 - STEADY), final * (1 + STEADY)
    return final if final > 0 and low <= ticks.min() and ticks.max() <= high else None


def _find_place(time: Array, bound: float, side: Literal["left", "right"], unknown: int) -> int:
    """Where a bound belongs among ascending times; `unknown`, where there is none."""
    return unknown if math.isnan(bound) else int(np.searchsorted(time, bound, side))
