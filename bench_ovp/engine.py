"""Cells in, outcomes out: what is stored is not run, what breaks is named, what is done is kept."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Protocol

from .crew import Crew
from .errors import InputError
from .executors import Pool
from .guard import list_begun, read_deaths
from .keys import Definition, define_optimizer, define_problem, describe_host, digest_definition
from .optimizers import Optimizer
from .plan import Cell, go_on, list_tasks, passes, revive_all, weight
from .problems import Problem
from .registry import Registry
from .store import Outcome, Store
from .trace import UNFINISHED
from .work import blame, describe_failure, do, fail, fail_dead, find_suspects, name_task

TASKS_AHEAD = 2  # per worker: enough to keep it busy, few enough that Ctrl-C loses little
MOMENT = 0.5  # seconds
ATTEMPTS = 4  # of a task that dies alone and without a word: somebody else may have killed it
COMPILING = "compiling"  # under which the store notes seconds of all workers together
WORTH_TELLING = 1.0
KILLED = "its worker process was killed or crashed"


class Progress(Protocol):
    """Who wants to know how far the work is."""

    def begin(self, cells: int, done: int, weight: float) -> None:
        """Work begins: cells in all, those done already, and the weight of what is left."""

    def started(self, label: str) -> None:
        """A task of this cell went to a worker."""

    def advanced(self, label: str, weight: float, cell_done: bool, compiling: float) -> None:
        """A task of this cell ended, in which so many seconds of each worker went into compiling."""

    def noted(self, line: str) -> None:
        """Something the user should know."""


Broken = dict[tuple[str, int, str], Outcome]  # by key, seed and limits


def run_missing(
    cells: Sequence[Cell],
    store: Store,
    registry: Registry,
    progress: Progress,
    crew: Crew,
) -> Broken:
    """Run what `store` lacks and store it; return the failed runs, which are not stored.

    Args:
        cells: of the suite.
        store: of its results.
        registry: of the plug-ins.
        progress: is told what happens.
        crew: does the work.
    """
    for line in store.damaged:
        progress.noted(line)
    lacking = [part for cell in cells if (part := _leave_out(cell, store.finished(cell))).seeds]
    work = Work(store, registry, progress)
    for cell, pair in zip(lacking, revive_all(lacking, registry), strict=True):
        work.add(cell, *pair)
    progress.begin(len(cells), len(cells) - work.unfinished, work.weight)
    if work.queue:
        work.run(crew)
    store.commit()
    return work.broken


class Work:
    """The tasks of a suite, from the queue to the store.

    Args:
        store: of its results.
        registry: of the plug-ins.
        progress: is told what happens.
    """

    def __init__(self, store: Store, registry: Registry, progress: Progress) -> None:
        self.queue: deque[Cell] = deque()
        self.broken: Broken = {}
        self._store, self._registry, self._progress = store, registry, progress
        self._parts: Counter[str] = Counter()  # tasks that are left, by the label of their cell
        self._costs: dict[int, float] = {}
        self._pairs: dict[str, tuple[Problem, Optimizer]] = {}
        self._defined: dict[str, str] = {}
        self._compiling = 0.0
        self._workers = 1
        self._told: set[str] = set()

    @property
    def unfinished(self) -> int:
        """How many cells have tasks left."""
        return sum(count > 0 for count in self._parts.values())

    @property
    def weight(self) -> float:
        """The cost of all that is left."""
        return sum(self._costs.values())

    def add(self, cell: Cell, problem: Problem, optimizer: Optimizer) -> None:
        """Take in the runs of a cell, but for those that a shorter run has brought to their end."""
        self._define(cell, problem, optimizer)
        earlier = self._store.find_earlier(cell, lambda place, spent: passes(cell, optimizer, place, spent))
        ended = [seed for seed, stored in earlier.items() if not stored.run.state and stored.rate is not None]
        self._store.save(cell, [Outcome(*earlier[seed]) for seed in ended])  # type: ignore[arg-type]
        cell = _leave_out(cell, set(ended))
        going = {seed: stored.run for seed, stored in earlier.items() if stored.run.state}
        self._pairs[cell.label] = problem, optimizer
        for task in list_tasks(cell, self._registry, going):
            self._put(task)

    def run(self, crew: Crew) -> None:
        """Do all tasks, those of cells with the longest first: none is left alone at the end, no cell kept waiting."""
        self._workers = crew.count(len(self.queue))
        longest: dict[str, float] = {}
        for task in self.queue:
            longest[task.label] = max(longest.get(task.label, 0.0), self._costs[id(task)])
        self.queue = deque(sorted(self.queue, key=lambda task: -longest[task.label]))
        # Closed by name: after Ctrl-C, an open stream would keep its workers for as long as the traceback lives.
        with closing(_stream(self.queue, self._workers, crew, self._registry, self._progress)) as stream:
            for result in stream:
                if result is None:
                    self._store.commit()
                else:
                    self._settle(*result)
        if self._compiling >= WORTH_TELLING:
            self._progress.noted(f"{self._compiling:.0f} s of this went into compiling, once on this machine")
        self._store.note(COMPILING, self._compiling + (self._store.recall(COMPILING) or 0.0))

    def _put(self, task: Cell) -> None:
        self._costs[id(task)] = weight(task, *self._pairs[task.label])
        self._parts[task.label] += 1
        self.queue.append(task)

    def _settle(self, task: Cell, outcomes: list[Outcome]) -> None:
        self._store.save(task, outcomes)
        unfinished = [outcome.run for outcome in outcomes if outcome.run.status == UNFINISHED]
        if unfinished:
            self._put(go_on(task, unfinished))
            self.queue.rotate(1)  # to the front: it was among the longest
        compiling = sum(outcome.compiling for outcome in outcomes)
        self._compiling += compiling
        for outcome in outcomes:
            if outcome.run.status == "failed":
                self.broken[task.key, outcome.run.seed, task.limits] = outcome
        for line in _list_incidents(task, outcomes, self._registry):
            if line not in self._told:
                self._told.add(line)
                self._progress.noted(line)
        self._parts[task.label] -= 1
        cost = self._costs.pop(id(task)) - (self._costs[id(self.queue[0])] if unfinished else 0.0)
        self._progress.advanced(task.label, cost, self._parts[task.label] == 0, compiling / self._workers)

    def _define(self, cell: Cell, problem: Problem, optimizer: Optimizer) -> None:
        """Keep beside the runs what their key stands for."""
        sides = (
            self._keep(cell.problem_label, lambda: define_problem(problem)),
            self._keep(f"{cell.optimizer_label} {cell.optimizer}", lambda: define_optimizer(optimizer)),
            self._keep("", describe_host),
        )
        self._store.define(cell.key, {"label": cell.label, "sides": sides, "per_decade": cell.per_decade})

    def _keep(self, label: str, define: Callable[[], Definition]) -> str:
        """Store a definition, and tell its digest."""
        if label not in self._defined:
            definition = define()
            self._defined[label] = digest_definition(definition)
            self._store.define(self._defined[label], definition)
        return self._defined[label]


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
    queue: deque[Cell], workers: int, crew: Crew, registry: Registry, progress: Progress
) -> Generator[Result | None]:
    """Outcomes of tasks as they end, and None where a moment passed without one; `queue` may grow meanwhile.

    A crash of a worker breaks a pool of processes, and others come. A worker that left last words is known to
    have died of its task. Where none did, every task that was under way is tried again alone, so that the one that
    kills its worker time and again is the one that fails.
    """
    suspects: deque[Cell] = deque()
    deaths: Counter[int] = Counter()  # by task, alone and without a word
    while queue or suspects:
        pool, folder = crew.come(workers)
        running: dict[Future[list[Outcome]], Cell] = {}
        alone, crashed = bool(suspects), False
        try:
            while queue or suspects or running:
                ahead = 1 if alone else pool.workers * TASKS_AHEAD
                crashed = not _fill(pool, running, suspects or queue, ahead, progress)
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
                    elif pool.keeps and type(error).__name__ in LOST and deaths[id(task)] + 1 < ATTEMPTS:
                        deaths[id(task)] += 1
                        queue.appendleft(task)
                    else:  # what `do` cannot catch: an outcome that cannot be sent
                        yield task, fail(task, describe_failure(error, task, registry))
                if crashed and isinstance(crew.executor, Executor):
                    raise InputError("the executor that was given broke down; finished runs are kept")
                if crashed:
                    victims += running.values()
                    dead = list(_find_dead(victims, folder, registry))
                    if not dead and alone and len(victims) == 1:
                        [victim] = victims
                        deaths[id(victim)] += name_task(victim) in list_begun(folder)
                        if deaths[id(victim)] >= ATTEMPTS:
                            dead = [(victim, fail(victim, f"{KILLED}, {blame(victim, registry)}"))]
                    yield from dead
                    spared = [task for task in victims if all(task is not culprit for culprit, _ in dead)]
                    if dead:
                        queue.extendleft(spared)
                    elif spared:
                        suspects += spared
                        progress.noted("a worker process died; the tasks under way are tried again, one at a time")
                    break
                if alone and not suspects and not running:
                    break  # the suspects are through: full width again
        finally:
            if running or crashed:
                crew.leave(now=bool(running))


LOST = {"KilledWorker", "CancelledError", "FutureCancelledError"}  # how dask says that a task's workers died


def _find_dead(victims: Iterable[Cell], folder: Path, registry: Registry) -> Generator[Result]:
    """The tasks whose workers left last words in `folder`, with their outcomes."""
    deaths = {death.task: death for death in read_deaths(folder)}
    for task in victims:
        if death := deaths.get(name_task(task)):
            yield task, fail_dead(death, task, registry)


def _fill(
    pool: Pool,
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
