"""The laws of the loss that the paper names: t⁻³ with two students and more, exponential with one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench_ovp.claims import Case, Claim, Finding, judge_law

from .course import DESCENT

NAN = float("nan")


def count_students(case: Case) -> int:
    """n of a teacher-neuron or exact-neuron; 0 of any other problem."""
    if case.problem.name == "exact-neuron":
        return 1
    return int(case.problem.instance.n) if case.problem.name == "teacher-neuron" else 0


def is_single(case: Case) -> bool:
    """One student."""
    return count_students(case) == 1


def is_crowd(case: Case) -> bool:
    """Two students and more, from a random start."""
    return count_students(case) >= 2 and case.problem.parameters["w0"] is None


def is_toy(number: int, case: Case) -> bool:
    """The toy case of that number."""
    return case.problem.name == f"toy-case-{number}"


def check_law(about: Callable[[Case], bool], law: str, value: float, case: Case) -> Finding | None:
    """The law of the runs, where the claim is about them."""
    return judge_law(case, law, value) if case.family in DESCENT and about(case) else None


def claim_law(
    name: str, source: str, about: Callable[[Case], bool], law: tuple[str, float], other: tuple[str, float]
) -> Claim:
    """A claim that the loss follows `law`; its twin says `other`."""
    words = {"power": "L = Θ(t^−{:g})", "exponential": "L falls exponentially"}
    statement, sharper = (words[kind].format(value) for kind, value in (law, other))
    return Claim(name, source, statement, partial(check_law, about, *law), partial(check_law, about, *other), sharper)


CUBIC, SQUARE, EXPONENTIAL = ("power", 3.0), ("power", 2.0), ("exponential", NAN)
CLAIMS = [
    claim_law("figure-1", "Xu & Du (2023), Figure 1, Theorems 9 and 14", is_crowd, CUBIC, SQUARE),
    claim_law("single-student", "Xu & Du (2023), Section 1; Yehudai & Shamir (2020)", is_single, EXPONENTIAL, CUBIC),
    claim_law("toy-case-1-law", "Xu & Du (2023), Appendix A, toy case 1", partial(is_toy, 1), CUBIC, EXPONENTIAL),
    claim_law("toy-case-2-law", "Xu & Du (2023), Appendix A, toy case 2", partial(is_toy, 2), EXPONENTIAL, CUBIC),
    claim_law("toy-case-3-law", "Xu & Du (2023), Appendix A, toy case 3", partial(is_toy, 3), EXPONENTIAL, CUBIC),
]
