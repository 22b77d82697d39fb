"""Loss against time, one figure for each optimizer; and its logarithm to base t, which tends to −p."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..chart import Chart, Kind, tell_more
from ..findings import write_laws
from ..labels import slug
from ..looks import MARKERS, Look
from ..style import INK, WITH_POWERS, make_panels, place_legend, say_empty, set_powers
from ..tables import Tables, list_rows

GUIDE = Line2D([], [], color=INK, linestyle=(0, (5, 2.5)), linewidth=0.8, label="law by theory")
MOST_LINES = 24  # problems in one figure; the .csv has all
BESIDE = 12.0  # the factor by which it lies below what was measured
CAPTION = (
    "Left: the loss on logarithmic axes, the median over the seeds with the band that holds 80 % of them; a "
    "power law is a straight line, an exponential drops like a cliff. Dashed is theory: an exponential goes "
    "through the fitted constant, a power law lies beside the lines whose slope it gives. Right: the "
    "logarithm of the loss to base t. It tends to −p for a power law t^−p, but slowly, as log C / log t, "
    "and falls without bound for an exponential."
)
FloatArray = NDArray[np.float64]


def draw_band(axes: Axes, band: pd.DataFrame, look: Look, *, x: str = "time", y: str = "loss") -> None:
    """The median over the seeds as a line with markers, the 10–90 % quantiles as a band."""
    across, up = band[x].to_numpy(float), band[y].to_numpy(float)
    there = ~(np.isnan(across) | np.isnan(up))
    across, up = across[there], up[there]
    if y == "loss":
        fill_band(axes, across, band["low"].to_numpy(float)[there], band["high"].to_numpy(float)[there], look)
    # Markers spaced by length on the page, and out of step with those of the other lines.
    start = 0.02 + 0.16 * MARKERS.index(look.marker) / len(MARKERS)
    axes.plot(across, up, **look.line() | {"marker": ""})
    # Above all lines, or a neighbour's would cover them.
    axes.plot(across, up, markevery=(start, 0.16), zorder=3, **look.line() | {"linestyle": ""})


def fill_band(axes: Axes, x: FloatArray, low: FloatArray, high: FloatArray, look: Look) -> None:
    """What is between two lines, as `fill_between` does it; that spends most of its time on finding the limits."""
    outline = np.column_stack([np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])])
    axes.add_collection(PolyCollection([outline], color=look.color, alpha=0.2, linewidth=0), autolim=False)
    axes.update_datalim(outline)


def draw_guides(axes: Axes, bands: dict[str, pd.DataFrame], rows: pd.DataFrame) -> bool:
    """Theory's laws, dashed, for the problems that were found to obey them; False if there are none.

    An exponential goes through the fitted constant. Power laws of one exponent share one line beside theirs,
    that is below: on top of several parallel lines nobody would see it.
    """
    slopes: dict[float, list[float]] = {}
    guided = False
    for problem in rows.index.intersection(list(bands)):
        row, band = rows.loc[problem], bands[problem]
        rate = row["theory_value"]
        if row["law"] != row["theory_law"] or not np.isfinite([rate, row["value"], row["constant"]]).all():
            continue
        end = band["time"].iloc[-1]
        if row["law"] == "power":
            # A constant belongs to its fitted exponent: theory's line meets the fitted one at the end.
            slopes.setdefault(rate, []).append(row["constant"] * end ** (rate - row["value"]))
        elif row["law"] == "exponential":
            t = np.linspace(band["time"].iloc[0], end, 200)
            loss = row["constant"] * np.exp(-rate * t)
            seen = (loss >= band["loss"].min()) & (loss <= band["loss"].max())
            draw_dashed(axes, t[seen], loss[seen])
            guided = True
    end = max((band["time"].iloc[-1] for band in bands.values()), default=1.0)
    for rate, constants in slopes.items():
        t = np.geomspace(max(end / 1000, min(end / 10, end**0.5)), end, 2)  # where a law can have settled
        draw_dashed(axes, t, min(constants) * t**-rate / BESIDE)
        guided = True
    return guided


def draw_dashed(axes: Axes, t: FloatArray, loss: FloatArray) -> None:
    """A line of theory."""
    axes.plot(t, loss, color=INK, linestyle=GUIDE.get_linestyle(), linewidth=0.8, zorder=4)


def set_log_axes(axes: Axes, *, x: bool = True) -> None:
    """Logarithmic axes with at most about six labelled powers of ten on each."""
    if x:
        set_powers(axes, "x", most=7)
    set_powers(axes, "y", most=8)


def draw_logarithm(axes: Axes, bands: dict[str, pd.DataFrame], tables: Tables, rows: pd.DataFrame) -> None:
    """log_t L against t > 1, and dashed at −p where theory has a power law."""
    powers: set[float] = set()
    lowest: list[float] = []
    for problem, band in bands.items():
        late = band[band["time"] >= 2].copy()  # the base t tends to 1 below it
        if late.empty:
            continue
        late["log"] = np.log(late["loss"]) / np.log(late["time"])
        draw_band(axes, late, tables.problems[problem], y="log")
        for row in list_rows(rows.loc[rows.index == problem]):
            if row["law"] == "power":
                lowest.append(late["log"].iloc[3 * len(late) // 4 :].min())
                if row["theory_law"] == "power" and np.isfinite(row["theory_value"]):
                    powers.add(row["theory_value"])
    if not axes.lines:
        say_empty(axes, "no point after t = 1")
        return
    for power in powers:
        axes.axhline(-power, color=INK, linestyle=GUIDE.get_linestyle(), linewidth=0.8, zorder=4)
    set_powers(axes, "x", most=7)
    axes.yaxis.set_major_locator(MaxNLocator(7))
    if lowest:
        bottom, top = min([*lowest, *(-power for power in powers)]), axes.dataLim.y1
        axes.set_ylim(1.35 * bottom, min(top + 0.3, 1.0))
    axes.set_ylabel("logₜ L", **WITH_POWERS)
    axes.set_title("logarithm of the loss to base t")


def draw_convergence(tables: Tables, optimizer: str, width: float) -> Figure:
    """Both panels for one optimizer."""
    bands = {problem: tables.pair(problem, optimizer) for problem in list(tables.problems)[:MOST_LINES]}
    bands = {problem: band for problem, band in bands.items() if not band.empty}
    rows = tables.rows(optimizer)
    figure, (left, right) = make_panels(2, width=width, height=2.6)
    for problem, band in bands.items():
        draw_band(left, band, tables.problems[problem])
    guided = draw_guides(left, bands, rows)
    set_log_axes(left)
    left.set_ylabel("loss L")
    left.set_title(tables.optimizers[optimizer].name)
    draw_logarithm(right, bands, tables, rows)
    for axes in (left, right):
        axes.set_xlabel(tables.time_axis(optimizer))
    handles = [tables.problems[problem].handle() for problem in bands] + [GUIDE] * guided
    place_legend(figure, handles)
    return figure


def chart_convergence(tables: Tables) -> list[Chart]:
    """One chart for each optimizer."""
    charts: list[Chart] = []
    names: set[str] = set()
    more = tell_more(tables.problems, MOST_LINES, "problems")
    for optimizer, look in tables.optimizers.items():
        bands = tables.bands[tables.bands["optimizer"] == optimizer]
        if bands.empty:
            continue
        name = base = f"{KIND.name}-{slug(look.short)}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{base}-{copies}"
        names.add(name)
        laws = write_laws(tables, optimizer)
        charts.append(
            Chart(
                name,
                f"{KIND.title} under {look.short}",
                f"{laws} {'Read as the figure before.' if charts else CAPTION}{more}".strip(),
                f"Loss against time under {look.short}. {laws or 'No law was decided.'}",
                bands,
                partial(draw_convergence, tables, optimizer),
            )
        )
    return charts


KIND = Kind(
    "convergence", "Convergence", CAPTION, "a run that was recorded; there is a figure for each optimizer",
    chart_convergence,
)  # fmt: skip
