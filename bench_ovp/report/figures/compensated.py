"""L·t^p against t: flat where the power law holds, and its height is the constant."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..chart import Chart, Kind, chart_parts, tell_more
from ..labels import write_number
from ..style import WITH_POWERS, make_panels, place_legend, set_label, set_powers, set_title
from ..tables import Tables, list_rows
from .convergence import draw_band

MOST, MOST_LINES = 12, 24  # panels of one figure, and problems: the first
CAPTION = (
    "The loss times t^p, for the pairs that follow a power law. A flat line means that the law holds; its "
    "height is the constant C of C·t^−p. A line that still tilts has not settled: its exponent differs from "
    "p, or is still on its way. p is theory's exponent where there is one, and the fitted exponent "
    "elsewhere, as each panel says."
)


class Exponent(NamedTuple):
    """The p that compensates one pair, and where it is from."""

    value: float
    source: str


def choose_exponent(row: dict[str, Any]) -> Exponent | None:
    """Theory's exponent if theory has a power law, else the fitted one; None if the law is another."""
    if row["law"] != "power":
        return None
    if row["theory_law"] == "power" and np.isfinite(row["theory_value"]):
        return Exponent(float(row["theory_value"]), "theory")
    return Exponent(float(row["value"]), "fitted") if np.isfinite(row["value"]) else None


def compensate(tables: Tables) -> pd.DataFrame:
    """The bands of all power laws, from t = 1 on, times t^p."""
    frames = []
    for row in list_rows(tables.ranking[tables.ranking["problem"].isin(list(tables.problems)[:MOST_LINES])]):
        exponent = choose_exponent(row)
        band = tables.pair(row["problem"], row["optimizer"])
        band = band[band["time"] >= 1]
        if exponent and not band.empty:
            factor = band["time"] ** exponent.value
            scaled = {name: band[name] * factor for name in ("loss", "low", "high")}
            frames.append(band.assign(**scaled, p=exponent.value, source=exponent.source))
    if not frames:
        return tables.bands.iloc[:0].assign(p=np.nan, source="")
    data = pd.concat(frames, ignore_index=True)
    order = {label: place for place, label in enumerate(tables.optimizers)}
    return data.sort_values("optimizer", key=lambda labels: labels.map(order), kind="stable", ignore_index=True)


def name_exponents(panel: pd.DataFrame) -> str:
    """`p = 3 (theory)`, or the range of the fitted exponents."""
    told = []
    for source, part in panel.groupby("source", sort=False):
        low, high = part["p"].min(), part["p"].max()
        if source == "theory":
            values = sorted({f"{value:.4g}" for value in part["p"]})
        else:
            values = sorted({write_number(low, 2), write_number(high, 2)})
        told.append(f"p = {' to '.join(values)} ({source})")
    return ", ".join(told)


def draw_compensated(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """A panel for each optimizer that has power laws."""
    optimizers = list(data["optimizer"].unique())
    figure, panels = make_panels(len(optimizers), width=width, height=1.95, columns=3)
    for axes, optimizer in zip(panels, optimizers, strict=True):
        panel = data[data["optimizer"] == optimizer]
        for problem, band in panel.groupby("problem", sort=False):
            draw_band(axes, band, tables.problems[str(problem)])
        set_powers(axes, "x", most=6)
        set_powers(axes, "y", most=6)
        late = panel[panel["time"] >= np.sqrt(panel["time"].max())]
        axes.set_ylim(late["low"].min() / 6, late["high"].max() * 6)
        set_title(axes, tables.optimizers[optimizer].name, name_exponents(panel))
        set_label(axes, tables.time_axis(optimizer))
        axes.set_ylabel("L tᵖ", style="italic", **WITH_POWERS)
    shown = [tables.problems[label].handle() for label in tables.problems if label in set(data["problem"])]
    place_legend(figure, shown)
    return figure


def chart_compensated(tables: Tables) -> list[Chart]:
    """One chart with a panel for each optimizer."""
    more = tell_more(tables.problems, MOST_LINES, "problems")

    def describe(part: pd.DataFrame) -> str:
        count = part.groupby(["problem", "optimizer"]).ngroups
        return f"Loss times t to the p against time for {count} pairs that follow a power law."

    draw = partial(draw_compensated, tables)
    return chart_parts(KIND, compensate(tables), "optimizer", tables.optimizers, MOST, draw, describe, more)


KIND = Kind("compensated", "Does the power law hold?", CAPTION, "a pair that follows a power law", chart_compensated)
