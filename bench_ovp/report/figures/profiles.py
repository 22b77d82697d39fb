"""Profiles over a whole suite: the share of targets reached within so many evaluations, and beside the first."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ..chart import Chart, Kind
from ..labels import enumerate_words
from ..style import make_panels, place_legend, set_label, set_powers, write_target
from ..tables import Tables

MOST = 20  # optimizers that are drawn: those that solve most
POINTS = 72  # of a line
COLUMNS = ("panel", "optimizer", "at", "value", "low", "high", "tasks")
CAPTION = (
    "A task is a problem, a seed and a loss to come down to, {targets}. Left: the share of its tasks that an optimizer "
    "has solved within so many evaluations (a distribution of runtimes, Hoos & Stützle 1998). Right: the share that "
    "it has solved within so many times the evaluations of whoever solves the task first (the performance profile of "
    "Dolan & Moré 2002): at 1 stands how often it is the first, at the right end how often it gets there at all. "
    "Higher is better. Bands hold 80 % of the seeds, each with a profile of its own. Tasks that a run failed count "
    "as not solved; tasks that nobody solved are left out on the right."
)
FloatArray = NDArray[np.float64]


def list_tasks(tables: Tables) -> pd.DataFrame:
    """A row per run and target: evaluations at the first record at or below it, inf where there is none."""
    keys = ["problem", "optimizer", "seed"]
    frames = [pd.DataFrame(columns=[*keys, "target", "evaluations"]).astype({"evaluations": float})]
    runs = tables.traced[keys].drop_duplicates()  # of a run whose trace is left out nothing is known
    known = tables.traces[tables.traces["evaluations"] > 0]
    for target in tables.targets.values():
        reached = known[known["loss"] <= target].groupby(keys, sort=False)["evaluations"].min()
        found = runs.merge(reached.reset_index(), how="left", on=keys)
        frames.append(found.fillna({"evaluations": np.inf}).assign(target=target))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def profile(efforts: pd.Series, seeds: pd.Series, at: FloatArray) -> pd.DataFrame:
    """The share of `efforts` at or below each of `at`, over all seeds and between 10 % and 90 % of them."""
    shares = np.array(
        [np.searchsorted(np.sort(own.to_numpy()), at, side="right") / len(own) for _, own in efforts.groupby(seeds)]
    )
    low, high = np.quantile(shares, (0.1, 0.9), axis=0)
    whole = np.searchsorted(np.sort(efforts.to_numpy()), at, side="right") / len(efforts)
    return pd.DataFrame({"at": at, "value": whole, "low": low, "high": high, "tasks": len(efforts)})


def tabulate_profiles(tables: Tables) -> pd.DataFrame:
    """A row per panel, optimizer and place on the axis."""
    tasks = list_tasks(tables)
    tasks["best"] = tasks.groupby(["problem", "seed", "target"])["evaluations"].transform("min")
    shares = np.isfinite(tasks["evaluations"]).groupby(tasks["optimizer"], sort=False).mean()
    best = shares.sort_values(ascending=False, kind="stable").index[:MOST]
    tasks = tasks[tasks["optimizer"].isin(best)]
    solved = tasks[np.isfinite(tasks["best"])]
    frames = [pd.DataFrame(columns=list(COLUMNS))]
    if len(solved):
        panels = [("evaluations", tasks, tasks["evaluations"])]
        if tasks["optimizer"].nunique() > 1:
            panels.append(("ratio", solved, solved["evaluations"] / solved["best"]))
        for panel, part, efforts in panels:
            finite = efforts[np.isfinite(efforts)]
            low = 1.0 if panel == "ratio" else finite.min() / 1.5
            at = np.geomspace(low, max(finite.max(), 1.01 * low) * 1.05, POINTS)
            for optimizer, own in part.groupby("optimizer", sort=False):
                lines = profile(efforts.loc[own.index], own["seed"], at)
                frames.append(lines.assign(panel=panel, optimizer=optimizer))
    return pd.concat(frames[1:] or frames, ignore_index=True)[list(COLUMNS)]


def draw_profiles(tables: Tables, data: pd.DataFrame, width: float) -> Figure:
    """Both panels."""
    drawn = [label for label in tables.optimizers if label in set(data["optimizer"])]
    names = {"evaluations": "evaluations", "ratio": "evaluations, over those of the first"}
    kinds = [kind for kind in names if (data["panel"] == kind).any()]
    figure, panels = make_panels(len(kinds), width=width, height=2.3)
    for axes, kind in zip(panels, kinds, strict=True):
        for optimizer in drawn:
            look = tables.optimizers[optimizer]
            line = data[(data["panel"] == kind) & (data["optimizer"] == optimizer)]
            axes.fill_between(line["at"], line["low"], line["high"], step="post", color=look.color, alpha=0.15,
                              linewidth=0)  # fmt: skip
            axes.step(line["at"], line["value"], where="post", **look.line() | {"markevery": 0.17}, zorder=3)
        set_powers(axes, "x", most=6, plain=kind == "ratio")
        axes.set_ylim(-0.02, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        set_label(axes, names[kind])
        axes.set_ylabel("tasks solved")
        axes.set_title("within a budget" if kind == "evaluations" else "beside the first")
    place_legend(figure, [tables.optimizers[optimizer].handle() for optimizer in drawn])
    return figure


def chart_profiles(tables: Tables) -> list[Chart]:
    """One chart over all problems."""
    data = tabulate_profiles(tables)
    if data.empty:
        return []
    ends = data[data["panel"] == "evaluations"].groupby("optimizer", sort=False)["value"].max()
    caption = CAPTION.format(targets=enumerate_words([write_target(target) for target in tables.targets.values()]))
    if len(tables.optimizers) > MOST:
        caption += f" Drawn are the {MOST} of {len(tables.optimizers)} optimizers that solve most."
    told = ", ".join(f"{tables.optimizers[str(name)].short} {share:.0%}" for name, share in ends.items())
    alt = f"Shares of tasks solved at the end: {told}."
    return [Chart(KIND.name, KIND.title, caption, alt, data, partial(draw_profiles, tables, data))]


KIND = Kind(
    "profiles",
    "Who gets there, and how soon?",
    CAPTION.format(targets="such as 10^−8"),
    "a run that came down to one of the losses to reach",
    chart_profiles,
)
