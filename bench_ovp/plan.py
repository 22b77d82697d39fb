"""From a suite to its cells, and from cells to tasks: plain data that any process can be handed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoints import Horizon, StopRule
from .optimizers import DriverMethod, Optimizer, StepMethod
from .parameters import load_matrix
from .problems import Problem
from .registry import Plugin, Registry

if TYPE_CHECKING:
    from .suite import Suite

NUMERICS = ("checkpoints.py", "oracle.py", "optimizers.py", "problems.py", "trace.py", "integrate")
LIBRARIES = ("numpy", "scipy", "numba")
RUNS_PER_STEP_TASK = 16
RUNS_PER_DRIVER_TASK = 2


@dataclass(frozen=True)
class Cell:
    """A problem with an optimizer, for some seeds.

    Args:
        problem, optimizer: names and given parameters.
        problem_label, optimizer_label: how tables call them; `alias` is a label that the user chose.
        seeds: a run each.
        horizon, stop, per_decade: see `checkpoints`.
        key: digest of all that defines the numbers of one seed's trace, save the horizon and the target.
        plugins: files of the single-file plug-ins that a worker must load.
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


def list_cells(suite: Suite, registry: Registry) -> list[Cell]:
    """The cells of a suite, optimizers fastest."""
    cells = []
    files = tuple(str(file) for file in registry.files)
    labelled = [(optimizer, optimizer.label, _define_optimizer(optimizer, registry)) for optimizer in suite.optimizers]
    for problem in suite.problems:
        problem_label, defined = problem.label, _define_problem(problem, registry)
        for optimizer, optimizer_label, definition in labelled:
            horizon, stop = suite.rules(problem_label, optimizer_label)
            cells.append(
                Cell(
                    (problem.name, dict(problem.given)),
                    (optimizer.name, dict(optimizer.given)),
                    problem_label,
                    optimizer_label,
                    optimizer.alias,
                    suite.seeds,
                    horizon,
                    stop,
                    suite.per_decade,
                    _digest_definitions(defined, definition, suite.per_decade),
                    files,
                )
            )
    return cells


def revive_all(cells: Iterable[Cell], registry: Registry) -> Iterator[tuple[Problem, Optimizer]]:
    """The pairs of a suite's cells, each problem and each optimizer made once."""
    problems: dict[str, Problem] = {}
    optimizers: dict[str, Optimizer] = {}
    for cell in cells:
        here, there = cell.problem_label, cell.optimizer_label
        if here not in problems:
            problems[here] = cell.revive_problem(registry)
        if there not in optimizers:
            optimizers[there] = cell.revive_optimizer(registry)
        yield problems[here], optimizers[there]


def list_tasks(cell: Cell, registry: Registry) -> Iterator[Cell]:
    """Parts of a cell that are worth a process's while; a run's bits do not depend on how it is cut."""
    method = registry.methods[cell.optimizer[0]]
    alone = isinstance(method, DriverMethod) and not method.batched
    size = RUNS_PER_DRIVER_TASK if alone else RUNS_PER_STEP_TASK
    for first in range(0, len(cell.seeds), size):
        yield cell.with_seeds(cell.seeds[first : first + size])


def weight(cell: Cell, problem: Problem, optimizer: Optimizer) -> float:
    """A guess at the cost of a cell, in core seconds: for the order of work and the time left, nothing else."""
    n, d = (int(size) for size in problem.start([0]).shape[1:])
    variables = n * min(d, n + 1)
    if optimizer.method.clock == "time":
        return len(cell.seeds) * (0.3 + 1.5e-7 * variables**3)  # factorisations
    ticks = None if cell.horizon.time is None else cell.horizon.time / optimizer.time_per_iteration
    limits = [cell.horizon.iterations, ticks, cell.horizon.evaluations]
    steps = min(limit for limit in limits if limit is not None)
    compiled = isinstance(optimizer.method, StepMethod) and optimizer.method.compile
    per_step = 1e-9 * (n * variables + 20) if compiled else 3e-5 + 1.5e-9 * variables**3
    return len(cell.seeds) * steps * per_step


def cell_key(problem: Problem, optimizer: Optimizer, per_decade: int, registry: Registry) -> str:
    """The digest of what defines a trace; neither seeds, horizon, paths, labels nor limits of time."""
    return _digest_definitions(_define_problem(problem, registry), _define_optimizer(optimizer, registry), per_decade)


# What defines one side of a trace: its name and parameters, the source of its plug-in, and the versions of libraries.
Definition = tuple[list[Any], str, list[str]]


def _define_problem(problem: Problem, registry: Registry) -> Definition:
    source = source_digest(registry.plugin_of("problem", problem.name))
    return [problem.name, {k: _content(v) for k, v in problem.parameters.items()}], source, []


def _define_optimizer(optimizer: Optimizer, registry: Registry) -> Definition:
    foreign = optimizer.method.libraries if isinstance(optimizer.method, DriverMethod) else ()
    source = source_digest(registry.plugin_of("optimizer", optimizer.name))
    parameters = {k: _content(v) for k, v in optimizer.parameters.items()}
    return [optimizer.name, parameters], source, [library_version(library) for library in (*LIBRARIES, *foreign)]


def _digest_definitions(problem: Definition, optimizer: Definition, per_decade: int) -> str:
    defines = {
        "problem": problem[0],
        "optimizer": optimizer[0],
        "per_decade": per_decade,
        "sources": [problem[1], optimizer[1], numerics_digest()],
        "libraries": optimizer[2],
    }
    return hashlib.sha256(json.dumps(defines, sort_keys=True).encode()).hexdigest()


library_version = cache(version)  # it reads a file


@cache
def source_digest(plugin: Plugin) -> str:
    """The digest of a plug-in's source: of all of its package, or of its file."""
    if plugin.digest:
        return plugin.digest
    return _digest_files(
        file for place in plugin.places for file in ([place] if place.is_file() else place.rglob("*.py"))
    )


@cache
def numerics_digest() -> str:
    """The digest of the host's own numerics."""
    here = Path(__file__).parent
    return _digest_files(
        file for name in NUMERICS for file in ([here / name] if name.endswith(".py") else (here / name).glob("*.py"))
    )


@cache
def rates_digest() -> str:
    """The digest of the law detector, on which stored fits depend."""
    return _digest_files((Path(__file__).parent / "rates").glob("*.py"))


def _digest_files(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def _content(value: Any) -> Any:
    """A parameter's value as JSON; a matrix file by what is in it."""
    if isinstance(value, Path):
        return load_matrix(value)
    if isinstance(value, list | tuple):
        return [_content(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
