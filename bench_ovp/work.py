"""What a worker does with a task: run it, fit its runs, and turn whatever breaks into a value."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .checkpoints import Horizon
from .compiling import Compiling
from .custody import Custody
from .guard import Death, Guard
from .optimizers import Optimizer
from .plan import Cell
from .problems import Problem
from .rates import Rate, fit_rate
from .registry import Frame, Plugin, Registry, assemble, describe_error, find_culprit, list_frames
from .store import Outcome
from .trace import Run, failed

_guard = Guard()  # of this process; a worker's bounds its tasks


def prepare_worker(folder: Path, memory: int | None) -> None:
    """In a fresh worker process: Ctrl-C is the planner's to handle, and a task has bounds.

    Args:
        folder: where workers note what they are at.
        memory: bytes that it may come to hold.
    """
    global _guard
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _guard = Guard(folder, memory)


def do(cell: Cell) -> list[Outcome]:
    """Run all seeds of a task; a run that breaks is an outcome with status `failed`."""
    from .integrate import integrate

    registry = assemble(tuple(Path(file) for file in cell.plugins))
    custody = Custody()
    _guard.begin(name_task(cell), cell.stop.wall, cell.stop.memory)
    try:
        with custody, Compiling() as compiling:
            problem, optimizer = cell.revive(registry)
            trace = integrate(
                problem, optimizer, cell.seeds, cell.horizon, cell.per_decade, cell.stop, tick=_guard.tick
            )
            runs = [_blamed(run, cell, registry) for run in trace.runs]
            rates = [fit_run(run, optimizer) for run in runs]
        share = compiling.seconds / len(runs)
        return [Outcome(*pair, trace.engine, custody.said, share) for pair in zip(runs, rates, strict=True)]
    except (Exception, SystemExit) as error:  # a plug-in's failure is a result; it must hurt nobody else
        return fail(cell, describe_failure(error, cell, registry), said=custody.said)
    finally:
        _guard.end()


def name_task(cell: Cell) -> str:
    """What tells a task from all others of a suite, in one line."""
    return f"{cell.label}, seeds {cell.seeds[0]} to {cell.seeds[-1]}"


def fail(cell: Cell, reason: str, status: str = "failed", said: str = "") -> list[Outcome]:
    """The outcomes of a task that has nothing to show."""
    return [Outcome(run, fit_failed(reason), "", said) for run in failed(cell.seeds, reason, status)]


def find_suspects(cell: Cell, registry: Registry) -> tuple[Plugin, ...]:
    """The plug-ins at work in a cell, the optimizer's first."""
    return registry.plugin_of("optimizer", cell.optimizer[0]), registry.plugin_of("problem", cell.problem[0])


def describe_failure(error: BaseException, cell: Cell, registry: Registry) -> str:
    """One line: what was raised, where, and whose it is."""
    return f"{describe_error(error, find_suspects(cell, registry))}, {blame(cell, registry, list_frames(error))}"


def describe_death(death: Death, cell: Cell, registry: Registry) -> str:
    """One line: how a worker died, in which frame, and whose that is."""
    found = find_culprit(death.frames, find_suspects(cell, registry))
    place = found[0] if found else death.frames[0][1] if death.frames else ""
    cause = f"no sign of life, killed at the wall limit of {cell.stop.wall:g} s" if death.timed_out else death.cause
    return f"{cause}{f' ({place})' if place else ''}, {blame(cell, registry, death.frames)}"


def blame(cell: Cell, registry: Registry, frames: Sequence[Frame] = ()) -> str:
    """Whose innermost frame it was; the optimizer's where no frame tells."""
    suspects = find_suspects(cell, registry)
    found = find_culprit(frames, suspects)
    return f"in {found[1].title}" if found else f"under {suspects[0].title}"


def _blamed(run: Run, cell: Cell, registry: Registry) -> Run:
    """A run, with the plug-in named if it failed without an error."""
    if run.status != "failed":
        return run
    return replace(run, reason=f"{run.reason}, {blame(cell, registry)}")


def fit_run(run: Run, optimizer: Optimizer) -> Rate:
    """The law of one run, from what it recorded and what its errors are known to be."""
    if run.status == "diverged":
        return Rate("diverged", reason=run.reason)
    if run.status == "failed" or not run.rows:
        return fit_failed(run.reason)
    return fit_rate(run.rows["time"], run.rows["loss"], floor=run.resolution, rtol=optimizer.rtol)


def fit_failed(reason: str) -> Rate:
    """The law of a run that has no trace."""
    return Rate("undecided", reason=f"no trace: {reason}")


def estimate_seconds(cell: Cell, problem: Problem, optimizer: Optimizer) -> float | None:
    """About how long a cell takes, from the pace of a short run; None for a flow."""
    from .integrate import integrate

    if optimizer.method.clock == "time":
        return None
    pilot = Horizon(iterations=8)
    with contextlib.suppress(Exception):
        integrate(problem, optimizer, cell.seeds[:1], pilot)  # compiles
        trace = integrate(problem, optimizer, cell.seeds, Horizon(iterations=64))
        seconds = sum(run.seconds for run in trace.runs)
        limits = [cell.horizon.iterations, cell.horizon.evaluations]
        if cell.horizon.time is not None:
            limits.append(int(cell.horizon.time / optimizer.time_per_iteration))
        return seconds / 64 * min(limit for limit in limits if limit is not None)
    return None
