"""Checks of step methods, on the bowl, in NumPy and compiled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..optimizers import Method, Optimizer, StepMethod
from ..oracle import Oracle
from ..problems import Array, Problem
from ..registry import Registry
from .bowl import Bowl, MovedBowl
from .check import Inapplicable, Nonconformance
from .meter import MeteredOracle, refuse_past, watched
from .queries import global_randomness, same_bits

RUNS = 6
STEPS = 30
LEAVE = 12  # after so many steps some runs leave the batch
STAY = [5, 0, 3]
COMPILED_STEPS = 40
# Two ways to round the same step, over tens of steps that magnify an ulp by little.
SAME_PATH = 1e-9
PADDING = 3
ISOMETRY_REMEDY = (
    "remove the claim, or use differences of iterates and gradients only, in sums, and in scalar products and norms of "
    "whole runs: no row of its own, no coordinate, no decay towards 0"
)
FOREVER = 2**62


@dataclass(frozen=True)
class Place:
    """Where a step method is after k steps."""

    k: int
    w: Array
    state: tuple[Array, ...]

    def copy(self) -> Place:
        """The same in memory of its own."""
        return Place(self.k, self.w.copy(), tuple(part.copy() for part in self.state))

    def select(self, runs: list[int]) -> Place:
        """Some of the runs."""
        chosen = np.asarray(runs)
        return Place(self.k, self.w[chosen].copy(), tuple(part[chosen].copy() for part in self.state))

    def same(self, other: Place) -> bool:
        """Whether it is bitwise the same place."""
        return len(self.state) == len(other.state) and all(
            same_bits(a, b) for a, b in zip((self.w, *self.state), (other.w, *other.state), strict=True)
        )


def begin(optimizer: Optimizer, w: Array) -> Place:
    """The place before step 0."""
    init = _method(optimizer).init
    state = () if init is None else init(w.copy())
    if not isinstance(state, tuple):
        raise Nonconformance(f"init returns {type(state).__name__}; return a tuple of arrays, as in (w,)")
    return Place(0, w, tuple(np.array(part) for part in state))


def step(optimizer: Optimizer, oracle: Oracle, at: Place) -> Place:
    """The place one step on; a copy is what the method sees."""
    seen = at.copy()
    found = _method(optimizer).step(oracle, seen.w, seen.state, at.k, *optimizer.parameters.values())
    if not isinstance(found, tuple) or len(found) != 2:
        raise Nonconformance("the step must return the pair (w, state); without a state, return w, state as given")
    w, state = found
    if not isinstance(state, tuple):
        raise Nonconformance(f"the step returns its state as {type(state).__name__}; return a tuple, as in w, (v,)")
    if not isinstance(w, np.ndarray) or w.shape != at.w.shape or w.dtype != np.float64:
        told = f"{w.dtype} {w.shape}" if isinstance(w, np.ndarray) else type(w).__name__
        raise Nonconformance(f"the step returns w as {told}; return float64 of the shape of w, {at.w.shape}")
    # What comes back may be what the method keeps; places must not change under it.
    return Place(at.k + 1, w.copy(), tuple(np.array(part) for part in state))


def walk(optimizer: Optimizer, problem: Problem, at: Place, count: int = STEPS) -> list[Place]:
    """The places from `at` on, itself first."""
    oracle = Oracle(problem, len(at.w), at.w[0].size)
    return [at, *_take(optimizer, oracle, at, count)]


def check_answers(optimizer: Optimizer) -> None:
    """From ordinary points the step goes to finite ones, and its state keeps its run axis, shapes and types."""
    at = begin(optimizer, _bowl().start(RUNS))
    for place in walk(optimizer, _bowl(), at, 5):
        if not np.all(np.isfinite(place.w)):
            raise Nonconformance(
                f"w is not finite after step {place.k - 1} from an ordinary point; check divisions by 0, roots and "
                "logarithms, and the default of the step size"
            )
        for number, part in enumerate(place.state):
            if part.ndim == 0 or len(part) != RUNS:
                raise Nonconformance(
                    f"part {number} of the state has shape {part.shape} for {RUNS} runs; give each array of the state "
                    "a leading run axis: numpy.zeros(len(w)) for a number per run"
                )
            if part.dtype == object:
                raise Nonconformance(f"part {number} of the state is no array of numbers; keep numbers in the state")
        if len(place.state) != len(at.state) or any(
            a.shape != b.shape for a, b in zip(at.state, place.state, strict=True)
        ):
            raise Nonconformance("the state changes its length or shape; let init make all of it, zeros where needed")


def check_purity(optimizer: Optimizer) -> None:
    """The step does not write into the arrays that it is given."""
    oracle = Oracle(_bowl(), RUNS, _size())
    method = _method(optimizer)
    w = _bowl().start(RUNS)
    if method.init is not None:
        given = w.copy()
        method.init(given)
        if not same_bits(given, w):
            raise Nonconformance("init writes into w; let it return new arrays")
    at = begin(optimizer, w)
    for k in range(8):
        seen = at.copy()
        found = method.step(oracle, seen.w, seen.state, k, *optimizer.parameters.values())
        for name, given, before in [
            ("w", seen.w, at.w),
            *((f"part {i} of the state", a, b) for i, (a, b) in enumerate(zip(seen.state, at.state, strict=True))),
        ]:
            if not same_bits(given, before):
                raise Nonconformance(
                    f"the step writes into {name}, which it was given; return a new array: "
                    "w = w − lr·g for w −= lr·g, and copy() before an indexed assignment"
                )
        at = Place(k + 1, found[0].copy(), tuple(np.array(part) for part in found[1]))


def check_determinism(optimizer: Optimizer) -> None:
    """Two runs from the same start are bitwise the same, and nobody's random generator moves."""
    at = begin(optimizer, _bowl().start(RUNS))
    before = global_randomness()
    first = walk(optimizer, _bowl(), at)[-1]
    if global_randomness() != before:
        raise Nonconformance(
            "the step draws from the global random generator; draw from numpy.random.default_rng((seed, k)) "
            "with a parameter `seed`"
        )
    if not first.same(walk(optimizer, _bowl(), begin(optimizer, at.w))[-1]):
        raise Nonconformance(
            f"two runs from the same start differ after {STEPS} steps; take the randomness out, or draw from "
            "numpy.random.default_rng((seed, k)) with a parameter `seed`; keep what is remembered in the state"
        )


def check_hidden_state(optimizer: Optimizer) -> None:
    """A step depends on w, state, k and parameters alone: not on other runs, earlier calls or their order."""
    problem = _bowl()
    here = walk(optimizer, problem, begin(optimizer, problem.start(RUNS)))
    there = walk(optimizer, problem, begin(optimizer, problem.start(range(100, 100 + RUNS))))
    oracle = Oracle(problem, RUNS, _size())
    remedy = "keep what a run remembers in its state, made by init, and nothing in globals, attributes or closures"
    a, b = begin(optimizer, here[0].w), begin(optimizer, there[0].w)
    for k in range(STEPS):
        a, b = step(optimizer, oracle, a), step(optimizer, oracle, b)
        if not (a.same(here[k + 1]) and b.same(there[k + 1])):
            raise Nonconformance(f"a run changes at step {k} when another is run in turn with it; {remedy}")
    for k in (20, 3, 11):
        if not step(optimizer, oracle, here[k]).same(here[k + 1]):
            raise Nonconformance(f"step {k}, taken again from its own w and state, goes elsewhere; {remedy}")


def check_batch(optimizer: Optimizer) -> None:
    """A run is bitwise the same alone, in a batch, and in one that shrinks."""
    problem = _bowl()
    together = walk(optimizer, problem, begin(optimizer, problem.start(RUNS)))
    for run in range(RUNS):
        for place in walk(optimizer, problem, begin(optimizer, together[0].w[[run]])):
            if not place.same(together[place.k].select([run])):
                _refuse_mixing(f"run {run} goes elsewhere at step {place.k - 1} when it is alone")
    for place in walk(optimizer, problem, together[LEAVE].select(STAY), STEPS - LEAVE):
        if not place.same(together[place.k].select(STAY)):
            _refuse_mixing("runs go elsewhere when others leave the batch")


def check_compiled(optimizer: Optimizer) -> None:
    """Compiled, the step goes where NumPy goes, for the same charge."""
    from ..integrate.compiled import CompiledEngine, NotCompilable
    from ..integrate.lockstep import NumpyEngine

    problem = _bowl()
    kernels = problem.kernels
    assert kernels is not None
    if not _method(optimizer).compile:
        raise Inapplicable("the method says compile=False, and runs in NumPy")
    try:
        compiled = CompiledEngine(kernels, optimizer, problem.start([0]))
    except NotCompilable as refusal:
        raise Inapplicable(f"numba refuses the step, so it runs in NumPy, more slowly: {refusal}") from None
    charges = []
    ends = []
    for engine in (compiled, NumpyEngine(optimizer)):
        at, oracle, places = begin(optimizer, problem.start(RUNS)), Oracle(problem, RUNS, _size()), []
        w, state = at.w, at.state
        for k in range(COMPILED_STEPS):
            w, state, _ = engine.advance(oracle, w, state, k, 1, FOREVER)
            places.append(w.copy())
        ends.append(places)
        charges.append(oracle.evaluations)
    for k, (fast, slow) in enumerate(zip(*ends, strict=True)):
        if not (gap := _distance(fast, slow)) <= SAME_PATH:
            raise Nonconformance(
                f"compiled, step {k} ends {gap:.2g} away from NumPy's, relative to w; look for integer division, "
                "globals (numba freezes them), a dtype that differs, or say compile=False"
            )
    if charges[0] != charges[1]:
        raise Nonconformance(
            f"{COMPILED_STEPS} steps cost {charges[0]} evaluations compiled and {charges[1]} in NumPy; ask about all "
            "runs at once, for compiled code charges each query to each run, or say compile=False"
        )


def check_rotation(optimizer: Optimizer) -> None:
    """A method that claims to commute with rotations does, and does not see how many dimensions there are."""
    if not _method(optimizer).rotation_equivariant:
        raise Inapplicable("the method does not claim to commute with rotations")
    claim = claimed(_method(optimizer))
    plain = walk(optimizer, _bowl(), begin(optimizer, _bowl().start(RUNS)))
    for rotation in (1, 2):
        problem = Problem(Bowl, {"rotation": rotation})
        for place in walk(optimizer, problem, begin(optimizer, problem.start(RUNS))):
            if not _distance(place.w @ problem.instance.turn.T, plain[place.k].w) <= SAME_PATH:
                raise Nonconformance(
                    f"it claims {claim}=True, but on a rotated problem step {place.k - 1} goes elsewhere; "
                    "remove the claim, or use w and gradients only in sums, scalar products and norms of whole rows"
                )
    problem = Problem(Bowl, {"padding": PADDING})
    for place in walk(optimizer, problem, begin(optimizer, problem.start(RUNS))):
        if not _distance(place.w, np.pad(plain[place.k].w, ((0, 0), (0, 0), (0, PADDING)))) <= SAME_PATH:
            raise Nonconformance(
                f"it claims {claim}=True, but goes elsewhere when idle dimensions are added, and such "
                "methods are run in fewer than the problem has; use sums over coordinates, not means, or drop the claim"
            )


def check_isometry(optimizer: Optimizer) -> None:
    """A method that claims to commute with isometries of all n·d coordinates does."""
    if not _method(optimizer).isometry_equivariant:
        raise Inapplicable("the method does not claim to commute with isometries")
    plain = walk(optimizer, _bowl(), begin(optimizer, _bowl().start(RUNS)))
    for seed in (1, 2):
        problem = Problem(MovedBowl, {"seed": seed})
        for place in walk(optimizer, problem, begin(optimizer, problem.start(RUNS))):
            if not _distance(problem.instance.move_back(place.w), plain[place.k].w) <= SAME_PATH:
                raise Nonconformance(
                    f"it claims isometry_equivariant=True, but where all n·d coordinates are turned and shifted step "
                    f"{place.k - 1} goes elsewhere; {ISOMETRY_REMEDY}"
                )


def check_evaluations(optimizer: Optimizer, registry: Registry) -> None:
    """All that the method asks goes through the oracle, and is charged."""
    problem = _bowl()
    oracle = MeteredOracle(problem, RUNS)
    at = begin(optimizer, problem.start(RUNS))
    with watched(oracle, {*registry.problems.values(), Bowl}) as past:
        for _ in _take(optimizer, oracle, at, STEPS):
            pass
    refuse_past(past)
    oracle.audit()


def _take(optimizer: Optimizer, oracle: Oracle, at: Place, count: int) -> Iterator[Place]:
    for _ in range(count):
        at = step(optimizer, oracle, at)
        yield at


def _refuse_mixing(what: str) -> None:
    raise Nonconformance(
        f"{what}; treat runs independently: sums, means and maxima over axes 1 and 2 only, numpy.where for a branch"
    )


def _distance(a: Array, b: Array) -> float:
    size = max(float(np.abs(b).max()), 1e-300)
    return float(np.abs(a - b).max()) / size


def claimed(method: Method) -> str:
    """Which declaration says that it commutes with rotations."""
    return "isometry_equivariant" if method.isometry_equivariant else "rotation_equivariant"


def _method(optimizer: Optimizer) -> StepMethod:
    assert isinstance(optimizer.method, StepMethod)
    return optimizer.method


def _bowl() -> Problem:
    return Problem(Bowl)


def _size() -> int:
    return int(np.prod(Bowl().targets.shape))
