"""Where the contests of a large suite are held: by a second process, while this one writes the tables.

Contests read runs from the store, as tables do, and hand back little.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .contest import Contest, hold_contests
from .engine import Broken
from .optimizers import Optimizer
from .plan import Cell
from .problems import Problem
from .processes import WorkerPool
from .rates import Rate
from .registry import Registry, assemble
from .store import Store
from .trace import Trace
from .work import fit_run

FEWEST = 5000  # runs: for less a second process is not worth its imports


def collect(
    cell: Cell, problem: Problem, optimizer: Optimizer, store: Store, broken: Broken
) -> tuple[Trace, list[Rate]]:
    """The runs of a cell, stored or broken, in the order of its seeds, and their rates."""
    stored = store.load(cell, timed_out=True)
    runs, rates, engine = [], [], ""
    for seed in cell.seeds:
        if seed in stored:
            run, rate, engine = stored[seed]
            if rate is None:
                rate = fit_run(run, optimizer)
                store.save_fit(cell, seed, rate)
            runs.append(run)
            rates.append(rate)
        elif (cell.key, seed, cell.limits) in broken:
            outcome = broken[cell.key, seed, cell.limits]
            runs.append(outcome.run)
            rates.append(outcome.rate)
    return Trace(problem, optimizer, tuple(runs), engine), rates


class Arena:
    """The contests of a suite, a problem at a time.

    Args:
        pool: of one process, which holds them in the order of the problems.
        cells: of the suite.
        registry: of the plug-ins.
        store: of the runs.
        broken: runs that are not stored.
    """

    def __init__(
        self, pool: WorkerPool, cells: Sequence[Cell], registry: Registry, store: Store, broken: Broken
    ) -> None:
        self._here = registry, store, broken
        self._cells: dict[str, list[Cell]] = {}
        for cell in cells:
            self._cells.setdefault(cell.problem_label, []).append(cell)
        self._entered = pool.submit(_enter, store.path.parent, registry.files, broken)
        self._given = {problem: pool.submit(_hold, own) for problem, own in self._cells.items()}

    def fetch(self, problem: str) -> list[Contest]:
        """The contests of a problem; held here, if somebody has killed the other process."""
        try:
            self._entered.result()
            held: list[Contest] = self._given.pop(problem).result()
        except BrokenProcessPool:
            held = hold(self._cells[problem], *self._here)
        return held


def hold(cells: Iterable[Cell], registry: Registry, store: Store, broken: Broken) -> list[Contest]:
    """The contests of cells, from their runs."""
    return hold_contests(collect(cell, *cell.revive(registry), store, broken) for cell in cells)


_here: tuple[Registry, Store, Broken] | None = None  # in the other process


def _enter(folder: Path, files: Sequence[Path], broken: Broken) -> None:
    global _here
    gc.disable()  # as `keeping_all`
    _here = assemble(tuple(files)), Store(folder, writable=False), broken


def _hold(cells: Sequence[Cell]) -> list[Contest]:
    if _here is None:
        raise RuntimeError("the arena is not open")
    return hold(cells, *_here)
