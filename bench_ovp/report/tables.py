"""The tables of a suite, made whole: every column there, types as expected, pairs in the suite's order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..claims.claim import Case
from ..claims.verdicts import Drawing
from ..grids import CLOCKS
from .bands import COLUMNS, RANKS, average
from .looks import Look, assign_looks

RECORDED = ("loss", *CLOCKS)  # what bands are made from
FAILURES = ("failed", "timeout", "degenerate", "diverged")
DECIDED = ("power", "exponential", "superexponential")

TRACES = {"problem": str, "optimizer": str, "seed": float, "iteration": float, "time": float}
TRACES |= {"evaluations": float, "loss": float}
RUNS = {"problem": str, "optimizer": str, "seed": float, "status": str, "reason": str, "law": str}
RUNS |= dict.fromkeys(("value", "low", "high", "constant", "final_loss"), float)
RUNS |= {"iterations": float, "evaluations": float, "seconds": float, "law_reason": str}
RANKING = {"problem": str, "optimizer": str, "rank": float, "law": str}
RANKING |= dict.fromkeys(("value", "low", "high", "constant", "share"), float)
RANKING |= {"theory_law": str, "theory_value": float, "theory_source": str, "seeds": float, "rank_evaluations": float}
RANKING |= {"decided_by": str, "laws": str}
COMPARISONS: dict[str, type] = dict.fromkeys(("problem", "clock", "optimizer", "other", "better", "by"), str)
COMPARISONS |= dict.fromkeys(("p", "p_holm"), float)
TARGET = "evaluations_to_"


class Tables(NamedTuple):
    """What a report is drawn from."""

    traces: pd.DataFrame
    runs: pd.DataFrame
    ranking: pd.DataFrame
    bands: pd.DataFrame  # median and quantiles of the loss over the seeds
    places: Mapping[Any, Any]  # the rows of bands, by problem and optimizer
    comparisons: pd.DataFrame
    problems: dict[str, Look]
    optimizers: dict[str, Look]
    provenance: dict[str, Any]
    drawings: Sequence[Drawing]  # of the claims
    seeds: int | None = None  # of each pair whose traces are here, the first ones; None for all

    @property
    def traced(self) -> pd.DataFrame:
        """The rows of the runs whose traces are here, or would be if they had left one."""
        if self.seeds is None:
            return self.runs
        return self.runs[self.runs.groupby(["problem", "optimizer"], sort=False).cumcount() < self.seeds]

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
        found: pd.DataFrame = self.bands.iloc[self.places.get((problem, optimizer), [])]
        return found

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


def gather(
    traces: pd.DataFrame,
    runs: pd.DataFrame,
    ranking: pd.DataFrame,
    provenance: dict[str, Any],
    *,
    comparisons: pd.DataFrame | None = None,
    drawings: Sequence[Drawing] = (),
    bands: pd.DataFrame | None = None,
    seeds: int | None = None,
) -> Tables:
    """Whole tables from those that the engine hands over; labels in the order of the suite.

    Args:
        traces, runs, ranking, provenance, comparisons, bands, seeds: see `draw_report`.
        drawings: of the claims.
    """
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
    bands = summarize(traces, runs) if bands is None else bands
    drawings = [drawing._replace(diagram=replace(drawing.diagram, lines=_done, marks=None)) for drawing in drawings]
    comparisons = complete(pd.DataFrame() if comparisons is None else comparisons, COMPARISONS)
    rows = bands.groupby(["problem", "optimizer"]).indices if len(bands) else {}
    places = {pair: _slice(own) for pair, own in rows.items()}
    return Tables(traces, runs, ranking, bands, places, comparisons, looks[0], looks[1], provenance, drawings, seeds)


def _slice(found: ArrayLike) -> slice | NDArray[np.intp]:
    """Rows as a slice where they follow each other: a table is cut by one many times as fast."""
    rows = np.asarray(found)
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if np.array_equal(rows, np.arange(first, last + 1)) else rows


def _done(case: Case) -> tuple[()]:
    """Lines, once they are computed: what did so may be a function that no other process can import."""
    return ()


def summarize(traces: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The bands of all pairs, from the traces of all their seeds."""
    ended = runs[runs["status"].isin(list(RANKS))]
    keys = zip(ended["problem"], ended["optimizer"], ended["seed"], strict=True)
    ends = dict(zip(keys, ended["status"].map(RANKS), strict=True))
    frames = []
    for (problem, optimizer), pair in traces.groupby(["problem", "optimizer"], sort=False):
        seeds = [(seed, run) for seed, run in pair.groupby("seed", sort=False)]
        rows = [{name: run[name].to_numpy(float) for name in RECORDED} for _, run in seeds]
        after = [ends.get((problem, optimizer, seed), np.nan) for seed, _ in seeds]
        frames.append(average(rows, after).assign(problem=str(problem), optimizer=str(optimizer)))
    return join_bands(frames)


def join_bands(bands: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The bands of some pairs as one table."""
    drawn = [band for band in bands if not band.empty]
    if not drawn:
        return pd.DataFrame(columns=[*COLUMNS, "problem", "optimizer"], dtype=float)
    return pd.concat(drawn, ignore_index=True)
