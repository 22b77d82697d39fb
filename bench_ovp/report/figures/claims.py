"""The figures beside the claims: what each group of them is about, against time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...claims import Diagram
from ...claims.verdicts import Drawing
from ..chart import Chart, Kind
from ..looks import assign_looks
from ..style import make_panels, place_legend, set_label, set_powers, set_title
from ..tables import Tables
from .convergence import draw_band

MOST = 9  # problems in one figure; its .csv has all
COLUMNS = ("panel", "problem", "optimizer", "time", "value", "low", "high", "runs")


class Sheet(NamedTuple):
    """What a diagram draws: medians over the seeds, and marked times."""

    data: pd.DataFrame
    marks: pd.DataFrame


def gather_sheet(drawings: Sequence[Drawing]) -> Sheet:
    """The median over the seeds with the band of 80 % of them, at every time that seeds share."""
    frames = [pd.DataFrame(columns=COLUMNS)]
    marks = []
    for drawing in drawings:
        lines = pd.concat(
            [pd.DataFrame({"panel": line.panel, "time": line.time, "value": line.value}) for line in drawing.lines]
        )
        usable = lines[(lines["time"] > 0) & (lines["value"] > 0) & np.isfinite(lines["value"])]
        shared = usable.groupby(["panel", "time"], sort=False)["value"]
        band = shared.quantile([0.1, 0.5, 0.9]).unstack().rename(columns={0.1: "low", 0.5: "value", 0.9: "high"})
        band = band.assign(runs=shared.size()).reset_index().sort_values(["panel", "time"])
        frames.append(band.assign(problem=drawing.problem, optimizer=drawing.optimizer))
        marks += [(drawing.problem, drawing.optimizer, name, time) for name, time in drawing.marks.items()]
    data = pd.concat([frame for frame in frames[1:] if not frame.empty] or frames)[list(COLUMNS)]
    return Sheet(data, pd.DataFrame(marks, columns=["problem", "optimizer", "mark", "time"]))


def draw_diagram(tables: Tables, diagram: Diagram, sheet: Sheet, width: float) -> Figure:
    """A row of panels for each optimizer."""
    optimizers = [label for label in tables.optimizers if label in set(sheet.data["optimizer"])]
    problems = [label for label in tables.problems if label in set(sheet.data["problem"])][:MOST]
    places = [(optimizer, panel) for optimizer in optimizers for panel in diagram.panels]
    # The colours of other figures, unless they are stretched over many more problems than are drawn here.
    looks = tables.problems if len(tables.problems) <= MOST else assign_looks(problems)
    figure, panels = make_panels(len(places), width=width, height=2.1)
    for axes, (optimizer, panel) in zip(panels, places, strict=True):
        own = sheet.data[(sheet.data["optimizer"] == optimizer) & (sheet.data["panel"] == panel)]
        for problem in problems:
            band = own[own["problem"] == problem].rename(columns={"value": "loss"})
            if not band.empty:
                draw_band(axes, band, looks[problem])
        set_powers(axes, "x", most=6)
        set_powers(axes, "y", most=6, plain=True)
        marks = sheet.marks[sheet.marks["optimizer"] == optimizer]
        for problem, name, time in zip(marks["problem"], marks["mark"], marks["time"], strict=True):
            if problem in problems:
                height = 0.05 * (1 + list(marks["mark"].unique()).index(name))
                color = looks[problem].color
                axes.plot([time, time], [0, height], color=color, linewidth=1, transform=axes.get_xaxis_transform())
        if len(optimizers) > 1 or len(diagram.panels) == 1:
            set_title(axes, tables.optimizers[optimizer].name)
        set_label(axes, tables.time_axis(optimizer))
        axes.set_ylabel(diagram.panels[panel])
    place_legend(figure, [looks[problem].handle() for problem in problems])
    return figure


def chart_claims(tables: Tables) -> list[Chart]:
    """A chart for each diagram that has something to show."""
    grouped: dict[str, list[Drawing]] = {}
    for drawing in tables.drawings:
        grouped.setdefault(drawing.diagram.name, []).append(drawing)
    charts = []
    for own in grouped.values():
        diagram, sheet = own[0].diagram, gather_sheet(own)
        if sheet.data.empty:
            continue
        count = sheet.data["problem"].nunique()
        shown = f" Drawn are the first {MOST} of {count} problems." if count > MOST else ""
        data = pd.concat(
            [sheet.data, sheet.marks.rename(columns={"mark": "panel"})] if len(sheet.marks) else [sheet.data]
        )
        charts.append(
            Chart(
                diagram.name,
                diagram.title,
                diagram.caption + shown,
                f"{' and '.join(diagram.panels.values())} against time, for {count} problems.",
                data,
                partial(draw_diagram, tables, diagram, sheet),
            )
        )
    return charts


KIND = Kind(
    "claims",
    "What the claims are about",
    "The quantities of a group of claims against time, on logarithmic axes: medians over the seeds, with bands that "
    "hold 80 % of them. Each figure says in its own words what its claims say of such a line.",
    "a plug-in whose claims come with a diagram, and runs that these are about",
    chart_claims,
)
