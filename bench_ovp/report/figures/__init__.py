"""The figures of a report, each kind a function from tables to charts."""

from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.figure import Figure

from ...errors import InputError
from ...figure_names import refuse_name
from ..chart import Chart, Kind
from ..tables import Tables
from . import (
    claims,
    compensated,
    constants,
    contrast,
    convergence,
    critical_difference,
    evaluations,
    laws,
    optimizers,
    overview,
    profiles,
    ranking,
    sensitivity,
    slopes,
)

# In the order of the page.
FIGURES = (
    contrast.KIND,
    convergence.KIND,
    compensated.KIND,
    slopes.KIND,
    laws.KIND,
    constants.KIND,
    optimizers.KIND,
    evaluations.KIND,
    profiles.KIND,
    sensitivity.KIND,
    ranking.KIND,
    critical_difference.KIND,
    overview.KIND,
    claims.KIND,
)


MOST_PARTS = 3  # of one figure on the page
MOST, MOST_LINES = 12, 150  # figures of convergence there, and lines in all of them


def count_shown(kind: Kind, tables: Tables) -> int:
    """How many figures of a kind the page has: many are slow to draw, and are not looked at."""
    if kind is not convergence.KIND:
        return MOST_PARTS
    lines = min(len(tables.problems), convergence.MOST_LINES)
    return max(MOST_PARTS, min(MOST, MOST_LINES // max(lines, 1)))


def list_charts(tables: Tables) -> list[Chart]:
    """The charts of the page but those of the claims, in its order: the first of each kind, if there are many."""
    shown: list[Chart] = []
    for kind in FIGURES:
        charts = kind.list_charts(tables) if kind is not claims.KIND else []
        most = count_shown(kind, tables)
        if len(charts) > most:
            more = f" {len(charts) - most} more are drawn by bench-ovp report DIR --figures {kind.name}."
            charts[most - 1] = charts[most - 1]._replace(caption=f"{charts[most - 1].caption}{more}")
        shown += charts[:most]
    return shown


def lighten(charts: Sequence[Chart], tables: Tables) -> list[Chart]:
    """The same charts, drawn from tables without runs and traces.

    These are nine tenths of what another process would be sent; whatever is drawn was made from them already.
    """
    light = tables._replace(traces=tables.traces.iloc[:0], runs=tables.runs.iloc[:0])

    def swap(draw: Callable[[float], Figure]) -> Callable[[float], Figure]:
        if not isinstance(draw, partial):
            return draw
        return partial(draw.func, *(light if part is tables else part for part in draw.args), **draw.keywords)

    return [chart._replace(draw=swap(chart.draw)) for chart in charts]


def choose_charts(tables: Tables, names: Sequence[str] = ()) -> list[Chart]:
    """The charts of the given names, or all; in the order of the page.

    Args:
        tables: to draw from.
        names: of FIGURES, each for all charts of its kind, or of single charts.
    Errors:
        InputError: a name is unknown, or these tables have nothing to show under it.
    """
    if not names:
        return [chart for kind in FIGURES for chart in kind.list_charts(tables)]
    chosen: list[Chart] = []
    missing = dict.fromkeys(names)
    there: list[str] = []
    for kind in FIGURES:
        if not any(name == kind.name or name.startswith(f"{kind.name}-") for name in names):
            continue
        charts = kind.list_charts(tables)
        if kind.name in missing and not charts:
            raise InputError(f"--figures {kind.name}: these results have nothing to show; it needs {kind.needs}")
        chosen += [chart for chart in charts if kind.name in names or chart.name in names]
        there += [chart.name for chart in charts]
        for name in (kind.name, *(chart.name for chart in charts)):
            missing.pop(name, None)
    for name in missing:
        refuse_name(name, there)
    return chosen


__all__ = ["FIGURES", "choose_charts", "list_charts"]
