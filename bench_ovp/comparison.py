"""Which of two optimizers is better on a problem, by what, and how sure that is; a tie where the runs cannot tell.

The criteria, in their order: the law; the value of a law that has one, where its intervals are apart; the constant
of a power law, at a shared exponent; else the effort to a target. The first that is significant decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .problems import Array
from .ranking import BROKEN, NORMAL, ORDER, TARGETS, Standing
from .rates import Rate
from .significance import (
    RESOLUTION,
    Shift,
    adjust,
    compare_counts,
    compare_lives,
    compare_means,
    compare_samples,
    compare_signs,
)

# The chance that any of a problem's separations is an accident. Below 5% so that of 200 suites in which nothing
# differs at least 95% show nothing but ties, as they do with a chance of 0.87; not lower, because 16 seeds then
# would not find a constant of 1.3 at a scatter of 0.2 in 90% of suites: see bench/ranking_aa.py.
LEVEL = 0.038
CRITERIA = ("law", "value", "constant", "evaluations", "iterations")
DECADE = math.log(10)
FEW = 6  # seeds; below, values over seeds can hardly contradict an interval that each seed has of its own
NAN = math.nan


class Course(NamedTuple):
    """One run, as comparisons read it on one clock.

    Args:
        seed: of its start.
        status: how it ended.
        rate: its law on the clock.
        place: log of the clock at the records up to the end of what the law could read, ascending.
        height: log of the loss there.
        reached: log of the effort to each of TARGETS, NaN where it was not reached.
        spacing: how far, in log effort, the record at the target is from the one before it.
        watched: log of the effort at the last record; −inf without one.
    """

    seed: int
    status: str
    rate: Rate
    place: Array
    height: Array
    reached: tuple[float, ...]
    spacing: tuple[float, ...]
    watched: float


class Entrant(NamedTuple):
    """An optimizer on one problem and one clock: its standing and its runs."""

    standing: Standing
    courses: tuple[Course, ...]


class Comparison(NamedTuple):
    """What came of comparing one optimizer with another.

    Args:
        better: +1 if the first is, −1 if the other is, 0 if the runs cannot tell.
        by: "law", "value", "constant", "evaluations" or "iterations"; "" for a tie.
        p: of no difference, times the number of criteria that were tested; NaN where verdicts decide alone.
        p_holm: the same, adjusted for all pairs of the problem.
        of: what `effect` is of: "value", as a difference, or another of these, as a ratio; "" where there is none.
        effect, low, high: first against other, with a 95% interval where there is one.
    """

    better: int
    by: str
    p: float
    p_holm: float
    of: str
    effect: float
    low: float
    high: float


class Finding(NamedTuple):
    """What one criterion says of a pair: +1 if the first is better; p is NaN where it needs no test over seeds."""

    by: str
    sign: int
    p: float
    effect: float = NAN
    low: float = NAN
    high: float = NAN


Pair = tuple[int, int]
Findings = dict[Pair, Finding]


def compare(one: Entrant, other: Entrant, effort: str = "evaluations") -> Comparison:
    """Two optimizers on a problem without others."""
    return compare_all({"one": one, "other": other}, effort)["one", "other"]


def compare_all(
    entrants: Mapping[str, Entrant], effort: str = "evaluations", left_out: int = 0
) -> dict[tuple[str, str], Comparison]:
    """Every pair of a problem's optimizers, in their order.

    A pair's p-values are multiplied by the number of criteria it took, the smallest of a pair enters Holm's
    correction over pairs, and the first criterion that then is significant decides. Verdicts that need no test
    over seeds stand apart from that.

    Args:
        entrants: by name.
        effort: what it is counted in, "evaluations" or "iterations".
        left_out: further pairs of the problem, which are not compared.
    Source: Holm (1979), Scand. J. Statist. 6, 65-70; Bonferroni within a pair.
    """
    names = list(entrants)
    pairs = list(combinations(range(len(names)), 2))
    heard = list(_hear(_Table(list(entrants.values()), effort), pairs))
    tests = [sum(not math.isnan(f.p) for f in found) for found in heard]
    own = [_smallest(found) * count for found, count in zip(heard, tests, strict=True)]
    adjusted, factors = adjust(own, left_out)
    return {
        (names[i], names[j]): _decide(found, count, float(holm), float(factor))
        for (i, j), found, count, holm, factor in zip(pairs, heard, tests, adjusted, factors, strict=True)
    }


def list_findings(one: Entrant, other: Entrant, effort: str = "evaluations") -> list[Finding]:
    """What each criterion says of one entrant against another, uncorrected; efforts also where constants decide."""
    return next(_hear(_Table([one, other], effort), [(0, 1)], every=True))


def _decide(found: Sequence[Finding], tests: int, holm: float, factor: float) -> Comparison:
    """The first finding that decides; else a tie, with the last one's effect."""
    for f in found:
        if f.sign and math.isnan(f.p):
            return _report(f, f.sign, NAN, NAN)
        p = min(f.p * tests, 1.0)
        if f.sign and holm <= LEVEL and p * factor <= LEVEL:
            return _report(f, f.sign, p, max(holm, p * factor))
    if not found:
        return Comparison(0, "", NAN, NAN, "", NAN, NAN, NAN)
    return _report(found[-1], 0, min(_smallest(found) * tests, 1.0), holm)


def _smallest(found: Sequence[Finding]) -> float:
    """The least p; NaN where no test was made, or where a verdict without one decides."""
    if any(math.isnan(f.p) and f.sign for f in found):
        return NAN
    return min((f.p for f in found if not math.isnan(f.p)), default=NAN)


def _report(f: Finding, better: int, p: float, holm: float) -> Comparison:
    of = "" if math.isnan(f.effect) else f.by
    return Comparison(better, f.by if better else "", p, holm, of, f.effect, f.low, f.high)


class _Table:
    """The runs of a problem side by side, by entrant and seed; what a seed lacks is NaN."""

    def __init__(self, entrants: Sequence[Entrant], effort: str) -> None:
        self.effort = effort
        self.standings = [entrant.standing for entrant in entrants]
        seeds = sorted({course.seed for entrant in entrants for course in entrant.courses})
        column = {seed: place for place, seed in enumerate(seeds)}
        shape = len(entrants), len(seeds)
        self.courses: list[list[Course | None]] = [[None] * len(seeds) for _ in entrants]
        self.there = np.zeros(shape, dtype=bool)
        self.score = np.full(shape, len(ORDER))
        self.value = np.full(shape, NAN)
        self.end = np.full(shape, NAN)
        self.diverged = np.zeros(shape, dtype=bool)
        self.reached = np.full((*shape, len(TARGETS)), NAN)
        self.spacing = np.full((*shape, len(TARGETS)), NAN)
        self.watched = np.full(shape, -np.inf)
        self.alike = [_are_copies(entrant.courses) for entrant in entrants]
        for k, entrant in enumerate(entrants):
            courses = {column[course.seed]: course for course in entrant.courses}
            if self.alike[k] and len(courses) > 1:  # a start that no seed changes is the start of any seed
                courses = dict.fromkeys(range(len(seeds)), entrant.courses[0])
            for s, course in courses.items():
                law = _law_of(course)
                self.courses[k][s] = course
                self.there[k, s] = True
                self.score[k, s] = ORDER.index(law)
                self.diverged[k, s] = law == "diverged"
                self.value[k, s] = course.rate.value if law == entrant.standing.law else NAN
                self.end[k, s] = course.place[-1] if len(course.place) and law != "diverged" else NAN
                self.reached[k, s] = course.reached
                self.spacing[k, s] = course.spacing
                self.watched[k, s] = np.inf if law == "diverged" else course.watched

        self.shared = self.there.astype(int) @ self.there.T  # seeds of both

    def is_paired(self, i: int, j: int) -> bool:
        """Whether two entrants share at least half of the seeds of the one that has fewer."""
        fewer = min(self.shared[i, i], self.shared[j, j])
        return bool(0 < self.shared[i, j] >= fewer / 2)

    def is_single(self, i: int, j: int) -> bool:
        """Whether all that is known comes from one start: one seed, or runs that repeat each other."""
        return self.alike[i] and self.alike[j] and bool(self.shared[i, j])


def _law_of(course: Course) -> str:
    return "undecided" if course.status in BROKEN else course.rate.law


def _are_copies(courses: Sequence[Course]) -> bool:
    """Whether all runs are one run, as from a start that no seed changes."""
    return all(np.array_equal(course.height, courses[0].height) for course in courses[1:])


def _hear(table: _Table, pairs: Sequence[Pair], every: bool = False) -> Iterator[list[Finding]]:
    """What each pair's criteria say, in their order; `every`: efforts also where constants are there."""
    laws = _compare_laws(table, pairs)
    values = _compare_values(table, pairs)
    constants = _compare_constants(table, pairs)
    left = [pair for pair in pairs if every or pair not in constants]
    efforts = _compare_efforts(table, left)
    for pair in pairs:
        heard = (laws.get(pair), values.get(pair), constants.get(pair), efforts.get(pair))
        yield [finding for finding in heard if finding is not None]


def _compare_laws(table: _Table, pairs: Sequence[Pair]) -> Findings:
    """Pairs whose standings have different laws.

    Two decided laws that no decided run contradicts differ without a test over seeds: each verdict has 95% of the
    weight already. All else, and `undecided` against anything, takes a test: McNemar's where seeds are shared,
    Fisher's of "at least as good as the better law" where they are not.
    """
    places = [ORDER.index(standing.law) for standing in table.standings]
    silent = ORDER.index("undecided")
    unopposed = [
        law != silent and bool(np.isin(table.score[k][table.there[k]], (law, silent)).all())
        for k, law in enumerate(places)
    ]
    found: Findings = {}
    for i, j in pairs:
        if places[i] == places[j]:
            continue
        sign = 1 if places[i] < places[j] else -1
        if unopposed[i] and unopposed[j]:
            found[i, j] = Finding("law", sign, NAN)
            continue
        if table.is_single(i, j):
            continue
        if table.is_paired(i, j):
            both = table.there[i] & table.there[j]
            ahead = sign * np.sign(table.score[j] - table.score[i])[both]
            plus, minus = int((ahead > 0).sum()), int((ahead < 0).sum())
            p = _test_signs(plus, minus) if plus > minus else 1.0
        else:
            better = min(places[i], places[j])
            counts = [
                (int((scores <= better).sum()), int((scores > better).sum()))
                for scores in (table.score[k][table.there[k]] for k in (i, j))
            ]
            p = compare_counts(counts[0], counts[1])
        found[i, j] = Finding("law", sign, p)
    return found


@cache  # a few counts, many pairs
def _test_signs(plus: int, minus: int) -> float:
    return float(compare_signs(plus, minus))


def _compare_values(table: _Table, pairs: Sequence[Pair]) -> Findings:
    """Pairs of one law whose standings' intervals are apart.

    The p of two values is that of their intervals, read as normal; from FEW seeds on it is no smaller than that of
    a test over the seeds' values, so that intervals and seeds must both say so. One start has its intervals alone.
    """
    found: Findings = {}
    middle = [(s.low + s.high) / 2 for s in table.standings]
    error = [(s.high - s.low) / 2 / NORMAL for s in table.standings]
    tested = []
    for i, j in pairs:
        a, b = table.standings[i], table.standings[j]
        if a.law != b.law or not (a.low > b.high or b.low > a.high):
            continue
        gap, scatter = middle[i] - middle[j], math.hypot(error[i], error[j])
        p = math.erfc(abs(gap) / scatter / math.sqrt(2)) if scatter > 0 else 0.0
        half, single = NORMAL * scatter, table.is_single(i, j)
        found[i, j] = Finding("value", 1 if gap > 0 else -1, NAN if single else p, gap, gap - half, gap + half)
        if not single:
            tested.append((i, j))
    for (i, j), (shift, fewest) in _test_values(table, tested).items():
        if fewest >= FEW:
            claim = found[i, j]
            p = max(claim.p, float(shift.p)) if shift.mean * claim.sign > 0 else 1.0
            found[i, j] = claim._replace(p=p)
    return found


def _test_values(table: _Table, pairs: Sequence[Pair]) -> dict[Pair, tuple[Shift, int]]:
    """For each pair the test of its seeds' values, and how many values the poorer side has."""
    if not pairs:
        return {}
    one, other = table.value[[i for i, _ in pairs]], table.value[[j for _, j in pairs]]
    paired, apart = compare_means(one - other), compare_samples(one, other)
    shared = (~np.isnan(one - other)).sum(axis=1)
    fewest = np.minimum((~np.isnan(one)).sum(axis=1), (~np.isnan(other)).sum(axis=1))
    chosen = {}
    for row, (i, j) in enumerate(pairs):
        tests, counts = (paired, shared) if table.is_paired(i, j) else (apart, fewest)
        chosen[i, j] = tests.pick(row), int(counts[row])
    return chosen


def _compare_constants(table: _Table, pairs: Sequence[Pair]) -> Findings:
    """Pairs of power laws, by log(L_a/L_b) over the last decade that both runs of a seed have recorded.

    With a shared exponent the exponent cancels from that ratio; what the ratio still changes by over the decade
    counts as error. A free exponent's constant is no use here: its
    error is the exponent's times log t. Pairs without such a decade in half of their seeds are left out.
    """
    power = [standing.law == "power" for standing in table.standings]
    wanted = [(i, j) for i, j in pairs if power[i] and power[j]]
    joint = [pair for pair in wanted if table.is_paired(*pair)]
    found = _constants_of_shared_seeds(table, joint) if joint else {}
    for i, j in sorted(set(wanted) - set(joint)):
        if finding := _constants_of_other_seeds(table, i, j):
            found[i, j] = finding
    return found


def _constants_of_shared_seeds(table: _Table, pairs: Sequence[Pair]) -> Findings:
    rows, columns = np.array(pairs).T
    ends = np.where(np.isnan(table.end), -np.inf, table.end)
    heights = np.full((len(table.courses), *table.end.shape, 2), NAN)  # [k, j, s]: of k's run, up to the end of j's
    for k in np.unique([rows, columns]):
        for s, course in enumerate(table.courses[k]):
            if course is not None and len(course.place):
                heights[k, :, s] = average_decade(course, np.minimum(ends[:, s], ends[k, s]))
    halves = heights[rows, columns] - heights[columns, rows]
    d = halves.mean(axis=-1)
    known, shared = np.isfinite(d), table.there[rows] & table.there[columns]
    count = known.sum(axis=1)
    # What the ratio still changes by is not the constant's: no number of seeds takes that away.
    change = np.where(known, halves[..., 1] - halves[..., 0], 0.0).sum(axis=1) / np.maximum(count, 1)
    size = np.where(known, np.abs(d), 0.0).max(axis=1, initial=0.0)[:, None]
    behind = table.diverged[rows].astype(float) - table.diverged[columns]
    # Nothing is known of a run that broke: no evidence, 0. One that diverged is as far behind as any other is.
    shift = compare_means(np.where(known, d, np.where(shared, behind * size, NAN)), np.abs(change))
    found: Findings = {}
    for row, (i, j) in enumerate(pairs):
        if 2 * count[row] < max(int(shared[row].sum()), 1):
            continue
        if table.is_single(i, j):
            gap = float(d[row][known[row]].mean())
            half = _level_error(table.standings[i]) + _level_error(table.standings[j]) + abs(float(change[row]))
            sign = -int(np.sign(gap)) if abs(gap) > half + RESOLUTION else 0
            found[i, j] = Finding("constant", sign, NAN, *(_exp(x) for x in (gap, gap - half, gap + half)))
        else:
            found[i, j] = _as_ratio("constant", shift.pick(row))
    return found


def _constants_of_other_seeds(table: _Table, i: int, j: int) -> Finding | None:
    """By log L + p log t of each run, with p the mean of both values: independent samples."""
    exponent = (table.standings[i].value + table.standings[j].value) / 2
    last = min(float(np.nanmax(table.end[k], initial=-np.inf)) for k in (i, j))
    filled, changes = [], []
    pool: list[Array] = []
    for k in (i, j):
        courses = [course for course in table.courses[k] if course is not None]
        own = table.end[k][table.there[k]]
        ends = np.minimum(np.where(np.isnan(own), -np.inf, own), last)
        halves = np.array([average_decade(c, np.array([end]))[0] for c, end in zip(courses, ends, strict=True)])
        level = halves.mean(axis=-1) + exponent * (ends - DECADE / 2)
        known = np.isfinite(level)
        if 2 * known.sum() < len(level) or not known.any():
            return None
        changes.append(float((halves[known, 1] - halves[known, 0]).mean()))
        filled.append((np.where(known, level, NAN), table.diverged[k][table.there[k]]))
        pool.append(level[known])
    every = np.concatenate(pool)
    # As for shared seeds: a broken run says nothing for either side, a diverged one is the worst there is.
    one, other = (np.where(np.isnan(level), np.where(lost, every.max(), every.mean()), level) for level, lost in filled)
    return _as_ratio("constant", compare_samples(one, other, abs(changes[0] - changes[1])))


def average_decade(course: Course, ends: Array) -> Array:
    """The means of log L over both halves of the decade of the clock before each of `ends`; NaN outside the run.

    Args:
        course: a run, taken as straight between its records.
        ends: logs of the clock, shape (k,).
    Returns:
        Shape (k, 2), the earlier half first.
    """
    x, y = course.place, course.height
    found = np.full((len(ends), 2), NAN)
    if len(x) < 2:
        return found
    inside = (ends - DECADE >= x[0] - 1e-9) & (ends <= x[-1] + 1e-9)
    if inside.any():
        below = np.concatenate([[0.0], np.cumsum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2)])
        different = np.array(sorted(set(ends[inside].tolist())))  # few, and most often one
        edges = different[:, None] - DECADE * np.array([1.0, 0.5, 0.0])
        at = np.searchsorted(x[1:-1], edges, side="right")
        area = below[at] + (edges - x[at]) * (y[at] + np.interp(edges, x, y)) / 2
        halves = (area[:, 1:] - area[:, :-1]) / (DECADE / 2)
        found[inside] = halves[np.searchsorted(different, ends[inside])]
    return found


def _level_error(standing: Standing) -> float:
    """Half the interval of a log constant at a shared exponent.

    Read in the middle of a decade, it feels the exponent's error over half a decade only.
    """
    return (standing.high - standing.low) / 2 * DECADE / 2


def _compare_efforts(table: _Table, pairs: Sequence[Pair]) -> Findings:
    """Pairs by the effort to the hardest target that at least half of the runs of either reached.

    A run that did not reach it is censored where it ended: behind one that reached it sooner than that by at least
    the ratio of the two, and not to be told from one that reached it later.
    """
    hits = np.isfinite(table.reached).sum(axis=1)  # (entrants, targets)
    often = 2 * hits >= np.maximum(table.there.sum(axis=1), 1)[:, None]
    hardest = [max(np.flatnonzero(row).tolist(), default=-1) for row in often]
    found: Findings = {}
    joint, targets = [], []
    for i, j in pairs:
        target = max(hardest[i], hardest[j])
        if target < 0:
            continue
        if table.is_single(i, j):
            found[i, j] = _effort_of_one_start(table, i, j, target)
        elif table.is_paired(i, j):
            joint.append((i, j))
            targets.append(target)
        else:
            found[i, j] = _efforts_of_other_seeds(table, i, j, target)
    if joint:
        rows, columns = np.array(joint).T
        one, other = table.reached[rows, :, targets], table.reached[columns, :, targets]
        d = find_differences(one, table.watched[rows], other, table.watched[columns])
        size = np.where(np.isfinite(d), np.abs(d), 0.0).max(axis=1)[:, None]
        d = np.clip(d, -size, size)  # one that diverged is as far behind as any other is
        shift = compare_means(np.where(table.there[rows] & table.there[columns], d, NAN))
        found |= {pair: _as_ratio(table.effort, shift.pick(row)) for row, pair in enumerate(joint)}
    return found


def find_differences(one: Array, one_watched: Array, other: Array, other_watched: Array) -> Array:
    """log effort of one less that of the other, or as much of it as is certain: 0 where nothing is.

    Args:
        one, other: log efforts, NaN where the target was not reached.
        one_watched, other_watched: log efforts at the last record, of the same shapes; inf where none would do.
    Source: the pairs of Gehan (1965), Biometrika 52, 203-223, here with their lengths.
    """
    first, second = np.isfinite(one), np.isfinite(other)
    with np.errstate(invalid="ignore"):
        certain = np.where(first, -np.maximum(other_watched - one, 0.0), np.maximum(one_watched - other, 0.0))
        return np.where(first & second, one - other, np.where(first | second, certain, 0.0))


def _effort_of_one_start(table: _Table, i: int, j: int, target: int) -> Finding:
    """Decided without a test where the two are further apart than the records beside the target."""
    a, b = int(np.flatnonzero(table.there[i])[0]), int(np.flatnonzero(table.there[j])[0])
    one, other = table.reached[i, [a], target], table.reached[j, [b], target]
    d = float(find_differences(one, table.watched[i, [a]], other, table.watched[j, [b]])[0])
    half = float(np.nanmax([table.spacing[i, a, target], table.spacing[j, b, target]]))
    sign = -int(np.sign(d)) if abs(d) > half else 0
    if np.isfinite(one[0]) and np.isfinite(other[0]):
        return Finding(table.effort, sign, NAN, *(_exp(x) for x in (d, d - half, d + half)))
    return Finding(table.effort, sign, NAN, _exp(d))


def _efforts_of_other_seeds(table: _Table, i: int, j: int, target: int) -> Finding:
    """Independent samples: of efforts, or of lives where some are censored."""
    lives, ended = [], []
    for k in (i, j):
        reached = table.reached[k][table.there[k]][:, target]
        lives.append(np.where(np.isfinite(reached), reached, table.watched[k][table.there[k]]))
        ended.append(np.isfinite(reached))
    if ended[0].all() and ended[1].all():
        shift = compare_samples(lives[0], lives[1])
        return _as_ratio(table.effort, shift)
    p = compare_lives(lives[0], ended[0], lives[1], ended[1])
    each = find_differences(
        *np.broadcast_arrays(np.where(ended[0], lives[0], NAN)[:, None], lives[0][:, None]),
        *np.broadcast_arrays(np.where(ended[1], lives[1], NAN)[None, :], lives[1][None, :]),
    )
    ahead = int(np.sign(each).sum())  # the sign of Gehan's statistic
    return Finding(table.effort, -int(np.sign(ahead)), p, _exp(float(np.median(each))))


def _as_ratio(by: str, shift: Shift) -> Finding:
    """A difference of logs as a ratio; less is better."""
    mean, p = float(shift.mean), float(shift.p)
    sign = 0 if math.isnan(p) else -int(np.sign(mean))
    # Without two seeds there is no test: p = 1 keeps the pair in the correction, as one that ties.
    return Finding(by, sign, 1.0 if math.isnan(p) else p, *(_exp(float(x)) for x in (mean, shift.low, shift.high)))


def _exp(x: float) -> float:
    return math.inf if x > 700 else math.exp(x)
