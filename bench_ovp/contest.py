"""The contests of a suite: each problem's optimizers compared and ranked, on each clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .comparison import CRITERIA, Comparison, Entrant, compare_all
from .courses import Reader
from .grids import CLOCKS
from .ranking import ORDER, Standing, rank
from .rates import Rate
from .trace import Trace

FIELD = 64  # optimizers of one problem that are compared with each other


class Contest(NamedTuple):
    """One problem on one clock.

    Args:
        problem: its label.
        clock: "time", "iteration" or "evaluations"; methods without such a clock are not in it.
        standings: by the optimizer's label; where one is alone, in time only.
        comparisons: by pair of labels of the field; see `Lists`.
        ranks: by label, of the field.
    """

    problem: str
    clock: str
    standings: dict[str, Standing]
    comparisons: dict[tuple[str, str], Comparison]
    ranks: dict[str, int]

    def list_deciders(self) -> dict[str, str]:
        """What separates an optimizer from the last of those ahead of it, by its label; none is ahead of others."""
        last: dict[str, tuple[int, str]] = {}
        for pair, found in self.comparisons.items():
            if found.better:
                ahead, behind = pair if found.better > 0 else pair[::-1]
                if behind not in last or self.ranks[ahead] > last[behind][0]:
                    last[behind] = self.ranks[ahead], found.by
        return {behind: by for behind, (_, by) in last.items()}


@dataclass(frozen=True)
class Entry:
    """An optimizer that takes part on a clock."""

    trace: Trace
    reader: Reader
    clock: str

    @cached_property
    def laws(self) -> list[Rate]:
        """Of its runs, on the clock."""
        return self.reader.read_laws(self.clock)

    @cached_property
    def standing(self) -> Standing:
        """What they come to."""
        return self.reader.summarise(self.laws)

    def read(self) -> Entrant:
        """As comparisons read it."""
        return Entrant(self.standing, self.reader.read_courses(self.laws, self.clock))


class Lists:
    """Who takes part in the contests of one problem, on each clock.

    Of more than FIELD optimizers, the best FIELD by their standings are compared and ranked. A grid so large is a
    search, and 10,000 optimizers are 50 million pairs. Pairs that are left out count in the correction for many
    tests all the same, as ones that were not significant; so the choice costs power and no error.

    Args:
        problem: its label.
        clocks: of CLOCKS.
    """

    def __init__(self, problem: str, clocks: Sequence[str] = CLOCKS) -> None:
        self._problem = problem
        self._standings: dict[str, dict[str, Standing]] = {clock: {} for clock in clocks}
        self._field: dict[str, dict[str, Entry]] = {clock: {} for clock in clocks}

    def enter(self, trace: Trace, rates: Sequence[Rate]) -> None:
        """Add an optimizer: the trace of its runs, and their laws in time."""
        reader = Reader(trace.runs, rates, trace.optimizer.rtol)
        for clock, field in self._field.items():
            if trace.runs and not (clock == "iteration" and trace.optimizer.method.clock == "time"):
                field[trace.optimizer.label] = Entry(trace, reader, clock)
                if len(field) > 2 * FIELD:
                    self._standings[clock] |= _list_standings(field)
                    self._field[clock] = choose_field(field)

    def hold(self) -> Iterator[Contest]:
        """The contests, a clock at a time."""
        for clock, entered in self._field.items():
            if len(entered) < 2 and clock != "time":  # nobody to be compared with: no clock but time is read
                yield Contest(self._problem, clock, {}, {}, dict.fromkeys(entered, 1))
                continue
            standings = self._standings[clock] | _list_standings(entered)
            compared = choose_field(entered) if len(entered) > 1 else {}
            field = {name: entry.read() for name, entry in compared.items()}
            effort = "iterations" if clock == "iteration" else "evaluations"
            left_out = math.comb(len(standings), 2) - math.comb(len(field), 2)
            comparisons = compare_all(field, effort, left_out) if field else {}
            ranks = rank(list(field or entered), list_separations(comparisons))
            yield Contest(self._problem, clock, standings, comparisons, ranks)


def _list_standings(entries: Mapping[str, Entry]) -> dict[str, Standing]:
    return {name: entry.standing for name, entry in entries.items()}


def choose_field(entrants: Mapping[str, Entry]) -> dict[str, Entry]:
    """The best FIELD by law, value and efforts, in the order in which they came; all of them, if they are no more."""
    if len(entrants) <= FIELD:
        return dict(entrants)
    best = set(sorted(entrants, key=lambda name: _promise(entrants[name].standing))[:FIELD])
    return {name: entrant for name, entrant in entrants.items() if name in best}


def _promise(standing: Standing) -> tuple[float, ...]:
    value = 0.0 if math.isnan(standing.value) else -standing.value
    return ORDER.index(standing.law), value, *reversed(standing.reached)


def hold_contests(entries: Iterable[tuple[Trace, Sequence[Rate]]], clocks: Sequence[str] = CLOCKS) -> list[Contest]:
    """Every problem on every clock, in the order of `entries`.

    Args:
        entries: a trace with its runs' laws in time, for each pair.
        clocks: of CLOCKS.
    """
    problems: dict[str, Lists] = {}
    for trace, rates in entries:
        label = trace.problem.label
        problems.setdefault(label, Lists(label, clocks)).enter(trace, rates)
    return [contest for lists in problems.values() for contest in lists.hold()]


def list_separations(comparisons: Mapping[tuple[str, str], Comparison]) -> list[tuple[str, str]]:
    """(better, worse) of the pairs that are no tie: by criterion, then the surest first, whatever their order."""
    found = []
    for (one, other), told in comparisons.items():
        if told.better:
            pair = (one, other) if told.better > 0 else (other, one)
            sure = (-1.0, 0.0) if math.isnan(told.p) else (told.p_holm, told.p)
            found.append((CRITERIA.index(told.by), *sure, pair))
    return [pair for *_, pair in sorted(found)]
