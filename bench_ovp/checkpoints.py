"""Where a trace is recorded, how far a run goes, and what may end it earlier: three separate things."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Horizon:
    """How far a run goes: whichever of these comes first; None sets no limit.

    Args:
        iterations: steps of a step method.
        time: nominal time, lr·iteration or the t of a flow, which obeys nothing else.
        evaluations: queries charged to one run.
        stepped: no limit: the iteration up to which every step is taken. A run that is smooth by then is carried on
            by its modified equation. None leaves it to `integrate.horizon`.
    """

    iterations: int | None = None
    time: float | None = None
    evaluations: int | None = None
    stepped: int | None = None


@dataclass(frozen=True)
class StopRule:
    """What ends a run before its horizon.

    Args:
        loss: a target; the run ends at the first checkpoint at or below it.
        wall: seconds of wall-clock time.
        memory: bytes that its process may come to hold in addition.
    """

    loss: float | None = None
    wall: float | None = None
    memory: int | None = None


FARTHEST = 2**62  # iterations: what is beyond has no integer in machine code
EARLIEST_TIME = 1e-2  # where the trace of a flow begins


def grid(per_decade: int, end: float) -> list[int]:
    """The integers round(10^(k/per_decade)), k = 0, 1, …, that are at most `end`; the same for every `end`."""
    found: list[int] = []
    k = 0
    while (position := round(10.0 ** (k / per_decade))) <= end:
        if not found or position > found[-1]:
            found.append(position)
        k += 1
    return found


def iterations_to_record(per_decade: int, end: int) -> list[int]:
    """The checkpoints of a method that counts iterations: the grid, and the end."""
    found = grid(per_decade, end)
    return found if found and found[-1] == end else [*found, end]


def times_to_record(per_decade: int, end: float) -> list[float]:
    """The checkpoints of a flow: the grid, log-spaced times from EARLIEST_TIME to 1 before it, and the end."""
    first = math.ceil(math.log10(EARLIEST_TIME) * per_decade)
    early = [10.0 ** (k / per_decade) for k in range(first, 0)]
    found = [t for t in [*early, *map(float, grid(per_decade, end))] if t <= end]
    return found if found and found[-1] == end else [*found, float(end)]


def last_iteration(horizon: Horizon, time_per_iteration: float) -> int | None:
    """The iteration at which a method whose clock ticks iterations has to stop; None: evaluations decide."""
    limits = [] if horizon.iterations is None else [horizon.iterations]
    if horizon.time is not None:
        # A time that is a whole number of steps must not lose one to the rounding of a division.
        steps = horizon.time / time_per_iteration
        if steps < FARTHEST:
            limits.append(max(1, round(steps) if round(steps) - steps <= 1e-12 * steps else math.floor(steps)))
        else:
            limits.append(FARTHEST)
    return min(limits) if limits else None
