"""From the rates of runs to the standing of a pair, and from standings to ranks within a problem."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .problems import Theory
from .rates import Rate

TARGETS = (1e-4, 1e-8, 1e-12)

# Which law is better than which; what cannot be told stands behind what can.
ORDER = ("superexponential", "exponential", "power", "undecided", "stalled", "diverged")


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
    """

    law: str
    value: float
    low: float
    high: float
    constant: float
    share: float
    seeds: int
    reached: tuple[float, ...]

    def agrees(self, theory: Theory | None) -> bool | None:
        """Whether law and interval are the theory's; None without one."""
        if theory is None:
            return None
        if self.law != theory.law:
            return False
        return math.isnan(theory.value) or self.low <= theory.value <= self.high


def summarise(runs: Sequence[Fitted]) -> Standing:
    """The standing of one pair from its runs."""
    usable = [run.rate for run in runs if run.status not in ("failed", "degenerate")]
    counts = Counter(rate.law for rate in usable)
    reached = tuple(float(np.median([run.reached[i] for run in runs])) for i in range(len(TARGETS)))
    nan = math.nan
    if not counts:
        return Standing("undecided", nan, nan, nan, nan, 0.0, len(runs), reached)
    law, count = max(counts.items(), key=lambda item: (item[1], -ORDER.index(item[0])))
    share = count / len(runs)
    if share < 0.5:
        return Standing("undecided", nan, nan, nan, nan, share, len(runs), reached)
    own = [rate for rate in usable if rate.law == law]
    low, high = pooled_interval(own)
    value = _median([rate.value for rate in own])
    constant = _median([rate.constant for rate in own])
    return Standing(law, value, low, high, constant, share, len(runs), reached)


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


def rank(standings: Mapping[str, Standing]) -> dict[str, int]:
    """Ranks of one problem's optimizers, from 1.

    By law; then by value, where intervals separate; then, within a chain of overlapping intervals, by the
    constant of a power law or by evaluations to the smallest target that any of them reaches.
    """
    ordered: list[str] = []
    for law in ORDER:
        group = [name for name, standing in standings.items() if standing.law == law]
        for chain in _chains(group, standings):
            ordered += sorted(chain, key=lambda name: _within(standings[name]))
    return {name: place for place, name in enumerate(ordered, start=1)}


def evaluations_to(loss: ArrayLike, evaluations: ArrayLike) -> tuple[float, ...]:
    """Evaluations at the first record at or below each of TARGETS; inf where there is none."""
    curve = np.asarray(loss)
    charged = np.asarray(evaluations)
    found = []
    for target in TARGETS:
        below = np.flatnonzero(curve <= target)
        found.append(float(charged[below[0]]) if len(below) else math.inf)
    return tuple(found)


def _chains(group: Sequence[str], standings: Mapping[str, Standing]) -> list[list[str]]:
    """Members of a law, fastest first, cut where the next interval lies wholly below all before it."""
    by_value = sorted(group, key=lambda name: -_or(standings[name].value, math.inf))
    chains: list[list[str]] = []
    lowest = math.inf
    for name in by_value:
        standing = standings[name]
        if chains and not standing.high < lowest:
            chains[-1].append(name)
        else:
            chains.append([name])
            lowest = math.inf
        lowest = min(lowest, _or(standing.low, math.inf))
    return chains


def _within(standing: Standing) -> tuple[float, ...]:
    """Less is better: the constant of a power law, else evaluations to targets, hardest first."""
    effort = tuple(reversed(standing.reached))
    return (_or(standing.constant, math.inf), *effort) if standing.law == "power" else effort


def _binomial_quantile(count: int) -> int:
    """The largest k so that the k-th value from either end bounds the median at 95%, counted from 0."""
    from scipy.stats import binom

    return max(int(binom.ppf(0.025, count, 0.5)) - 1, 0)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value
