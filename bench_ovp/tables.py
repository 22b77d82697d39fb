"""Traces, fits and ranks as pandas frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .contest import Contest, hold_contests
from .rates import Rate
from .rows import (
    CODED,
    COMPARISON_COLUMNS,
    COUNTS,
    FIRST_COLUMNS,
    LABELS,
    RANKING_COLUMNS,
    RUN_COLUMNS,
    Row,
    count_records,
    list_comparisons,
    list_parameters,
    list_ranks,
    list_records,
    list_runs,
)
from .trace import Trace, column_names


def trace_frame(traces: Sequence[Trace]) -> pd.DataFrame:
    """A row per problem × optimizer × seed × checkpoint; see traces.parquet in docs/results.md."""
    names = column_names([run for trace in traces for run in trace.runs])
    measured = [*FIRST_COLUMNS, *(name for name in names if name not in FIRST_COLUMNS)]
    lengths = [count_records(trace) for trace in traces]
    if not sum(lengths):
        return pd.DataFrame(columns=[*LABELS, *measured])
    shared = pd.DataFrame(
        [
            {
                "problem": trace.problem.label,
                "optimizer": trace.optimizer.label,
                **list_parameters(trace.problem, trace.optimizer),
            }
            for trace in traces
        ]
    )
    frame = shared.loc[np.repeat(shared.index, lengths)].reset_index(drop=True)
    frame = pd.concat([frame, pd.DataFrame(list_records(traces, measured))], axis=1)
    for name in COUNTS:
        frame[name] = frame[name].astype("Int64")
    for name in CODED.keys() & set(measured):
        frame[name] = frame[name].map(dict(enumerate(CODED[name]))).astype("str")
    labels = [*LABELS, *measured]
    return frame[[*labels, *(name for name in frame.columns if name not in labels)]]


def runs_frame(entries: Sequence[tuple[Trace, Sequence[Rate]]]) -> pd.DataFrame:
    """A row per problem × optimizer × seed; see runs.csv in docs/results.md."""
    frame = _frame([row for trace, rates in entries for row in list_runs(trace, rates)], RUN_COLUMNS)
    frame["iterations"] = frame["iterations"].astype("Int64")
    return frame


def ranking_frame(
    entries: Sequence[tuple[Trace, Sequence[Rate]]], contests: Sequence[Contest] | None = None
) -> pd.DataFrame:
    """A row per problem × optimizer, ranked within the problem; see ranking.csv in docs/results.md.

    Args:
        entries: a trace with its runs' laws, for each pair.
        contests: of the same entries, if they are at hand.
    """
    held = contests or hold_contests(entries)
    return frame_ranking(list(list_ranks([(trace.problem, trace.optimizer) for trace, _ in entries], held)))


def frame_ranking(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows of a ranking as a frame."""
    frame = _frame(rows, RANKING_COLUMNS)
    frame["rank_iteration"] = frame["rank_iteration"].astype("Int64")  # empty for a flow
    return frame


def comparison_frame(contests: Sequence[Contest]) -> pd.DataFrame:
    """A row per problem × clock × pair of optimizers; see comparisons.csv in docs/results.md."""
    return frame_comparisons(list(list_comparisons(contests)))


def frame_comparisons(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows of comparisons as a frame."""
    return _frame(rows, COMPARISON_COLUMNS)


def _frame(rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=None if rows else list(columns))
