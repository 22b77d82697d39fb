"""From a problem, an optimizer and seeds to a trace: pure numerics, no files, no terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from threadpoolctl import ThreadpoolController

from ..checkpoints import Horizon, StopRule
from ..errors import InputError
from ..optimizers import DriverMethod, Optimizer
from ..problems import Problem
from ..trace import Run, Trace, Watch

__all__ = ["integrate"]


def integrate(
    problem: Problem,
    optimizer: Optimizer,
    seeds: Sequence[int],
    horizon: Horizon,
    per_decade: int = 20,
    stop: StopRule | None = None,
    watch: Watch | None = None,
    earlier: Sequence[Run] = (),
    portion: float = math.inf,
) -> Trace:
    """Run `optimizer` on `problem` from the starts of `seeds`.

    Args:
        problem, optimizer: with their parameters.
        seeds: a run each; what a run computes does not depend on the others.
        horizon: how far to go.
        per_decade: checkpoints per decade of iterations or time.
        stop: what ends a run earlier.
        watch: is told how it goes.
        earlier: runs of these seeds that stopped earlier, all at one place, with the state to go on from. What
            comes of them is what an uninterrupted run gives, bit for bit.
        portion: seconds after which runs of a step method are handed back as UNFINISHED, to go on later.
    Errors:
        InputError: the horizon does not bound this kind of method.
    """
    stop = stop or StopRule()
    if isinstance(optimizer.method, DriverMethod):
        from .driven import drive as run
    else:
        from .lockstep import step_all as run
    if optimizer.method.clock == "time" and horizon.time is None:
        raise InputError(f"{optimizer.label} is a flow: it obeys a horizon in time; add `time: 1e4`, say")
    # A threaded factorisation rounds differently from a serial one; numbers must not depend on the cores.
    with _find_pools().limit(limits=1):
        return run(problem, optimizer, list(seeds), horizon, per_decade, stop, watch or Watch(), earlier, portion)


@cache
def _find_pools() -> ThreadpoolController:
    """The libraries with threads; finding them takes longer than a small cell."""
    import scipy.linalg  # noqa: F401  # it brings its own, which numba and drivers use: they must be there by now

    return ThreadpoolController()
