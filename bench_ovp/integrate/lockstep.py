"""Step methods: all runs of a cell advance together, between checkpoints in one stretch."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..checkpoints import Horizon, StopRule, grid, iterations_to_record, last_iteration
from ..errors import InputError, PluginError
from ..optimizers import Optimizer, StepMethod
from ..oracle import Oracle
from ..problems import Array, Problem
from ..trace import UNFINISHED, Recorder, Run, Trace, Watch
from .coordinates import choose_coordinates
from .horizon import MOST_STEPS, STEPPED
from .position import Position, is_carried, put_down, take_up, unpack_flight
from .rehearsal import check_step, rehearse_problem, rehearse_step
from .voyage import Voyage

STRETCH_SECONDS = 0.2  # how long a stretch of steps may keep the caller waiting
REST_STEPS = 1000  # from checkpoint to checkpoint, without any change: the run has come to rest
FOREVER = 2**62

State = tuple[Any, ...]


class Engine(Protocol):
    """Something that takes steps."""

    note: str

    def advance(
        self, oracle: Oracle, w: Array, state: State, first: int, count: int, budget: int
    ) -> tuple[Array, State, int]:
        """Take up to `count` steps from step `first`, until `budget` evaluations are charged.

        Returns the states, the method's state and the number of steps taken.
        """
        ...


class NumpyEngine:
    """Calls the step from Python."""

    def __init__(self, optimizer: Optimizer, note: str = "") -> None:
        self.note = f"numpy ({note})" if note else "numpy"
        assert isinstance(optimizer.method, StepMethod)
        self._step = optimizer.method.step
        self._values = tuple(optimizer.parameters.values())

    def advance(
        self, oracle: Oracle, w: Array, state: State, first: int, count: int, budget: int
    ) -> tuple[Array, State, int]:
        """Take the steps one by one."""
        taken = 0
        with np.errstate(all="ignore"):  # a step that overflows is a result
            while taken < count and oracle.evaluations < budget:
                w, state = self._step(oracle, w, state, first + taken, *self._values)
                taken += 1
        return w, state, taken


def step_all(
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
    """Run a step method from the starts of `seeds`; see `integrate` for the arguments."""
    end = last_iteration(horizon, optimizer.time_per_iteration)
    if end is None and horizon.evaluations is None:
        raise InputError(f"{optimizer.label} needs a horizon: iterations, time or evaluations")
    budget = FOREVER if horizon.evaluations is None else horizon.evaluations
    wall = np.inf if stop.wall is None else stop.wall
    checkpoints = iterations_to_record(per_decade, budget if end is None else end)
    regular = set(grid(per_decade, checkpoints[-1]))
    stepped = STEPPED if horizon.stepped is None else horizon.stepped
    within = max(MOST_STEPS, stepped)

    w = problem.start(seeds)
    rehearse_problem(problem, w)
    curvature_cost = w.shape[1] * w.shape[2]
    inner, w = choose_coordinates(problem, optimizer, w)
    oracle = Oracle(inner, len(seeds), curvature_cost)
    state = _initial_state(optimizer, w)
    rehearse_step(inner, optimizer, w, state)
    engine = choose_engine(inner, optimizer, w)
    recorder = Recorder(inner, seeds, stop.loss, optimizer.time_per_iteration, regular, earlier, watch)
    voyage = Voyage(inner, optimizer, recorder, checkpoints, per_decade, stepped, budget, watch.tick)

    seconds = [run.seconds for run in earlier] or [0.0] * len(seeds)
    if earlier and is_carried(earlier[0]):
        voyage.go_on(earlier, wall)
        return Trace(problem, optimizer, recorder.runs(seconds), engine.note)
    voyage.flights |= {number: unpack_flight(run) for number, run in enumerate(earlier)}
    at = take_up(earlier, oracle) if earlier else Position(w, state, 0, w, state, 0, 0.0)
    w, state, k = at.w, at.state, at.k
    landmark, landmark_k = (at.landmark_w, at.landmark_state), at.landmark  # at the checkpoint before
    begun = time.monotonic() - at.seconds
    watch.start(at.seconds)
    per_step = np.inf
    for checkpoint in checkpoints[bisect_right(checkpoints, recorder.last_position()) :]:
        if checkpoint > within:
            here = Position(w, state, k, *landmark, landmark_k, time.monotonic() - begun)
            put_down(here, recorder, oracle, voyage.flights)
            why = f"stopped after {k:g} steps: no more than {within:g} are taken one by one, and {voyage.why_not()}"
            recorder.end(recorder.active, "ok", why, k, oracle.evaluations)
            break
        while k < checkpoint and recorder.active and oracle.evaluations < budget:
            watch.tick()
            spent = time.monotonic() - begun
            if spent > wall or (k > at.k and spent > at.seconds + portion):
                here = Position(w, state, k, *landmark, landmark_k, spent)
                put_down(here, recorder, oracle, voyage.flights)
                ending = (UNFINISHED, "it goes on later")
                if spent > wall:
                    ending = ("timeout", f"the wall limit of {wall:g} s")
                recorder.end(recorder.active, *ending, k, oracle.evaluations)
                break
            count = max(1, min(checkpoint - k, int(STRETCH_SECONDS / per_step)))
            before, charged = (w, state), oracle.evaluations
            since = time.monotonic()
            w, state, taken = engine.advance(oracle, w, state, k, count, budget)
            check_step(optimizer, before[0], w, state)
            finite = np.all(np.isfinite(w), axis=(1, 2))
            if not finite.all():
                price = (oracle.evaluations - charged) / taken
                active = list(recorder.active)
                for index in np.flatnonzero(~finite):
                    alone = _select(*before, np.array([index]))
                    good, last, beyond = _last_finite(inner, engine, *alone, k, taken)
                    charges = charged + round(price * good)
                    recorder.end([active[index]], *recorder.ran_out(active[index], last, beyond), k + good, charges)
                    recorder.keep(active[index], {})
                if recorder.active:
                    w, state = _select(w, state, np.flatnonzero(finite))
                    landmark = _select(*landmark, np.flatnonzero(finite))
                    oracle.narrow(len(w))
            spent_seconds = time.monotonic() - since
            per_step = max(spent_seconds / taken, 1e-9)
            for run in recorder.active:
                seconds[run] += spent_seconds / len(recorder.active)
            k += taken
        if not recorder.active:
            break
        resting = _at_rest(landmark, w, state) if k - landmark_k >= REST_STEPS else None
        going_on = recorder.record(k, w, oracle.evaluations, resting)
        if not going_on:
            break
        if len(going_on) < len(w):
            w, state = _select(w, state, going_on)
            landmark = _select(*landmark, going_on)
            oracle.narrow(len(w))
        remaining = voyage.take_over(k, w, oracle.evaluations, begun + wall)
        if not remaining:
            break
        if len(remaining) < len(w):
            w, state = _select(w, state, remaining)
            landmark = _select(*landmark, remaining)
            oracle.narrow(len(w))
        if k in regular:
            landmark, landmark_k = (w, state), k
        if oracle.evaluations >= budget:
            break
    here = Position(w, state, k, *landmark, landmark_k, time.monotonic() - begun)
    put_down(here, recorder, oracle, voyage.flights)
    limit = f"{budget:g} evaluations" if oracle.evaluations >= budget else f"iteration {k:g}"
    recorder.end(recorder.active, "ok", f"reached its horizon, {limit}", k, oracle.evaluations)
    for run, spent_seconds in voyage.seconds.items():
        seconds[run] += spent_seconds
    return Trace(problem, optimizer, recorder.runs(seconds), engine.note)


def choose_engine(problem: Problem, optimizer: Optimizer, w: Array) -> Engine:
    """The compiled engine where problem and step allow it, else NumPy with a note that says why."""
    method = optimizer.method
    assert isinstance(method, StepMethod)
    kernels = problem.kernels
    if not method.compile:
        return NumpyEngine(optimizer)
    if kernels is None:
        return NumpyEngine(optimizer, f"{problem.name} has no compiled kernels")
    from .compiled import CompiledEngine, NotCompilable

    try:
        return CompiledEngine(kernels, optimizer, w[:1])
    except NotCompilable as refusal:
        return NumpyEngine(optimizer, f"the step does not compile: {refusal}")


def _initial_state(optimizer: Optimizer, w: Array) -> State:
    assert isinstance(optimizer.method, StepMethod)
    init = optimizer.method.init
    state = () if init is None else tuple(np.array(part) for part in init(w.copy()))
    for part in state:
        if part.ndim == 0 or len(part) != len(w):
            raise PluginError(f"{optimizer.name}: each array of its state needs a leading run axis")
    return state


def _at_rest(before: tuple[Array, State], w: Array, state: State) -> np.ndarray:
    """Which runs are bitwise where they were before: rounding has ended them, shape (runs,)."""
    resting = np.ones(len(w), dtype=bool)
    for old, new in zip((before[0], *before[1]), (w, *state), strict=True):
        resting &= np.all((old == new).reshape(len(w), -1), axis=1)
    return resting


def _select(w: Array, state: State, runs: Sequence[int] | np.ndarray) -> tuple[Array, State]:
    chosen = np.asarray(runs, dtype=np.intp)
    return np.ascontiguousarray(w[chosen]), tuple(np.ascontiguousarray(part[chosen]) for part in state)


def _last_finite(
    problem: Problem, engine: Engine, w: Array, state: State, first: int, taken: int
) -> tuple[int, Array, Array]:
    """How many of `taken` steps one run takes until it is no longer finite, its last finite state, and the next.

    The run is taken again, alone, by bisection: what it computes does not depend on its neighbours.
    """
    good, bad = 0, taken
    while bad - good > 1:
        middle = (good + bad) // 2
        tried, after = _walk_alone(problem, engine, w, state, first + good, middle - good)
        if np.all(np.isfinite(tried)):
            good, w, state = middle, tried, after
        else:
            bad = middle
    return good, w, _walk_alone(problem, engine, w, state, first + good, 1)[0]


def _walk_alone(
    problem: Problem, engine: Engine, w: Array, state: State, first: int, count: int
) -> tuple[Array, State]:
    oracle = Oracle(problem, 1, curvature_cost=0)
    w, state, _ = engine.advance(oracle, w, state, first, count, FOREVER)
    return w, state
