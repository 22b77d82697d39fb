"""What a law rests on, as plain values: a process that draws or writes of them need not be able to fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench_ovp.rates.rate import Rate

Array = NDArray[np.float64]


class Contender(NamedTuple):
    """The fits of one model that vote for one law.

    `value` with its own interval is NaN where they vote for none; `start` is the mean of where their
    windows begin, in t.
    """

    model: str
    law: str
    weight: float
    value: float
    low: float
    high: float
    start: float
    parameters: int


class Fit(NamedTuple):
    """A fitted curve at the points of a `Weighing`; NaN where it cannot be run back to, or is not.

    `start` is where its window begins, in t; `odds` the log10 of its weight beside the best fit's.
    """

    name: str
    law: str
    start: float
    log_loss: Array
    slope: Array  # -d log L/d log t
    odds: float = 0.0


class Slopes(NamedTuple):
    """Local slopes of the data, each from a few points, with half of its 95% interval."""

    kind: str  # "slope", -d log L/d log t, or "rate", -d log L/dt
    time: Array
    value: Array
    half: Array


@dataclass(frozen=True, eq=False)
class Weighing:
    """What the models say of the points they were fitted to.

    Args:
        time, log_loss, sigma: the points, blocks of the curve's where it has many, an oscillation divided out.
        rho: correlation of the noise from point to point.
        oscillates: whether an oscillation was divided out.
        skipped: points before it that were left out for it.
        shares: of the weight, by law; `undecided` for fits that vote for none.
        contenders: the heaviest first.
        fit: the mean of the fits whose vote weighs most, each where it was fitted, called after the heaviest;
            where they vote for no law, the heaviest alone.
        rival: the best fit that says something else; None where the curve is too short for one.
        variance: of the value, by source, as shares; empty without a value.
    """

    time: Array
    log_loss: Array
    sigma: Array
    rho: float
    oscillates: bool
    skipped: int
    shares: dict[str, float]
    contenders: tuple[Contender, ...]
    fit: Fit
    rival: Fit | None
    variance: dict[str, float]

    def residual(self, fit: Fit) -> Array:
        """log L of the data minus that of a fit, in percent."""
        return 100.0 * (self.log_loss - fit.log_loss)


@dataclass(frozen=True, eq=False)
class Explanation:
    """A law and what it rests on.

    Args:
        rate: the law.
        time, loss: the whole curve, without t = 0.
        read: how many points of it, from the first, could be read.
        end: why no more: "" (all was read), "zero", "infinite", "floor", "rounding".
        slopes: local slopes of what was read; empty below two points.
        weighing: what the models say; None where a plain fact decided before any was fitted.
    """

    rate: Rate
    time: Array
    loss: Array
    read: int
    end: str
    slopes: Slopes
    weighing: Weighing | None
