"""The ranking of a suite as a forest: mean ranks over the problems, with what the seeds leave open."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..chart import Chart, Kind
from ..margins import Margins
from ..standings import CLOCKS, average_ranks, bound_ranks
from ..style import INK, QUIET, is_left, is_narrow, measure_row, place_legend, wrap_name
from ..tables import Tables, list_rows

LINE = 0.17  # inches per row
MOST = 40  # optimizers that are drawn, the best; the .csv has all
CAPTION = (
    "The rank of each optimizer, 1 is best, and the ranks that it may truly have: on each problem it stands behind "
    "those that were found to be better over the seeds, ahead of those that were found to be worse, and anywhere among "
    "the others. A dot is the mean over the problems of the middle of these bounds, its bar the mean of the bounds; "
    "pale dots are single problems. Bars that do not overlap are methods that were told apart on most problems. "
    "Ranks go by the law first: per unit of time in one panel, per evaluation in the other, in the order of the first. "
    "On a problem the bounds of all optimizers hold together at 96 %."
)


def draw_clock(axes: Axes, tables: Tables, means: pd.DataFrame, single: pd.DataFrame, names: Sequence[str]) -> None:
    """One line per optimizer, the best on top."""
    places = np.cumsum([0.0, *(measure_row(name) for name in names)])
    places = (places[1:] + places[:-1]) / 2
    for place, row in zip(places, list_rows(means), strict=True):
        look = tables.optimizers[row["optimizer"]]
        own = single[single["optimizer"] == row["optimizer"]]
        middles = ((own["low"] + own["high"]) / 2).to_numpy()
        # Beside each other where they are equal: how many there are is to be seen.
        shift = np.zeros(len(middles))
        for value in np.unique(middles):
            same = np.flatnonzero(middles == value)
            shift[same] = np.linspace(-0.3, 0.3, len(same)) if len(same) > 1 else 0.0
        axes.plot(middles, place + shift, "o", color=look.color, alpha=0.3, markersize=2.4, markeredgewidth=0)
        axes.plot([row["low"], row["high"]], [place, place], color=look.color, linewidth=1.8, alpha=0.6,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot(row["rank"], place, **look.dots(), zorder=3)
        axes.text(1.03, place, f"{row['rank']:.1f}  [{row['low']:.1f}, {row['high']:.1f}]", va="center", fontsize=7,
                  transform=axes.get_yaxis_transform(), color=QUIET)  # fmt: skip
    axes.set_ylim(sum(measure_row(name) for name in names), 0)
    axes.set_yticks(places, names, linespacing=0.95)
    axes.tick_params(labelleft=is_left(axes))  # the panels have one order, that of the first
    axes.set_xlim(0.7, single["entrants"].max() + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "top", "right"]].set_visible(False)


def draw_ranking(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """A panel for each clock; one above the other in a narrow figure."""
    bounds, means = data[data["problem"] != ""], data[data["problem"] == ""]
    clocks = [clock for clock in CLOCKS if clock in set(means["clock"])]
    order = means.loc[means["clock"] == clocks[0], "optimizer"].head(MOST)
    names = [wrap_name(tables.optimizers[label].name, 0.36 * width) for label in order]
    height = LINE * sum(measure_row(name) for name in names)
    rows = len(clocks) if is_narrow(width) else 1
    figure = Figure(figsize=(width, rows * (height + 0.62)), layout=Margins())
    panels = figure.subplots(rows, len(clocks) // rows, squeeze=False).ravel()
    problems = bounds["problem"].nunique()
    for axes, clock in zip(panels, clocks, strict=True):
        own = means[means["clock"] == clock].set_index("optimizer", drop=False)
        draw_clock(axes, tables, own.reindex(order), bounds[bounds["clock"] == clock], names)
        axes.set_title(f"per {'unit of time' if clock == 'time' else 'evaluation'}")
        axes.set_xlabel("rank" if problems == 1 else f"mean rank over {problems} problems")
    handles = [
        Line2D(
            [], [], color=INK, marker="o", linewidth=1.8, markersize=3.8, label="mean, and what the seeds leave open"
        ),
        Line2D([], [], color=INK, alpha=0.4, marker="o", linestyle="", markersize=2.4, label="one problem"),
    ]
    place_legend(figure, handles)
    return figure


def tabulate_ranks(tables: Tables) -> pd.DataFrame:
    """The bounds of each problem, and below them their means, whose `problem` is empty."""
    bounds = bound_ranks(tables)
    if bounds.empty:
        return bounds
    means = average_ranks(bounds).assign(problem="")
    return pd.concat([bounds.assign(rank=(bounds["low"] + bounds["high"]) / 2, problems=1), means], ignore_index=True)


def chart_ranking(tables: Tables) -> list[Chart]:
    """One chart over all problems."""
    data = tabulate_ranks(tables)
    if data.empty:
        return []
    means = data[(data["problem"] == "") & (data["clock"] == "time")]
    told = ", ".join(
        f"{tables.optimizers[row['optimizer']].short} {row['rank']:.1f}" for row in list_rows(means.head(MOST))
    )
    caption = CAPTION + (f" Drawn are the best {MOST}." if len(means) > MOST else "")
    alt = f"Mean ranks per unit of time: {told}."
    return [Chart(KIND.name, KIND.title, caption, alt, data, partial(draw_ranking, tables, data))]


KIND = Kind("ranking", "Who is ahead, and how surely?", CAPTION, "two optimizers on one problem", chart_ranking)
