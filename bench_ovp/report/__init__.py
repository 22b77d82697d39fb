"""The report: figures and a page drawn from tables. It runs nothing and knows no plug-in by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..claims.verdicts import Claims
from .artists import draw_all, plan_sketches
from .chart import FORMATS, save_chart, write_atomically
from .figures import lighten, list_charts
from .figures.claims import chart_claims
from .page import render_page
from .tables import gather

if TYPE_CHECKING:
    from ..processes import WorkerPool
    from ..reasons import Reasons

__all__ = ["draw_report"]


def draw_report(
    folder: Path,
    traces: pd.DataFrame,
    runs: pd.DataFrame,
    ranking: pd.DataFrame,
    provenance: dict[str, Any],
    reasons: Sequence[Reasons] = (),
    claims: Claims = Claims(),  # noqa: B008  immutable
    comparisons: pd.DataFrame | None = None,
    bands: pd.DataFrame | None = None,
    seeds: int | None = None,
    companion: WorkerPool | None = None,
) -> Path:
    """Draw every figure and the page of a suite, complete or not.

    Args:
        folder: of the suite's results; figures go to `figures/` in it, the page to `report.html`. Its
            `comparisons.csv`, if there is one, is what ranks are drawn from.
        traces, runs, ranking: the tables of the suite. Columns may be missing, tables empty.
        provenance: suite, suite_file, started, finished, versions, machine, git, missing, problems,
            optimizers, clocks; each of them optional.
        reasons: why each pair has its law.
        claims: their verdicts, and what is drawn beside them.
        comparisons: of pairs of optimizers; without them no ranks can be drawn.
        bands: of all seeds; made from `traces`, if None.
        seeds: of how many seeds of each pair, from the first on, `traces` has the records; None for all.
        companion: a process that draws some of them, if there is one.
    Returns:
        The path of the page.
    """
    tables = gather(
        traces,
        runs,
        ranking,
        provenance,
        comparisons=comparisons,
        drawings=claims.drawings,
        bands=bands,
        seeds=seeds,
    )
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    first, beside = list_charts(tables), chart_claims(tables)
    charts = lighten([*first, *beside], tables)
    drawings: list[Callable[[], Any]] = [partial(save_chart, chart, figures) for chart in charts]
    found = draw_all([*drawings, *plan_sketches(reasons)], companion)
    drawn = [(chart, *svgs) for chart, svgs in zip(charts, found[: len(charts)], strict=True)]
    current = {f"{chart.name}{suffix}" for chart in charts for suffix in FORMATS}
    for path in figures.iterdir():
        # A figure of an optimizer that the suite no longer has would pass for a result.
        if path.suffix in FORMATS and path.name not in current:
            path.unlink()
    page = folder / "report.html"
    shown = drawn[: len(first)], reasons, claims.rows, drawn[len(first) :], found[len(charts) :]
    write_atomically(page, render_page(tables, *shown).encode())
    return page
