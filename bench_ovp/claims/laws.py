"""Claims about the law of the loss, held against the laws that the detector found."""

from __future__ import annotations

import math
import statistics
from collections import Counter

from .claim import FAILS, HOLDS, UNDECIDED, Case, Finding


def judge_law(case: Case, law: str, value: float) -> Finding:
    """Whether the loss follows `law` with `value`, on every run whose law is decided.

    It holds where all decided runs have the law, and the value lies in their intervals at 95% on more than a half
    of them; it fails where a run has another law, or the value lies outside on more than a half.

    Args:
        case: with the laws of its runs.
        law: as in the results.
        value: its exponent, or its rate; NaN leaves it open.
    """
    decided = [rate for rate in case.rates if rate.law != UNDECIDED]
    if not decided:
        return Finding(UNDECIDED, bound=value, runs=len(case.rates), evidence="no run's law is decided")
    counts = Counter(rate.law for rate in case.rates)
    told = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    own = [rate for rate in decided if rate.law == law]
    other = [rate.value for rate in decided if not math.isnan(rate.value)]
    measured = statistics.median([rate.value for rate in own] or other or [math.nan])
    if len(own) < len(decided):
        return Finding(FAILS, measured, value, len(decided), f"laws of the runs: {told}")
    inside = sum(rate.low <= value <= rate.high for rate in own)
    if math.isnan(value):
        return Finding(HOLDS, measured, value, len(own), f"laws of the runs: {told}")
    evidence = f"laws of the runs: {told}; {value:g} is in the interval of {inside} of {len(own)}"
    return Finding(HOLDS if 2 * inside > len(own) else FAILS, measured, value, len(own), evidence)
