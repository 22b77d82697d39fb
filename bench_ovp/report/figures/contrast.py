"""The opening figure: an exponential and a power law under one optimizer, on axes that straighten each."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..chart import Chart, Kind
from ..findings import Contrast, choose_contrast
from ..labels import name_together, write_law
from ..style import draw_formula, is_narrow, make_panels, place_legend
from ..tables import Tables
from .convergence import GUIDE, draw_band, draw_guides, set_log_axes

CAPTION = (
    "The same data twice. On the left both axes are logarithmic: a power law is a straight line with "
    "slope −p, an exponential falls off a cliff. On the right time is linear: an exponential is a "
    "straight line, a power law lies flat on top. Lines are medians over the seeds, bands hold 80 % of "
    "them. Dashed is theory: through the fitted constant for the exponential, beside the lines for the "
    "slope of the power law."
)


def draw_contrast(tables: Tables, contrast: Contrast, width: float) -> Figure:
    """Left, on logarithmic axes, a power law is straight; right, over linear time, an exponential is."""
    narrow = is_narrow(width)
    figure, (left, right) = make_panels(2, width=width, height=2.55, sharey=not narrow)
    rows = tables.rows(contrast.optimizer)
    shown = (contrast.exponential, *contrast.powers)
    bands = {problem: tables.pair(problem, contrast.optimizer) for problem in shown}
    bands = {problem: band for problem, band in bands.items() if not band.empty}
    fast = bands.get(contrast.exponential, pd.DataFrame())
    window = 1.7 * fast["time"].iloc[-1] if len(fast) else np.inf
    for problem, band in bands.items():
        for axes in (left, right):
            part = band[band["time"] <= window] if axes is right else band
            if not part.empty:
                draw_band(axes, part, tables.problems[problem])
    guided = draw_guides(left, bands, rows)
    draw_guides(right, {contrast.exponential: fast} if len(fast) else {}, rows)
    set_log_axes(left)
    set_log_axes(right, x=False)
    name = tables.optimizers[contrast.optimizer].name
    left.set_ylabel(f"loss L under {name}" if len(name) < 24 else f"loss L under\n{name}")
    right.set_ylabel("loss L" if narrow else "")
    left.set_title("logarithmic time: a power law is straight")
    right.set_title("linear time: an exponential is straight")
    for axes in (left, right):
        axes.set_xlabel(tables.time_axis(contrast.optimizer))
    name_laws(left, right, bands, tables, contrast)
    handles = [tables.problems[problem].handle() for problem in bands] + [GUIDE] * guided
    place_legend(figure, handles)
    return figure


def name_laws(left: Axes, right: Axes, bands: dict[str, pd.DataFrame], tables: Tables, contrast: Contrast) -> None:
    """The measured formulas, in their colour, where both panels are free: left of a cliff, above a slope."""
    rows, end = tables.rows(contrast.optimizer), right.get_xlim()[1]
    if contrast.exponential in bands:
        band = bands[contrast.exponential]
        text = write_measured(rows.loc[[contrast.exponential]])
        color = tables.problems[contrast.exponential].ink
        middle = np.sqrt(band["loss"].iloc[-1] * band["loss"].iloc[0])
        time = np.interp(-np.log(middle), -np.log(band["loss"]), band["time"])
        for axes, place in ((left, time / 1.35), (right, time - 0.04 * end)):
            draw_formula(axes, place, middle, text, ha="right", va="top", size=10, color=color)
    powers = [problem for problem in contrast.powers if problem in bands]
    if powers:
        text = write_measured(rows.loc[powers])
        color = tables.problems[powers[len(powers) // 2]].ink
        tops = pd.concat([bands[problem] for problem in powers])
        time = np.sqrt(tops["time"].max())
        near = tops[tops["time"].between(time / 1.2, time * 1.2)]
        draw_formula(left, time * 1.6, near["high"].max(), text, ha="left", va="bottom", size=10, color=color)
        late = tops[tops["time"].between(0.6 * end, end)]
        if len(late):
            draw_formula(right, 0.97 * end, late["low"].min() / 30, text, ha="right", va="top", size=10, color=color)


def write_measured(rows: pd.DataFrame) -> str:
    """The law of rows that share it."""
    middle = rows[["value", "low", "high"]].median()
    return write_law(rows["law"].iloc[0], middle["value"], middle["low"], middle["high"])


def chart_contrast(tables: Tables) -> list[Chart]:
    """The opening chart."""
    contrast = choose_contrast(tables)
    if contrast is None:
        return []
    shown = (contrast.exponential, *contrast.powers)
    bands = tables.bands[(tables.bands["optimizer"] == contrast.optimizer) & tables.bands["problem"].isin(shown)]
    if bands.empty:
        return []
    short = {label: look.short for label, look in tables.problems.items()}
    optimizer = tables.optimizers[contrast.optimizer].short
    alt = (
        f"Loss against time under {optimizer}: {short[contrast.exponential]} falls exponentially, "
        f"{name_together(contrast.powers, short)} along straight lines on logarithmic axes."
    )
    title = f"{KIND.title}, under {optimizer}"
    return [Chart(KIND.name, title, CAPTION, alt, bands, partial(draw_contrast, tables, contrast))]


KIND = Kind(
    "contrast",
    "Exponential or power law",
    CAPTION,
    "an optimizer that falls exponentially on one problem and like a power on another",
    chart_contrast,
)
