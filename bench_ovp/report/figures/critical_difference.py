"""The critical-difference diagram: mean ranks over the problems, and which of them the problems cannot tell apart."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...friedman import compare_ranks, critical_difference, group_ranks, rank_blocks
from ..chart import Chart, Kind
from ..margins import Margins
from ..standings import CLOCKS
from ..style import CHARACTER, INK, QUIET, wrap_name
from ..tables import Tables, list_rows

LEVEL = 0.05
MOST = 24  # optimizers that are drawn, the best; all take part
COLUMNS = ("clock", "optimizer", "rank", "problems", "critical_difference", "p", "groups")
CAPTION = (
    "Mean ranks over the problems, 1 is best, where optimizers that tie on a problem share a rank. Methods under one "
    "thick bar are not told apart by the problems at 5 %: their mean ranks differ by no more than the critical "
    "difference CD of Nemenyi (1963), drawn above, after Demšar (2006). Where Friedman's test, whose p is given, "
    "finds no difference at all, one bar holds them all. This takes each problem as one observation, as if problems "
    "had been drawn at random; whether seeds tell two methods apart on one problem is another question, which the "
    "ranking answers."
)
AXIS, BAR = 0.36, 0.09  # inches: how far down the axis is, and from one bar to the next
STEP, LINE = 0.16, 0.11  # inches: from one name to the next, and of a further line of it


def tabulate_differences(tables: Tables) -> pd.DataFrame:
    """A row per clock and optimizer that ran on all problems, best first."""
    frames = [pd.DataFrame(columns=list(COLUMNS))]
    for clock, column in CLOCKS.items():
        if column not in tables.ranking:
            continue
        places = tables.ranking.pivot_table(index="problem", columns="optimizer", values=column, sort=False)
        places = places.loc[:, places.notna().all()]
        problems, methods = places.shape
        if problems < 2 or methods < 3:
            continue
        ranks = rank_blocks(places.to_numpy())
        order = np.argsort(ranks.mean(axis=0), kind="stable")
        means, p = ranks.mean(axis=0)[order], compare_ranks(ranks)
        difference = critical_difference(methods, problems, LEVEL)
        groups = group_ranks(means, difference) if p <= LEVEL else [(0, methods - 1)]
        own = [" ".join(str(g) for g, (a, b) in enumerate(groups, 1) if a <= place <= b) for place in range(methods)]
        frames.append(
            pd.DataFrame(
                {"optimizer": places.columns[order], "rank": means, "groups": own}
            ).assign(clock=clock, problems=problems, critical_difference=difference, p=p)[list(COLUMNS)]
        )  # fmt: skip
    return pd.concat(frames[1:] or frames, ignore_index=True)


def measure_side(names: Sequence[str], width: float) -> float:
    """Inches beside the axis that the longest line of the names takes."""
    longest = max(len(line) for name in names for line in name.split("\n"))
    return min(CHARACTER * longest + 0.12, 0.38 * width)


def draw_diagram(axes: Axes, tables: Tables, rows: pd.DataFrame, count: int, width: float) -> None:
    """One axis of ranks with its names on both sides. Heights are in inches, from the top down."""
    ranks, difference = rows["rank"].to_numpy(), rows["critical_difference"].iloc[0]
    names, lines = lay_names(tables, rows, width)
    side = measure_side(names, width) / width
    unit = (count - 1) / (1 - 2 * side)  # ranks in the width of the figure
    axes.set_axis_off()
    axes.set_xlim(1 - side * unit, count + side * unit)
    axes.set_ylim(measure_height(rows, lines), 0)
    axes.plot([1, count], [AXIS, AXIS], color=INK, linewidth=0.8)
    step = max(1, math.ceil(0.17 * unit / width))  # a number takes that much
    for tick in range(1, count + 1, step):
        axes.plot([tick, tick], [AXIS - 0.04, AXIS], color=INK, linewidth=0.8)
        axes.text(tick, AXIS - 0.05, str(tick), ha="center", va="bottom", fontsize=7)
    reach = min(difference, count - 1)
    axes.plot([1, 1 + reach], [0.1, 0.1], color=QUIET, linewidth=1.2, marker="|", markersize=4)
    more = "" if reach == difference else ", more than the axis"
    axes.text(1 + reach, 0.1, f"  CD = {difference:.2f}{more}", va="center", fontsize=7, color=QUIET)
    half = -(-len(rows) // 2)
    for place, (rank, label, name, line) in enumerate(zip(ranks, rows["optimizer"], names, lines, strict=True)):
        look, early = tables.optimizers[label], place < half
        end = 1 - 0.02 * unit if early else count + 0.02 * unit
        height = AXIS + BAR * (len(list_groups(rows)) + 1) + line
        axes.plot([rank, rank, end], [AXIS, height, height], color=look.color, linewidth=0.9)
        axes.plot(rank, AXIS, **look.dots(), zorder=3)
        axes.text(end - 0.01 * unit if early else end + 0.01 * unit, height, name, ha="right" if early else "left",
                  va="center", fontsize=7, linespacing=0.95).set_in_layout(False)  # fmt: skip
    for place, (first, last) in enumerate(list_groups(rows), start=1):
        axes.plot([ranks[first] - 0.006 * unit, ranks[last] + 0.006 * unit], [AXIS + BAR * place] * 2, color=INK,
                  linewidth=3, solid_capstyle="butt", zorder=2.5)  # fmt: skip


def list_groups(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """First and last place of each group among the rows."""
    groups: dict[str, list[int]] = {}
    for place, told in enumerate(rows["groups"]):
        for group in told.split():
            groups.setdefault(group, []).append(place)
    return [(places[0], places[-1]) for places in groups.values() if len(places) > 1]


def lay_names(tables: Tables, rows: pd.DataFrame, width: float) -> tuple[list[str], list[float]]:
    """The names as they are written, and how far below the bars each stands, in inches."""
    names = [wrap_name(tables.optimizers[label].name, 0.31 * width) for label in rows["optimizer"]]
    half = -(-len(names) // 2)
    depths = [0.0] * len(names)
    for side in (range(half), range(len(names) - 1, half - 1, -1)):  # the outermost first
        below = 0.0
        for place in side:
            lines = 1 + names[place].count("\n")
            depths[place] = below + STEP / 2 + LINE * (lines - 1) / 2
            below += STEP + LINE * (lines - 1)
    return names, depths


def measure_height(rows: pd.DataFrame, lines: Sequence[float]) -> float:
    """Inches that a diagram takes."""
    return AXIS + BAR * (len(list_groups(rows)) + 1) + max(lines) + STEP


def draw_differences(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """A diagram for each clock, one above the other."""
    clocks = [clock for clock in CLOCKS if clock in set(data["clock"])]
    wholes = [data[data["clock"] == clock] for clock in clocks]
    parts = [whole.head(MOST) for whole in wholes]
    heights = [measure_height(part, lay_names(tables, part, width)[1]) for part in parts]
    figure = Figure(figsize=(width, sum(heights) + 0.3 * len(parts)), layout=Margins())
    panels = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights).ravel()
    for axes, clock, part, whole in zip(panels, clocks, parts, wholes, strict=True):
        draw_diagram(axes, tables, part, len(whole), width)
        p, problems = part["p"].iloc[0], part["problems"].iloc[0]
        told = f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"
        unit = "unit of time" if clock == "time" else "evaluation"
        axes.set_title(f"per {unit}: {problems} problems, {told}")
    return figure


def chart_differences(tables: Tables) -> list[Chart]:
    """One chart over all problems."""
    data = tabulate_differences(tables)
    if data.empty:
        return []
    rows = data[data["clock"] == data["clock"].iloc[0]]
    told = ", ".join(
        f"{tables.optimizers[row['optimizer']].short} {row['rank']:.2f}" for row in list_rows(rows.head(MOST))
    )
    alt = f"Mean ranks: {told}; critical difference {rows['critical_difference'].iloc[0]:.2f}."
    caption = CAPTION + (f" Drawn are the best {MOST} of {len(rows)}." if len(rows) > MOST else "")
    return [Chart(KIND.name, KIND.title, caption, alt, data, partial(draw_differences, tables, data))]


KIND = Kind(
    "critical-difference",
    "Whom do the problems tell apart?",
    CAPTION,
    "three optimizers that ran on the same two problems or more",
    chart_differences,
)
