"""The figure and the table of docs/optimizers-study.md, from the results of suites/optimizers.yaml.

bench-ovp suite suites/optimizers.yaml
python bench/optimizers.py results/optimizers docs/figures/optimizers.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

FILLS = {
    "superexponential": "#1b4b7a",
    "exponential": "#5b9bd0",
    "power": "#f2c07b",
    "stalled": "#c9c9c9",
    "diverged": "#8f8f8f",
    "undecided": "#ffffff",
}
WORDS = {
    "superexponential": "exp+",
    "exponential": "exp",
    "stalled": "stalls",
    "diverged": "diverges",
    "undecided": "?",
}
SHOWN = {  # in the right panel: one of each kind, with colours that the colour-blind can tell apart
    "gradient-descent": "#d55e00",
    "heavy-ball": "#e69f00",
    "nesterov": "#cc79a7",
    "gradient-descent-cooling": "#999999",
    "adam": "#66c2a5",
    "adam cooled": "#009e73",
    "polyak-step": "#7570b3",
    "gradient-descent-polyak": "#56b4e9",
    "L-BFGS": "#0072b2",
    "gauss-newton": "#000000",
}
PANEL = "teacher-neuron[n=5,d=20,sigma=0.1]"


def draw_laws(axes: Axes, ranking: pd.DataFrame) -> None:
    """A row per method, a column per number of students; colour and word are the law."""
    problems = list(dict.fromkeys(ranking["problem"]))
    problems.sort(key=lambda problem: ranking.loc[ranking["problem"] == problem, "problem.n"].fillna(1).iloc[0])
    rows = ranking.pivot(index="optimizer", columns="problem", values=["law", "value", "final", "share", "agrees"])
    best = rows["final"][problems[1:]].astype(float).rank().mean(axis=1)
    methods = list(best.sort_values().index)
    for y, method in enumerate(methods):
        for x, problem in enumerate(problems):
            law, value = rows["law", problem][method], rows["value", problem][method]
            axes.add_patch(plt.Rectangle((x, y), 1, 1, facecolor=FILLS[law], edgecolor="white", linewidth=1.5))
            word = f"$t^{{-{value:.1f}}}$" if law == "power" else WORDS[law]
            word += "*" * bool(rows["share", problem][method] < 0.75 and law != "undecided")
            word += "†" * bool(rows["agrees", problem][method] == "False" and law != "undecided")
            ink = "white" if law == "superexponential" else "black"
            axes.text(x + 0.5, y + 0.5, word, ha="center", va="center", fontsize=7.5, color=ink)
    counts = [ranking.loc[ranking["problem"] == problem, "problem.n"].fillna(1).iloc[0] for problem in problems]
    axes.set_xticks([x + 0.5 for x in range(len(problems))], [f"n = {count:.0f}" for count in counts])
    axes.set_yticks([y + 0.5 for y in range(len(methods))], [shorten(method) for method in methods], fontsize=8)
    axes.set(xlim=(0, len(problems)), ylim=(len(methods), 0), title="law of the loss, per unit of nominal time")
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)


def draw_traces(axes: Axes, traces: pd.DataFrame) -> None:
    """Median loss over seeds against the work done."""
    here = traces[traces["problem"] == PANEL]
    for method, colour in SHOWN.items():
        rows = here[here["optimizer"].map(shorten) == method]
        full = rows.groupby(["iteration"])["seed"].nunique()
        kept = rows[rows["iteration"].isin(full.index[full >= full.max() / 2])]
        middle = kept.groupby("iteration")[["evaluations", "loss"]].median()
        axes.loglog(middle["evaluations"].clip(lower=1), middle["loss"], color=colour, label=method, lw=1.6)
    work = [30.0, 1e5]
    axes.loglog(work, [2e-2 * (x / work[0]) ** -3 for x in work], color="black", lw=0.8, ls="--", label="slope −3")
    axes.set(xlabel="evaluations", ylabel="loss, median over seeds", title="n = 5", ylim=(1e-28, 1))
    axes.grid(alpha=0.25, lw=0.5)
    axes.legend(fontsize=7.5, frameon=False, loc="lower left")


def write_table(ranking: pd.DataFrame) -> str:
    """A row per method, best first: what was tuned and what came of it at n = 5, and the laws of all seeds."""
    problems = {n: ranking[ranking["problem.n"] == n].set_index("optimizer") for n in (2, 5, 10)}
    middle = problems[5]
    tuned = json.loads(middle["tuned"].to_json())
    lines = [
        "| method | tuned to, n = 5 | loss at the end | evaluations to 1e-12 | seeds at n = 2; 5; 10 |",
        "| --- " * 5 + "|",
    ]
    for method in middle["final"].sort_values().index:
        chosen = ", ".join(f"{name} {value:g}" for name, value in (tuned[method] or {}).items())
        laws = "; ".join(rows.loc[method, "laws"] for rows in problems.values())
        spent = middle.loc[method, "evaluations_to_1e-12"]
        reached = f"{spent:.0f}" if spent < float("inf") else "–"
        lines.append(f"| {shorten(method)} | {chosen} | {middle.loc[method, 'final']:.1e} | {reached} | {laws} |")
    return "\n".join(lines)


def shorten(label: str) -> str:
    """A label without what was tuned."""
    return label.partition("[")[0]


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("figure", type=Path)
    asked = parser.parse_args()
    ranking = pd.read_csv(asked.results / "ranking.csv")
    runs = pd.read_csv(asked.results / "runs.csv")
    final = runs.groupby(["problem", "optimizer"])["final_loss"].median().rename("final").reset_index()
    ranking = ranking.merge(final, on=["problem", "optimizer"])
    ranking["agrees"] = ranking["agrees"].astype(str)
    chosen = json.loads((asked.results / "provenance.json").read_text())["tuning"]["chosen"]
    ranking["tuned"] = [chosen.get(f"{row.problem} x {row.optimizer}") for row in ranking.itertuples()]
    print(write_table(ranking))
    columns = ["problem", "optimizer", "seed", "iteration", "evaluations", "loss"]
    traces = pd.read_parquet(asked.results / "traces.parquet", columns=columns)
    plt.rcParams |= {"svg.hashsalt": "optimizers", "font.size": 9, "axes.titlesize": 9}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 7), width_ratios=(1, 1.25), layout="constrained")
    draw_laws(left, ranking)
    draw_traces(right, traces)
    figure.savefig(asked.figure, metadata={"Date": None} if asked.figure.suffix == ".svg" else None, dpi=130)


if __name__ == "__main__":
    main()
