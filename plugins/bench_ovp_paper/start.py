"""Lemma 3: a Gaussian start has ordinary lengths and angles, with the probability that its proof gives."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_ovp.claims import Case, Claim, Finding, compare

Array = NDArray[np.float64]

SOURCE = "Xu & Du (2023), Lemma 3"
STARTS = 1000  # seeds that are drawn; a frequency of 0 then says at most 0.3 % at 95 %
CONFIDENCE = 0.95


def check_start(case: Case, low: float, high: float) -> Finding | None:
    """How often (5) fails over seeds, against the bound of Appendix F.1.

    The union over n students of P(|‖w‖² − σ²d| > ¾σ²d) ≤ exp(−(¾)²d/24) and P(|h| > ¼σ√d) ≤ 2 exp(−d/32) is
    δ = n (exp(−3d/128) + 2 exp(−d/32)). The claim stands where the frequency is no larger, up to chance.

    Args:
        case: of a problem with a random start.
        low, high: bounds of the lengths, in σ√d.
    """
    from scipy.special import betaincinv

    if case.problem.name != "teacher-neuron" or case.problem.parameters["w0"] is not None:
        return None
    instance: Any = case.problem.instance
    n, d = instance.n, instance.d
    delta = n * (math.exp(-3 * d / 128) + 2 * math.exp(-d / 32))
    lengths, cosines = measure_starts(instance)
    ordinary = (lengths >= low) & (lengths <= high) & (np.abs(cosines) <= 0.5)
    failed = int(STARTS - ordinary.all(axis=1).sum())
    # Clopper and Pearson's lower bound: what the true probability is at least.
    least = float(betaincinv(failed, STARTS - failed + 1, 1 - CONFIDENCE)) if failed else 0.0
    found = compare(least, delta, STARTS)
    told = f"(5) fails for {failed} of {STARTS} seeds; δ = {delta:.3g}"
    if delta >= 1:
        told += ", which allows everything"
    return Finding(found.verdict, failed / STARTS, delta, STARTS, told)


@lru_cache(maxsize=1)  # a claim and its twin look at the same starts
def measure_starts(instance: Any) -> tuple[Array, Array]:
    """Lengths of students at the start, in σ√d, and cosines of their angles to the teacher, each (STARTS, n)."""
    w = instance.start(range(STARTS))
    norms = np.linalg.norm(w, axis=2)
    return norms / (instance.sigma * math.sqrt(instance.d)), w[:, :, 0] / norms


CLAIMS = [
    Claim(
        "lemma-3",
        SOURCE,
        "½σ√d ≤ ‖wᵢ(0)‖ ≤ 2σ√d and π/3 ≤ θᵢ(0) ≤ 2π/3 for all i with probability 1 − δ, "
        "δ = n(exp(−3d/128) + 2exp(−d/32))",
        lambda case: check_start(case, 0.5, 2.0),
        lambda case: check_start(case, 0.95, 1.05),
        "the same δ for lengths within 5 % of σ√d",
        about="problem",
    )
]
