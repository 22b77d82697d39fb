"""Why a pair has its law: one seed that speaks for all, explained, and what the others say."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .problems import Array
from .rates import Rate
from .suite import matches
from .trace import Trace

if TYPE_CHECKING:
    from .plan import Cell
    from .rates.grounds import Explanation

NAMED = 6  # labels that a message lists


@dataclass(frozen=True)
class Reasons:
    """What speaks for the law of a pair.

    Args:
        problem, optimizer: labels.
        standing: the pair's row of the ranking.
        rates: the law of every seed that has run.
        seed: the one that is explained.
        chosen: why that one, in words.
        explanation: of its curve; None where it left no trace.
        missing: seeds of the suite that have not run.
    """

    problem: str
    optimizer: str
    standing: Mapping[str, Any]
    rates: Mapping[int, Rate]
    seed: int
    chosen: str
    explanation: Explanation | None
    missing: int = 0

    @property
    def rate(self) -> Rate:
        """The law of the seed that is explained."""
        return self.rates[self.seed]


def give_reasons(
    trace: Trace, rates: Sequence[Rate], standing: Mapping[str, Any], seed: int | None = None, missing: int = 0
) -> Reasons:
    """Explain a pair; see `begin_reasons`."""
    reasons, explain = begin_reasons(trace, rates, standing, seed, missing)
    return replace(reasons, explanation=explain())


def begin_reasons(
    trace: Trace, rates: Sequence[Rate], standing: Mapping[str, Any], seed: int | None = None, missing: int = 0
) -> tuple[Reasons, Callable[[], Explanation | None]]:
    """What speaks for the law of a pair but the explanation, and the call that gives it, which any process can make.

    Args:
        trace, rates: its runs, at least one, and their laws.
        standing: its row of the ranking.
        seed: to explain; the one in the middle, if None.
        missing: seeds that have not run.
    Errors:
        InputError: that seed has not run.
    """
    runs = {run.seed: run for run in trace.runs}
    laws = {run.seed: rate for run, rate in zip(trace.runs, rates, strict=True)}
    if seed is None:
        seed, chosen = choose_seed(laws, standing["law"])
    elif seed in laws:
        chosen = "it was asked for"
    else:
        raise InputError(f"--seed {seed}: no run of that seed is stored; there are {_some(map(str, sorted(laws)))}")
    run, rate = runs[seed], laws[seed]
    labels = trace.problem.label, trace.optimizer.label
    reasons = Reasons(*labels, standing, laws, seed, chosen, None, missing)
    curve = run.rows.get("time"), run.rows.get("loss")
    return reasons, partial(_explain, *curve, run.resolution, trace.optimizer.rtol, rate, run.status == "diverged")


def choose_seed(rates: Mapping[int, Rate], law: str) -> tuple[int, str]:
    """The seed whose value is the median among those of `law`, and why it; the smallest of several."""
    own = {seed: rate.value for seed, rate in rates.items() if rate.law == law}
    known = {seed: value for seed, value in own.items() if value == value}
    if known:
        middle = {statistics.median_low(known.values()), statistics.median_high(known.values())}
        seed = min(seed for seed, value in known.items() if value in middle)
        return seed, f"its value is the median of the {len(known)} that follow the law of the pair"
    if own:
        return min(own), "it is the first that follows the law of the pair"
    return min(rates), "it is the first, and no seed follows the law of the pair"


def find_label(kind: str, wanted: str, labels: Iterable[str]) -> str:
    """The one label that `wanted` is, matches as a glob, or begins.

    Errors:
        InputError: none, or more than one.
    """
    known = list(dict.fromkeys(labels))
    ways = ([label for label in known if way(label)] for way in _ways(wanted))
    found = next(filter(None, ways), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{kind} {wanted!r} is ambiguous: {_some(found)}; give more of the label")
    raise InputError(f"no {kind} is called {wanted!r}; there are {_some(known)}")


def find_cell(cells: Sequence[Cell], problem: str, optimizer: str) -> Cell:
    """The cell of a pair; each label as for `find_label`.

    Errors:
        InputError: none, or more than one.
    """
    problem = find_label("problem", problem, (cell.problem_label for cell in cells))
    optimizer = find_label("optimizer", optimizer, (cell.optimizer_label for cell in cells))
    return next(c for c in cells if (c.problem_label, c.optimizer_label) == (problem, optimizer))


def _ways(wanted: str) -> Sequence[Any]:
    return wanted.__eq__, lambda label: matches(wanted, label), lambda label: label.startswith(wanted)


def _some(names: Iterable[str]) -> str:
    told = list(names)
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return ", ".join(told[:NAMED]) + more


def _explain(
    time: Array | None, loss: Array | None, floor: float, rtol: float, rate: Rate, diverged: bool
) -> Explanation | None:
    from .rates.explanation import explain  # numba: only where a curve is fitted

    if time is None or loss is None:
        return None
    known = rate if rate.evidence else None  # a law without evidence may be a plain fact of the run, not of its curve
    found = explain(time, loss, floor=floor, rtol=rtol, known=known)
    if diverged:  # known from the run, whatever its last finite losses look like
        return replace(found, rate=rate, weighing=None)
    return found
