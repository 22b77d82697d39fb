"""A run as the proofs read it: its start, its phases, and which assumptions it meets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_ovp.claims import OUTSIDE, Case, Finding, Scale
from bench_ovp.trace import Run

Array = NDArray[np.float64]

# The theorems want ε₂ = O(n⁻¹⁴) and ε₁ = O(ε₂⁶n^(−1/2)), with constants that nobody knows. These are what the
# inequalities of the proofs need: 4ε₁ ≤ ε₂, and 18ε₂ well below ⅔.
EPSILON_2 = 0.02
EPSILON_1 = EPSILON_2 / 4
DESCENT = ("gradient-descent", "gradient-flow")
FLOW = ("gradient-flow",)


@dataclass(frozen=True)
class Course:
    """One run of n students, with what the claims ask about it.

    Args:
        run: with its recorded rows.
        n: number of students.
        teacher: ‖v‖.
        lr: the step size η; 0 for a flow.
        s1, s2: bounds of (5) on the students' lengths at the start.
        theta, lengths: θᵢ and ‖wᵢ‖ at the start, (n,).
        kappa: κ_max at the start.
        degenerate: whether a zᵢ is zero at the start, or all are parallel.
    """

    run: Run
    n: int
    teacher: float
    lr: float
    s1: float
    s2: float
    theta: Array
    lengths: Array
    kappa: float
    degenerate: bool

    def column(self, name: str) -> Array:
        """A recorded column; NaN where it was not recorded."""
        rows = self.run.rows
        return np.asarray(rows[name]) if name in rows else np.full(len(rows["loss"]), np.nan)

    def students(self, name: str) -> Array:
        """The columns name_1 … name_n, (records, n)."""
        return np.stack([self.column(f"{name}_{i}") for i in range(1, self.n + 1)], axis=1)

    @cached_property
    def time(self) -> Array:
        """Nominal time of the records."""
        return self.column("time")

    @cached_property
    def first(self) -> int | None:
        """The record of T₁, the first with all θᵢ ≤ 4ε₁."""
        return _first(self.column("theta_max") <= 4.0 * EPSILON_1)

    @cached_property
    def second(self) -> int | None:
        """The record of T₂, the first with H ≤ 18ε₂‖v‖."""
        return _first(self.column("H") <= 18.0 * EPSILON_2 * self.teacher)

    @cached_property
    def turn(self) -> float:
        """T₃, the first time from T₂ on at which −d log Z/d log t is ½: half-way from rest to the law 1/t; else ∞."""
        if self.second is None or len(self.time) < 3:
            return math.inf
        with np.errstate(all="ignore"):
            slopes = np.gradient(np.log(self.column("Z")), np.log(self.time))
        late = _first((slopes <= -0.5) & (np.arange(len(slopes)) >= self.second))
        return math.inf if late is None else float(self.time[late])

    def since(self, index: int | None) -> slice:
        """The records from `index` on; none where it is None."""
        return slice(len(self.time) if index is None else index, None)


_last: list[tuple[tuple[Run, ...], list[Course]]] = []  # the case that two dozen claims ask about in turn

Assumption = Callable[[Course], str]  # what is wrong on a run; "" where it is met


def small_start(course: Course) -> str:
    """(5): s₁ ≤ ‖wᵢ(0)‖ ≤ s₂ and π/3 ≤ θᵢ(0) ≤ 2π/3."""
    if course.lengths.min() < course.s1 or course.lengths.max() > course.s2:
        return f"(5) fails: lengths {course.lengths.min():.3g} to {course.lengths.max():.3g} at the start"
    if course.theta.min() < math.pi / 3 or course.theta.max() > 2 * math.pi / 3:
        return f"(5) fails: angles {course.theta.min():.3g} to {course.theta.max():.3g} at the start"
    return ""


def aligned(course: Course) -> str:
    """(8) and (9) at T₁, which comes before T₂."""
    if course.first is None:
        return f"(8) fails: the angles never come below 4ε₁ = {4 * EPSILON_1:g}"
    time = course.time[course.first]
    if course.second is not None and course.second < course.first:
        early = course.time[course.second]
        return f"H is below 18ε₂‖v‖ at t = {early:.3g}, before the angles are below 4ε₁ at {time:.3g}"
    balance = course.column("balance")[course.first]
    if math.isnan(balance):
        return f"(9) fails: a student has hᵢ ≤ 0 at T₁ = {time:.3g}"
    return "" if balance <= 2.0 else f"(9) fails: max hᵢ/hⱼ = {balance:.3g} at T₁ = {time:.3g}"


def still_small(course: Course) -> str:
    """(28): ‖wᵢ‖ ≤ ‖v‖/3n until T₁, which is how the proofs of phases 1 and 2 use that σ is small."""
    if course.first is None:
        return ""  # `aligned` says so
    largest, allowed = course.column("norm_max")[course.first], course.teacher / (3 * course.n)
    if largest <= allowed:
        return ""
    return f"(28) fails: a student has length {largest:.3g} > ‖v‖/3n at T₁; σ is too large"


def in_range(course: Course) -> str:
    """‖v‖/4n ≤ ‖wᵢ‖ ≤ 4‖v‖/n from T₂ on."""
    if course.second is None:
        return f"T₂ is not reached: H stays above 18ε₂‖v‖ = {18 * EPSILON_2 * course.teacher:.3g}"
    late = course.since(course.second)
    low, high = course.column("norm_min")[late].min(), course.column("norm_max")[late].max()
    if low < course.teacher / (4 * course.n) or high > 4 * course.teacher / course.n:
        return f"lengths {low:.3g} to {high:.3g} after T₂ leave [‖v‖/4n, 4‖v‖/n]"
    return ""


def generic(course: Course) -> str:
    """Definition 13: no zᵢ(0) is zero, and they are not all parallel."""
    return "the start is degenerate (Definition 13)" if course.degenerate else ""


def read_courses(case: Case, families: Sequence[str]) -> list[Course]:
    """The runs of a case as the proofs read them; none where these claims are not about it."""
    if case.problem.name != "teacher-neuron" or case.family not in families:
        return []
    instance: Any = case.problem.instance
    if instance.n < 2 or instance.d < 2:
        return []
    if not _last or _last[0][0] is not case.runs:
        lr = 0.0 if case.family in FLOW else float(case.optimizer.parameters["lr"])
        starts = case.problem.start([run.seed for run in case.runs])
        courses = [_read(run, start, instance, lr) for run, start in zip(case.runs, starts, strict=True)]
        _last[:] = [(case.runs, courses)]
    return _last[0][1]


def sort_courses(courses: Iterable[Course], assumes: Sequence[Assumption]) -> tuple[list[Course], str]:
    """The runs that meet all assumptions, and in words how many do not, and why the first of those does not."""
    met, wrong = [], {}
    for course in courses:
        found = next(filter(None, (assumption(course) for assumption in assumes)), "")
        if found:
            wrong[course.run.seed] = found
        else:
            met.append(course)
    if not wrong:
        return met, ""
    seed, found = next(iter(wrong.items()))
    return met, f"{len(wrong)} of {len(met) + len(wrong)} runs do not meet the assumptions, seed {seed}: {found}; "


def leave_out(words: str, runs: int) -> Finding:
    """The finding where no run meets the assumptions."""
    return Finding(OUTSIDE, runs=runs, evidence=words.rstrip("; "))


def list_scales(case: Case, course: Course) -> tuple[Scale, ...]:
    """What a constant may show no trend over: n and ‖v‖, or 1/κ_max(0) among explicit starts of as many students."""
    if case.problem.parameters["w0"] is not None:
        return (Scale("w0", "1/κ_max(0)", 1.0 / course.kappa, among=f"n={course.n}"),)
    return scale_plainly(course.n, course.teacher)


def scale_plainly(n: int, teacher: float) -> tuple[Scale, ...]:
    """n and ‖v‖ as scales."""
    return Scale("n", "n", float(n)), Scale("teacher_norm", "‖v‖", teacher)


def widest_angle(z: Array) -> float:
    """κ_max of z (n, d − 1): the largest angle between two that are not zero; 0 where there are no two."""
    lengths = np.linalg.norm(z, axis=1)
    units = z[lengths > 0] / lengths[lengths > 0, None]
    if len(units) < 2:
        return 0.0
    chords = np.linalg.norm(units[:, None] - units, axis=2), np.linalg.norm(units[:, None] + units, axis=2)
    return float(2.0 * np.arctan2(*chords).max())


def _read(run: Run, start: Array, instance: Any, lr: float) -> Course:
    lengths, z = np.linalg.norm(start, axis=1), start[:, 1:]
    across = np.linalg.norm(z, axis=1)
    # (5) is about σ√d; an explicit start has no σ, and stands for the one whose s₁ is its shortest student.
    scale = instance.sigma * math.sqrt(instance.d) if instance.w0 is None else 2.0 * float(lengths.min())
    kappa = widest_angle(z)
    return Course(
        run=run,
        n=instance.n,
        teacher=instance.teacher_norm,
        lr=lr,
        s1=0.5 * scale,
        s2=2.0 * scale,
        theta=np.arctan2(across, start[:, 0]),
        lengths=lengths,
        kappa=kappa,
        degenerate=bool(across.min() == 0.0) or kappa == 0.0,
    )


def _first(where: NDArray[np.bool_]) -> int | None:
    found = np.flatnonzero(where)
    return int(found[0]) if len(found) else None
