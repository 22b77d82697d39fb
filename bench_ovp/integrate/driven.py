"""Drivers: methods that own their loop and report where they are."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..checkpoints import Horizon, StopRule, iterations_to_record, last_iteration, times_to_record
from ..errors import InputError, Stop
from ..optimizers import DriverMethod, Optimizer
from ..oracle import Oracle
from ..problems import Array, Problem
from ..trace import INTEGRATED, STEPPED, Recorder, Run, Trace, Watch
from .coordinates import choose_coordinates
from .rehearsal import rehearse_problem

State = Mapping[str, Array]
Arrival = tuple[float, Array, Problem | None]  # a position, the states there, and the problem whose they are


class Checkpoints:
    """What a driver is handed to report to.

    Args:
        positions: the iterations or times that are recorded, ascending; the last is the horizon.
        visit: called at each of them.
        arrive: called at any position, before it is known whether it is recorded.
        earlier: the state that a shorter run last gave to `record`, to go on from; None at a start.
    """

    def __init__(
        self,
        positions: Sequence[float],
        visit: Callable[[float, Array, float, State | None, Problem | None], None],
        arrive: Callable[[float, Array, Problem | None], None],
        earlier: State | None = None,
    ) -> None:
        self.positions = tuple(positions)
        self._earlier = earlier
        self._next = 0
        self._visit = visit
        self._arrive = arrive

    @property
    def horizon(self) -> float:
        """The last position."""
        return self.positions[-1]

    @property
    def earlier(self) -> State | None:
        """The state that a shorter run last gave to `record`."""
        return self._earlier

    def record(
        self,
        position: float,
        w: Array,
        rtol: float = np.nan,
        state: State | None = None,
        problem: Problem | None = None,
    ) -> None:
        """Report the states `w` (runs, n, d) at an iteration or time, in ascending order.

        Args:
            position: the iteration or time.
            w: all runs that the driver was handed.
            rtol: the relative error that their losses are estimated to have, where the driver knows one.
            state: float64 arrays by name, from which a longer run goes on to the same bits, if the driver can do
                that; it must be handed one run at a time.
            problem: that `w` is a state of, where parts are held: `oracle.problem` of the oracle without them.
        Errors:
            Stop: all runs have ended; let it pass.
            RuntimeError: a checkpoint was left out.
        """
        self._arrive(position, w, problem)
        due = self.positions[self._next]
        if position > due:
            raise RuntimeError(f"the driver went past the checkpoint at {due:g} without recording it")
        if position == due:
            self._next += 1
            self._visit(position, w, rtol, state, problem)


def drive(
    problem: Problem,
    optimizer: Optimizer,
    seeds: Sequence[int],
    horizon: Horizon,
    per_decade: int,
    stop: StopRule,
    watch: Watch,
    earlier: Sequence[Run] = (),
    portion: float = math.inf,
) -> Trace:
    """Run a driver from the starts of `seeds`, or from where earlier runs are; see `integrate` for the arguments."""
    method = optimizer.method
    assert isinstance(method, DriverMethod)
    if method.clock == "time":
        assert horizon.time is not None
        positions: Sequence[float] = times_to_record(per_decade, horizon.time)
    else:
        end = last_iteration(horizon, optimizer.time_per_iteration)
        if end is None:
            if horizon.evaluations is None:
                raise InputError(f"{optimizer.label} needs a horizon: iterations, time or evaluations")
            end = horizon.evaluations
        positions = iterations_to_record(per_decade, end)
    groups = [list(seeds)] if method.batched else [[seed] for seed in seeds]
    before = {run.seed: run for run in earlier}
    runs: list[Run] = []
    for group in groups:
        going = [before[seed] for seed in group if seed in before]
        runs += _drive_group(problem, optimizer, group, positions, horizon.evaluations, stop, watch, going)
    return Trace(problem, optimizer, tuple(runs), "driver")


def _drive_group(
    problem: Problem,
    optimizer: Optimizer,
    seeds: Sequence[int],
    positions: Sequence[float],
    budget: int | None,
    stop: StopRule,
    watch: Watch,
    earlier: Sequence[Run],
) -> tuple[Run, ...]:
    method = optimizer.method
    assert isinstance(method, DriverMethod)
    how = INTEGRATED if method.clock == "time" else STEPPED
    clock = None if method.clock == "time" else optimizer.time_per_iteration
    w = problem.start(seeds)
    rehearse_problem(problem, w)
    curvature_cost = w.shape[1] * w.shape[2]
    inner, w = choose_coordinates(problem, optimizer, w)
    oracle = Oracle(inner, len(seeds), curvature_cost)
    regular = set(positions[:-1])
    recorder = Recorder(inner, seeds, stop.loss, clock, regular, earlier, watch)
    state = dict(earlier[0].state or {}) if earlier else None
    oracle.charge(int(state["evaluations"]) if state else 0)
    had = earlier[0].seconds if earlier else 0.0
    begun = time.monotonic() - had
    watch.start(had)
    latest: list[Arrival] = []

    def arrive(position: float, at: Array, there: Problem | None) -> None:
        watch.tick()
        if there is None and at.shape != w.shape:
            raise ValueError(f"{optimizer.name} reports w of shape {at.shape}, not {w.shape}")
        latest[:] = [(position, at, there)]
        spent = oracle.evaluations
        if stop.wall is not None and time.monotonic() - begun > stop.wall:
            recorder.end(recorder.active, "timeout", f"the wall limit of {stop.wall:g} s", position, spent)
        elif budget is not None and spent >= budget:
            visit(position, at, np.nan, None, there)
            recorder.end(recorder.active, "ok", f"reached its horizon, {budget} evaluations", position, spent)
        if not recorder.active:
            raise Stop

    def visit(position: float, at: Array, rtol: float, state: State | None, there: Problem | None) -> None:
        known = 0.0 if clock is not None and np.isnan(rtol) else rtol  # steps have no error but rounding
        here = np.ascontiguousarray(at[recorder.active])
        if state is not None and position in regular:
            place = {"position": np.asarray(position), "evaluations": np.asarray(float(oracle.evaluations))}
            recorder.keep(recorder.active[0], place | {name: np.asarray(part) for name, part in state.items()})
        recorder.record(position, here, oracle.evaluations, how=how, rtol=known, problem=there)
        if recorder.active and position >= positions[-1]:
            reason = f"reached its horizon, {'t =' if clock is None else 'iteration'} {position:g}"
            recorder.end(recorder.active, "ok", reason, position, oracle.evaluations)
        if not recorder.active:
            raise Stop

    try:
        with np.errstate(all="ignore"):
            left = positions[bisect_right(positions, float(state["position"])) :] if state else positions
            checkpoints = Checkpoints(left, visit, arrive, state)
            ending = method.drive(oracle, w.copy(), checkpoints, **optimizer.parameters)
    except Stop:
        ending = None
    if recorder.active:
        _close(recorder, ending, latest, oracle, clock is None)
    elapsed = time.monotonic() - begun  # of all portions
    return recorder.runs([elapsed / len(seeds)] * len(seeds))


def _close(recorder: Recorder, ending: str | None, latest: list[Arrival], oracle: Oracle, is_flow: bool) -> None:
    """End the runs that a driver left before its horizon, at the last place it reported."""
    if not latest:
        raise RuntimeError("the driver returned without reporting anything; call checkpoints.record")
    position, w, there = latest[0]
    if position > recorder.last_position():
        how, rtol = (INTEGRATED, np.nan) if is_flow else (STEPPED, 0.0)
        state = np.ascontiguousarray(w[recorder.active])
        recorder.record(position, state, oracle.evaluations, how=how, rtol=rtol, problem=there)
    where = f"t = {position:g}" if is_flow else f"iteration {position:g}"
    reason = f"the method ended at {where}: {ending or 'it gave no reason'}"
    recorder.end(recorder.active, "ok", reason, position, oracle.evaluations)
