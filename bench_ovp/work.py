"""What a worker does with a task: run it, fit its runs, and turn whatever breaks into a value."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import Horizon
from .compiling import Compiling
from .custody import Custody
from .errors import PluginError
from .guard import Death, Guard
from .keys import define_optimizer, define_problem, digest_definition, make_key
from .optimizers import Optimizer
from .plan import RUNS_PER_STEP_TASK, Cell, count_steps
from .problems import Problem
from .rates import Rate, fit_rate
from .registry import Frame, Plugin, Registry, assemble, describe_error, find_culprit, list_frames
from .store import Outcome
from .trace import UNFINISHED, Run, failed

PORTION = 15.0  # seconds after which the runs of a task are stored and go on in another: what a lost worker costs
UNFITTED = Rate("undecided", reason="unfinished")

_turn = threading.Lock()  # a task has its process for itself, as prints, bounds and threads of BLAS are the process's
_guard = Guard()  # of this process; a worker's bounds its tasks


def prepare_worker(folder: Path, memory: int | None, ours: bool = True) -> None:
    """In a fresh worker process: Ctrl-C is the planner's to handle, and a task has bounds.

    Args:
        folder: where workers note what they are at.
        memory: bytes that it may come to hold.
        ours: whether we started the process; of another's we leave the signals alone, and learn ourselves how the
            worker before it died.
    """
    global _guard
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _guard = Guard(folder, memory, succeeds=not ours)


def do(cell: Cell) -> list[Outcome]:
    """Run all seeds of a task; a run that breaks is an outcome with status `failed`."""
    with _turn:
        return _do(cell)


def _do(cell: Cell) -> list[Outcome]:
    from .integrate import integrate

    registry = assemble(tuple(Path(file) for file in cell.plugins))
    if death := _guard.recall(name_task(cell)):
        return fail_dead(death, cell, registry)
    custody = Custody()
    _guard.begin(name_task(cell), cell.stop.wall, cell.stop.memory)
    try:
        with custody, Compiling() as compiling:
            problem, optimizer = cell.revive(registry)
            check_sources(cell, problem, optimizer)
            trace = integrate(
                problem, optimizer, cell.seeds, cell.horizon, cell.per_decade, cell.stop,
                watch=_guard, earlier=cell.earlier, portion=PORTION,
            )  # fmt: skip
            runs = [_blamed(run, cell, registry) for run in trace.runs]
            rates = [UNFITTED if run.status == UNFINISHED else fit_run(run, optimizer) for run in runs]
        share = compiling.seconds / len(runs)
        return [Outcome(*pair, trace.engine, custody.said, share) for pair in zip(runs, rates, strict=True)]
    except MemoryError as error:
        bounded = cell.stop.memory is not None  # as a limit of time: it ends a run, and is no fault of it
        reason = describe_failure(error, cell, registry)
        return fail(cell, reason, "timeout" if bounded else "failed", custody.said, _guard.rows())
    except (Exception, SystemExit) as error:  # a plug-in's failure is a result; it must hurt nobody else
        return fail(cell, describe_failure(error, cell, registry), said=custody.said)
    finally:
        _guard.end()


def check_sources(cell: Cell, problem: Problem, optimizer: Optimizer) -> None:
    """Refuse a task whose numbers would not be those that its key stands for.

    Errors:
        PluginError: this process holds other sources, or other versions of libraries, than the one that planned.
    """
    sides = digest_definition(define_problem(problem)), digest_definition(define_optimizer(optimizer))
    if make_key(*sides, cell.per_decade, cell.horizon.stepped) != cell.key:
        raise PluginError(
            "this worker holds other sources or versions than the suite was planned with; "
            "install the same on all machines, or run the suite again if a file was edited meanwhile"
        )


def name_task(cell: Cell) -> str:
    """What tells a task from all others of a suite, in one line."""
    return f"{cell.label}, seeds {cell.seeds[0]} to {cell.seeds[-1]}"


def fail(
    cell: Cell, reason: str, status: str = "failed", said: str = "", rows: Mapping[int, Mapping[str, Any]] = {}
) -> list[Outcome]:
    """The outcomes of a task that broke; `rows` are the columns that its runs recorded before, by seed."""
    kept = {run.seed: run.rows for run in cell.earlier}
    for seed, columns in rows.items():
        before = kept.get(seed, {})
        kept[seed] = {name: np.concatenate([before.get(name, ()), column]) for name, column in columns.items()}
    return [Outcome(run, fit_failed(reason), "", said) for run in failed(cell.seeds, reason, status, kept)]


def fail_dead(death: Death, cell: Cell, registry: Registry) -> list[Outcome]:
    """The outcomes of a task of which a worker died."""
    status = "timeout" if death.timed_out else "failed"
    return fail(cell, describe_death(death, cell, registry), status, rows=death.rows)


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
        few = cell.seeds[:RUNS_PER_STEP_TASK]
        trace = integrate(problem, optimizer, few, Horizon(iterations=64))
        seconds = sum(run.seconds for run in trace.runs) * len(cell.seeds) / len(few)
        return seconds / 64 * count_steps(cell, optimizer)
    return None
