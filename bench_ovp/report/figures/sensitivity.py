"""The loss at the end of a run against the step size: how much tuning a method needs, and what it gains."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..chart import Chart, Kind, chart_parts
from ..looks import Look, assign_looks
from ..style import QUIET, is_left, is_lowest, make_panels, place_legend, set_powers, set_title
from ..sweeps import LEAST, find_sweeps
from ..tables import Tables
from .constants import choose_ticks

MOST = 12  # panels of one figure
COLUMNS = ("problem", "method", "optimizer", "lr", "value", "low", "high", "diverged", "runs")
CAPTION = (
    "The loss at the end of the runs against the step size, all else equal, on logarithmic axes: the median over the "
    "seeds, with a band that holds 80 % of them. Lower is better, and a wide valley needs little tuning. A cross on "
    "top is a step size with which half of the runs or more diverged, broke or never ended; a triangle below "
    "is a loss of exactly 0. Runs with a target or a floor end there, so that a valley may have a flat bottom."
)
BROKEN = ("diverged", "failed", "timeout")


def tabulate_sensitivity(tables: Tables) -> pd.DataFrame:
    """A row per problem, method and step size."""
    frames = [pd.DataFrame(columns=list(COLUMNS))]
    runs = tables.runs
    losses = runs["final_loss"].where(np.isfinite(runs["final_loss"]) & ~runs["status"].isin(BROKEN), np.inf)
    runs = runs.assign(loss=losses, broken=np.isinf(losses))
    for sweep in find_sweeps(tables.ranking, "optimizer", "lr"):
        own = runs[runs["optimizer"].isin(list(sweep.members))]
        grouped = own.groupby(["problem", "optimizer"], sort=False)
        # Ranks, not means: a run that broke is above all others, and has no loss of its own.
        rows = [grouped["loss"].quantile(q, interpolation="nearest").rename(name)
                for name, q in (("low", 0.1), ("value", 0.5), ("high", 0.9))]  # fmt: skip
        table = pd.concat([*rows, grouped["broken"].mean().rename("diverged"), grouped.size().rename("runs")], axis=1)
        table = table.reset_index()
        frames.append(table.assign(method=sweep.label, lr=table["optimizer"].map(sweep.members)))
    data = pd.concat(frames[1:], ignore_index=True) if len(frames) > 1 else frames[0]
    return data.sort_values(["problem", "method", "lr"], kind="stable", ignore_index=True)[list(COLUMNS)]


def draw_method(axes: Axes, line: pd.DataFrame, look: Look, place: int) -> None:
    """One method: its losses, and on the edges what a logarithmic axis has no place for."""
    ended = line[(line["diverged"] < 0.5) & np.isfinite(line["value"])]
    seen = ended[ended["low"] > 0]
    top = seen["high"].where(np.isfinite(seen["high"]), seen["value"])
    axes.fill_between(seen["lr"], seen["low"], top, color=look.color, alpha=0.2, linewidth=0)
    seen = ended[ended["value"] > 0]
    axes.plot(seen["lr"], seen["value"], **look.line())
    # One below the other, or one would hide the other.
    for rows, height, marker in (
        (line[line["diverged"] >= 0.5], 1.0 - 0.07 * place, "x"),
        (ended[ended["value"] == 0], 0.04 + 0.07 * place, "v"),
    ):
        if not rows.empty:
            axes.plot(rows["lr"], np.full(len(rows), height), marker, color=look.color, markersize=4,
                      markeredgewidth=1.2, transform=axes.get_xaxis_transform(), clip_on=False)  # fmt: skip


def draw_sensitivity(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """A panel for each problem, a line for each method."""
    problems = [label for label in tables.problems if label in set(data["problem"])]
    looks = assign_looks(list(dict.fromkeys(data["method"])))
    figure, panels = make_panels(len(problems), width=width, height=1.65, columns=4, sharex=True, sharey=True)
    for axes, problem in zip(panels, problems, strict=True):
        for place, (method, look) in enumerate(looks.items()):
            draw_method(axes, data[(data["problem"] == problem) & (data["method"] == method)], look, place)
        set_title(axes, tables.problems[problem].name)
    set_powers(panels[0], "y", most=6)
    panels[0].set_xscale("log")
    values = sorted(set(data["lr"]))
    for axes in panels:
        axes.xaxis.set_major_locator(FixedLocator(choose_ticks(values, 3)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        if is_left(axes):
            axes.set_ylabel("loss L at the end")
        if is_lowest(axes):
            axes.set_xlabel("step size lr")
            axes.tick_params(labelbottom=True)
    edges = {"diverged": ("x", (data["diverged"] >= 0.5).any()), "exactly 0": ("v", (data["value"] == 0).any())}
    shown = [look.handle() for look in looks.values()]
    for name, (marker, there) in edges.items():
        if there:
            shown.append(Line2D([], [], color=QUIET, marker=marker, linestyle="", markersize=4, markeredgewidth=1.2,
                                label=name))  # fmt: skip
    place_legend(figure, shown)
    return figure


def chart_sensitivity(tables: Tables) -> list[Chart]:
    """One chart with a panel for each problem."""
    data = tabulate_sensitivity(tables)

    def describe(part: pd.DataFrame) -> str:
        methods, problems = part["method"].nunique(), part["problem"].nunique()
        return f"Loss at the end against the step size: {methods} methods on {problems} problems."

    return chart_parts(KIND, data, "problem", tables.problems, MOST, partial(draw_sensitivity, tables), describe)


KIND = Kind(
    "sensitivity",
    "How much tuning does it need?",
    CAPTION,
    f"an optimizer at {LEAST} step sizes, such as lr: [0.01, 0.1, 1]",
    chart_sensitivity,
)
