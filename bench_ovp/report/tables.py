"""The tables of a suite, made whole: every column there, types as expected, pairs in the suite's order."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .style import Look, assign_looks

FloatArray = NDArray[np.float64]
COLUMNS = ("time", "iteration", "evaluations", "loss", "low", "high", "seeds")  # of a band
POINTS = 160  # of a drawn line
RANKS = {"target": -np.inf, "floor": -np.inf, "diverged": np.inf}  # of a run that came to its own end
FAILURES = ("failed", "timeout", "degenerate", "diverged")
DECIDED = ("power", "exponential", "superexponential")

TRACES = {"problem": str, "optimizer": str, "seed": float, "iteration": float, "time": float}
TRACES |= {"evaluations": float, "loss": float}
RUNS = {"problem": str, "optimizer": str, "seed": float, "status": str, "reason": str, "law": str}
RUNS |= dict.fromkeys(("value", "low", "high", "constant", "final_loss"), float)
RUNS |= {"iterations": float, "evaluations": float, "seconds": float, "law_reason": str}
RANKING = {"problem": str, "optimizer": str, "rank": float, "law": str}
RANKING |= dict.fromkeys(("value", "low", "high", "constant", "share"), float)
RANKING |= {"theory_law": str, "theory_value": float, "theory_source": str, "seeds": float}
RANKING |= {"decided_by": str, "laws": str}
TARGET = "evaluations_to_"


class Tables(NamedTuple):
    """What a report is drawn from."""

    traces: pd.DataFrame
    runs: pd.DataFrame
    ranking: pd.DataFrame
    bands: pd.DataFrame  # median and quantiles of the loss over the seeds
    problems: dict[str, Look]
    optimizers: dict[str, Look]
    provenance: dict[str, Any]

    @property
    def targets(self) -> dict[str, float]:
        """Columns of evaluations, and the loss that each of them counts to."""
        names = [name for name in self.ranking.columns if name.startswith(TARGET)]
        return {name: float(name.removeprefix(TARGET)) for name in names}

    def clock(self, optimizer: str) -> str:
        """What the time of an optimizer counts, in words."""
        words = {"lr": "lr × iterations", "iteration": "iterations"}
        return words.get(self.provenance.get("clocks", {}).get(optimizer, ""), "")

    def time_axis(self, optimizer: str) -> str:
        """The label of an axis of time."""
        clock = self.clock(optimizer)
        return f"time t ({clock})" if clock else "time t"

    def pair(self, problem: str, optimizer: str) -> pd.DataFrame:
        """The band of one pair; empty if nothing was recorded."""
        bands = self.bands
        return bands[(bands["problem"] == problem) & (bands["optimizer"] == optimizer)]

    def rows(self, optimizer: str) -> pd.DataFrame:
        """The ranking of one optimizer, in the order of the problems, indexed by problem."""
        rows = self.ranking[self.ranking["optimizer"] == optimizer].set_index("problem")
        return rows.loc[[problem for problem in self.problems if problem in rows.index]]


def complete(frame: pd.DataFrame, columns: dict[str, type]) -> pd.DataFrame:
    """A copy with each of the columns: text with "" where it is missing, numbers with NaN."""
    frame = frame.reset_index(drop=True).copy()
    for name, kind in columns.items():
        column = frame[name] if name in frame else pd.Series(np.nan, index=frame.index, dtype=float)
        if kind is str:
            frame[name] = column.astype(object).where(column.notna(), "").map(str)
        else:
            frame[name] = pd.to_numeric(column, errors="coerce").astype(float)
    return frame


def list_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each from column to value."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def read_agreement(value: Any) -> bool | None:
    """True, False, or None without a theory, whether computed or read back from a CSV."""
    words = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
    return words.get(str(value).lower())


def gather(traces: pd.DataFrame, runs: pd.DataFrame, ranking: pd.DataFrame, provenance: dict[str, Any]) -> Tables:
    """Whole tables from those that the engine hands over; labels in the order of the suite."""
    traces, runs = complete(traces, TRACES), complete(runs, RUNS)
    targets = [name for name in ranking.columns if str(name).startswith(TARGET)]
    ranking = complete(ranking, RANKING | dict.fromkeys(targets, float))
    ranking = ranking.drop_duplicates(["problem", "optimizer"], ignore_index=True)
    agrees = ranking["agrees"] if "agrees" in ranking else [None] * len(ranking)
    ranking["agrees"] = pd.Series([read_agreement(value) for value in agrees], dtype=object)
    looks = []
    for kind in ("problem", "optimizer"):
        seen = [label for table in (ranking, runs, traces) for label in table[kind].unique()]
        named = [label for label in provenance.get(f"{kind}s", {}) if label in seen]
        looks.append(assign_looks(list(dict.fromkeys(named + seen))))
    bands = summarize(traces, runs)
    return Tables(traces, runs, ranking, bands, looks[0], looks[1], provenance)


def summarize(traces: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The median loss over the seeds and its 10 % and 90 % quantiles, against time.

    Seeds are interpolated, straight in log time and log loss, to the times of all of them. Quantiles are
    ranks: a run that came to its own end keeps its rank, below all others if it reached its target and above
    them if it diverged. The line is drawn while more than half of the seeds still run.
    """
    usable = traces[(traces["time"] > 0) & (traces["loss"] > 0) & np.isfinite(traces["loss"])]
    ended = runs[runs["status"].isin(list(RANKS))]
    keys = zip(ended["problem"], ended["optimizer"], ended["seed"], strict=True)
    ends = dict(zip(keys, ended["status"].map(RANKS), strict=True))
    frames = [pd.DataFrame(columns=["problem", "optimizer", *COLUMNS], dtype=float)]
    for (problem, optimizer), pair in usable.groupby(["problem", "optimizer"], sort=False):
        seeds = {
            seed: run.sort_values("time").drop_duplicates("time", keep="last")
            for seed, run in pair.groupby("seed", sort=False)
        }
        after = [ends.get((problem, optimizer, seed), np.nan) for seed in seeds]
        band = average(list(seeds.values()), after)
        frames.append(band.assign(problem=problem, optimizer=optimizer))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def average(seeds: list[pd.DataFrame], after: list[float]) -> pd.DataFrame:
    """The band of one pair from the trace of each of its seeds, as `summarize` says."""
    times = np.unique(np.concatenate([run["time"] for run in seeds]))
    if len(times) > POINTS:
        wanted = np.exp(np.linspace(np.log(times[0]), np.log(times[-1]), POINTS))
        times = times[np.unique(np.searchsorted(times, wanted).clip(0, len(times) - 1))]

    def interpolate(run: pd.DataFrame, values: pd.Series, right: float) -> FloatArray:
        x: FloatArray = np.interp(np.log(times), np.log(run["time"]), values, left=np.nan, right=right)
        return x

    losses, iterations, evaluations = [], [], []
    for run, rank in zip(seeds, after, strict=True):
        losses.append(interpolate(run, np.log(run["loss"]), rank))
        iterations.append(interpolate(run, run["iteration"], np.nan))
        evaluations.append(interpolate(run, run["evaluations"], np.nan))
    ends = np.array([run["time"].iloc[[0, -1]] for run in seeds])
    alive = ((times >= ends[:, :1]) & (times <= ends[:, 1:])).sum(axis=0)
    low, median, high = take_quantiles(np.array(losses))
    kept = (2 * alive > len(seeds)) & np.isfinite(median)
    low, median, high = (np.exp(line[kept]) for line in (low, median, high))
    counts = [take_median(np.array(values)[:, kept]) for values in (iterations, evaluations)]
    return pd.DataFrame(dict(zip(COLUMNS, (times[kept], *counts, median, low, high, alive[kept]), strict=True)))


def take_quantiles(logs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """10 %, 50 % and 90 % over the first axis, where infinite values are ranks without a place.

    The median is finite as long as half of the values are; the others stop at the extremes of what is finite.
    """
    known = np.isfinite(logs)
    bounds = logs[known].min(initial=np.inf), logs[known].max(initial=-np.inf)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        # Between two ranks of which one is infinite, and where no seed has been seen.
        warnings.filterwarnings("ignore", message="All-NaN slice")
        low, median, high = np.nanquantile(logs, (0.1, 0.5, 0.9), axis=0)
        upper = np.nanquantile(logs, 0.5, axis=0, method="higher")
    low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)
    return low.clip(*bounds), np.where(np.isfinite(median), median, upper), high.clip(*bounds)


def take_median(values: FloatArray) -> FloatArray:
    """The median over the first axis, NaN where there is nothing to take it of."""
    known = np.isfinite(values).any(axis=0)
    medians = np.full(values.shape[1], np.nan)
    medians[known] = np.nanmedian(values[:, known], axis=0)
    return medians
