"""From the rates of runs to the standing of a pair, and from comparisons to ranks within a problem."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .problems import Theory
from .rates import Rate
from .significance import measure_heterogeneity

TARGETS = (1e-4, 1e-8, 1e-12)

# Which law is better than which; what cannot be told stands behind what can.
ORDER = ("superexponential", "exponential", "power", "undecided", "stalled", "diverged")

BROKEN = ("failed", "degenerate")  # statuses without a law
NORMAL = 1.96  # standard errors in half of a 95% interval


class Fitted(NamedTuple):
    """One run of a pair: its status, its rate, and the evaluations it took to each of TARGETS (inf: never)."""

    status: str
    rate: Rate
    reached: tuple[float, ...]


@dataclass(frozen=True)
class Standing:
    """What a problem and an optimizer come to, over seeds.

    Args:
        law: the law of the largest share of seeds; `undecided` below a half.
        value: median over those seeds, with the interval [low, high].
        constant: median over those seeds.
        share: of all seeds, the failed ones too.
        seeds: how many.
        reached: median evaluations to each of TARGETS; inf where most runs do not reach it.
        laws: how many seeds found which law, such as "power 14, undecided 2"; failed and degenerate runs by status.
        heterogeneity: I² of the values of those seeds, beyond their own intervals, 0 to 1; NaN below two.
    """

    law: str
    value: float
    low: float
    high: float
    constant: float
    share: float
    seeds: int
    reached: tuple[float, ...]
    laws: str = ""
    heterogeneity: float = math.nan

    def agrees(self, theory: Theory | None) -> bool | None:
        """Whether law and interval are the theory's; None without one."""
        if theory is None:
            return None
        if self.law != theory.law:
            return False
        return math.isnan(theory.value) or self.low <= theory.value <= self.high


def summarise(runs: Sequence[Fitted]) -> Standing:
    """The standing of one pair from its runs."""
    usable = [run.rate for run in runs if run.status not in BROKEN]
    counts = Counter(rate.law for rate in usable)
    reached = tuple(_median([run.reached[i] for run in runs]) for i in range(len(TARGETS)))
    laws, nan = _count_laws(runs), math.nan
    law, count = max(counts.items(), key=lambda item: (item[1], -ORDER.index(item[0])), default=("undecided", 0))
    share = count / len(runs)
    if share < 0.5:
        return Standing("undecided", nan, nan, nan, nan, share, len(runs), reached, laws)
    own = [rate for rate in usable if rate.law == law]
    low, high = pooled_interval(own)
    value = _median([rate.value for rate in own])
    constant = _median([rate.constant for rate in own])
    errors = [(rate.high - rate.low) / 2 / NORMAL for rate in own]
    spread = measure_heterogeneity([rate.value for rate in own], errors)
    return Standing(law, value, low, high, constant, share, len(runs), reached, laws, spread)


def pooled_interval(rates: Sequence[Rate]) -> tuple[float, float]:
    """An interval for the median value over seeds.

    The medians of the runs' own bounds, widened to the distribution-free 95% interval of the median of the
    values: windows and models err alike for all seeds, so there is no 1/√seeds to be had.

    Source: order statistics, as in Conover (1999), Practical Nonparametric Statistics, 3.2.
    """
    values = np.sort([rate.value for rate in rates])
    if np.isnan(values).any():
        return math.nan, math.nan
    below = _binomial_quantile(len(values))
    low = min(_median([rate.low for rate in rates]), float(values[below]))
    high = max(_median([rate.high for rate in rates]), float(values[-1 - below]))
    return low, high


def rank(names: Sequence[str], separations: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Ranks from 1: one more than the number of optimizers ahead, directly or through others.

    So a better one always has the smaller rank, and those with nothing ahead share the first. "Not told apart" is
    not transitive, and no chain of ties is cut: a tie with two others joins them no more than its rank says.
    Separations may contradict each other in a circle; then the last of them in order is left out.

    Args:
        names: of one problem's optimizers.
        separations: (better, worse), those that count most first.
    Source: Tideman (1987), Social Choice and Welfare 4, 185-206, for the circles.
    """
    place = {name: k for k, name in enumerate(names)}
    ahead = np.zeros((len(names), len(names)), dtype=bool)  # [a, b]: a is ahead of b
    for better, worse in separations:
        a, b = place[better], place[worse]
        if not ahead[a, b] and not ahead[b, a]:
            above, under = ahead[:, a].copy(), ahead[b].copy()
            above[a] = under[b] = True
            ahead |= above[:, None] & under
    return {name: 1 + int(ahead[:, k].sum()) for name, k in place.items()}


def write_places(ranks: Iterable[float]) -> list[str]:
    """Ranks of one problem as people write them: "1", "2=" where several share it, "–" where there is none."""
    listed = list(ranks)
    shared = Counter(listed)
    return [f"{int(r)}{'=' * (shared[r] > 1)}" if math.isfinite(r) else "–" for r in listed]


def find_targets(loss: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The first record at or below each of TARGETS, and whether there is one.

    Args:
        loss: of shape (..., records).
    Returns:
        Both of shape (..., targets); the record is 0 where there is none.
    """
    below = np.asarray(loss)[..., None, :] <= np.array(TARGETS)[:, None]
    there = np.asarray(below.any(axis=-1))
    return np.asarray(below.argmax(axis=-1) if below.shape[-1] else there.astype(np.intp)), there


def evaluations_to(loss: ArrayLike, evaluations: ArrayLike) -> NDArray[np.float64]:
    """Evaluations at the first record at or below each of TARGETS; inf where there is none.

    Args:
        loss: of shape (..., records).
        evaluations: of shape (records,).
    Returns:
        Of shape (..., targets).
    """
    place, there = find_targets(loss)
    return np.where(there, np.append(evaluations, math.inf)[place], math.inf)


def _count_laws(runs: Sequence[Fitted]) -> str:
    counts = Counter(run.status if run.status in BROKEN else run.rate.law for run in runs)
    return ", ".join(f"{law} {count}" for law, count in counts.most_common())


@cache
def _binomial_quantile(count: int) -> int:
    """The largest k so that the k-th value from either end bounds the median at 95%, counted from 0."""
    k, ways = 0, 1  # to have k heads in `count` throws, of 2^count ways
    below = 1  # ways to have at most k
    while 40 * below < 1 << count:
        ways = ways * (count - k) // (k + 1)
        k, below = k + 1, below + ways
    return max(k - 1, 0)


def _median(values: Sequence[float]) -> float:
    """As of NumPy, which takes longer for a handful: NaN if any is."""
    ordered, half = sorted(values), len(values) // 2
    if any(value != value for value in ordered):
        return math.nan
    return float(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2)
