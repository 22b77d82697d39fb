"""What changed between two runs of suites, and how sure that is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..comparison import LEVEL, Finding, list_findings
from ..ranking import Standing
from ..significance import adjust, compare_means
from .archive import Archive, Read, read_archive
from .matching import Match, Matching, differ, match

LEAST = 0.01  # relative: a smaller change of a constant or of evaluations is none, however sure it is
SPEED = 1.25  # ratio of seconds per step, from which on a method is told to be slower or faster
SHORTEST = 0.1  # seconds of all runs of a pair, below which its clock tells nothing
FEWEST = 3  # problems, below which nothing is said of an optimizer's speed
CONTEXT = ("versions", "machine", "git", "sources")  # of the provenance


class Shift(NamedTuple):
    """A quantity of a pair that changed: by how much, and the chance of it in two equal runs, corrected for all tests.

    Args:
        of: "law", "value", "constant" or "evaluations".
        effect: after less before of a value, after over before of the others; NaN where there is none.
        low, high: its 95% interval.
        p: Holm's; NaN where it takes no test over seeds: decided laws that no run contradicts, or a single start.
    """

    of: str
    effect: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Pair:
    """A problem and an optimizer that both runs have.

    Args:
        problem, optimizer: their labels and the parameters that differ.
        standings: before and after.
        ranks: before and after, "" where there is none.
        failed: how many runs failed, before and after.
        equal, common: of `common` seeds, those whose losses have the same bits at all times that both recorded.
        shifts: what changed, beyond chance.
    """

    problem: Match
    optimizer: Match
    standings: tuple[Standing, Standing]
    ranks: tuple[str, str]
    failed: tuple[int, int]
    equal: int
    common: int
    shifts: tuple[Shift, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether it is another pair now, or has other results."""
        redefined = self.problem.parameters or self.optimizer.parameters
        return bool(redefined or self.shifts or self.failed[0] != self.failed[1])


class Speed(NamedTuple):
    """Seconds per step of an optimizer, after over before.

    Args:
        optimizer: its label.
        ratio: of seconds per iteration, or per evaluation of a flow: the geometric mean over problems.
        low, high: its 95% interval.
        p: Holm's, over all optimizers.
        pairs: how many problems it is the mean of.
    """

    optimizer: str
    ratio: float
    low: float
    high: float
    p: float
    pairs: int


@dataclass(frozen=True)
class Changes:
    """What changed between two runs of suites.

    Args:
        before, after: their folders.
        context: what they were made with and differ in: where in the provenance, before, after.
        suite: the lines of the suite files that differ, each after - or +.
        problems, optimizers: which is which.
        gone, added: labels "PROBLEM x OPTIMIZER" of pairs that one side lacks although it has both parts.
        pairs: that both have.
        speeds: of optimizers that are slower or faster now; empty where the machines differ.
        timed: whether speeds were compared.
    """

    before: Path
    after: Path
    context: tuple[tuple[str, str, str], ...]
    suite: tuple[str, ...]
    problems: Matching
    optimizers: Matching
    gone: tuple[str, ...]
    added: tuple[str, ...]
    pairs: tuple[Pair, ...]
    speeds: tuple[Speed, ...]
    timed: bool

    @property
    def changed(self) -> bool:
        """Whether pairs came, went or changed; what they were made with, and speed, do not count."""
        moved = (self.problems.gone, self.problems.added, self.optimizers.gone, self.optimizers.added)
        return any((*moved, self.gone, self.added)) or any(pair.changed for pair in self.pairs)

    @property
    def slower(self) -> bool:
        """Whether an optimizer takes longer for a step."""
        return any(speed.ratio > 1 for speed in self.speeds)


def compare_results(before: Path, after: Path) -> Changes:
    """Compare the tables of two runs of suites; neither the runs nor the plug-ins are needed.

    Of each pair that both have, the law, the value, the constant at a shared exponent and the evaluations to a target
    are tested as `comparison` tests two optimizers: paired where seeds are shared. Holm's correction goes over all
    tests of all pairs. A rank is a consequence of other pairs too, and no change of its own.

    Args:
        before, after: folders of results.
    Errors:
        InputError: a folder holds no results, or a table cannot be read.
    """
    old, new = read_archive(before), read_archive(after)
    problems, optimizers = match(old.problems, new.problems), match(old.optimizers, new.optimizers)
    found: list[tuple[Pair, list[Finding]]] = []
    gone, added = [], []
    for problem in problems.matches:
        ours, theirs = old.read_problem(problem.before), new.read_problem(problem.after)
        for optimizer in optimizers.matches:
            one, other = ours.get(optimizer.before), theirs.get(optimizer.after)
            if one is None and other is not None:
                added.append(f"{problem.after} x {optimizer.after}")
            elif one is not None and other is None:
                gone.append(f"{problem.before} x {optimizer.before}")
            elif one is not None and other is not None:
                pair = _describe_pair(old, new, problem, optimizer, one, other)
                found.append((pair, list_findings(other.entrant, one.entrant)))
    timed = old.provenance.get("machine") == new.provenance.get("machine")
    return Changes(
        before,
        after,
        _list_context(old.provenance, new.provenance),
        _list_lines(old.provenance, new.provenance),
        problems,
        optimizers,
        tuple(gone),
        tuple(added),
        tuple(_judge(found)),
        tuple(_compare_speeds(old, new, [pair for pair, _ in found])) if timed else (),
        timed,
    )


def _describe_pair(old: Archive, new: Archive, problem: Match, optimizer: Match, one: Read, other: Read) -> Pair:
    here, there = (problem.before, optimizer.before), (problem.after, optimizer.after)
    failed = [sum(row["status"] == "failed" for row in rows) for rows in (old.runs[here], new.runs[there])]
    common = one.curves.keys() & other.curves.keys()
    own = (old.read_parameters(here, "optimizer."), new.read_parameters(there, "optimizer."))
    return Pair(
        problem,
        optimizer._replace(parameters=differ(*own)),
        (one.entrant.standing, other.entrant.standing),
        (old.ranking[here]["rank"], new.ranking[there]["rank"]),
        (failed[0], failed[1]),
        sum(_agree(one.curves[seed], other.curves[seed]) for seed in common),
        len(common),
    )


def _agree(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Whether losses are equal at all times that both recorded; NaN equals NaN."""
    times, here, there = np.intersect1d(one[0], other[0], return_indices=True)
    return bool(len(times)) and np.array_equal(one[1][here], other[1][there], equal_nan=True)


def _judge(found: Sequence[tuple[Pair, list[Finding]]]) -> Iterable[Pair]:
    """The pairs with what is significant of them."""
    adjusted, _ = adjust([finding.p for _, findings in found for finding in findings])
    holm = iter(adjusted.tolist())
    for pair, findings in found:
        shifts = [
            Shift(finding.by, finding.effect, finding.low, finding.high, p)
            for finding, p in zip(findings, holm, strict=False)
            if finding.sign and (math.isnan(p) or p <= LEVEL) and _matters(finding)
        ]
        yield Pair(**vars(pair) | {"shifts": tuple(shifts)})


def _matters(finding: Finding) -> bool:
    if finding.by in ("law", "value") or not finding.effect > 0:
        return True
    return abs(math.log(finding.effect)) >= math.log1p(LEAST)


def _compare_speeds(old: Archive, new: Archive, pairs: Sequence[Pair]) -> Iterable[Speed]:
    """Student's t of log ratios over the problems of an optimizer: the runs of a task share a clock, pairs do not."""
    ratios: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        if not pair.problem.parameters:
            before = _measure_step(old.runs[pair.problem.before, pair.optimizer.before])
            after = _measure_step(new.runs[pair.problem.after, pair.optimizer.after])
            if before and after:
                ratios[pair.optimizer.after].append(math.log(after / before))
    told = {name: values for name, values in ratios.items() if len(values) >= FEWEST}
    shifts = {name: compare_means(values) for name, values in told.items()}
    holm, _ = adjust([float(shift.p) for shift in shifts.values()])
    for (name, shift), p in zip(shifts.items(), holm.tolist(), strict=True):
        if p <= LEVEL and abs(float(shift.mean)) >= math.log(SPEED):
            ratio, low, high = (math.exp(float(x)) for x in (shift.mean, shift.low, shift.high))
            yield Speed(name, ratio, low, high, p, len(told[name]))


def _measure_step(rows: Sequence[Mapping[str, str]]) -> float:
    """Seconds per iteration over the runs of a pair, per evaluation for a flow; 0 where they are too few to tell."""
    seconds = math.fsum(float(row["seconds"]) for row in rows)
    steps = sum(int(row["iterations"] or row["evaluations"]) for row in rows)
    return seconds / steps if steps and seconds >= SHORTEST else 0.0


def _list_context(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """What differs between two provenances, but for times and pairs."""
    sides = []
    for provenance in (before, after):
        facts: dict[str, str] = {}
        for section in CONTEXT:
            facts |= {f"{section}: {name}": str(value) for name, value in (provenance.get(section) or {}).items()}
        for plugin in provenance.get("plugins") or ():
            facts[f"plug-in: {plugin['name']}"] = f"{plugin['distribution']} {plugin['version']} {plugin['error']}"
        sides.append({name: value.strip() for name, value in facts.items()})
    names = dict.fromkeys((*sides[0], *sides[1]))
    values = [(name, sides[0].get(name, "absent"), sides[1].get(name, "absent")) for name in names]
    return tuple(entry for entry in values if entry[1] != entry[2])


def _list_lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines of two suite files that differ."""
    one, other = (str(provenance.get("suite_file", "")).splitlines() for provenance in (before, after))
    return tuple(line for line in list(unified_diff(one, other, lineterm="", n=0))[2:] if not line.startswith("@@"))
