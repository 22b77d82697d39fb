"""Traces, fits and ranks as pandas frames: the columns of the result tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .optimizers import Optimizer
from .problems import Problem
from .trace import Trace, column_names

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
