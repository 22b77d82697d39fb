"""The figures of a report, each kind a function from tables to charts."""

from collections.abc import Sequence

from ...errors import InputError
from ..chart import Chart
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


def list_charts(tables: Tables) -> list[Chart]:
    """Every chart of the page but those of the claims, in its order."""
    return [chart for kind in FIGURES if kind is not claims.KIND for chart in kind.list_charts(tables)]


def choose_charts(tables: Tables, names: Sequence[str] = ()) -> list[Chart]:
    """The charts of the given names, or all; in the order of the page.

    Args:
        tables: to draw from.
        names: of FIGURES, each for all charts of its kind, or of single charts.
    Errors:
        InputError: a name is unknown, or these tables have nothing to show under it.
    """
    chosen: list[Chart] = []
    left, there = dict.fromkeys(names), list[str]()
    for kind in FIGURES:
        if names and not any(name == kind.name or name.startswith(f"{kind.name}-") for name in names):
            continue
        charts = kind.list_charts(tables)
        there += [chart.name for chart in charts]
        found = [chart for chart in charts if not names or kind.name in names or chart.name in names]
        chosen += found
        for name in (kind.name, *(chart.name for chart in found)):
            if found:
                left.pop(name, None)
    for name in left:
        refuse(name, there)
    return chosen


def refuse(name: str, there: Sequence[str]) -> None:
    """Say why there is no figure of that name.

    Args:
        name: that was asked for.
        there: names of the charts of a like name.
    Errors:
        InputError: always.
    """
    for kind in FIGURES:
        if name == kind.name:
            raise InputError(f"--figures {name}: these results have nothing to show; it needs {kind.needs}")
    known = ", ".join([*(kind.name for kind in FIGURES), *there])
    raise InputError(f"--figures {name}: no such figure; there are {known}")


__all__ = ["FIGURES", "choose_charts", "list_charts"]
