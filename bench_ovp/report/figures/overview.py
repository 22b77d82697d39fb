"""The law of every pair at a glance: colour says which, text says how fast."""

from functools import partial
from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ..chart import Chart, Kind
from ..labels import count_decimals, write_law, write_number
from ..margins import Margins
from ..style import INK, LAWS, brightness, draw_formula, place_legend, wrap_name
from ..tables import Tables, list_rows

CAPTION = (
    "One tile per pair of problem (row) and optimizer (column). Colour is the law: the bluer, the faster. "
    "The text is the law as measured, the median over the seeds, or where there is little room only its exponent or "
    "rate; a second line gives the share of seeds that follow it, where not all do. A question mark is a pair whose "
    "law could not be decided; an empty place was not run."
)

WIDE = 0.6  # inches that a formula needs


def write_tile(row: dict[str, Any], room: float) -> str:
    """What a tile of `room` inches says: the formula, or only its number where the formula does not fit."""
    law, value = row["law"], row["value"]
    if law in ("power", "exponential") and np.isfinite(value):
        decimals = count_decimals(value, row["low"], row["high"])
        number = write_number(value, min(decimals, 3 if room > WIDE else 2))
        formula = f"t^−{number}" if law == "power" else f"exp(−{number} t)"
        text = formula if room > WIDE else number
    else:
        text = {"superexponential": "faster", "diverged": "diverges", "stalled": "stalls"}.get(law, "?")
    return text


def draw_overview(tables: Tables, width: float) -> Figure:
    """Tiles, with problems as rows and optimizers as columns."""
    problems, optimizers = list(tables.problems), list(tables.optimizers)
    names = [wrap_name(tables.problems[problem].name, 0.36 * width) for problem in problems]
    room = (width - 0.055 * max(len(line) for name in names for line in name.split("\n")) - 0.1) / len(optimizers)
    columns = [tables.optimizers[optimizer].name for optimizer in optimizers]
    broken = [name.replace("-", "-\n").replace(" ", "\n") for name in columns]
    upright = 0.06 * max(len(part) for name in broken for part in name.split("\n")) > room
    columns = [wrap_name(name, 1.5) if room > 0.3 else name for name in columns] if upright else broken
    head = max(0.05 * max(map(len, name.split("\n"))) if upright else 0.12 * (1 + name.count("\n")) for name in columns)
    figure = Figure(
        figsize=(width, max(0.33, *(0.12 * (1 + name.count("\n")) for name in names)) * len(problems) + head + 0.2),
        layout=Margins(),
    )
    axes = figure.subplots()
    seen = set()
    tiles = []
    for row in list_rows(tables.ranking):
        x, y = optimizers.index(row["optimizer"]), problems.index(row["problem"])
        law = row["law"] if row["law"] in LAWS else "undecided"
        seen.add(law)
        tiles.append(Rectangle((x + 0.02, y + 0.04), 0.96, 0.92, facecolor=LAWS[law]))
        dark = brightness(LAWS[law]) < 0.5
        if room > 0.22:
            shared = row["share"] < 1 and law != "undecided"
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": "white" if dark else INK}
            size = 9 if room > WIDE else 7
            draw_formula(axes, x + 0.5, y + (0.36 if shared else 0.5), write_tile(row, room), size=size, **style)
            if shared:
                axes.text(x + 0.5, y + 0.75, f"{row['share']:.0%}", fontsize=7, **style)
        elif room > 0.1:  # across its tile there is no room, but along it
            color = "white" if dark else INK
            axes.text(x + 0.5, y + 0.5, write_tile(row, room)[:4], fontsize=5.5, rotation=90, ha="center", va="center",
                      color=color)  # fmt: skip
    axes.add_collection(PatchCollection(tiles, match_original=True, linewidths=0))
    axes.set_xlim(0, len(optimizers))
    axes.set_ylim(len(problems), 0)
    axes.set_yticks(np.arange(len(problems)) + 0.5, names, linespacing=0.95)
    axes.set_xticks(np.arange(len(optimizers)) + 0.5, columns, rotation=90 if upright else 0)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    handles = [
        Line2D([], [], linestyle="", marker="s", markersize=7, color=color, markeredgecolor="#999999", label=law)
        for law, color in LAWS.items()
        if law in seen
    ]
    place_legend(figure, handles)
    return figure


def chart_overview(tables: Tables) -> list[Chart]:
    """One chart of all pairs."""
    if tables.ranking.empty:
        return []
    laws = [
        f"{tables.problems[row['problem']].short} under {tables.optimizers[row['optimizer']].short}: "
        f"{write_law(row['law'], row['value'], row['low'], row['high'])}"
        for row in list_rows(tables.ranking)
    ]
    columns = ["problem", "optimizer", "law", "value", "low", "high", "constant", "share", "seeds"]
    return [
        Chart(
            KIND.name,
            KIND.title,
            CAPTION,
            f"Tiles. {'; '.join(laws[:60])}.",
            tables.ranking[columns],
            partial(draw_overview, tables),
        )
    ]


KIND = Kind("overview", "The law of every pair", CAPTION, "a pair that was measured", chart_overview)
