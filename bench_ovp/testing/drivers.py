"""Checks of drivers, on the bowl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..checkpoints import iterations_to_record, times_to_record
from ..errors import Stop
from ..integrate.driven import Checkpoints
from ..optimizers import DriverMethod, Optimizer
from ..problems import Array, Problem
from ..registry import Registry
from .bowl import Bowl, MovedBowl
from .check import Inapplicable, Nonconformance
from .meter import GaveUp, MeteredOracle, refuse_past, watched
from .queries import global_randomness, same_bits
from .steps import ISOMETRY_REMEDY, SAME_PATH, claimed

PER_DECADE = 5
ITERATIONS, FEWER_ITERATIONS = 40, 16
TIME, LESS_TIME = 10.0, 4.0
MOST_QUERIES = 200_000
AFTER_STOP = 1000  # queries and reports that may still be under way
RUNS = 3
TOLERANCES = 10.0  # in units of the method's own rtol: two paths may each be off by some of it
PADDING = 2


@dataclass
class Drive:
    """What a driver did: where it reported, what it returned, and what it was charged."""

    reported: list[tuple[float, Array]] = field(default_factory=list)
    recorded: list[tuple[float, Array]] = field(default_factory=list)
    ending: object = None
    evaluations: int = 0
    finished: bool = False


def drive(
    optimizer: Optimizer,
    problem: Problem,
    w: Array,
    positions: Sequence[float] | None = None,
    stop_after: int | None = None,
    oracle: MeteredOracle | None = None,
) -> Drive:
    """Let a driver run.

    Args:
        optimizer: whose method is a driver.
        problem: what its oracle asks.
        w: the start, shape (runs, n, d).
        positions: checkpoints; those of the kit where it is left out.
        stop_after: records after which Stop is raised, and raised again at each report.
        oracle: to look at afterwards.
    """
    method = _method(optimizer)
    found = Drive()
    stopped_at: list[int] = []
    oracle = oracle or MeteredOracle(problem, len(w), MOST_QUERIES)
    positions = positions_of(method) if positions is None else positions

    def arrive(position: float, at: Array, there: Problem | None) -> None:
        if stopped_at:
            found.reported.append((position, np.zeros(0)))
            if len(found.reported) > stopped_at[0] + AFTER_STOP:
                raise GaveUp
            raise Stop
        shape = w.shape if there is None else (len(w), *np.shape(at)[1:])
        if not isinstance(at, np.ndarray) or at.shape != shape or at.dtype != np.float64:
            told = f"{at.dtype} {at.shape}" if isinstance(at, np.ndarray) else type(at).__name__
            raise Nonconformance(f"record is handed w as {told}; hand it float64 of the shape of the start, {w.shape}")
        if found.reported and position < found.reported[-1][0]:
            raise Nonconformance(
                f"it reports {position:g} after {found.reported[-1][0]:g}; call record in ascending order"
            )
        found.reported.append((position, at.copy()))

    def visit(position: float, at: Array, rtol: float, state: object, there: Problem | None) -> None:
        found.recorded.append((position, at.copy()))
        if len(found.recorded) == (stop_after or len(positions)):
            stopped_at.append(len(found.reported))
            if stop_after is not None:
                oracle.books.limit(AFTER_STOP)
            raise Stop

    try:
        found.ending = method.drive(oracle, w.copy(), Checkpoints(positions, visit, arrive), **optimizer.parameters)
    except Stop:
        pass
    except GaveUp:
        if not stopped_at:
            raise Nonconformance(
                f"it asked {MOST_QUERIES} queries without coming to its horizon; end the loop at checkpoints.horizon"
            ) from None
        raise Nonconformance(
            "it goes on after checkpoints.record has raised Stop; let Stop pass, or catch it and return at once"
        ) from None
    except RuntimeError as error:
        if "without recording it" not in str(error):
            raise
        raise Nonconformance(f"{error}; stop at each of checkpoints.positions and call record there") from None
    found.evaluations = oracle.evaluations
    found.finished = bool(stopped_at)
    return found


def positions_of(method: DriverMethod, shorter: bool = False) -> Sequence[float]:
    """Checkpoints of the kit, in the method's clock."""
    if method.clock == "time":
        return times_to_record(PER_DECADE, LESS_TIME if shorter else TIME)
    return iterations_to_record(PER_DECADE, FEWER_ITERATIONS if shorter else ITERATIONS)


def check_answers(optimizer: Optimizer) -> None:
    """It records finite states at each checkpoint, in order, up to its horizon."""
    method = _method(optimizer)
    found = drive(optimizer, _bowl(), _start(method))
    if not found.reported:
        raise Nonconformance("it returns without reporting anything; call checkpoints.record(position, w)")
    for position, w in found.reported:
        if not np.all(np.isfinite(w)):
            raise Nonconformance(
                f"w is not finite at {position:g}, from an ordinary start; check divisions by 0 and the step size"
            )
    if not found.finished and not isinstance(found.ending, str):
        raise Nonconformance(
            f"it ends at {found.reported[-1][0]:g}, before its horizon {positions_of(method)[-1]:g}, and gives no "
            "reason; go on to checkpoints.horizon, or return a sentence that says why not"
        )
    if found.ending is not None and not isinstance(found.ending, str):
        raise Nonconformance(f"it returns {type(found.ending).__name__}; return None, or a sentence on why it ended")
    first = found.recorded[0][1] if found.recorded else found.reported[0][1]
    if same_bits(first, found.reported[-1][1]) and len(found.reported) > 1:
        raise Nonconformance("the w that it reports never changes; report where the run is, not where it began")


def check_horizon(optimizer: Optimizer) -> None:
    """A checkpoint is the same in a short run and in a long one."""
    method = _method(optimizer)
    long = drive(optimizer, _bowl(), _start(method))
    short = drive(optimizer, _bowl(), _start(method), positions_of(method, shorter=True))
    later = dict(long.recorded)
    for position, w in short.recorded:
        if position in later and not (gap := _distance(w, later[position])) <= _room(method):
            raise Nonconformance(
                f"at {position:g} it is {gap:.2g} elsewhere when its horizon is longer, relative to w; report the "
                "state at each position itself, let nothing depend on the horizon, and declare rtol if there is one"
            )


def check_stop(optimizer: Optimizer) -> None:
    """It ends when record raises Stop."""
    found = drive(optimizer, _bowl(), _start(_method(optimizer)), stop_after=2)
    if found.finished and [r for r in found.reported if not r[1].size]:
        raise Nonconformance(
            "it calls record again after Stop was raised; let Stop pass, or catch it to tidy up and return"
        )


def check_determinism(optimizer: Optimizer) -> None:
    """Two runs from the same start are bitwise the same, for the same charge; another in between changes nothing."""
    method = _method(optimizer)
    before = global_randomness()
    first = drive(optimizer, _bowl(), _start(method))
    if global_randomness() != before:
        raise Nonconformance(
            "it draws from the global random generator; draw from numpy.random.default_rng(seed), "
            "with a parameter `seed`"
        )
    second = drive(optimizer, _bowl(), _start(method))
    if not _same(first, second):
        raise Nonconformance(
            "two runs from the same start differ; take the randomness out, or draw from a generator made from "
            "a parameter `seed` in the driver; keep nothing in globals"
        )
    drive(optimizer, _bowl(), _bowl().start(range(100, 100 + len(_start(method)))))
    if not _same(first, drive(optimizer, _bowl(), _start(method))):
        raise Nonconformance("a run changes after another was run; keep nothing in globals, attributes or closures")
    if first.evaluations != second.evaluations:
        raise Nonconformance(
            f"the same run costs {first.evaluations} evaluations, then {second.evaluations}; "
            "ask the oracle, and remember no answers of earlier runs"
        )


def check_batch(optimizer: Optimizer) -> None:
    """Of a batched driver, a run is bitwise the same alone and with others."""
    method = _method(optimizer)
    if not method.batched:
        raise Inapplicable("the driver is handed one run at a time")
    w = _start(method)
    together = drive(optimizer, _bowl(), w)
    for run in range(len(w)):
        alone = drive(optimizer, _bowl(), np.ascontiguousarray(w[[run]]))
        for (position, a), (_, b) in zip(alone.recorded, together.recorded, strict=False):
            if not same_bits(a, b[[run]]):
                raise Nonconformance(
                    f"run {run} goes elsewhere at {position:g} when it is alone; treat runs independently, or leave "
                    "batched=True out"
                )


def check_rotation(optimizer: Optimizer) -> None:
    """A method that claims to commute with rotations does, and does not see how many dimensions there are."""
    method = _method(optimizer)
    if not method.rotation_equivariant:
        raise Inapplicable("the method does not claim to commute with rotations")
    plain = drive(optimizer, _bowl(), _start(method)).recorded
    for given, what in (
        ({"rotation": 1}, "on a rotated problem"),
        ({"padding": PADDING}, "with idle dimensions added"),
    ):
        problem = Problem(Bowl, given)
        runs = len(_start(method))
        turned = drive(optimizer, problem, problem.start(runs)).recorded
        for (position, a), (_, b) in zip(turned, plain, strict=False):
            d = b.shape[2]
            back = a[:, :, :d] @ problem.instance.turn.T
            idle = float(np.abs(a[:, :, d:]).max()) if a.shape[2] > d else 0.0
            if not max(_distance(back, b), idle) <= _room(method):
                raise Nonconformance(
                    f"it claims {claimed(method)}=True, but {what} it goes elsewhere by {position:g}; remove the "
                    "claim, use w and gradients only in scalar products and norms, or declare rtol if it has tolerances"
                )


def check_isometry(optimizer: Optimizer) -> None:
    """A method that claims to commute with isometries of all n·d coordinates does."""
    method = _method(optimizer)
    if not method.isometry_equivariant:
        raise Inapplicable("the method does not claim to commute with isometries")
    plain = drive(optimizer, _bowl(), _start(method)).recorded
    problem = Problem(MovedBowl)
    moved = drive(optimizer, problem, problem.start(len(_start(method)))).recorded
    for (position, a), (_, b) in zip(moved, plain, strict=False):
        if not _distance(problem.instance.move_back(a), b) <= _room(method):
            raise Nonconformance(
                f"it claims isometry_equivariant=True, but where all n·d coordinates are turned and shifted it goes "
                f"elsewhere by {position:g}; {ISOMETRY_REMEDY}; or declare rtol if it has tolerances"
            )


def check_evaluations(optimizer: Optimizer, registry: Registry) -> None:
    """All that the method asks goes through the oracle, and is charged."""
    w = _start(_method(optimizer))
    oracle = MeteredOracle(_bowl(), len(w), MOST_QUERIES)
    with watched(oracle, {*registry.problems.values(), Bowl}) as past:
        drive(optimizer, _bowl(), w, oracle=oracle)
    refuse_past(past)
    oracle.audit()


def _same(a: Drive, b: Drive) -> bool:
    return len(a.recorded) == len(b.recorded) and all(
        p == q and same_bits(u, v) for (p, u), (q, v) in zip(a.recorded, b.recorded, strict=True)
    )


def _room(method: DriverMethod) -> float:
    return SAME_PATH + TOLERANCES * method.rtol


def _distance(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max()) / max(float(np.abs(b).max()), 1e-300)


def _start(method: DriverMethod) -> Array:
    return _bowl().start(RUNS if method.batched else 1)


def _method(optimizer: Optimizer) -> DriverMethod:
    assert isinstance(optimizer.method, DriverMethod)
    return optimizer.method


def _bowl() -> Problem:
    return Problem(Bowl)
