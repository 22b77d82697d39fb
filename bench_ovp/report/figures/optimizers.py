"""All optimizers on each problem, against what they spent."""

from functools import partial

from matplotlib.figure import Figure

from ..chart import Chart, Kind
from ..style import is_left, is_lowest, make_panels, place_legend
from ..tables import Tables
from .convergence import draw_band, set_log_axes

CAPTION = (
    "The loss against evaluations, which every method pays alike: one panel per problem, one line per "
    "optimizer, medians over the seeds with bands that hold 80 % of them. Lower and further left is better."
)


def draw_optimizers(tables: Tables, width: float) -> Figure:
    """A panel for each problem that was recorded."""
    bands = tables.bands[tables.bands["evaluations"] > 0]
    problems = [problem for problem in tables.problems if problem in set(bands["problem"])]
    figure, panels = make_panels(len(problems), width=width, height=1.6, columns=4, sharex=True, sharey=True)
    for axes, problem in zip(panels, problems, strict=True):
        for optimizer, look in tables.optimizers.items():
            band = bands[(bands["problem"] == problem) & (bands["optimizer"] == optimizer)]
            if not band.empty:
                draw_band(axes, band, look, x="evaluations")
        axes.set_title(tables.problems[problem].name)
    set_log_axes(panels[0])
    for axes in panels:
        if is_left(axes):
            axes.set_ylabel("loss L")
        if is_lowest(axes):
            axes.set_xlabel("evaluations")
            axes.tick_params(labelbottom=True)
    shown = [look.handle() for label, look in tables.optimizers.items() if label in set(bands["optimizer"])]
    place_legend(figure, shown)
    return figure


def chart_optimizers(tables: Tables) -> list[Chart]:
    """One chart with a panel for each problem."""
    if not (tables.bands["evaluations"] > 0).any():
        return []
    names = ", ".join(look.short for look in tables.optimizers.values())
    return [
        Chart(
            KIND.name,
            KIND.title,
            CAPTION,
            f"Loss against evaluations of {names or 'no optimizer'}, {len(tables.problems)} problems.",
            tables.bands,
            partial(draw_optimizers, tables),
        )
    ]


KIND = Kind(
    "optimizers", "All optimizers, problem by problem", CAPTION, "a run whose evaluations were counted",
    chart_optimizers,
)  # fmt: skip
