"""All optimizers on each problem, against what they spent."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import Figure

from ..chart import Chart, Kind, name_part, split_evenly, tell_more
from ..looks import Look
from ..style import is_left, is_lowest, make_panels, place_legend, set_label, set_title
from ..tables import Tables
from .convergence import draw_band, set_log_axes

MOST, MOST_LINES = 12, 24  # panels of one figure, and optimizers in it; the .csv has all
CAPTION = (
    "The loss against evaluations, which every method pays alike: one panel per problem, one line per "
    "optimizer, medians over the seeds with bands that hold 80 % of them. Lower and further left is better."
)


def draw_optimizers(tables: Tables, problems: Sequence[str], width: float) -> Figure:
    """A panel for each problem."""
    drawn: dict[str, Look] = {}
    figure, panels = make_panels(len(problems), width=width, height=1.6, columns=4, sharex=True, sharey=True)
    panels[0].set_autoscale_on(False)  # shared limits found anew for every line cost more than the lines
    for axes, problem in zip(panels, problems, strict=True):
        for optimizer, look in list(tables.optimizers.items())[:MOST_LINES]:
            band = tables.pair(problem, optimizer)
            band = band[band["evaluations"] > 0]
            if not band.empty:
                draw_band(axes, band, look, x="evaluations")
                drawn[optimizer] = look
        set_title(axes, tables.problems[problem].name)
    panels[0].set_autoscale_on(True)
    set_log_axes(panels[0])
    for axes in panels:
        if is_left(axes):
            axes.set_ylabel("loss L")
        if is_lowest(axes):
            set_label(axes, "evaluations")
            axes.tick_params(labelbottom=True)
    place_legend(figure, [drawn[label].handle() for label in tables.optimizers if label in drawn])
    return figure


def chart_optimizers(tables: Tables) -> list[Chart]:
    """A chart with a panel for each problem, or several where they are many."""
    recorded = set(tables.bands.loc[tables.bands["evaluations"] > 0, "problem"])
    parts = split_evenly([problem for problem in tables.problems if problem in recorded], MOST)
    names = ", ".join(look.short for look in tables.optimizers.values())
    more = tell_more(tables.optimizers, MOST_LINES, "optimizers")
    return [
        Chart(
            *name_part(KIND, place, len(parts)),
            f"{CAPTION}{more}",
            f"Loss against evaluations of {names}, {len(problems)} problems.",
            tables.bands[tables.bands["problem"].isin(problems)],
            partial(draw_optimizers, tables, problems),
        )
        for place, problems in enumerate(parts, start=1)
    ]


KIND = Kind(
    "optimizers", "All optimizers, problem by problem", CAPTION, "a run whose evaluations were counted",
    chart_optimizers,
)  # fmt: skip
