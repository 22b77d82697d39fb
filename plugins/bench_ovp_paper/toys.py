"""Appendix A: toy cases 1 to 3, with (21) as printed and as derived anew, and (22)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_ovp.claims import UNDECIDED, Case, Claim, Finding, compare

from .course import DESCENT, FLOW, leave_out
from .formulas import grad
from .states import EXACT

Array = NDArray[np.float64]
POINTS = 200
STEP = 0.05
SOURCE = "Xu & Du (2023), Appendix A, toy case"


def mend_first(a: Array, theta: Array) -> Array:
    """The factor of λ₁ − ½ as derived from (4): 1 − η(1 − θ/π + sin 2θ/(2π))."""
    return np.asarray(1 - STEP * (1 - theta / math.pi + np.sin(2 * theta) / (2 * math.pi)))


def print_first(a: Array, theta: Array) -> Array:
    """The factor of (21) as printed."""
    return np.asarray(1 - STEP * (1 - theta / math.pi + np.sin(2 * theta) / a))


def print_second(a: Array, theta: Array) -> Array:
    """The factor of λ₂, (22)."""
    return np.asarray(1 - STEP / (2 * math.pi) * (2 * theta + (a - 0.5) / a * np.sin(2 * theta)))


def halve_second(a: Array, theta: Array) -> Array:
    """(22) with θ for 2θ."""
    return np.asarray(1 - STEP / (2 * math.pi) * (theta + (a - 0.5) / a * np.sin(2 * theta)))


def check_step(case: Case, factor: Any, second: bool) -> Finding | None:
    """The error of a factor of toy case 1 against one step along the gradient, relative to η."""
    if case.problem.name != "toy-case-1":
        return None
    rng = np.random.default_rng(21)
    a = 0.5 + rng.choice([-1, 1], POINTS) * rng.uniform(0.1, 0.45, POINTS)
    b = rng.uniform(0.02, 1.0, POINTS)
    w = np.stack([np.stack([a, b], axis=1), np.stack([a, -b], axis=1)], axis=1)
    slope = grad(w, 1.0)[:, 0]
    moved = 1 - STEP * (slope[:, 1] / b if second else slope[:, 0] / (a - 0.5))
    error = float(np.abs(moved - factor(a, np.arctan2(b, a))).max())
    return compare(error, EXACT, POINTS, f"at {POINTS} points, λ₁ in [0.05, 0.95], λ₂ in [0.02, 1], η = {STEP}")


def check_pace(case: Case, limit: float) -> Finding | None:
    """How far 2λ₂t = Z·t is from `limit` at the end, relatively; (22) near the minimum gives λ₂t → π/2."""
    if case.problem.name != "toy-case-1" or case.family not in DESCENT:
        return None
    ends = [float(run.rows["Z"][-1] * run.rows["time"][-1]) for run in case.runs]
    horizon = min(float(run.rows["time"][-1]) for run in case.runs)
    if horizon < 1e3:
        return Finding(UNDECIDED, runs=len(ends), evidence=f"t = {horizon:.3g} at the end; 1e3 are needed")
    worst = max(abs(end / limit - 1) for end in ends)
    return compare(worst, 0.05, len(ends), f"Z·t = {min(ends):.4g} to {max(ends):.4g} at t = {horizon:.3g}")


def check_sum(case: Case, curvature: float) -> Finding | None:
    """The relative error of 1 − Σλᵢ = (1 − Σλᵢ(0)) (1 − curvature·nη)^(t/η) on every record of toy case 2.

    All λᵢ move by the same amount, in all by (1 − Σλᵢ(0))/n. A smaller λᵢ(0) than −(1 − Σλᵢ(0))/n crosses zero, and is
    then alone on the other side of the kink, where it dies like e^(−t/2).
    """
    if case.problem.name != "toy-case-2" or case.family not in DESCENT:
        return None
    rate = curvature * case.problem.instance.n
    lr = 0.0 if case.family in FLOW else float(case.optimizer.parameters["lr"])
    pace = -rate if lr == 0.0 else math.log1p(-rate * lr) / lr
    starts = case.problem.start([run.seed for run in case.runs])[:, :, 0]
    sums = starts.sum(axis=1)
    stays = starts.min(axis=1) + (1 - sums) / case.problem.instance.n > 0
    left_out = "" if stays.all() else f"{(~stays).sum()} of {len(sums)} runs left out, where a λᵢ crosses zero; "
    if not stays.any():
        return leave_out(left_out, len(sums))
    worst = 0.0
    for run, start in ((run, sums[place]) for place, run in enumerate(case.runs) if stays[place]):
        H, time = np.asarray(run.rows["H"]), np.asarray(run.rows["time"])
        there = np.abs(H) > 1e-12  # in students' own coordinates it is rounding below that
        wanted = (1 - start) * np.exp(pace * time[there])
        worst = max(worst, float(np.abs(H[there] / wanted - 1).max(initial=0.0)))
    # A flow is integrated with relative errors of 1e-8 a stretch.
    return compare(worst, 1e-5, int(stays.sum()), f"{left_out}on all records with |1 − Σλᵢ| > 1e-12")


def check_limit(case: Case, limit: float) -> Finding | None:
    """How far Σλᵢ is from `limit` at the end of toy case 2."""
    if case.problem.name != "toy-case-2" or case.family not in DESCENT:
        return None
    ends = [1 - float(run.rows["H"][-1]) for run in case.runs]
    worst = max(abs(end - limit) for end in ends)
    return compare(worst, 1e-3, len(ends), f"Σλᵢ = {min(ends):.6g} to {max(ends):.6g} at the end")


def check_copies(case: Case, times: float) -> Finding | None:
    """The relative error of ∇ᵢ = n·∇ of one student w and the teacher v/n, at equal students."""
    if case.problem.name != "toy-case-3":
        return None
    n = case.problem.instance.n
    w = np.random.default_rng(3).standard_normal((POINTS, 1, 4))
    one = grad(w, 1.0 / n)
    all_of_them = grad(np.repeat(w, n, axis=1), 1.0)
    error = np.abs(all_of_them - times * n * one).max(axis=(1, 2)) / np.linalg.norm(n * one, axis=(1, 2))
    return compare(float(error.max()), EXACT, POINTS, f"at {POINTS} points")


CLAIMS = [
    Claim(
        "equation-21-printed",
        f"{SOURCE} 1, (21)",
        "λ₁ − ½ is multiplied by 1 − η(1 − θ/π + sin 2θ/λ₁)",
        lambda case: check_step(case, print_first, second=False),
        lambda case: check_step(case, print_second, second=False),
        "by the factor of (22)",
        about="problem",
    ),
    Claim(
        "equation-21-mended",
        f"{SOURCE} 1, (21) derived anew",
        "λ₁ − ½ is multiplied by 1 − η(1 − θ/π + sin 2θ/(2π))",
        lambda case: check_step(case, mend_first, second=False),
        lambda case: check_step(case, print_first, second=False),
        "by 1 − η(1 − θ/π + sin 2θ/λ₁), as printed",
        about="problem",
    ),
    Claim(
        "equation-22",
        f"{SOURCE} 1, (22)",
        "λ₂ is multiplied by 1 − η/(2π) (2θ + (λ₁ − ½)/λ₁ sin 2θ)",
        lambda case: check_step(case, print_second, second=True),
        lambda case: check_step(case, halve_second, second=True),
        "the same with θ for 2θ",
        about="problem",
    ),
    Claim(
        "toy-case-1-pace",
        f"{SOURCE} 1",
        "λ₂ ~ t⁻¹; from (22), λ₂t → π/2",
        lambda case: check_pace(case, math.pi),
        lambda case: check_pace(case, 2 * math.pi),
        "λ₂t → π",
    ),
    Claim(
        "toy-case-2",
        f"{SOURCE} 2",
        "1 − Σλᵢ is multiplied by 1 − nη/2 in each step, and falls like e^(−nt/2) under the flow",
        lambda case: check_sum(case, 0.5),
        lambda case: check_sum(case, 0.6),
        "by 1 − 0.6nη",
        assumptions="no λᵢ crosses zero: λᵢ(0) > (Σλⱼ(0) − 1)/n",
    ),
    Claim(
        "toy-case-2-printed",
        f"{SOURCE} 2",
        "Σλᵢ converges to 0",
        lambda case: check_limit(case, 0.0),
        lambda case: check_limit(case, 0.5),
        "Σλᵢ converges to ½",
    ),
    Claim(
        "toy-case-2-mended",
        f"{SOURCE} 2, derived anew",
        "Σλᵢ converges to 1",
        lambda case: check_limit(case, 1.0),
        lambda case: check_limit(case, 0.0),
        "Σλᵢ converges to 0, as printed",
    ),
    Claim(
        "toy-case-3",
        f"{SOURCE} 3",
        "equal students have n times the gradient of one student with the teacher v/n",
        lambda case: check_copies(case, 1.0),
        lambda case: check_copies(case, 1.01),
        "1.01 times that",
        about="problem",
    ),
]
