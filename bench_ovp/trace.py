"""What a run leaves behind: its recorded rows, how it ended, and why."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .norms import norms
from .optimizers import Optimizer
from .problems import Array, Problem
from .records import Records

if TYPE_CHECKING:
    import pandas as pd

ORDINARY = 1e3  # times the first loss recorded: from no more than that, a method does not overflow

HOW = ("stepped", "carried", "integrated")  # what a record comes from: steps, a modified equation, a flow
STEPPED, CARRIED, INTEGRATED = map(float, range(len(HOW)))  # as columns of numbers hold it

STATUSES = ("ok", "target", "floor", "diverged", "degenerate", "timeout", "failed")
UNFINISHED = "unfinished"  # of a run that goes on later; it appears in no table


@dataclass(frozen=True)
class Run:
    """One seed's trace.

    Args:
        seed: of its start.
        status: one of STATUSES.
        reason: one sentence on why it ended.
        rows: columns of equal length by name: iteration (NaN for a flow), time, evaluations, loss, grad_norm,
            how (an index of HOW), loss_rtol (the estimated relative error of the loss, NaN where it is not known),
            then what the problem observes.
        iterations: steps taken; None for a flow.
        evaluations: charged in all.
        seconds: of wall-clock time, its share of a batch.
        resolution: the smallest loss that double precision resolves, in the coordinates that it was run in.
        state: float64 arrays from which a longer run goes on to the same bits; empty where the run has ended by
            itself, and would end there under any longer horizon; None where it cannot go on.
    """

    seed: int
    status: str
    reason: str
    rows: Mapping[str, Array]
    iterations: int | None
    evaluations: int
    seconds: float
    resolution: float = 0.0
    state: Mapping[str, Array] | None = None


@dataclass(frozen=True)
class Trace:
    """The runs of one problem under one optimizer.

    Args:
        problem: with its parameters.
        optimizer: with its parameters.
        runs: one per seed.
        engine: how the steps were computed: "compiled", "numpy", or "driver", and a note where one is due.
    """

    problem: Problem
    optimizer: Optimizer
    runs: tuple[Run, ...]
    engine: str = ""

    def frame(self) -> pd.DataFrame:
        """The columns of traces.parquet: a row per seed and checkpoint."""
        from .tables import trace_frame

        return trace_frame([self])


class Watch:
    """Who is told how runs go. This one does not listen."""

    def start(self, seconds: float = 0.0) -> None:
        """Runs that advance together begin, after `seconds` that they have had before."""

    def tick(self) -> None:
        """A sign of life, a few times a second; may raise to interrupt."""

    def note(self, seeds: Sequence[int], columns: Mapping[str, Array]) -> None:
        """Runs were recorded, one row each: the numbers of a column are in the order of `seeds`."""


class Recorder:
    """Collects rows of runs that advance together, and knows which of them have ended.

    Args:
        problem: evaluates what is recorded; this costs the runs nothing.
        seeds: of the runs, in the order of the run axis.
        target: ends a run at the first recorded loss at or below it; None for no target.
        time_per_iteration: the nominal clock; None for a flow, whose positions are times.
        regular: the positions at which a run is recorded whatever its horizon.
        earlier: the runs that these go on from, in the same order.
        watch: is told of each row.
    """

    def __init__(
        self,
        problem: Problem,
        seeds: Sequence[int],
        target: float | None,
        time_per_iteration: float | None,
        regular: Container[float] = (),
        earlier: Sequence[Run] = (),
        watch: Watch | None = None,
    ) -> None:
        self._problem = problem
        self._seeds = list(seeds)
        self._target = target
        self._tick = time_per_iteration
        self._regular = regular
        self._watch = watch or Watch()
        self._records = Records(len(self._seeds))
        for number, run in enumerate(earlier):
            self._records.set(number, self._take_over(run))
        self._ends: dict[int, tuple[str, str, int | None, int]] = {}
        self._states: dict[int, Mapping[str, Array]] = {}
        self.active = list(range(len(self._seeds)))

    def record(
        self,
        position: float,
        w: Array,
        evaluations: int,
        at_rest: NDArray[np.bool_] | None = None,
        *,
        runs: Sequence[int] | None = None,
        how: float = STEPPED,
        rtol: float = 0.0,
        problem: Problem | None = None,
    ) -> list[int]:
        """Add a row for every active run; return which of them go on, as indices into `w`.

        Args:
            position: the iteration, or the time of a flow.
            w: the states of the active runs, in their order.
            evaluations: charged to each of them so far.
            at_rest: which of them no longer change, shape (runs,).
            runs: those that `w` is about, on the original run axis, if it is not all that are active.
            how: STEPPED, CARRIED or INTEGRATED.
            rtol: the estimated relative error of the loss.
            problem: that `w` is a state of, if not that of all runs.
        """
        problem = problem or self._problem
        with np.errstate(all="ignore"):  # a loss that overflows is a result
            loss = np.asarray(problem.loss(w))
            grad = problem.grad(w)
            observed = problem.observe(w)
            degenerate = problem.degenerate(w)
            grad_norm = norms(grad)
        columns = {
            "iteration": np.full(len(w), np.nan if self._tick is None else position),
            "time": np.full(len(w), position if self._tick is None else position * self._tick),
            "evaluations": np.full(len(w), float(evaluations)),
            "loss": loss,
            "grad_norm": grad_norm,
            "how": np.full(len(w), how),
            "loss_rtol": np.full(len(w), rtol),
            **observed,
        }
        active = list(self.active if runs is None else runs)
        usable = np.isfinite(loss) & np.isfinite(w).reshape(len(w), -1).all(axis=1)
        resting = np.zeros(len(w), dtype=bool) if at_rest is None else at_rest
        least = max(0.0, self._problem.resolution, self._target or 0.0)
        going_on = usable & ~np.asarray(degenerate, dtype=bool) & ~resting & (loss > least)
        shown = np.flatnonzero(np.isfinite(loss))
        kept = {name: np.asarray(column, dtype=float)[shown] for name, column in columns.items()}
        self._records.add([active[index] for index in shown], kept)
        self._watch.note([self._seeds[active[index]] for index in shown], kept)
        for index in np.flatnonzero(~going_on):
            ended = self._verdict(position, float(loss[index]), bool(usable[index]), bool(degenerate[index]))
            self.end([active[index]], *ended, position, evaluations)
            if position in self._regular:
                self._states[active[index]] = {}
        return [index for index, goes_on in enumerate(going_on) if goes_on]

    def keep(self, run: int, state: Mapping[str, Array]) -> None:
        """Note from where a run can go on, or, if `state` is empty, that it has ended by itself."""
        self._states[run] = state

    def end(self, runs: Sequence[int], status: str, reason: str, position: float, evaluations: int) -> None:
        """Close `runs`, numbers on the original run axis."""
        for run in runs:
            iterations = None if self._tick is None else int(position)
            self._ends[run] = (status, reason, iterations, evaluations)
        self.active = [run for run in self.active if run not in self._ends]

    def last_position(self) -> float:
        """Where the first active run was recorded last; 0 before that."""
        rows = self._records.of(self.active[0]) if self.active else {}
        return float(rows["time" if self._tick is None else "iteration"][-1]) if rows else 0.0

    def ran_out(self, run: int, w: Array, beyond: Array) -> tuple[str, str]:
        """Why a run whose last usable state is `w` (1, n, d) could take no further step.

        NaN where nothing was large, and nothing infinite came of it, is no divergence but a mistake of the method.

        Args:
            run: on the original run axis.
            beyond: what the next step made of it, (1, n, d).
        """
        if self._problem.degenerate(w)[0]:
            return "degenerate", "the loss has no gradient there"
        loss = float(np.asarray(self._problem.loss(w))[0])
        if loss == 0.0:
            return "floor", "the loss is exactly 0"
        if loss <= self._problem.resolution:
            return "floor", f"a loss of {loss:.3g} is below what double precision resolves"
        start = self._records.of(run).get("loss", [np.inf])[0]
        if not np.isinf(beyond).any() and loss <= ORDINARY * start:
            return "failed", f"its step makes NaN of a finite w with a loss of {loss:.3g}; it divides by zero, say"
        return "diverged", f"the step from a loss of {loss:.3g} is not finite"

    def runs(self, seconds: Sequence[float]) -> tuple[Run, ...]:
        """All runs, in the order of their seeds; every one must have ended."""
        found = []
        for run, seed in enumerate(self._seeds):
            status, reason, iterations, evaluations = self._ends[run]
            rows, spent = self._records.of(run), (iterations, evaluations, seconds[run])
            found.append(Run(seed, status, reason, rows, *spent, self._problem.resolution, self._states.get(run)))
        return tuple(found)

    def _take_over(self, run: Run) -> dict[str, Array]:
        """The rows of an earlier run, but for one at the end of its shorter horizon."""
        positions = run.rows.get("time" if self._tick is None else "iteration", np.empty(0))
        last = float(run.state["position"]) if run.state else np.inf
        kept = [index for index, position in enumerate(positions) if position in self._regular and position <= last]
        return {name: column[kept] for name, column in run.rows.items()}

    def _place(self, position: float) -> str:
        return f"t = {position:g}" if self._tick is None else f"iteration {position:g}"

    def _verdict(self, position: float, loss: float, usable: bool, degenerate: bool) -> tuple[str, str]:
        """Why a run ends here: its loss or its state says so, or else it is at rest."""
        where = self._place(position)
        if degenerate:
            return "degenerate", f"the loss has no gradient at {where}"
        if not usable:
            return "diverged", f"the loss is not finite at {where}"
        if loss == 0.0:
            return "floor", f"the loss is exactly 0 at {where}"
        if self._target is not None and loss <= self._target:
            return "target", f"the loss reached {self._target:g} at {where}"
        if loss <= self._problem.resolution:
            return "floor", f"a loss of {loss:.3g} at {where} is below what double precision resolves"
        return "floor", f"its iterates no longer change at {where}, a loss of {loss:.3g}"


def failed(
    seeds: Sequence[int], reason: str, status: str = "failed", rows: Mapping[int, Mapping[str, Array]] = {}
) -> tuple[Run, ...]:
    """The runs of `seeds` where something broke: a failure is a value.

    Args:
        seeds: a run each.
        reason: why, in one sentence.
        status: "failed" or "timeout".
        rows: the columns that were recorded before, by seed.
    """
    return tuple(_broken(seed, reason, status, rows.get(seed, {})) for seed in seeds)


def _broken(seed: int, reason: str, status: str, rows: Mapping[str, Array]) -> Run:
    if not len(rows.get("iteration", ())):
        return Run(seed, status, reason, {}, None, 0, 0.0)
    last = rows["iteration"][-1]
    iterations = None if np.isnan(last) else int(last)
    return Run(seed, status, reason, rows, iterations, int(rows["evaluations"][-1]), 0.0)


def column_names(runs: Sequence[Run]) -> list[str]:
    """The columns that any of `runs` has, in the order of their first appearance."""
    names: dict[str, Any] = {}
    for run in runs:
        names |= dict.fromkeys(run.rows)
    return list(names)
