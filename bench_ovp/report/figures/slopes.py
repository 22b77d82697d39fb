"""The local slope of the loss against 1/t, on to t = ∞: what the exponent is, and what it tends to."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator
from numpy.typing import NDArray

from ..chart import Chart, Kind, chart_parts, tell_more
from ..looks import Look
from ..style import DOUBLE, INK, QUIET, is_left, make_panels, measure_panel, place_legend, set_label, set_title
from ..tables import Tables, list_rows
from .convergence import GUIDE

HALF = 0.1  # decades of t on either side of a slope
REACH = 1.0  # decade of t that is drawn, and from which the line is drawn on
PER_DECADE = 12
MOST, MOST_LINES = 12, 24  # panels of one figure, and problems: the first
COLUMNS = ("problem", "optimizer", "series", "time", "end_over_time", "value", "low", "high")
CAPTION = (
    "The slope −d log L/d log t of the last decade, over a fifth of a decade each, against t_end/t: 1 is the end of "
    "the run, 0 is t = ∞. A law (t + a)^−p is a straight line here that meets 0 at p, so that a straight line is "
    "fitted, dotted, and drawn on to 0. Lines are medians over the seeds that follow the power law, bands hold 80 % "
    "of them; the triangle and its bar are the same of the extrapolation. Left of 0 stand the exponent of the law and "
    "its 95 % interval, which know of more than this line. Dashed is theory."
)
FloatArray = NDArray[np.float64]


def measure_slope(time: FloatArray, loss: FloatArray, at: FloatArray) -> FloatArray:
    """−Δ log L/Δ log t over HALF a decade on either side of each time; NaN where the run does not reach so far.

    Args:
        time: ascending and positive, (records,).
        loss: positive, (records,); straight in both logs between records.
        at: times, (points,).
    """
    x, y = np.log10(time), np.log10(loss)
    ends = np.log10(at)[:, None] + [-HALF, HALF]
    heights = np.interp(ends, x, y)
    slope: FloatArray = (heights[:, 0] - heights[:, 1]) / (2 * HALF)
    rounding = 1e-9
    return np.where((ends[:, 0] >= x[0] - rounding) & (ends[:, 1] <= x[-1] + rounding), slope, np.nan)


def extrapolate(inverse: FloatArray, slope: FloatArray) -> tuple[float, float]:
    """The least-squares line a + b x: its height at x = 0 and at 10; NaN below three points."""
    known = np.isfinite(slope)
    if known.sum() < 3:
        return np.nan, np.nan
    line = np.polynomial.Polynomial.fit(inverse[known], slope[known], 1)
    return float(line(0.0)), float(line(10.0))


def tabulate_slopes(tables: Tables) -> pd.DataFrame:
    """A row per pair and time, with those of its limit, its law and theory behind them."""
    found: list[dict[str, object]] = []
    order = {label: place for place, label in enumerate(tables.optimizers)}
    wanted = tables.ranking[tables.ranking["law"] == "power"]
    wanted = wanted[wanted["problem"].isin(list(tables.problems)[:MOST_LINES])]
    wanted = wanted.sort_values("optimizer", key=lambda labels: labels.map(order), kind="stable")
    runs = tables.runs[tables.runs["law"] == "power"]
    following = set(zip(runs["problem"], runs["optimizer"], runs["seed"], strict=True))
    usable = tables.traces[(tables.traces["time"] > 0) & (tables.traces["loss"] > 0)]
    pairs = dict(list(usable.groupby(["problem", "optimizer"], sort=False)))
    for row in list_rows(wanted):
        pair = row["problem"], row["optimizer"]
        if pair not in pairs:
            continue
        seeds = [
            run.sort_values("time").drop_duplicates("time")
            for seed, run in pairs[pair].groupby("seed", sort=False)
            if (*pair, seed) in following
        ]
        ends = [run["time"].iloc[-1] for run in seeds]
        if not ends:
            continue
        end = float(np.median(ends))
        steps = np.arange(round(PER_DECADE * (REACH - HALF)) + 1) / PER_DECADE + HALF
        at = end * 10.0**-steps
        slopes = np.array([measure_slope(run["time"].to_numpy(), run["loss"].to_numpy(), at) for run in seeds])
        limits, starts = np.array([extrapolate(end / at, slope) for slope in slopes]).T
        if not np.isfinite(limits).any():
            continue
        shared = {"problem": row["problem"], "optimizer": row["optimizer"]}
        known = np.isfinite(slopes).any(axis=0)
        for time, column in zip(at[known], slopes[:, known].T, strict=True):
            found.append(shared | {"series": "slope", "time": time, "end_over_time": end / time} | spread(column))
        found.append(shared | {"series": "limit", "end_over_time": 0.0} | spread(limits))
        found.append(shared | {"series": "line", "end_over_time": 10.0, "value": float(np.nanmedian(starts))})
        found.append(shared | {"series": "law"} | {name: row[name] for name in ("value", "low", "high")})
        if row["theory_law"] == "power" and np.isfinite(row["theory_value"]):
            found.append(shared | {"series": "theory", "value": row["theory_value"]})
    return pd.DataFrame(found, columns=list(COLUMNS))


def spread(values: FloatArray) -> dict[str, float]:
    """Median and 10 % and 90 % quantiles of what is there."""
    low, value, high = np.nanquantile(values, (0.1, 0.5, 0.9))
    return {"value": float(value), "low": float(low), "high": float(high)}


def draw_pair(axes: Axes, pair: pd.DataFrame, look: Look, place: float) -> None:
    """Slopes, the line drawn on, and the law's interval at `place`, left of 0."""
    parts = dict(list(pair.groupby("series")))
    slope, law = parts["slope"], parts["law"].iloc[0]
    axes.fill_between(slope["end_over_time"], slope["low"], slope["high"], color=look.color, alpha=0.2, linewidth=0)
    axes.plot(slope["end_over_time"], slope["value"], **look.line() | {"markevery": (0, 3)}, zorder=3)
    limit = parts["limit"].iloc[0]
    axes.plot([0, 10], [limit["value"], parts["line"]["value"].iloc[0]], color=look.color, linestyle=":", linewidth=1.0)
    axes.plot([0, 0], [limit["low"], limit["high"]], color=look.color, linewidth=1.0, alpha=0.6)
    axes.plot(0, limit["value"], "<", color=look.color, markersize=3.6, markeredgewidth=0, zorder=4)
    axes.plot([place, place], [law["low"], law["high"]], color=look.color, linewidth=1.4)
    axes.plot(place, law["value"], **look.dots(), zorder=4)


def frame_slopes(panel: pd.DataFrame) -> tuple[float, float]:
    """Limits that hold laws, theory and the later slopes; what strays early may leave the panel."""
    late = panel[(panel["series"] == "slope") & (panel["end_over_time"] < 4)]
    laws = panel[panel["series"].isin(["law", "theory", "limit"])]
    middle = pd.concat([late["value"], laws["value"]])
    bounds = pd.concat([middle, laws.loc[laws["series"] == "law", ["low", "high"]].stack()]).dropna()
    low, high = float(bounds.min()), float(bounds.max())
    room = max(0.08 * (high - low), 0.002 * abs(high))
    return low - room, high + room


def draw_slopes(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """A panel for each optimizer that has power laws."""
    optimizers = [label for label in tables.optimizers if label in set(data["optimizer"])]
    figure, panels = make_panels(len(optimizers), width=width, height=2.1, columns=3)
    for axes, optimizer in zip(panels, optimizers, strict=True):
        panel = data[data["optimizer"] == optimizer]
        problems = [label for label in tables.problems if label in set(panel["problem"])]
        room = 1.8 if len(optimizers) > 1 and width < DOUBLE else 1.4
        for place, problem in enumerate(problems, start=1):
            draw_pair(axes, panel[panel["problem"] == problem], tables.problems[problem], -place * room / len(problems))
        axes.axvline(0, color=QUIET, linewidth=0.6)
        for power in set(panel.loc[panel["series"] == "theory", "value"]):
            axes.axhline(power, color=INK, linestyle=GUIDE.get_linestyle(), linewidth=0.8, zorder=2.5)
        axes.set_xlim(-room - 0.4, 10.2)
        axes.set_ylim(*frame_slopes(panel))
        axes.xaxis.set_major_locator(FixedLocator([0, 1, 2, 5, 10] if measure_panel(axes) > 1.8 else [0, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(6))
        set_title(axes, tables.optimizers[optimizer].name)
        set_label(axes, "t_end / t (0: t = ∞)")
        axes.set_ylabel("slope −d log L/d log t" if is_left(axes) else "")
    shown = [look.handle() for label, look in tables.problems.items() if label in set(data["problem"])]
    place_legend(figure, shown + [GUIDE] * bool((data["series"] == "theory").any()))
    return figure


def chart_slopes(tables: Tables) -> list[Chart]:
    """One chart with a panel for each optimizer."""
    data = tabulate_slopes(tables)
    more = tell_more(tables.problems, MOST_LINES, "problems")

    def describe(part: pd.DataFrame) -> str:
        limits = part[part["series"] == "limit"]["value"]
        return (
            f"Local slopes of {len(limits)} pairs over their last decade, drawn on to exponents from "
            f"{limits.min():.3g} to {limits.max():.3g}."
        )

    draw = partial(draw_slopes, tables)
    return chart_parts(KIND, data, "optimizer", data["optimizer"].unique(), MOST, draw, describe, more)


KIND = Kind(
    "slopes", "Where does the slope go?", CAPTION, "a power law that was seen for a decade of time", chart_slopes
)
