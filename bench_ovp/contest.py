"""The contests of a suite: each problem's optimizers compared and ranked, on each clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .clocks import CLOCKS, read_clock
from .comparison import CRITERIA, Comparison, Course, Entrant, compare_all
from .problems import Array
from .ranking import ORDER, TARGETS, Fitted, Standing, evaluations_to, rank, summarise
from .rates import Rate
from .trace import Run, Trace

Effort = tuple[tuple[float, ...], tuple[float, ...]]  # to each of TARGETS, and the spacing of records there
UNKNOWN: Effort = (math.nan,) * len(TARGETS), (math.nan,) * len(TARGETS)
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


class Efforts:
    """What the runs of an optimizer spent to reach each of TARGETS, found once for all clocks.

    Args:
        trace: of the runs.
    """

    def __init__(self, trace: Trace) -> None:
        self._runs = trace.runs
        self._found: dict[str, list[Effort]] = {}

    @cached_property
    def evaluations(self) -> list[tuple[float, ...]]:
        """As `count_evaluations` counts them."""
        return [count_evaluations(run) for run in self._runs]

    def find(self, effort: str) -> list[Effort]:
        """As `find_efforts` finds them; `effort` is a column of the records."""
        if effort not in self._found:
            self._found[effort] = [read_effort(run, effort) for run in self._runs]
        return self._found[effort]


def choose_effort(clock: str) -> str:
    """The column that efforts are read from on a clock."""
    return "iteration" if clock == "iteration" else "evaluations"


@dataclass(frozen=True)
class Entry:
    """An optimizer that takes part on a clock: its runs, their laws in time, what they spent."""

    trace: Trace
    rates: Sequence[Rate]
    efforts: Efforts
    clock: str

    @cached_property
    def laws(self) -> list[Rate]:
        """Of its runs, on the clock."""
        rtol = self.trace.optimizer.rtol
        runs = zip(self.trace.runs, self.rates, strict=True)
        return [read_clock(run, rate, self.clock, rtol) for run, rate in runs]

    @cached_property
    def standing(self) -> Standing:
        """What they come to."""
        runs = zip(self.trace.runs, self.laws, self.efforts.evaluations, strict=True)
        return summarise([Fitted(run.status, law, reached) for run, law, reached in runs])

    def read(self) -> Entrant:
        """As comparisons read it."""
        effort = choose_effort(self.clock)
        runs = zip(self.trace.runs, self.laws, self.efforts.find(effort), strict=True)
        courses = (read_course(run, law, self.clock, found) for run, law, found in runs)
        return Entrant(self.standing, tuple(courses))


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
        efforts = Efforts(trace)
        for clock, field in self._field.items():
            if trace.runs and not (clock == "iteration" and trace.optimizer.method.clock == "time"):
                field[trace.optimizer.label] = Entry(trace, rates, efforts, clock)
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


def hold_contests(entries: Sequence[tuple[Trace, Sequence[Rate]]], clocks: Sequence[str] = CLOCKS) -> list[Contest]:
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


def count_evaluations(run: Run) -> tuple[float, ...]:
    """Of a run, to each of TARGETS."""
    return evaluations_to(run.rows["loss"], run.rows["evaluations"]) if run.rows else (np.inf,) * len(TARGETS)


def read_course(run: Run, rate: Rate, clock: str, efforts: Effort | None = None) -> Course:
    """A run as comparisons read it: efforts are iterations on that clock, and evaluations on the others.

    Args:
        run, rate: with its law on the clock.
        clock: one of CLOCKS.
        efforts: to each of TARGETS, if they are known.
    """
    column = choose_effort(clock)
    reached, spacing = efforts or read_effort(run, column)
    if not run.rows:
        return Course(run.seed, run.status, rate, np.zeros(0), np.zeros(0), reached, spacing, -np.inf)
    loss, position = np.asarray(run.rows["loss"]), np.asarray(run.rows[clock])
    kept = (position > 0) & (loss > 0) & np.isfinite(loss)
    if rate.law == "power":
        kept &= ~(position > rate.end * (1 + 1e-9))
    kept[:-1] &= position[1:] > position[:-1]  # of records at one reading the last
    last = float(run.rows[column][-1])
    watched = math.log(last) if last > 0 else -math.inf
    return Course(run.seed, run.status, rate, np.log(position[kept]), np.log(loss[kept]), reached, spacing, watched)


def read_effort(run: Run, column: str) -> Effort:
    """What a run spent to reach each of TARGETS; nothing is known of one that left no record."""
    if not run.rows:
        return UNKNOWN
    return find_efforts(np.asarray(run.rows["loss"]), np.asarray(run.rows[column]))


def find_efforts(loss: Array, effort: Array) -> Effort:
    """log effort to each of TARGETS, straight in both logs between two records, and how far these are apart.

    NaN where a target was not reached.
    """
    lowest = float(np.fmin.reduce(loss, initial=math.inf))
    reached, spacing = [], []
    for target in TARGETS:
        if not lowest <= target:
            reached.append(math.nan)
            spacing.append(math.nan)
            continue
        at = int((loss <= target).argmax())
        after = math.log(max(effort[at], 0.5))  # nothing was charged yet: less than one
        if at == 0 or not math.isfinite(loss[at - 1]):
            reached.append(after)
            spacing.append(0.0)
            continue
        before = math.log(max(effort[at - 1], 0.5))
        drop = math.log(loss[at - 1]) - math.log(max(loss[at], 1e-300))
        share = (math.log(loss[at - 1]) - math.log(target)) / drop
        reached.append(before + share * (after - before))
        spacing.append(after - before)
    return tuple(reached), tuple(spacing)
