"""Claims about runs: what somebody says, what the runs did, and the verdict."""

from .claim import FAILS, HOLDS, OUTSIDE, UNDECIDED, VERDICTS, Case, Claim, Diagram, Finding, Line, Scale, compare
from .constants import find_constant, judge_constants
from .laws import judge_law

__all__ = [
    "FAILS",
    "HOLDS",
    "OUTSIDE",
    "UNDECIDED",
    "VERDICTS",
    "Case",
    "Claim",
    "Diagram",
    "Finding",
    "Line",
    "Scale",
    "compare",
    "find_constant",
    "judge_constants",
    "judge_law",
]
