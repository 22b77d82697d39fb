"""The figures of a report, each a function from tables to charts."""

from bench_ovp.report.chart import Chart
from bench_ovp.report.figures.compensated import chart_compensated
from bench_ovp.report.figures.contrast import chart_contrast
from bench_ovp.report.figures.convergence import chart_convergence
from bench_ovp.report.figures.evaluations import chart_evaluations
from bench_ovp.report.figures.laws import chart_laws
from bench_ovp.report.figures.optimizers import chart_optimizers
from bench_ovp.report.figures.overview import chart_overview
from bench_ovp.report.tables import Tables

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
