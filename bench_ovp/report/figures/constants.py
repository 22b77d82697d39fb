"""Constants and rates against a parameter of the problem, such as the number of students."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from matplotlib.transforms import ScaledTranslation

from ..chart import Chart, Kind, name_part, split_evenly
from ..labels import clip, shorten
from ..style import WITH_POWERS, make_panels, place_legend, set_powers, set_title
from ..sweeps import LEAST, find_sweeps
from ..tables import Tables, list_rows
from .convergence import GUIDE
from .slopes import spread

MOST, MOST_LEGEND = 6, 6  # panels of one figure; lines whose trends are written
BELOW = 0.4  # inches from a panel down to its legend
COLUMNS = (
    *("parameter", "family", "law", "optimizer", "problem", "at", "value", "low", "high", "p", "source"),
    *("theory_value", "trend", "trend_error"),
)
CAPTION = (
    "How a law depends on a parameter of the problem, on logarithmic axes, where a power of the parameter is a "
    "straight line. For power laws the constant C of C·t^−p, read at the end of each run as L·t^p with one p for a "
    "line: that of theory, or else the median of the fitted ones. For exponentials the rate c of e^−ct. Marks are "
    "medians over the seeds that follow the law; bars hold 80 % of the seeds for constants, and are the 95 % interval "
    "for rates. The power of each line is a least-squares fit. Dashed is theory, where it is known."
)


def tabulate_constants(tables: Tables) -> pd.DataFrame:
    """A row per sweep, law, optimizer and value of the parameter."""
    found: list[dict[str, Any]] = []
    following = tables.runs[tables.runs["law"] == "power"][["problem", "optimizer", "seed"]]
    usable = tables.traces[(tables.traces["time"] > 0) & (tables.traces["loss"] > 0)]
    ends = usable.groupby(["problem", "optimizer", "seed"], sort=False)[["time", "loss"]].last().reset_index()
    ends = ends.merge(following)
    for sweep in find_sweeps(tables.ranking, "problem"):
        rows = tables.ranking[tables.ranking["problem"].isin(list(sweep.members))]
        for (law, optimizer), own in rows.groupby(["law", "optimizer"], sort=False):
            if law not in ("power", "exponential") or own["problem"].nunique() < LEAST:
                continue
            own = own.assign(at=own["problem"].map(sweep.members)).sort_values("at")
            if law == "power":
                own = read_constants(own, ends[ends["optimizer"] == optimizer])
            else:
                own = own.assign(p=np.nan, source="fitted")
                own["theory_value"] = own["theory_value"].where(own["theory_law"] == law)
            if own["at"].nunique() >= LEAST and (own["at"] > 0).all() and (own["value"] > 0).all():
                shared = {"parameter": sweep.parameter, "family": sweep.label}
                found += list_rows(own.assign(**shared, **fit_trend(own)))
    data = pd.DataFrame(found, columns=list(COLUMNS))
    return data.sort_values("law", ascending=False, kind="stable", ignore_index=True)  # power laws first


def read_constants(rows: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    """Rows of power laws with their constants at one exponent, and what they differ by over the seeds.

    Args:
        rows: of the ranking, of one optimizer.
        ends: the last record of each run that follows the law: problem, time, loss.
    """
    known = rows.loc[(rows["theory_law"] == "power") & np.isfinite(rows["theory_value"]), "theory_value"]
    p = float(known.iloc[0]) if len(known) == len(rows) and known.nunique() == 1 else float(rows["value"].median())
    constants = (ends["loss"] * ends["time"] ** p).groupby(ends["problem"])
    there = {problem: spread(values.to_numpy()) for problem, values in constants}
    rows = rows[rows["problem"].isin(list(there))]
    read = pd.DataFrame(
        [there[problem] for problem in rows["problem"]], index=rows.index, columns=["value", "low", "high"]
    )
    return rows.assign(p=p, source="theory" if len(known) else "fitted", theory_value=np.nan, **read)


def fit_trend(rows: pd.DataFrame) -> dict[str, float]:
    """The power of the parameter that the medians follow, and its standard error."""
    x, y = np.log(rows["at"].to_numpy(dtype=float)), np.log(rows["value"].to_numpy(dtype=float))
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    rest = y - y.mean() - slope * x
    return {"trend": slope, "trend_error": float(np.sqrt(rest @ rest / max(1, len(x) - 2) / (x @ x)))}


def draw_line(axes: Axes, line: pd.DataFrame, tables: Tables, parameter: str) -> Line2D:
    """One optimizer, and its entry of the legend."""
    first = line.iloc[0]
    look = tables.optimizers[first["optimizer"]]
    axes.vlines(line["at"], line["low"], line["high"], color=look.color, linewidth=1.2, alpha=0.6)
    axes.plot(line["at"], line["value"], **look.line())
    known = line[np.isfinite(line["theory_value"])]
    axes.plot(known["at"], known["theory_value"], color=GUIDE.get_color(), linestyle=GUIDE.get_linestyle(),
              linewidth=0.8, zorder=4)  # fmt: skip
    handle = look.handle()
    trend = f"{first['trend']:.2f}".replace("-", "−")
    handle.set_label(f"{look.name}: {parameter} to the {trend}")
    return handle


def draw_constants(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """A panel for each sweep and law, with a legend of its own that has the trends, unless there are many lines."""
    groups = list(data.groupby(["family", "parameter", "law"], sort=False))
    short = shorten(list(dict.fromkeys(data["family"])))
    most = max(panel["optimizer"].nunique() for _, panel in groups)
    own = most <= MOST_LEGEND
    figure, panels = make_panels(len(groups), width=width, height=1.9 + 0.15 * most * own, dense=not own)
    for axes, ((family, parameter, law), panel) in zip(panels, groups, strict=True):
        handles = [draw_line(axes, line, tables, str(parameter)) for _, line in panel.groupby("optimizer", sort=False)]
        if np.isfinite(panel["theory_value"]).any():
            handles.append(GUIDE)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(choose_ticks(sorted(set(panel["at"])))))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
        set_powers(axes, "y", most=6, plain=True)
        axes.set_ylim(panel["low"].min() / 1.6, panel["high"].max() * 1.6)
        set_title(axes, clip(short[str(family)]))
        axes.set_xlabel(str(parameter))
        axes.set_ylabel("constant C of C·t⁻ᵖ" if law == "power" else "rate c of e⁻ᶜᵗ", **WITH_POWERS)
        if own:
            below = axes.transAxes + ScaledTranslation(0.0, -BELOW, figure.dpi_scale_trans)
            axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=below,
                        borderaxespad=0.0)  # fmt: skip
    if not own:
        drawn = set(data["optimizer"])
        shown = [look.handle() for label, look in tables.optimizers.items() if label in drawn]
        place_legend(figure, shown + [GUIDE] * bool(np.isfinite(data["theory_value"]).any()))
    return figure


def choose_ticks(values: list[float], most: int = 9) -> list[float]:
    """Those of some ascending values that have room on a logarithmic axis, the first and the last among them."""
    least = (values[-1] / values[0]) ** (1 / most)
    chosen = [values[0]]
    for value in values[1:-1]:
        if value / chosen[-1] >= least and values[-1] / value >= least:
            chosen.append(value)
    return [*chosen, values[-1]]


def chart_constants(tables: Tables) -> list[Chart]:
    """One chart with a panel for each sweep and law."""
    data = tabulate_constants(tables)
    if data.empty:
        return []
    panels = data[["family", "parameter", "law"]].drop_duplicates()
    parts = split_evenly(list(panels.itertuples(index=False)), MOST)
    charts = []
    for place, wanted in enumerate(parts, start=1):
        part = data.merge(pd.DataFrame(wanted))
        told = "; ".join(
            f"{'constant' if row.law == 'power' else 'rate'} of {row.family} under {row.optimizer}, "
            f"{row.parameter} to the {row.trend:.2f}"
            for row in part.drop_duplicates([*panels.columns, "optimizer"]).head(20).itertuples()
        )
        name, title = name_part(KIND, place, len(parts))
        charts.append(Chart(name, title, CAPTION, f"{told}.", part, partial(draw_constants, tables, part)))
    return charts


KIND = Kind(
    "constants",
    "How does the constant grow?",
    CAPTION,
    f"a law at {LEAST} values of a parameter of a problem, such as n: [2, 5, 10]",
    chart_constants,
)
