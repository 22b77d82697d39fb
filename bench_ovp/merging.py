"""Results of several machines, joined."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .errors import InputError
from .results import Finished
from .store import FILE, Store
from .suite_run import FAILED_TRIALS, SUITE_FILE, redraw
from .trace import UNFINISHED

NUMBERS = ("names", "points", "iterations", "evaluations", "status")  # of the facts of a run, beside its rows


class Merged(NamedTuple):
    """What came of joining.

    Args:
        added: runs that were not there, or not as complete.
        equal: runs that were there with the same numbers.
        conflicts: runs with other numbers, a line each; those that were there stay.
        finished: the tables and the report, written anew.
    """

    added: int
    equal: int
    conflicts: tuple[str, ...]
    finished: Finished


def merge_results(target: Path, others: Sequence[Path], report: bool = True) -> Merged:
    """Add the stored runs of `others` to `target`, and write its tables and report anew.

    Args:
        target: a folder of results; made like the first of `others` where it is absent.
        others: folders of results of the same suite.
        report: whether to draw figures and page.
    Errors:
        InputError: a folder holds no results, or those of another suite, or is in use; or the runs, which are kept,
            are all of other code.
    """
    for folder in others:
        _check(folder)
    if not (target / FILE).exists():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(others[0] / SUITE_FILE, target / SUITE_FILE)
    _check(target)
    text = (target / SUITE_FILE).read_bytes()
    added = equal = 0
    conflicts: list[str] = []
    with Store(target) as store:
        for folder in others:
            if (folder / SUITE_FILE).read_bytes() != text:
                told = f"{folder} holds results of another suite file than {target}; compare their {SUITE_FILE}"
                raise InputError(told)
            with Store(folder, writable=False) as other:
                for name in ("folder", "seeds", "plugins", FAILED_TRIALS):
                    if store.recall(name) is None:
                        store.note(name, other.recall(name))
                for content in other.list_definitions():
                    store.adopt(content)
                for facts, content in other.list_runs():
                    there = store.find_run(facts)
                    if there is None or _is_better(facts, there[0]):
                        store.adopt(content)
                        added += 1
                    elif _numbers(facts, content) == _numbers(*there):
                        equal += 1
                    elif UNFINISHED not in (facts["status"], there[0]["status"]):
                        conflicts.append(f"{facts['label']}, seed {facts['seed']}: {folder} has other numbers")
    try:
        finished = redraw(target, report)
    except InputError as error:
        told = f"{added} runs added, {equal} there already, {len(conflicts)} with other numbers"
        raise InputError(f"{told}; but {error}") from None
    return Merged(added, equal, tuple(conflicts), finished)


def _check(folder: Path) -> None:
    if not (folder / SUITE_FILE).is_file():
        raise InputError(f"{folder} holds no results of a suite; name a folder that `bench-ovp suite` made")


def _is_better(facts: dict[str, Any], there: dict[str, Any]) -> bool:
    """Whether a run came further than one that was cut short."""
    cut = ("timeout", UNFINISHED)
    if there["status"] not in cut:
        return False
    return facts["status"] not in cut or facts["evaluations"] > there["evaluations"]


def _numbers(facts: dict[str, Any], content: bytes) -> tuple[Any, ...]:
    """What two computations of one run must share: all but times, engine and fit."""
    size = 8 * facts["points"] * len(facts["names"])
    state = 8 * sum(_size(shape) for _, shape in facts["state"])
    rows = content[len(content) - size - state : len(content) - state]
    return *(facts[name] for name in NUMBERS), rows


def _size(shape: Sequence[int]) -> int:
    total = 1
    for extent in shape:
        total *= extent
    return total
