"""The rows of the result tables as plain data, in the order of the suite; see docs/results.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contest import Contest
from .optimizers import Optimizer
from .problems import Problem
from .ranking import ORDER, TARGETS
from .rates import Rate
from .trace import HOW, Trace

LABELS = ("problem", "optimizer", "seed")
FIRST_COLUMNS = ("iteration", "time", "evaluations", "loss", "grad_norm")
CODED = {"how": HOW}  # words in the tables, which rows hold as numbers
COUNTS = ("iteration", "evaluations")  # whole numbers; empty for a flow
RUN_COLUMNS = (
    *("problem", "optimizer", "seed", "status", "reason", "law", "value", "low", "high", "constant"),
    *("final_loss", "iterations", "evaluations", "seconds", "law_reason", "law_start", "law_end", "engine"),
)
RANKING_COLUMNS = (
    *("problem", "optimizer", "rank", "law", "value", "low", "high", "constant", "share"),
    *("theory_law", "theory_value", "theory_source", "agrees"),
    *(f"evaluations_to_{target:.0e}".replace("e-0", "e-") for target in TARGETS),
    *("rank_iteration", "rank_evaluations", "decided_by", "laws", "heterogeneity", "seeds"),
)
COMPARISON_COLUMNS = (
    *("problem", "clock", "optimizer", "other", "better", "by", "p", "p_holm"),
    *("effect_of", "effect", "effect_low", "effect_high"),
)

Row = dict[str, Any]


def list_parameters(problem: Problem, optimizer: Optimizer) -> Row:
    """Every parameter's value, defaults included, by the name of its column; a list as text."""
    return {
        f"{prefix}.{name}": value if isinstance(value, int | float | str | None) else str(value)
        for prefix, owner in (("problem", problem), ("optimizer", optimizer))
        for name, value in owner.parameters.items()
    }


def list_runs(trace: Trace, rates: Sequence[Rate]) -> Iterator[Row]:
    """A row per seed."""
    shared, parameters = (trace.problem.label, trace.optimizer.label), list_parameters(trace.problem, trace.optimizer)
    for run, rate in zip(trace.runs, rates, strict=True):
        final = float(run.rows["loss"][-1]) if run.rows else math.nan
        ended = (run.seed, run.status, run.reason)
        law = (rate.law, rate.value, rate.low, rate.high, rate.constant)
        spent = (final, run.iterations, run.evaluations, round(run.seconds, 4))
        told = (rate.reason, rate.start, rate.end, trace.engine)
        yield dict(zip(RUN_COLUMNS, (*shared, *ended, *law, *spent, *told), strict=True)) | parameters


def list_records(traces: Sequence[Trace], measured: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The columns `seed` and `measured` of traces, a row per seed and checkpoint; NaN where one is not measured."""
    runs = [run for trace in traces for run in trace.runs if run.rows]
    lengths = [len(run.rows["loss"]) for run in runs]
    columns: dict[str, NDArray[Any]] = {
        "seed": np.repeat(np.array([run.seed for run in runs], dtype=np.int64), lengths)
    }
    for name in measured:
        parts = [
            run.rows[name] if name in run.rows else np.full(n, np.nan) for run, n in zip(runs, lengths, strict=True)
        ]
        columns[name] = np.concatenate(parts) if parts else np.empty(0)
    return columns


def count_records(trace: Trace) -> int:
    """How many rows `list_records` makes of a trace."""
    return sum(len(run.rows["loss"]) for run in trace.runs if run.rows)


def list_ranks(pairs: Iterable[tuple[Problem, Optimizer]], contests: Sequence[Contest]) -> Iterator[Row]:
    """A row per pair, ranked within each problem.

    Args:
        pairs: that take part.
        contests: of all of their problems in time, and on whatever other clocks there are.
    """
    held = {(contest.problem, contest.clock): contest for contest in contests}
    called = {(problem.label, optimizer.label): (problem, optimizer) for problem, optimizer in pairs}
    for (problem, clock), contest in held.items():
        if clock != "time":
            continue
        others = [held.get((problem, other)) for other in ("iteration", "evaluations")]
        decided = contest.list_deciders()
        places = {
            name: (contest.ranks.get(name, math.inf), ORDER.index(found.law))
            for name, found in contest.standings.items()
        }
        for optimizer in sorted(places, key=places.__getitem__):
            standing, (subject, method) = contest.standings[optimizer], called[problem, optimizer]
            theory = subject.theory(method.method.family, method.parameters)
            values = (
                *(problem, optimizer, contest.ranks.get(optimizer)),
                *(standing.law, standing.value, standing.low, standing.high, standing.constant, standing.share),
                *((theory.law, theory.value, theory.source) if theory else (None, math.nan, None)),
                standing.agrees(theory),
                *standing.reached,
                *(other.ranks.get(optimizer) if other else None for other in others),
                decided.get(optimizer) or None,
                *(standing.laws, standing.heterogeneity, standing.seeds),
            )
            yield dict(zip(RANKING_COLUMNS, values, strict=True)) | list_parameters(subject, method)


def list_comparisons(contests: Sequence[Contest]) -> Iterator[Row]:
    """A row per problem × clock × pair of optimizers."""
    for contest in contests:
        for (one, other), found in contest.comparisons.items():
            values = (
                *(contest.problem, contest.clock, one, other, {1: one, -1: other, 0: None}[found.better]),
                *(found.by or None, found.p, found.p_holm),
                *(found.of or None, found.effect, found.low, found.high),
            )
            yield dict(zip(COMPARISON_COLUMNS, values, strict=True))
