"""Cells in, outcomes out: what is stored is not run, what breaks is named, what is done is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from typing import Protocol

from .executors import count_jobs, kill, open_executor
from .plan import Cell, list_tasks, weight
from .registry import Registry
from .store import Outcome, Store
from .trace import failed
from .work import describe_failure, do, fit_failed

TASKS_AHEAD = 2  # per worker: enough to keep it busy, few enough that Ctrl-C loses little
KILLED = "its worker process was killed or crashed"


class Progress(Protocol):
    """Who wants to know how far the work is."""

    def begin(self, cells: int, done: int, weight: float) -> None:
        """Work begins: cells in all, those done already, and the weight of what is left."""

    def started(self, label: str) -> None:
        """A task of this cell went to a worker."""

    def advanced(self, label: str, weight: float, cell_done: bool) -> None:
        """A task of this cell ended."""

    def noted(self, line: str) -> None:
        """Something the user should know."""


def run_missing(
    cells: Sequence[Cell],
    store: Store,
    registry: Registry,
    progress: Progress,
    jobs: int | None = None,
    executor: str = "process",
) -> dict[tuple[str, int, str], Outcome]:
    """Run what `store` lacks and store it; return the failed runs, which are not stored.

    Args:
        cells: of the suite.
        store: of its results.
        registry: of the plug-ins.
        progress: is told what happens.
        jobs, executor: see `executors`.
    Returns:
        Failed outcomes by (key, seed, limits).
    """
    tasks: list[tuple[float, Cell]] = []
    remaining: dict[str, int] = {}
    for cell in cells:
        have = store.finished(cell)
        lacking = cell.with_seeds(seed for seed in cell.seeds if seed not in have)
        if not lacking.seeds:
            continue
        pair = cell.revive(registry)
        parts = list(list_tasks(lacking, registry))
        remaining[cell.label] = len(parts)
        tasks += [(weight(part, *pair), part) for part in parts]
    for line in store.damaged:
        progress.noted(f"the stored run of {line} is damaged and will be computed again")
    tasks.sort(key=lambda entry: -entry[0])  # the longest first: none is left alone at the end
    progress.begin(len(cells), len(cells) - len(remaining), sum(cost for cost, _ in tasks))
    broken: dict[tuple[str, int, str], Outcome] = {}
    if not tasks:
        return broken
    costs = {id(task): cost for cost, task in tasks}
    # Closed by name: after Ctrl-C, an open stream would keep its workers for as long as the traceback lives.
    with closing(_stream([task for _, task in tasks], count_jobs(jobs), executor, progress)) as stream:
        for task, outcomes in stream:
            store.save(task, outcomes)
            for outcome in outcomes:
                if outcome.run.status == "failed":
                    broken[task.key, outcome.run.seed, task.limits] = outcome
            remaining[task.label] -= 1
            progress.advanced(task.label, costs[id(task)], remaining[task.label] == 0)
    return broken


def _stream(tasks: Sequence[Cell], jobs: int, name: str, progress: Progress) -> Generator[tuple[Cell, list[Outcome]]]:
    """Outcomes of tasks as they end. A crash of a worker breaks the pool: it is opened anew, and every task that
    was under way is tried again alone, so that the one that kills its worker is the one that fails."""
    queue = deque(tasks)
    suspects: deque[Cell] = deque()
    while queue or suspects:
        pool = open_executor(name, jobs)
        running: dict[Future[list[Outcome]], Cell] = {}
        ahead = 1 if suspects else jobs * TASKS_AHEAD
        try:
            while queue or suspects or running:
                crashed = not _fill(pool, running, suspects or queue, 1 if suspects else ahead, progress)
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    task = running.pop(future)
                    error = future.exception()
                    if error is None:
                        yield task, future.result()
                    elif isinstance(error, BrokenProcessPool):
                        crashed = True
                        if ahead == 1 and not running:
                            yield task, _fail(task, KILLED)
                        else:
                            suspects.append(task)
                    else:  # what `do` cannot catch: a plug-in that exits, an outcome that cannot be sent
                        yield task, _fail(task, describe_failure(error))
                if crashed:
                    suspects += running.values()
                    progress.noted("a worker process died; the tasks under way are tried again, one at a time")
                    break
                if ahead == 1 and not suspects and not running:
                    break  # the suspects are through: full width again
        finally:
            kill(pool) if running else pool.shutdown()


def _fill(
    pool: Executor,
    running: dict[Future[list[Outcome]], Cell],
    queue: deque[Cell],
    most: int,
    progress: Progress,
) -> bool:
    """Submit tasks; False where the pool turns out to be broken."""
    while queue and len(running) < most:
        try:
            future = pool.submit(do, queue[0])
        except BrokenProcessPool:
            return False
        running[future] = task = queue.popleft()
        progress.started(task.label)
    return True


def _fail(task: Cell, reason: str) -> list[Outcome]:
    return [Outcome(run, fit_failed(reason), "") for run in failed(task.seeds, reason)]
