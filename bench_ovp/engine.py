"""Cells in, outcomes out: what is stored is not run, what breaks is named, what is done is kept."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Protocol

from .executors import count_jobs, kill, open_executor
from .guard import read_deaths
from .plan import Cell, list_tasks, revive_all, weight
from .registry import Registry
from .store import Outcome, Store
from .work import blame, describe_death, describe_failure, do, fail, find_suspects, name_task

TASKS_AHEAD = 2  # per worker: enough to keep it busy, few enough that Ctrl-C loses little
MOMENT = 0.5  # seconds
COMPILING = "compiling"  # under which the store notes seconds of all workers together
WORTH_TELLING = 1.0
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
    lacking = [part for cell in cells if (part := _leave_out(cell, store.finished(cell))).seeds]
    for cell, pair in zip(lacking, revive_all(lacking, registry), strict=True):
        parts = list(list_tasks(cell, registry))
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
    told: set[str] = set()
    compiling = 0.0
    workers = min(count_jobs(jobs), len(tasks))
    with closing(_stream([task for _, task in tasks], workers, executor, registry, progress)) as stream:
        for result in stream:
            if result is None:
                store.commit()
                continue
            task, outcomes = result
            store.save(task, outcomes)
            for outcome in outcomes:
                compiling += outcome.compiling
                if outcome.run.status == "failed":
                    broken[task.key, outcome.run.seed, task.limits] = outcome
            for line in _list_incidents(task, outcomes, registry):
                if line not in told:
                    told.add(line)
                    progress.noted(line)
            remaining[task.label] -= 1
            progress.advanced(task.label, costs[id(task)], remaining[task.label] == 0)
    if compiling >= WORTH_TELLING:
        progress.noted(f"{compiling:.0f} s of this went into compiling, once on this machine")
    store.note(COMPILING, compiling + (store.recall(COMPILING) or 0.0))
    return broken


def _leave_out(cell: Cell, seeds: set[int]) -> Cell:
    return cell.with_seeds(seed for seed in cell.seeds if seed not in seeds) if seeds else cell


def _list_incidents(task: Cell, outcomes: Sequence[Outcome], registry: Registry) -> list[str]:
    """A line for each thing that a user should know of a task: what broke, and what was printed."""
    unsound = [outcome.run for outcome in outcomes if outcome.run.status in ("failed", "timeout")]
    lines = [f"{task.label}: {unsound[0].reason}"] if unsound else []
    if outcomes and outcomes[0].said:
        title = find_suspects(task, registry)[0].title
        lines.append(f"{task.optimizer_label}: {title}, or its problem, printed: {outcomes[0].said}")
    return lines


Result = tuple[Cell, list[Outcome]]


def _stream(
    tasks: Sequence[Cell], jobs: int, name: str, registry: Registry, progress: Progress
) -> Generator[Result | None]:
    """Outcomes of tasks as they end, and None where a moment passed without one.

    A crash of a worker breaks the pool, and it is opened anew. A worker that left last words is known to have died
    of its task. Where none did, every task that was under way is tried again alone, so that the one that kills its
    worker is the one that fails.
    """
    queue = deque(tasks)
    suspects: deque[Cell] = deque()
    while queue or suspects:
        with tempfile.TemporaryDirectory(prefix="bench-ovp-") as folder:
            pool = open_executor(name, jobs, Path(folder))
            running: dict[Future[list[Outcome]], Cell] = {}
            ahead = 1 if suspects else jobs * TASKS_AHEAD
            try:
                while queue or suspects or running:
                    crashed = not _fill(pool, running, suspects or queue, 1 if suspects else ahead, progress)
                    ended, _ = wait(running, MOMENT, return_when=FIRST_COMPLETED)
                    if not (ended or crashed):
                        yield None
                    victims = []
                    for future in ended:
                        task = running.pop(future)
                        error = future.exception()
                        if error is None:
                            yield task, future.result()
                        elif isinstance(error, BrokenProcessPool):
                            crashed = True
                            victims.append(task)
                        else:  # what `do` cannot catch: an outcome that cannot be sent
                            yield task, fail(task, describe_failure(error, task, registry))
                    if crashed:
                        victims += running.values()
                        dead = list(_find_dead(victims, Path(folder), registry))
                        if not dead and ahead == 1 and len(victims) == 1:
                            dead = [(victims[0], fail(victims[0], f"{KILLED}, {blame(victims[0], registry)}"))]
                        yield from dead
                        spared = [task for task in victims if all(task is not culprit for culprit, _ in dead)]
                        if dead:
                            queue.extendleft(spared)
                        elif spared:
                            suspects += spared
                            progress.noted("a worker process died; the tasks under way are tried again, one at a time")
                        break
                    if ahead == 1 and not suspects and not running:
                        break  # the suspects are through: full width again
            finally:
                kill(pool) if running else pool.shutdown()


def _find_dead(victims: Iterable[Cell], folder: Path, registry: Registry) -> Generator[Result]:
    """The tasks whose workers left last words in `folder`, with their outcomes."""
    deaths = {death.task: death for death in read_deaths(folder)}
    for task in victims:
        if death := deaths.get(name_task(task)):
            status = "timeout" if death.timed_out else "failed"
            yield task, fail(task, describe_death(death, task, registry), status)


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
