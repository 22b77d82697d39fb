"""What a loss costs: evaluations to reach each target, and how far those came that never did."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..chart import Chart, Kind, chart_parts
from ..margins import Margins
from ..style import QUIET, WITH_POWERS, is_narrow, place_legend, set_powers, wrap_name, write_power
from ..tables import TARGET, Tables

CAPTION = (
    "Evaluations of the gradient, or their equal, until the loss is below the target: the median over the "
    "seeds, further left is better. A hollow triangle is a pair whose median run never got there: it stands "
    "where the run ended, and the true number, if there is one, lies to its right. Such pairs are shown, "
    "not dropped."
)
MOST = 12  # problems of one figure
LANE = 0.066  # inches between two optimizers of one problem


def measure_evaluations(tables: Tables) -> pd.DataFrame:
    """A row per pair and target: evaluations, and whether that is only a lower bound."""
    spent = tables.runs.groupby(["problem", "optimizer"])["evaluations"].median()
    frames = []
    for column, target in tables.targets.items():
        part = tables.ranking[["problem", "optimizer"]].copy()
        pairs = pd.MultiIndex.from_frame(part)
        reached = np.isfinite(tables.ranking[column])
        bound = pd.Series(spent.reindex(pairs).to_numpy(), index=part.index)
        part = part.assign(target=target, evaluations=tables.ranking[column].where(reached, bound), censored=~reached)
        frames.append(part)
    if not frames:
        return pd.DataFrame(columns=["problem", "optimizer", "target", "evaluations", "censored"])
    return pd.concat(frames, ignore_index=True)


def draw_evaluations(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """A panel per target, a row per problem, a lane per optimizer."""
    narrow = is_narrow(width)
    targets = sorted(data["target"].unique(), reverse=True)
    problems = [problem for problem in tables.problems if problem in set(data["problem"])]
    optimizers = [optimizer for optimizer in tables.optimizers if optimizer in set(data["optimizer"])]
    lane = LANE if len(optimizers) <= 6 else max(0.03, 6 * LANE / len(optimizers))
    names = [wrap_name(tables.problems[problem].name, 0.36 * width) for problem in problems]
    row = max(lane * len(optimizers) + 0.08, *(0.12 * (1 + name.count("\n")) for name in names))
    panel = row * len(problems)
    rows = len(targets) if narrow else 1
    figure = Figure(figsize=(width, rows * (panel + 0.35) + 0.2), layout=Margins())
    panels = figure.subplots(rows, len(targets) // rows, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, target in zip(panels, targets, strict=True):
        axes.spines[["top", "right", "left"]].set_visible(False)
        for y in range(0, len(problems), 2):
            axes.axhspan(y - 0.5, y + 0.5, color="#f6f6f6", linewidth=0, zorder=0)
        part = data[data["target"] == target]
        for track, optimizer in enumerate(optimizers):
            look = tables.optimizers[optimizer]
            shift = (track - (len(optimizers) - 1) / 2) * lane / row
            own = part[part["optimizer"] == optimizer]
            y = own["problem"].map({problem: place + shift for place, problem in enumerate(problems)})
            done = ~own["censored"].astype(bool)
            axes.plot(own["evaluations"][done], y[done], look.marker, color=look.color, markersize=look.size,
                      markeredgecolor="white", markeredgewidth=0.4)  # fmt: skip
            axes.plot(own["evaluations"][~done], y[~done], ">", color=look.color, markersize=3.6,
                      markerfacecolor="white", markeredgewidth=0.8)  # fmt: skip
        set_powers(axes, "x", most=6)
        axes.set_ylim(len(problems) - 0.5, -0.5)
        axes.set_yticks(range(len(problems)), names, linespacing=0.95)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        exponent = np.log10(target)
        named = write_power(target) if exponent == round(exponent) else f"{target:g}"
        axes.set_title(f"loss below {named}", **WITH_POWERS)
    for axes in panels[-1:] if narrow else panels:
        axes.set_xlabel("evaluations")
    handles = [tables.optimizers[optimizer].handle(lined=False) for optimizer in optimizers]
    never = Line2D([], [], color=QUIET, marker=">", markerfacecolor="white", linestyle="", markersize=3.6,
                   label="not reached by then")  # fmt: skip
    place_legend(figure, handles + [never] * bool(data["censored"].any()))
    return figure


def chart_evaluations(tables: Tables) -> list[Chart]:
    """One chart with a panel for each target."""
    data = measure_evaluations(tables)
    data = data[data["evaluations"] > 0]

    def describe(part: pd.DataFrame) -> str:
        reached = int((~part["censored"].astype(bool)).sum())
        return (
            f"Evaluations to reach {len(tables.targets)} targets; {reached} of {len(part)} pairs and "
            f"targets were reached. The columns {TARGET}… of the ranking list the same numbers."
        )

    return chart_parts(KIND, data, "problem", tables.problems, MOST, partial(draw_evaluations, tables), describe)


KIND = Kind("evaluations", "What a loss costs", CAPTION, "evaluations to reach a loss", chart_evaluations)
