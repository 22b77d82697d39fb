"""The check of a declared recurrence: the steps obey it."""

from __future__ import annotations

import numpy as np

from ..integrate.horizon import expand
from ..optimizers import Optimizer, StepMethod
from ..problems import Problem
from .bowl import Bowl
from .check import Nonconformance
from .steps import RUNS, begin, walk

OBEYED = 1e-12  # of what is summed: a step and the sum round differently


def check_recurrence(optimizer: Optimizer) -> None:
    """Iterates and gradients add up to zero as declared, and what is declared has a modified equation."""
    assert isinstance(optimizer.method, StepMethod)
    assert optimizer.method.recurrence is not None
    try:
        rho, sigma = optimizer.method.recurrence(**optimizer.parameters)
        expand(rho, sigma)
    except (TypeError, ValueError) as error:
        raise Nonconformance(
            f"recurrence is of no use: {error}; return the factors (rho, sigma) of w_{{k+1}}, w_k, … and of their "
            "gradients, for each set of parameters"
        ) from None
    problem = Problem(Bowl)
    places = [place.w for place in walk(optimizer, problem, begin(optimizer, problem.start(range(RUNS))))]
    length = max(len(rho), len(sigma))
    for last in range(length, len(places)):
        recent = places[last : last - length : -1]
        terms = [factor * w for factor, w in zip(rho, recent, strict=False)]
        terms += [factor * problem.grad(w) for factor, w in zip(sigma, recent, strict=False) if factor]
        missed, whole = np.abs(sum(terms)).max(), max(np.abs(term).max() for term in terms)
        if not missed <= OBEYED * whole:
            raise Nonconformance(
                f"step {last - 1} breaks the recurrence by {missed / whole:.2g} of its largest term; correct its "
                "factors, or leave it out if they change with k or with w"
            )
