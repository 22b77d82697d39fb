"""The band of a pair: the median of its loss over the seeds, and the quantiles around it, against time."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..grids import Grid, list_grids
from ..trace import Trace

FloatArray = NDArray[np.float64]
COLUMNS = ("time", "iteration", "evaluations", "loss", "low", "high", "seeds")
POINTS = 160  # of a drawn line
RANKS = {"target": -np.inf, "floor": -np.inf, "diverged": np.inf}  # of a run that came to its own end


def average(rows: Sequence[Mapping[str, FloatArray]], after: Sequence[float]) -> pd.DataFrame:
    """The median loss over the seeds and its 10 % and 90 % quantiles, against time.

    Seeds are interpolated, straight in log time and log loss, to the times of all of them. Quantiles are
    ranks: a run that came to its own end keeps its rank, below all others if it reached its target and above
    them if it diverged. The line is drawn while more than half of the seeds still run.

    Args:
        rows: the columns of each run, of those that recorded anything.
        after: the rank that each keeps after its end, NaN where it has none.
    """
    grids = [part for grid in list_grids(rows) for part in clean(grid)]
    if not grids:
        return pd.DataFrame(columns=list(COLUMNS), dtype=float)
    times = np.unique(np.concatenate([grid.clocks["time"] for grid in grids]))
    if len(times) > POINTS:
        wanted = np.exp(np.linspace(np.log(times[0]), np.log(times[-1]), POINTS))
        times = times[np.unique(np.searchsorted(times, wanted).clip(0, len(times) - 1))]
    ends = np.asarray(after, dtype=float)
    losses = np.concatenate([_interpolate(grid, times, ends[grid.places]) for grid in grids])
    repeats = [len(grid.places) for grid in grids]
    first, last = (np.repeat([grid.clocks["time"][end] for grid in grids], repeats)[:, None] for end in (0, -1))
    alive = ((times >= first) & (times <= last)).sum(axis=0)
    low, median, high = take_quantiles(losses)
    kept = (2 * alive > len(losses)) & np.isfinite(median)
    low, median, high = (np.exp(line[kept]) for line in (low, median, high))
    counts = []
    for clock in ("iteration", "evaluations"):
        lines = [_interpolate_clock(grid, clock, times[kept]) for grid in grids]
        counts.append(take_median(np.repeat(lines, repeats, axis=0)))
    return pd.DataFrame(dict(zip(COLUMNS, (times[kept], *counts, median, low, high, alive[kept]), strict=True)))


def average_trace(trace: Trace) -> pd.DataFrame:
    """The band of a pair from its runs."""
    runs = [run for run in trace.runs if run.rows]
    return average([run.rows for run in runs], [RANKS.get(run.status, np.nan) for run in runs])


def clean(grid: Grid) -> list[Grid]:
    """Without what has no logarithm; by time, and of records at one time the last. Runs that keep others part."""
    time = grid.clocks["time"]
    usable = (time > 0) & (grid.loss > 0) & np.isfinite(grid.loss)
    groups: dict[bytes, list[int]] = {}
    for row, own in enumerate(usable):
        groups.setdefault(own.tobytes(), []).append(row)
    parts = []
    for rows in groups.values():
        kept = np.flatnonzero(usable[rows[0]])
        if not np.all(np.diff(time[kept]) > 0):
            kept = kept[np.argsort(time[kept], kind="stable")]
            kept = kept[np.append(np.diff(time[kept]) > 0, True)]
        if len(kept):
            clocks = {name: shown[kept] for name, shown in grid.clocks.items()}
            parts.append(Grid([grid.places[row] for row in rows], clocks, grid.loss[rows][:, kept]))
    return parts


def _interpolate(grid: Grid, times: FloatArray, after: FloatArray) -> FloatArray:
    """log loss of each run at ascending times: NaN before its first record, `after` behind its last."""
    own, heights = grid.clocks["time"], np.log(grid.loss)
    first, last = np.searchsorted(times, own[0]), np.searchsorted(times, own[-1], "right")
    found = np.full((len(heights), len(times)), np.nan)
    found[:, last:] = after[:, None]
    inside = times[first:last]
    at = np.searchsorted(own, inside)
    if np.array_equal(own[at], inside):  # records of its own, every one
        found[:, first:last] = heights[:, at]
    else:
        for row, height in zip(found, heights, strict=True):
            row[first:last] = np.interp(np.log(inside), np.log(own), height)
    return found


def _interpolate_clock(grid: Grid, clock: str, times: FloatArray) -> FloatArray:
    """The reading of another clock at ascending times; NaN outside the records."""
    return np.interp(np.log(times), np.log(grid.clocks["time"]), grid.clocks[clock], left=np.nan, right=np.nan)


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
