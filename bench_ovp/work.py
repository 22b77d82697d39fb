"""What a worker does with a task: run it, fit its runs, and turn whatever breaks into a value."""

from __future__ import annotations

import contextlib
import signal
import traceback

from .checkpoints import Horizon
from .optimizers import DriverMethod, Optimizer
from .plan import Cell
from .problems import Problem
from .rates import Rate, fit_rate
from .registry import installed
from .store import Outcome
from .trace import Run, failed


def prepare_worker() -> None:
    """In a fresh worker process: Ctrl-C is the planner's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def do(cell: Cell) -> list[Outcome]:
    """Run all seeds of a task; a run that breaks is an outcome with status `failed`."""
    from .integrate import integrate

    try:
        problem, optimizer = cell.revive(installed())
        trace = integrate(problem, optimizer, cell.seeds, cell.horizon, cell.per_decade, cell.stop)
        return [Outcome(run, fit_run(run, problem, optimizer), trace.engine) for run in trace.runs]
    except Exception as error:  # a plug-in's failure is a result; it must hurt nobody else
        reason = describe_failure(error)
        return [Outcome(run, fit_failed(reason), "") for run in failed(cell.seeds, reason)]


def fit_run(run: Run, problem: Problem, optimizer: Optimizer) -> Rate:
    """The law of one run, from what it recorded and what its errors are known to be."""
    if run.status == "diverged":
        return Rate("diverged", reason=run.reason)
    if run.status == "failed" or not run.rows:
        return fit_failed(run.reason)
    floor, rtol = known_errors(problem, optimizer)
    return fit_rate(run.rows["time"], run.rows["loss"], floor=floor, rtol=rtol)


def known_errors(problem: Problem, optimizer: Optimizer) -> tuple[float, float]:
    """Of the losses of a pair: the smallest that is resolved, and the relative error of each."""
    method = optimizer.method
    return problem.resolution, method.rtol if isinstance(method, DriverMethod) else 0.0


def fit_failed(reason: str) -> Rate:
    """The law of a run that has no trace."""
    return Rate("undecided", reason=f"no trace: {reason}")


def describe_failure(error: BaseException) -> str:
    """One line: what, and in which file and line it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}{where}"


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
