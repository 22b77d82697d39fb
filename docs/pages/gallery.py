"""The figures of a report, from a small suite that is run for them."""

import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import bench_ovp as ovp
from bench_ovp.registry import installed
from bench_ovp.report.chart import Chart
from bench_ovp.report.figures import list_charts
from bench_ovp.report.figures.explanation import chart_explanation
from bench_ovp.report.tables import gather
from bench_ovp.suite_run import draw_reasons, explain_stored

EXPLAINED = ("teacher-neuron[n=2*", "gradient-descent*")


class Picture(NamedTuple):
    """One figure: the name of its files, what it is called, how to read it, and what is seen."""

    name: str
    title: str
    caption: str
    alt: str


def make_gallery(suite: Path, results: Path, pictures: Path) -> list[Picture]:
    """Run a suite, unless it has been run, and copy every figure that its report draws.

    Args:
        suite: of the suite file.
        results: where folders of results live.
        pictures: where the figures go, as .svg.
    Errors:
        LookupError: the report draws a figure of which nothing here knows how to read it.
    """
    folder = ovp.run_suite(suite, results)
    reasons = explain_stored(folder, *EXPLAINED)
    why = chart_explanation(reasons)
    draw_reasons(folder, reasons, folder / "figures" / f"{why.name}.svg")
    known = [*map(_take, _list_charts(folder)), *_list_diagrams(), _take(why)]
    drawn = {path.stem: path for path in sorted((folder / "figures").glob("*.svg"))}
    if unknown := drawn.keys() - {picture.name for picture in known}:
        raise LookupError(f"add what draws {', '.join(sorted(unknown))} to `known` in {Path(__file__).name}")
    pictures.mkdir(parents=True, exist_ok=True)
    for path in drawn.values():
        shutil.copy(path, pictures)
    return [picture for picture in known if picture.name in drawn]


def write_gallery(found: list[Picture], folder: str) -> str:
    """A section per figure, with how to read it; exponents are raised."""
    parts = []
    for name, title, caption, alt in found:
        raised = re.sub(r"\^(−?(?:\d+(?:\.\d+)?|p\b))", r"<sup>\1</sup>", caption)
        parts.append(f"## {title}\n\n![{alt}]({folder}/{name}.svg)\n\n`{name}`: {raised}")
    return "\n\n".join(parts)


def _take(chart: Chart) -> Picture:
    return Picture(chart.name, chart.title, chart.caption, chart.alt)


def _list_charts(folder: Path) -> list[Chart]:
    runs, ranking = (pd.read_csv(folder / f"{name}.csv") for name in ("runs", "ranking"))
    provenance = json.loads((folder / "provenance.json").read_text())  # the order of problems and optimizers, too
    return list_charts(gather(pd.read_parquet(folder / "traces.parquet"), runs, ranking, provenance))


def _list_diagrams() -> list[Picture]:
    """What claims have drawn beside them."""
    diagrams = {c.diagram.name: c.diagram for c in installed().claims.values() if c.diagram}
    return [Picture(d.name, d.title, d.caption, " and ".join(d.panels.values())) for d in diagrams.values()]
