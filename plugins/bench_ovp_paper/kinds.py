"""The two kinds of claims about a run: a bound with its constant, and an O(·) or Ω(·) whose constant is found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from bench_ovp.claims import UNDECIDED, Case, Claim, Diagram, Finding, compare, judge_constants

from .course import (
    DESCENT,
    EPSILON_1,
    EPSILON_2,
    Array,
    Assumption,
    Course,
    aligned,
    leave_out,
    list_scales,
    read_courses,
    small_start,
    sort_courses,
)


class Part(NamedTuple):
    """One inequality along a run, as what is bounded over its bound: it holds where `ratio` ≤ 1.

    Args:
        name: its number in the paper, or what it bounds.
        time, ratio: of the records where it is claimed.
    """

    name: str
    time: Array
    ratio: Array


Parts = Callable[[Course, bool], Sequence[Part]]  # of a run; True asks for the twin's
Curve = Callable[[Course, bool], tuple[Array, Array]]  # time and c(t) of a run; True asks for the twin's


def claim_bound(
    name: str,
    source: str,
    statement: str,
    parts: Parts,
    sharper: str,
    assumes: Sequence[Assumption],
    *,
    families: Sequence[str] = DESCENT,
    diagram: Diagram | None = None,
) -> Claim:
    """A claim with all its constants given.

    Args:
        name, source, statement, sharper, diagram: as for `Claim`.
        parts: its inequalities on a run.
        assumes: what a run must meet.
        families: of the methods that it is about.
    """
    check, twin = (partial(_check_bound, parts, assumes, families, sharp) for sharp in (False, True))
    words = describe_assumptions(assumes)
    return Claim(name, source, statement, check, twin, sharper, words, diagram=diagram)


def claim_constant(
    name: str,
    source: str,
    statement: str,
    curve: Curve,
    sharper: str,
    assumes: Sequence[Assumption],
    sense: int,
    *,
    families: Sequence[str] = DESCENT,
    diagram: Diagram | None = None,
) -> Claim:
    """A claim with a constant that is to be found.

    Args:
        name, source, statement, sharper, diagram: as for `Claim`.
        curve: c(t) on a run.
        assumes, families: as for `claim_bound`.
        sense: 1 for O(·), -1 for Ω(·).
    """
    check, twin = (partial(_check_constant, curve, assumes, families, sense, sharp) for sharp in (False, True))
    words = describe_assumptions(assumes)
    return Claim(name, source, statement, check, twin, sharper, words, sense=sense, diagram=diagram)


def describe_assumptions(assumes: Sequence[Assumption]) -> str:
    """The first lines of their docstrings, and the values of ε₁ and ε₂ where they are used."""
    told = [(inspect.getdoc(assumption) or "").partition("\n")[0].rstrip(".") for assumption in assumes]
    if aligned in assumes:
        told.append(f"ε₁ = {EPSILON_1:g}, ε₂ = {EPSILON_2:g}")
    return "; ".join(told)


def _check_bound(
    parts: Parts, assumes: Sequence[Assumption], families: Sequence[str], sharp: bool, case: Case
) -> Finding | None:
    courses = read_courses(case, families)
    if not courses:
        return None
    met, words = sort_courses(courses, assumes)
    if not met:
        return leave_out(words, len(courses))
    worst, place = np.nan, "nothing was recorded where it is claimed"
    for course in met:
        for part in parts(course, sharp):
            if np.isnan(part.ratio).any():
                return Finding(UNDECIDED, runs=len(met), evidence=f"{words}{part.name} is not known on every record")
            if len(part.ratio) and not part.ratio.max() <= worst:
                at = int(part.ratio.argmax())
                worst = float(part.ratio[at])
                place = f"{part.name} is nearest to its bound at t = {part.time[at]:.3g}, seed {course.run.seed}"
    return compare(worst, 1.0, len(met), f"{words}{_tell_sigma(met[0], assumes)}{place}")


def _check_constant(
    curve: Curve, assumes: Sequence[Assumption], families: Sequence[str], sense: int, sharp: bool, case: Case
) -> Finding | None:
    courses = read_courses(case, families)
    if not courses:
        return None
    met, words = sort_courses(courses, assumes)
    if not met:
        return leave_out(words, len(courses))
    curves = [(*curve(course, sharp), course.turn) for course in met]
    evidence = words + _tell_sigma(met[0], assumes)
    return judge_constants(curves, sense, scales=list_scales(case, met[0]), evidence=evidence)


def _tell_sigma(course: Course, assumes: Sequence[Assumption]) -> str:
    """How small the start is; the theorems ask for n^−4226, which no double holds."""
    return f"σ√d = {course.s2 / 2 / course.teacher:.2g}‖v‖; " if small_start in assumes else ""
