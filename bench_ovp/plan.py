"""From a suite to its cells, and from cells to tasks: plain data that any process can be handed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .candidates import Tunable
from .checkpoints import Horizon, StopRule, last_iteration
from .keys import define_optimizer, define_problem, digest_definition, make_key
from .optimizers import DriverMethod, Optimizer, StepMethod
from .problems import Problem
from .registry import Registry
from .trace import Run

if TYPE_CHECKING:
    from .suite import Suite

RUNS_PER_STEP_TASK = 16
RUNS_PER_DRIVER_TASK = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """A problem with an optimizer, for some seeds.

    Args:
        problem, optimizer: names and given parameters.
        problem_label, optimizer_label: how tables call them; `alias` is a label that the user chose.
        seeds: a run each.
        horizon, stop, per_decade: see `checkpoints`.
        key: digest of all that defines the numbers of one seed's trace, save the horizon and the target.
        plugins: files of the single-file plug-ins that a worker must load.
        earlier: the runs that these go on from, in the order of `seeds`; () where all begin at their start.
    """

    problem: tuple[str, dict[str, Any]]
    optimizer: tuple[str, dict[str, Any]]
    problem_label: str
    optimizer_label: str
    alias: str | None
    seeds: tuple[int, ...]
    horizon: Horizon
    stop: StopRule
    per_decade: int
    key: str
    plugins: tuple[str, ...] = ()
    earlier: tuple[Run, ...] = ()

    @property
    def label(self) -> str:
        """PROBLEM x OPTIMIZER."""
        return f"{self.problem_label} x {self.optimizer_label}"

    @property
    def limits(self) -> str:
        """The horizon and the target, as text: with `key` and a seed it names a stored run."""
        h = self.horizon
        return json.dumps([h.iterations, h.time, h.evaluations, self.stop.loss])

    def with_seeds(self, seeds: Iterable[int]) -> Cell:
        """The same cell for other seeds."""
        return replace(self, seeds=tuple(seeds))

    def revive(self, registry: Registry) -> tuple[Problem, Optimizer]:
        """The problem and the optimizer that the names stand for."""
        return self.revive_problem(registry), self.revive_optimizer(registry)

    def revive_problem(self, registry: Registry) -> Problem:
        """The problem alone."""
        name, given = self.problem
        return registry.problem(name, **given)

    def revive_optimizer(self, registry: Registry) -> Optimizer:
        """The optimizer alone."""
        name, given = self.optimizer
        return registry.optimizer(name, self.alias, **given)


@dataclass(frozen=True, slots=True)
class Choice:
    """A cell whose optimizer is still to be chosen among candidates.

    Args:
        tunable: the optimizer, with its candidates.
        options: the cell with each of the candidates in turn; all of them have its label.
        trials: the candidates on the seeds for tuning, each under a label of its own.
    """

    tunable: Tunable
    options: tuple[Cell, ...]
    trials: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """PROBLEM x OPTIMIZER, whatever is chosen."""
        return self.options[0].label


class _Side(NamedTuple):
    """What a problem, or an optimizer, gives to its cells: its name with parameters, its label, its digest."""

    named: tuple[str, dict[str, Any]]
    label: str
    alias: str | None
    digest: str


def list_entries(suite: Suite, registry: Registry) -> list[Cell | Choice]:
    """The cells of a suite, optimizers fastest, and in their places those that are still to be tuned."""
    entries: list[Cell | Choice] = []
    files = tuple(str(file) for file in registry.files)
    methods = [(thing, [_take_side(one) for one in _candidates(thing)]) for thing in suite.optimizers]

    def make(problem: _Side, optimizer: _Side, seeds: tuple[int, ...], rules: tuple[Horizon, StopRule]) -> Cell:
        key = make_key(problem.digest, optimizer.digest, suite.per_decade, rules[0].stepped)
        labels = problem.label, optimizer.label, optimizer.alias
        return Cell(problem.named, optimizer.named, *labels, seeds, *rules, suite.per_decade, key, files)

    for thing in suite.problems:
        digest = digest_definition(define_problem(thing))
        problem = _Side((thing.name, dict(thing.given)), thing.label, None, digest)
        for optimizer, sides in methods:
            label = optimizer.label
            rules = suite.rules(problem.label, label)
            options = [make(problem, side._replace(label=label), suite.seeds, rules) for side in sides]
            if not isinstance(optimizer, Tunable):
                entries += options
                continue
            assert suite.tuning is not None  # or the file would have been refused
            trial_rules = suite.tuning_rules(problem.label, label)
            trials = (make(problem, side, suite.tuning.seeds, trial_rules) for side in sides)
            chosen = (replace(option, alias=label) for option in options)
            entries.append(Choice(optimizer, tuple(chosen), tuple(trials)))
    return entries


def _candidates(optimizer: Optimizer | Tunable) -> tuple[Optimizer, ...]:
    return optimizer.candidates if isinstance(optimizer, Tunable) else (optimizer,)


def _take_side(optimizer: Optimizer) -> _Side:
    named = optimizer.name, dict(optimizer.given)
    return _Side(named, optimizer.label, optimizer.alias, digest_definition(define_optimizer(optimizer)))


def list_cells(suite: Suite, registry: Registry) -> list[Cell]:
    """The cells of a suite that need no tuning, optimizers fastest."""
    return [entry for entry in list_entries(suite, registry) if isinstance(entry, Cell)]


def revive_all(cells: Iterable[Cell], registry: Registry) -> Iterator[tuple[Problem, Optimizer]]:
    """The pairs of a suite's cells, each problem and each optimizer made once."""
    problems: dict[str, Problem] = {}
    optimizers: dict[tuple[str, str], Optimizer] = {}
    for cell in cells:
        here, there = cell.problem_label, (cell.optimizer_label, str(cell.optimizer))  # one label, tuned for each
        if here not in problems:
            problems[here] = cell.revive_problem(registry)
        if there not in optimizers:
            optimizers[there] = cell.revive_optimizer(registry)
        yield problems[here], optimizers[there]


def list_tasks(cell: Cell, registry: Registry, earlier: Mapping[int, Run] | None = None) -> Iterator[Cell]:
    """Parts of a cell that are worth a process's while; a run's bits do not depend on how it is cut.

    Args:
        cell: to be run.
        registry: of the plug-ins.
        earlier: runs to go on from, by seed; those of one task are at one place.
    """
    method = registry.methods[cell.optimizer[0]]
    alone = isinstance(method, DriverMethod) and not method.batched
    size = RUNS_PER_DRIVER_TASK if alone else RUNS_PER_STEP_TASK
    earlier = earlier or {}
    places: dict[tuple[float, frozenset[str]], list[int]] = {}
    for seed in cell.seeds:
        state = earlier[seed].state or {} if seed in earlier else {}
        places.setdefault((float(state.get("position", 0.0)), frozenset(state)), []).append(seed)
    for seeds in places.values():
        for first in range(0, len(seeds), size):
            part = tuple(seeds[first : first + size])
            yield replace(cell, seeds=part, earlier=tuple(earlier[seed] for seed in part if seed in earlier))


def go_on(task: Cell, runs: Sequence[Run]) -> Cell:
    """The task of going on with unfinished runs."""
    return replace(task, seeds=tuple(run.seed for run in runs), earlier=tuple(runs))


def passes(cell: Cell, optimizer: Optimizer, position: float, evaluations: int) -> bool:
    """Whether the runs of a cell get as far as an iteration with so many evaluations."""
    end: float | None = cell.horizon.time
    if optimizer.method.clock != "time":
        end = last_iteration(cell.horizon, optimizer.time_per_iteration)
    budget = cell.horizon.evaluations
    return (end is None or position <= end) and (budget is None or evaluations < budget)


def count_steps(cell: Cell, optimizer: Optimizer) -> int:
    """About how many steps of a run are taken one by one; evaluations are taken for steps."""
    from .integrate.horizon import MOST_STEPS, STEPPED

    horizon = cell.horizon
    limits = (last_iteration(horizon, optimizer.time_per_iteration), horizon.evaluations)
    steps = min(limit for limit in limits if limit is not None)
    carried = isinstance(optimizer.method, StepMethod) and optimizer.method.recurrence is not None
    stepped = STEPPED if horizon.stepped is None else horizon.stepped
    return min(steps, 2 * stepped if carried else max(MOST_STEPS, stepped))


def weight(cell: Cell, problem: Problem, optimizer: Optimizer) -> float:
    """A guess at the cost of a cell, in core seconds: for the order of work and the time left, nothing else."""
    n, d = (int(size) for size in problem.start([0]).shape[1:])
    variables = n * min(d, n + 1)
    if optimizer.method.clock == "time":
        return len(cell.seeds) * (0.3 + 1.5e-7 * variables**3)  # factorisations
    steps = float(count_steps(cell, optimizer))
    if cell.earlier and cell.earlier[0].state:
        steps = max(0.0, steps - float(cell.earlier[0].state["position"]))
    compiled = isinstance(optimizer.method, StepMethod) and optimizer.method.compile
    per_step = 1e-9 * (n * variables + 20) if compiled else 3e-5 + 1.5e-9 * variables**3
    return len(cell.seeds) * steps * per_step
