"""What is stored, held against what would be computed: runs done again, and why a cell would run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .crew import Crew
from .engine import Progress, run_missing
from .keys import Definition, define_optimizer, define_problem, describe_host
from .plan import Cell
from .registry import Registry
from .store import Store
from .suite import matches
from .trace import UNFINISHED, Run

SAMPLE = 20  # runs that are done again
LONGEST = 10  # differences that are named


class Verified(NamedTuple):
    """Runs that were computed a second time.

    Args:
        same: how many gave the same bits.
        different: those that did not, a line each.
    """

    same: int
    different: tuple[str, ...]


def verify_stored(
    cells: Sequence[Cell],
    store: Store,
    registry: Registry,
    progress: Progress,
    crew: Crew,
) -> Verified:
    """Run a sample of the stored runs again, from their starts, and compare them bit for bit.

    Args:
        cells, registry, progress, crew: as for `run_missing`.
        store: of the results; nothing is written to it.
    """
    stored = {(cell.label, seed): cell for cell in cells for seed in sorted(store.finished(cell))}
    rng = np.random.default_rng(len(stored))
    picked = sorted(rng.choice(len(stored), min(SAMPLE, len(stored)), replace=False)) if stored else []
    names = list(stored)
    sample = [stored[names[i]].with_seeds([names[i][1]]) for i in picked]
    different = []
    with tempfile.TemporaryDirectory(prefix="bench-ovp-") as folder, Store(Path(folder)) as again:
        broken = run_missing(sample, again, registry, progress, crew)
        for cell in sample:
            [seed] = cell.seeds
            one = store.load(cell, timed_out=True).get(seed)
            other = again.load(cell, timed_out=True).get(seed)
            if one is None:
                continue  # damaged a moment ago: the store says so
            failed = broken.get((cell.key, seed, cell.limits))
            told = failed.run.reason if failed else "it gave nothing" if other is None else compare(one.run, other.run)
            if told:
                different.append(f"{cell.label}, seed {seed}: {told}")
    return Verified(len(sample) - len(different), tuple(different))


def compare(one: Run, other: Run) -> str:
    """Where two computations of a run differ, in words; "" where nowhere."""
    if (one.status, one.iterations, one.evaluations) != (other.status, other.iterations, other.evaluations):
        ends = (f"{run.status} after {run.evaluations} evaluations" for run in (one, other))
        return f"it ended as {next(ends)}, and now as {next(ends)}"
    if list(one.rows) != list(other.rows):
        return "other columns"
    for name, column in one.rows.items():
        if column.tobytes() != other.rows[name].tobytes():
            [first, *_] = np.flatnonzero(column.view(np.int64) != np.ascontiguousarray(other.rows[name]).view(np.int64))
            return f"{name} was {column[first]!r} and is {other.rows[name][first]!r} at checkpoint {first}"
    return ""


def explain_cache(cells: Sequence[Cell], store: Store, registry: Registry, glob: str) -> Iterator[str]:
    """Why each cell whose label matches would run, or not, a paragraph each."""
    runs = [facts for facts, _ in store.list_runs()]
    for cell in cells:
        if matches(glob, cell.label) or cell.label == glob:
            yield f"{cell.label}: {_explain(cell, store, registry, runs)}"


def _explain(cell: Cell, store: Store, registry: Registry, runs: Sequence[dict[str, Any]]) -> str:
    finished = store.finished(cell)
    if finished == set(cell.seeds):
        return f"all {len(finished)} runs are stored; nothing would run"
    under_key = [facts for facts in runs if facts["key"] == cell.key]
    left = len(cell.seeds) - len(finished)
    begin = f"{left} of {len(cell.seeds)} runs would be computed. "
    if under_key:
        return begin + "; ".join(_list_lacks(cell, under_key, finished))
    before = [facts for facts in runs if facts["label"] == cell.label]
    if not before:
        return begin + "no run of a cell of that name is stored"
    old = store.recall_definition(before[-1]["key"])
    if old is None:
        return begin + "what the stored runs were made from is not known"
    return begin + "since they were stored, " + "; ".join(_list_changes(cell, store, registry, old)[:LONGEST])


def _list_lacks(cell: Cell, under_key: Sequence[dict[str, Any]], finished: set[int]) -> Iterator[str]:
    """What keeps runs of the same key from being these."""
    known = {facts["seed"] for facts in under_key}
    new = sorted(set(cell.seeds) - known)
    if new:
        yield f"seeds {', '.join(map(str, new[:LONGEST]))}{' …' if len(new) > LONGEST else ''} have not been run"
    rest = [facts for facts in under_key if facts["seed"] in set(cell.seeds) - finished]
    if any(facts["limits"] != cell.limits for facts in rest):
        goes_on = any(facts["reached"] is not None for facts in rest)
        how = "stored runs are gone on from where they reach" if goes_on else "they begin at their start"
        yield f"the horizon or the target is another than that of the stored runs; {how}"
    if any(facts["status"] == UNFINISHED and facts["limits"] == cell.limits for facts in rest):
        yield "they were interrupted, and go on where they were"
    if any(facts["status"] == "timeout" and facts["limits"] == cell.limits for facts in rest):
        yield "they timed out under a lower limit"


def _list_changes(cell: Cell, store: Store, registry: Registry, old: dict[str, Any]) -> list[str]:
    """What differs between a stored definition and today's."""
    problem, optimizer = cell.revive(registry)
    now = (define_problem(problem), define_optimizer(optimizer), describe_host())
    changes = []
    for side, digest in zip(now, old["sides"], strict=True):
        before = store.recall_definition(digest)
        if before is None:
            changes.append(f"the definition of {side.what[0] if side.what else 'the host'} is not known any more")
        else:
            changes += _compare_definitions(Definition(*before), side)
    if old["per_decade"] != cell.per_decade:
        changes.append(f"checkpoints per decade: {old['per_decade']} → {cell.per_decade}")
    return changes


def _compare_definitions(before: Definition, now: Definition) -> Iterator[str]:
    plain = Definition(*json.loads(json.dumps(now)))  # tuples are lists there
    if before.what != plain.what:
        yield f"{before.what} → {plain.what}"
    for name in sorted({*before.sources, *plain.sources}):
        old, new = before.sources.get(name), plain.sources.get(name)
        if old is None:
            yield f"{name} is new"
        elif new is None:
            yield f"{name} is gone"
        elif old != new:
            yield f"the source of {name} has changed"
