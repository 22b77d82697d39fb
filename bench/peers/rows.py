"""A line of a table: what was timed against what, the ratio, and what was promised of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

HEADER = "| what | takes | against | which takes | ratio | promised |\n| --- | ---: | --- | ---: | ---: | --- |"


class Line(NamedTuple):
    """A line as it was measured.

    Args:
        what, against: names; `against` may be "".
        takes, which_takes: medians with their units.
        ratio: the median over rounds.
        spread: the smallest and largest ratio of a round.
        promise: the largest ratio that was promised, if any.
    """

    what: str
    takes: str
    against: str
    which_takes: str
    ratio: float
    spread: tuple[float, float]
    promise: float | None

    @property
    def kept(self) -> str:
        """The promise, and whether it was kept."""
        if self.promise is None:
            return ""
        return f"≤ {short(self.promise)}: {'within' if self.ratio <= self.promise else '**over**'}"

    def __str__(self) -> str:
        ratio = f"{short(self.ratio)} ({short(self.spread[0])} to {short(self.spread[1])})"
        return f"| {self.what} | {self.takes} | {self.against} | {self.which_takes} | {ratio} | {self.kept} |"


def line(what: str, spent: Sequence[float], against: str, other: Sequence[float], promise: float | None = None) -> Line:
    """The line of two timings, in seconds, that were taken in turns: ratios are taken round by round."""
    ratios = np.divide(spent, other)
    spread = float(ratios.min()), float(ratios.max())
    return Line(what, duration(spent), against, duration(other), float(np.median(ratios)), spread, promise)


def duration(seconds: Sequence[float]) -> str:
    """The median, in a unit that suits it."""
    median = float(np.median(seconds))
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if median >= 0.9995 * scale:
            return f"{median / scale:.3g} {unit}"
    return f"{median / 1e-9:.3g} ns"


def short(ratio: float) -> str:
    """Three digits, without an exponent."""
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.3g}"
