"""The Python interface; the commands are thin over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoints import Horizon, StopRule
from .errors import InputError
from .optimizers import Optimizer
from .problems import Problem
from .registry import installed
from .trace import Trace

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import ArrayLike

    from .changes import Changes
    from .rates import Rate


def problem(name: str, **parameters: Any) -> Problem:
    """A problem by name.

    Args:
        name: as `bench-ovp list problems` shows it.
        parameters: those that differ from the defaults.
    Errors:
        InputError: unknown name or parameter, or a value that will not do.
    """
    return installed().problem(name, **parameters)


def optimizer(name: str, label: str | None = None, **parameters: Any) -> Optimizer:
    """An optimizer by name.

    Args:
        name: as `bench-ovp list optimizers` shows it.
        label: what tables shall call it.
        parameters: those that differ from the defaults.
    Errors:
        InputError: unknown name or parameter, or a value that will not do.
    """
    return installed().optimizer(name, label, **parameters)


def run(
    problem: Problem,
    optimizer: Optimizer,
    seeds: int | Sequence[int] = 1,
    *,
    iterations: float | None = None,
    time: float | None = None,
    evaluations: float | None = None,
    stepped: float | None = None,
    per_decade: int = 20,
    stop_loss: float | None = None,
    wall: float | None = None,
) -> Trace:
    """Run one optimizer on one problem in this process.

    Args:
        problem, optimizer: made by `problem` and `optimizer`.
        seeds: a number n for 0 … n − 1, or the seeds themselves.
        iterations, time, evaluations: the horizon, whichever comes first; a flow asks for `time`.
        stepped: the iterations that are taken in any case before a run may be carried on by its modified equation.
        per_decade: checkpoints per decade.
        stop_loss: a target that ends a run early.
        wall: a limit in seconds for all seeds together.
    Returns:
        The trace; `.frame()` is a table, `.runs` says how each seed ended.
    Errors:
        InputError: no horizon that this method obeys, or a value that will not do.
    """
    from .integrate import integrate

    listed = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not listed:
        raise InputError("seeds must name at least one seed")
    limits = {"iterations": iterations, "time": time, "evaluations": evaluations, "stepped": stepped}
    for name, value in limits.items():
        if value is not None and not value > 0:
            raise InputError(f"{name} = {value!r} must be positive")
    counts = {name: _whole(name, limits[name]) for name in ("iterations", "evaluations", "stepped")}
    horizon = Horizon(time=time, **counts)
    return integrate(problem, optimizer, listed, horizon, per_decade, StopRule(stop_loss, wall))


def fit_rate(time: ArrayLike, loss: ArrayLike, *, floor: float = 0.0, rtol: float = 0.0) -> Rate:
    """Decide the law of a curve: power, exponential, or neither.

    Args:
        time: ascending times.
        loss: the losses there.
        floor: the smallest loss that is resolved: a loss has relative uncertainty √(floor/loss).
        rtol: a relative error that every loss may have, such as an integrator's.
    Returns:
        A Rate: .law .value .low .high .constant, and the evidence.
    """
    from .rates import fit_rate as fit

    return fit(time, loss, floor=floor, rtol=rtol)


def run_suite(
    path: str | Path,
    results: str | Path = "results",
    *,
    jobs: int | None = None,
    executor: str | Executor = "process",
    report: bool = True,
) -> Path:
    """Do what `bench-ovp suite` does; return the suite's folder of results.

    Args:
        path: of the suite file.
        results: where folders of results live.
        jobs: workers; with an executor of your own, how many tasks it does at a time.
        executor: a name as on the command line, or any `concurrent.futures` executor, which stays open.
        report: whether to draw figures and page.
    Errors:
        InputError: the suite cannot be run as it is written, or its results are in use.
    """
    from .suite_run import run_suite as run_whole

    return run_whole(Path(path), Path(results), jobs=jobs, executor=executor, report=report).folder


def compare(before: str | Path, after: str | Path) -> Changes:
    """What changed from one run of a suite to another; what `bench-ovp compare` does.

    Args:
        before, after: folders of results.
    Returns:
        Changes: .changed .pairs .context, and what came and went; `bench_ovp.changes` says more.
    Errors:
        InputError: a folder holds no results, or a table cannot be read.
    """
    from .changes import compare_results

    return compare_results(Path(before), Path(after))


def _whole(name: str, value: float | None) -> int | None:
    if value is None:
        return None
    if int(value) != value:
        raise InputError(f"{name} = {value!r} must be a whole number")
    return int(value)
