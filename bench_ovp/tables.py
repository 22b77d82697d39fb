"""Traces, fits and ranks as pandas frames: the columns of the result tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .contest import Contest, hold_contests
from .optimizers import Optimizer
from .problems import Problem
from .ranking import ORDER, TARGETS
from .rates import Rate
from .trace import Trace, column_names

RUN_COLUMNS = (
    *("problem", "optimizer", "seed", "status", "reason", "law", "value", "low", "high", "constant"),
    *("final_loss", "iterations", "evaluations", "seconds"),
)
RANKING_COLUMNS = (
    *("problem", "optimizer", "rank", "law", "value", "low", "high", "constant", "share"),
    *("theory_law", "theory_value", "theory_source", "agrees"),
    *("rank_iteration", "rank_evaluations", "decided_by", "laws", "heterogeneity", "seeds"),
)
COMPARISON_COLUMNS = (
    *("problem", "clock", "optimizer", "other", "better", "by", "p", "p_holm"),
    *("effect_of", "effect", "effect_low", "effect_high"),
)
FIRST_COLUMNS = ("iteration", "time", "evaluations", "loss", "grad_norm")


def parameter_columns(problem: Problem, optimizer: Optimizer) -> dict[str, Any]:
    """Labels and every parameter's value, defaults included; a list as text."""
    columns: dict[str, Any] = {"problem": problem.label, "optimizer": optimizer.label}
    for prefix, owner in (("problem", problem), ("optimizer", optimizer)):
        for name, value in owner.parameters.items():
            plain = value if isinstance(value, int | float | str | None) else str(value)
            columns[f"{prefix}.{name}"] = plain
    return columns


def trace_frame(traces: Sequence[Trace]) -> pd.DataFrame:
    """A row per problem × optimizer × seed × checkpoint; see DESIGN's traces.parquet."""
    names = column_names([run for trace in traces for run in trace.runs])
    measured = [*FIRST_COLUMNS, *(name for name in names if name not in FIRST_COLUMNS)]
    parts = []
    for trace in traces:
        shared = parameter_columns(trace.problem, trace.optimizer)
        for run in trace.runs:
            length = len(run.rows["loss"]) if run.rows else 0
            empty = np.full(length, np.nan)
            parts.append(
                pd.DataFrame(
                    {
                        **{name: [value] * length for name, value in shared.items()},
                        "seed": np.full(length, run.seed, dtype=np.int64),
                        **{name: run.rows.get(name, empty) for name in measured},
                    }
                )
            )
    if not any(len(part) for part in parts):
        return pd.DataFrame(columns=["problem", "optimizer", "seed", *measured])
    frame = pd.concat([part for part in parts if len(part)], ignore_index=True)
    for name in ("iteration", "evaluations"):  # counts; empty for a flow
        frame[name] = frame[name].astype("Int64")
    labels = ["problem", "optimizer", "seed", *measured]
    return frame[[*labels, *(name for name in frame.columns if name not in labels)]]


def runs_frame(entries: Sequence[tuple[Trace, Sequence[Rate]]]) -> pd.DataFrame:
    """A row per problem × optimizer × seed; see DESIGN's runs.csv."""
    rows = []
    for trace, rates in entries:
        shared = parameter_columns(trace.problem, trace.optimizer)
        for run, rate in zip(trace.runs, rates, strict=True):
            rows.append(
                {
                    "problem": shared["problem"],
                    "optimizer": shared["optimizer"],
                    "seed": run.seed,
                    "status": run.status,
                    "reason": run.reason,
                    "law": rate.law,
                    "value": rate.value,
                    "low": rate.low,
                    "high": rate.high,
                    "constant": rate.constant,
                    "final_loss": run.rows["loss"][-1] if run.rows else np.nan,
                    "iterations": run.iterations,
                    "evaluations": run.evaluations,
                    "seconds": round(run.seconds, 4),
                    "law_reason": rate.reason,
                    "law_start": rate.start,
                    "law_end": rate.end,
                    "engine": trace.engine,
                    **{name: value for name, value in shared.items() if "." in name},
                }
            )
    frame = pd.DataFrame(rows, columns=None if rows else list(RUN_COLUMNS))
    frame["iterations"] = frame["iterations"].astype("Int64")
    return frame


def ranking_frame(
    entries: Sequence[tuple[Trace, Sequence[Rate]]], contests: Sequence[Contest] | None = None
) -> pd.DataFrame:
    """A row per problem × optimizer, ranked within the problem; see DESIGN's ranking.csv.

    Args:
        entries: a trace with its runs' laws, for each pair.
        contests: of the same entries, if they are at hand.
    """
    held = {(contest.problem, contest.clock): contest for contest in contests or hold_contests(entries)}
    traces = {(trace.problem.label, trace.optimizer.label): trace for trace, _ in entries}
    rows = []
    for (problem, clock), contest in held.items():
        if clock != "time":
            continue
        places = [(contest.ranks[name], ORDER.index(found.law)) for name, found in contest.standings.items()]
        for _, (optimizer, standing) in sorted(
            zip(places, contest.standings.items(), strict=True), key=lambda entry: entry[0]
        ):
            trace = traces[problem, optimizer]
            theory = trace.problem.theory(trace.optimizer.method.family, trace.optimizer.parameters)
            rows.append(
                {
                    "problem": problem,
                    "optimizer": optimizer,
                    "rank": contest.ranks[optimizer],
                    "law": standing.law,
                    "value": standing.value,
                    "low": standing.low,
                    "high": standing.high,
                    "constant": standing.constant,
                    "share": standing.share,
                    "theory_law": theory.law if theory else None,
                    "theory_value": theory.value if theory else np.nan,
                    "theory_source": theory.source if theory else None,
                    "agrees": standing.agrees(theory),
                    **{
                        f"evaluations_to_{target:.0e}".replace("e-0", "e-"): count
                        for target, count in zip(TARGETS, standing.reached, strict=True)
                    },
                    **{
                        f"rank_{other}": held[problem, other].ranks.get(optimizer) if (problem, other) in held else None
                        for other in ("iteration", "evaluations")
                    },
                    "decided_by": contest.decided_by(optimizer) or None,
                    "laws": standing.laws,
                    "heterogeneity": standing.heterogeneity,
                    "seeds": standing.seeds,
                    **{
                        name: value
                        for name, value in parameter_columns(trace.problem, trace.optimizer).items()
                        if "." in name
                    },
                }
            )
    frame = pd.DataFrame(rows, columns=None if rows else list(RANKING_COLUMNS))
    frame["rank_iteration"] = frame["rank_iteration"].astype("Int64")  # empty for a flow
    return frame


def comparison_frame(contests: Sequence[Contest]) -> pd.DataFrame:
    """A row per problem × clock × pair of optimizers; see docs/results.md."""
    rows = [
        {
            "problem": contest.problem,
            "clock": contest.clock,
            "optimizer": one,
            "other": other,
            "better": {1: one, -1: other, 0: None}[found.better],
            "by": found.by or None,
            "p": found.p,
            "p_holm": found.p_holm,
            "effect_of": found.of or None,
            "effect": found.effect,
            "effect_low": found.low,
            "effect_high": found.high,
        }
        for contest in contests
        for (one, other), found in contest.comparisons.items()
    ]
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
