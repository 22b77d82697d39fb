"""The figures of a report, each a function from tables to charts."""

from ..chart import Chart
from ..tables import Tables
from .compensated import chart_compensated
from .contrast import chart_contrast
from .convergence import chart_convergence
from .evaluations import chart_evaluations
from .laws import chart_laws
from .optimizers import chart_optimizers
from .overview import chart_overview

ORDER = (
    chart_contrast,
    chart_convergence,
    chart_compensated,
    chart_laws,
    chart_optimizers,
    chart_evaluations,
    chart_overview,
)


def list_charts(tables: Tables) -> list[Chart]:
    """Every chart, in the order of the page."""
    return [chart for chart_some in ORDER for chart in chart_some(tables)]


__all__ = ["list_charts"]
