"""What a claim is: a statement, a check that turns runs into a finding, and a twin that must fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..optimizers import Optimizer
from ..problems import Array, Problem
from ..trace import Run

if TYPE_CHECKING:
    from ..rates import Rate

NAN = float("nan")
HOLDS, FAILS, OUTSIDE, UNDECIDED = VERDICTS = ("holds", "fails", "outside its assumptions", "undecided")


class Case(NamedTuple):
    """What a check looks at.

    Args:
        problem, optimizer: the pair.
        runs: those that left a trace.
        rates: the law of each.
    """

    problem: Problem
    optimizer: Optimizer
    runs: tuple[Run, ...]
    rates: tuple[Rate, ...]

    @property
    def family(self) -> str:
        """The family of the method."""
        return self.optimizer.method.family


class Scale(NamedTuple):
    """A quantity over which a constant may show no trend.

    Args:
        parameter: of the problem, by which it varies: cases that differ in it alone are a sweep.
        symbol: how it is called.
        value: here; the harmful way is up.
        among: what else must be equal in a sweep.
    """

    parameter: str
    symbol: str
    value: float
    among: str = ""


@dataclass(frozen=True)
class Finding:
    """What a check found on one case.

    Args:
        verdict: one of VERDICTS.
        value: what was measured, at its worst.
        bound: what the claim allows; NaN where it names none.
        runs: how many runs it rests on.
        evidence: a sentence or two.
        constants: of an O(·) or Ω(·), as found on each run.
        scales: of such a constant, over which it may show no trend.
    """

    verdict: str
    value: float = NAN
    bound: float = NAN
    runs: int = 0
    evidence: str = ""
    constants: tuple[float, ...] = ()
    scales: tuple[Scale, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"{self.verdict!r} is no verdict; there are {', '.join(VERDICTS)}")


class Line(NamedTuple):
    """A curve of one run in a panel of a diagram.

    Args:
        panel: one of the diagram's.
        seed: of the run.
        time, value: its points.
    """

    panel: str
    seed: int
    time: Array
    value: Array


@dataclass(frozen=True)
class Diagram:
    """A figure that shows what a group of claims is about.

    Args:
        name: of its files.
        title: what it asks or says.
        caption: how to read it.
        panels: the label of each panel's vertical axis, by the panel's name.
        lines: the curves of a case; none where it does not apply.
        marks: times to mark on a case's curves, by name.
    """

    name: str
    title: str
    caption: str
    panels: Mapping[str, str]
    lines: Callable[[Case], Sequence[Line]]
    marks: Callable[[Case], Mapping[str, float]] | None = None


Check = Callable[[Case], Finding | None]


@dataclass(frozen=True)
class Claim:
    """Something that is said of runs, and how to see whether it is so.

    Args:
        name: in tables.
        source: who says it, and where.
        statement: in a line.
        check: of a case; None where the claim is not about it.
        twin: the check of a sharper statement, or of another exponent, which must fail: where it does not, the
            claim's own verdict says nothing.
        sharper: the statement of the twin.
        assumptions: under which it is said, as far as a run shows them.
        about: "pair", or "problem" for what depends on the problem alone, and is checked once for it.
        sense: of a constant: 1 where it may not grow, as for O(·), -1 where it may not fall; 0 for other claims.
        diagram: the figure that it is seen in, shared by a group of claims.
    """

    name: str
    source: str
    statement: str
    check: Check
    twin: Check
    sharper: str
    assumptions: str = ""
    about: Literal["pair", "problem"] = "pair"
    sense: int = 0
    diagram: Diagram | None = None


def compare(value: float, bound: float, runs: int, evidence: str = "") -> Finding:
    """The finding of a plain inequality, value ≤ bound; undecided where the value is not a number."""
    verdict = UNDECIDED if value != value else HOLDS if value <= bound else FAILS
    return Finding(verdict, value, bound, runs, evidence)
