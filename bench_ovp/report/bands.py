"""The band of a pair: the median of its loss over the seeds, and the quantiles around it, against time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..trace import Trace

FloatArray = NDArray[np.float64]
COLUMNS = ("time", "iteration", "evaluations", "loss", "low", "high", "seeds")
POINTS = 160  # of a drawn line
RANKS = {"target": -np.inf, "floor": -np.inf, "diverged": np.inf}  # of a run that came to its own end


RECORDED = ("time", "loss", "iteration", "evaluations")


class Curve(NamedTuple):
    """The records of one run, of equal lengths, and the rank it keeps after its end, NaN where it has none."""

    time: FloatArray
    loss: FloatArray
    iteration: FloatArray
    evaluations: FloatArray
    after: float


def average(curves: Sequence[Curve]) -> pd.DataFrame:
    """The median loss over the seeds and its 10 % and 90 % quantiles, against time.

    Seeds are interpolated, straight in log time and log loss, to the times of all of them. Quantiles are
    ranks: a run that came to its own end keeps its rank, below all others if it reached its target and above
    them if it diverged. The line is drawn while more than half of the seeds still run.
    """
    usable = [curve for curve in map(clean, curves) if len(curve.time)]
    if not usable:
        return pd.DataFrame(columns=list(COLUMNS), dtype=float)
    times = np.unique(np.concatenate([curve.time for curve in usable]))
    if len(times) > POINTS:
        wanted = np.exp(np.linspace(np.log(times[0]), np.log(times[-1]), POINTS))
        times = times[np.unique(np.searchsorted(times, wanted).clip(0, len(times) - 1))]
    at = np.log(times)
    losses, iterations, evaluations = (np.empty((len(usable), len(times))) for _ in range(3))
    for row, curve in enumerate(usable):
        x = np.log(curve.time)
        losses[row] = np.interp(at, x, np.log(curve.loss), left=np.nan, right=curve.after)
        iterations[row] = np.interp(at, x, curve.iteration, left=np.nan, right=np.nan)
        evaluations[row] = np.interp(at, x, curve.evaluations, left=np.nan, right=np.nan)
    first, last = (np.array([curve.time[end] for curve in usable])[:, None] for end in (0, -1))
    alive = ((times >= first) & (times <= last)).sum(axis=0)
    low, median, high = take_quantiles(losses)
    kept = (2 * alive > len(usable)) & np.isfinite(median)
    low, median, high = (np.exp(line[kept]) for line in (low, median, high))
    counts = [take_median(values[:, kept]) for values in (iterations, evaluations)]
    return pd.DataFrame(dict(zip(COLUMNS, (times[kept], *counts, median, low, high, alive[kept]), strict=True)))


def average_trace(trace: Trace) -> pd.DataFrame:
    """The band of a pair from its runs."""
    return average(
        [
            Curve(**{name: np.asarray(run.rows[name]) for name in RECORDED}, after=RANKS.get(run.status, np.nan))
            for run in trace.runs
            if run.rows
        ]
    )


def clean(curve: Curve) -> Curve:
    """Without what has no logarithm; by time, and of records at one time the last."""
    kept = np.flatnonzero((curve.time > 0) & (curve.loss > 0) & np.isfinite(curve.loss))
    if not np.all(np.diff(curve.time[kept]) > 0):
        kept = kept[np.argsort(curve.time[kept], kind="stable")]
        kept = kept[np.append(np.diff(curve.time[kept]) > 0, True)] if len(kept) else kept
    return Curve(**{name: getattr(curve, name)[kept] for name in RECORDED}, after=curve.after)


def take_quantiles(logs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """10 %, 50 % and 90 % over the first axis, where infinite values are ranks without a place.

    The median is finite as long as half of the values are; the others stop at the extremes of what is finite.
    """
    known = np.isfinite(logs)
    bounds = logs[known].min(initial=np.inf), logs[known].max(initial=-np.inf)
    low, median, high, upper = _interpolate_ranks(logs, 0.1, 0.5, 0.9)
    low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)
    return low.clip(*bounds), np.where(np.isfinite(median), median, upper), high.clip(*bounds)


def take_median(values: FloatArray) -> FloatArray:
    """The median over the first axis, NaN where there is nothing to take it of."""
    return _interpolate_ranks(values, 0.5)[0]


def _interpolate_ranks(values: FloatArray, *shares: float) -> list[FloatArray]:
    """What np.nanquantile says over the first axis, some ten times as fast, and last the upper of two medians.

    Between two ranks of which one is infinite, and where no value is, it is NaN.
    """
    ordered = np.sort(values, axis=0)  # NaN last
    last = np.maximum((~np.isnan(values)).sum(axis=0) - 1, 0)
    column = np.arange(values.shape[1])
    found = []
    with np.errstate(invalid="ignore"):
        for share in shares:
            place = share * last
            below = ordered[np.floor(place).astype(int), column]
            above = ordered[np.ceil(place).astype(int), column]
            part = place - np.floor(place)
            found.append(np.where(part == 0, below, below + part * (above - below)))
    return [*found, ordered[np.ceil(0.5 * last).astype(int), column]]
