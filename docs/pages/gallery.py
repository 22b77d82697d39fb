"""The figures of a report, from a small suite that is run for them."""

import re
from pathlib import Path

import bench_ovp as ovp
from bench_ovp.figure_names import Order
from bench_ovp.report.chart import Chart
from bench_ovp.report.figures.explanation import chart_explanation
from bench_ovp.suite_run import draw_reasons, explain_stored, export_figures

EXPLAINED = ("teacher-neuron[n=2*", "heavy-ball*")


def make_gallery(suite: Path, results: Path, pictures: Path) -> list[Chart]:
    """Run a suite, unless it has been run, and draw every figure that it has data for, and one explanation.

    Args:
        suite: of the suite file.
        results: where folders of results live.
        pictures: where the figures go, as NAME.svg.
    """
    folder = ovp.run_suite(suite, results, report=False)
    pictures.mkdir(parents=True, exist_ok=True)
    drawn = [chart for chart, _ in export_figures(folder, Order(formats=("svg",), output=pictures))]
    reasons = explain_stored(folder, *EXPLAINED)
    why = chart_explanation(reasons)
    draw_reasons(folder, reasons, pictures / f"{why.name}.svg")
    return [*drawn, why]


def write_gallery(charts: list[Chart], folder: str) -> str:
    """A section per figure, with how to read it; exponents are raised."""
    parts = []
    for chart in charts:
        caption = re.sub(r"\^(−?(?:\d+(?:\.\d+)?|p\b))", r"<sup>\1</sup>", chart.caption)
        picture = f"![{chart.alt}]({folder}/{chart.name}.svg)"
        parts.append(f"## {chart.title}\n\n{picture}\n\n`{chart.name}`: {caption}")
    return "\n\n".join(parts)
