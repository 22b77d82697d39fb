"""Measured laws against those of theory: a forest of intervals, exponents apart from rates."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from ..chart import Chart, Kind, name_part
from ..labels import clip, count_decimals, write_number
from ..margins import Margins
from ..style import INK, QUIET, WITH_POWERS, Powers, measure_panel, measure_row, place_legend, wrap_name
from ..tables import Tables, list_rows

BESIDE = 6.2  # inches, from which on both kinds have room beside each other
LINE, BOLD = 0.135, 0.07  # inches: a row, and a letter of a heading
MOST_LINES = 45  # of a panel; what is more goes to a figure of its own
KINDS = {"power": "power laws: p of t⁻ᵖ", "exponential": "exponentials: c of e⁻ᶜᵗ"}
CAPTION = (
    "Each dot is the law measured for one pair, the median over its seeds, with its 95 % interval; a "
    "vertical tick is the value that theory gives. Theory is met where the tick crosses the interval. "
    "Numbers on the right repeat value and interval; an arrow points to a value outside the axis. Values "
    "under optimizers whose time counts differently do not compare."
)


def draw_forest(axes: Axes, tables: Tables, rows: pd.DataFrame, law: str, lines: float, room: float) -> None:
    """One line per pair under the name of its optimizer; names of problems in `room` inches."""
    low, high = choose_limits(rows, law)
    at, ticks, names = 0.0, [], []
    for optimizer, look in tables.optimizers.items():
        part = rows[rows["optimizer"] == optimizer]
        if part.empty:
            continue
        letters = int((measure_panel(axes) - room) / BOLD)
        axes.text(0, at, clip(look.short, letters), transform=axes.get_yaxis_transform(), ha="left", va="center",
                  fontsize=7, fontweight="bold", backgroundcolor="white").set_in_layout(False)  # fmt: skip
        at += 1
        for row in list_rows(part.sort_values("order")):
            names.append(wrap_name(tables.problems[row["problem"]].name, room))
            half = (measure_row(names[-1]) - 1) / 2
            ticks.append(at + half)
            draw_row(axes, ticks[-1], row, look.color, low, high)
            at += 1 + 2 * half
    axes.set_ylim(lines - 0.3, -0.7)
    axes.set_yticks(ticks, names, linespacing=0.95)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    if law == "exponential":
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(Powers(5))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.set_xlim(low, high)
    axes.set_title(KINDS[law], **WITH_POWERS)


def choose_limits(rows: pd.DataFrame, law: str) -> tuple[float, float]:
    """Around theory's values and what is close to them; around everything where there is no theory."""
    known = rows[(rows["theory_law"] == law) & np.isfinite(rows["theory_value"])]
    values = [rows["value"], known["theory_value"]]
    if law == "power" and not known.empty:
        close = rows["value"].between(0.85 * known["theory_value"].min(), 1.15 * known["theory_value"].max())
        values = [rows.loc[close, "value"], known["theory_value"]]
    bounds = pd.concat(values)
    low, high = float(bounds.min()), float(bounds.max())
    if law == "exponential":
        return low / 1.35, high * 1.35
    margin = max(0.12 * (high - low), 0.05 * high)
    return low - margin, high + margin


def draw_row(axes: Axes, place: float, row: dict[str, Any], color: str, low: float, high: float) -> None:
    """Interval, dot, theory's tick, and the numbers beside them."""
    value, bounds = row["value"], (row["low"], row["high"])
    theory = row["theory_value"] if row["theory_law"] == row["law"] else np.nan
    decimals = count_decimals(value, *bounds)
    if low <= value <= high:
        axes.plot(
            np.clip(bounds, low, high),
            [place, place],
            color=color,
            linewidth=1.8,
            alpha=0.55,
            solid_capstyle="butt",
        )
        axes.plot([value], [place], "o", color=color, markersize=3.2, markeredgewidth=0)
    else:
        edge = high if value > high else low
        axes.plot([edge], [place], ">" if value > high else "<", color=color, markersize=4.5, clip_on=False)
    if np.isfinite(theory):
        axes.plot([theory], [place], "|", color=INK, markersize=7, markeredgewidth=1.0, zorder=4)
    numbers = [write_number(number, decimals) for number in (value, *bounds)]
    text = f"{numbers[0]}  [{numbers[1]}, {numbers[2]}]" if np.isfinite(bounds).all() else numbers[0]
    axes.text(1.06, place, text, transform=axes.get_yaxis_transform(), ha="left", va="center",
              fontsize=7, color=QUIET)  # fmt: skip


def draw_laws(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """Exponents left, rates right; one above the other in a narrow figure."""
    kinds = [law for law in KINDS if (data["law"] == law).any()]
    parts = [data[data["law"] == law] for law in kinds]
    stacked = width < BESIDE
    room = (0.33 if stacked else 0.24) * width
    rows = {problem: measure_row(wrap_name(tables.problems[problem].name, room)) for problem in data["problem"]}
    counts = [part["problem"].map(rows).sum() + part["optimizer"].nunique() for part in parts]
    heights = [LINE * count + 0.1 for count in counts]
    height = (sum(heights) + 0.6 * len(kinds)) if stacked else max(heights) + 0.6
    figure = Figure(figsize=(width, height), layout=Margins())
    if stacked:
        panels = figure.subplots(len(kinds), 1, squeeze=False, height_ratios=heights).ravel()
    else:
        panels = figure.subplots(1, len(kinds), squeeze=False).ravel()
    for axes, law, part, count in zip(panels, kinds, parts, counts, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        draw_forest(axes, tables, part, law, count if stacked else max(counts), room)
    measured = Line2D([], [], color=QUIET, marker="o", linewidth=1.8, markersize=3.2, label="measured, 95 % interval")
    theory = Line2D([], [], color=INK, marker="|", linestyle="", markersize=8, label="theory")
    place_legend(figure, [measured, theory])
    return figure


def split_rows(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows in parts of which no panel has more than MOST_LINES, an optimizer's own together where they fit."""
    parts: list[list[int]] = [[]]
    lines = dict.fromkeys(KINDS, 0)
    for _, own in rows.groupby("optimizer", sort=False):
        for start in range(0, len(own), MOST_LINES - 1):
            piece = own.iloc[start : start + MOST_LINES - 1]
            counts = piece["law"].value_counts() + 1  # its name is a line of its own
            if any(lines[law] + counts.get(law, 0) > MOST_LINES for law in KINDS):
                parts.append([])
                lines = dict.fromkeys(KINDS, 0)
            parts[-1] += list(piece.index)
            lines = {law: count + counts.get(law, 0) for law, count in lines.items()}
    return [rows.loc[part] for part in parts if part]


def chart_laws(tables: Tables) -> list[Chart]:
    """One chart with exponents and rates, or several where they are many."""
    data = tables.ranking[tables.ranking["law"].isin(list(KINDS)) & np.isfinite(tables.ranking["value"])]
    rows, columns = list(tables.problems).index, list(tables.optimizers).index
    data = data.assign(order=data["problem"].map(rows), column=data["optimizer"].map(columns))
    parts = split_rows(data.sort_values(["column", "order"], kind="stable", ignore_index=True))
    kept = ["problem", "optimizer", "law", "value", "low", "high", "share", "theory_law", "theory_value"]
    charts = []
    for place, part in enumerate(parts, start=1):
        charts.append(
            Chart(
                *name_part(KIND, place, len(parts)),
                CAPTION if place == 1 else "Read as the first part.",
                f"Intervals of {(part['law'] == 'power').sum()} exponents and "
                f"{(part['law'] == 'exponential').sum()} rates beside the values of theory; the table of the "
                "ranking lists the same numbers.",
                part[[*kept, "theory_source", "agrees"]],
                partial(draw_laws, tables, part),
            )
        )
    return charts


KIND = Kind("laws", "Measured against theory", CAPTION, "a pair that follows a power law or an exponential", chart_laws)
