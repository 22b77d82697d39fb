"""Discrete methods carried to where nobody can step: by the modified equation that their smooth iterates obey.

A method that is a linear recurrence in iterates and gradients,

    Σⱼ ρⱼ w_{k+1−j} = −Σⱼ σⱼ ∇L(w_{k+1−j}),

has, once its fast transients have died, iterates on a smooth curve, w_k = w(k). Shifts are exponentials of the
derivative D = d/dk, so ρ(e^D) w = −σ(e^D) ∇L(w), and with the power series of x σ(eˣ)/ρ(eˣ) = c₀ + c₁x + c₂x² + …

    w' = −(c₀ g + c₁ dg/dk + c₂ d²g/dk² + …),   g = ∇L(w(k)).

Each further derivative of a slow motion costs a factor 1/k. Two carriers that start at different iterations, with
different numbers of stages, tell the error: their losses differ by what both leave out.

Source: Hairer, Lubich & Wanner (2006), Geometric Numerical Integration, IX.1, and XV.3 for multistep methods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..norms import norms
from ..optimizers import Optimizer, StepMethod
from ..problems import Array, Problem
from .collocation import Place, set_out
from .twins import Pace, Twins

STEPPED = 10**5  # iterations before which nothing is carried, unless the horizon says otherwise
MOST_STEPS = 10**9  # that are taken one by one
TERMS = 3  # of the series: errors fall like 1/k³
AGREED = 1e-9  # relative, of losses and gradient norms that were stepped and carried
ROUNDING = 1e-13  # of a loss: no smaller error is claimed
SWALLOWED = 0.01 * float(np.finfo(np.float64).eps)  # of a loss, by each step in double precision
SEEN = 1e7  # iterations up to which one might see that
LOST = 1e-6  # estimated error of a loss at which carrying ends


class Flight(NamedTuple):
    """All that the rest of a run depends on, at a checkpoint; arrays and numbers.

    Args:
        scout: a carrier from an earlier iteration on, which tries before, and then bears witness.
        since: the iteration at which it started.
        taken: the iteration at which the carrier took over; 0 while the run is stepped.
        carrier: what is recorded; None while the run is stepped.
        rtol: estimated relative error of the loss.
    """

    scout: Place
    since: int
    taken: int = 0
    carrier: Place | None = None
    rtol: float = 0.0


def expand(rho: Sequence[float], sigma: Sequence[float], terms: int = TERMS) -> tuple[float, ...]:
    """c₀, c₁, … of x σ(eˣ)/ρ(eˣ), with ρ(eˣ) = Σⱼ ρⱼ e^((1−j)x) and σ likewise.

    Args:
        rho, sigma: of w_{k+1}, w_k, w_{k−1}, …
        terms: how many.
    Errors:
        ValueError: constants are no solutions at a minimum (Σρⱼ ≠ 0), or a root of ρ other than 1 does not die out.
    """
    shifts = [1 - j for j in range(max(len(rho), len(sigma)))]

    def power_series(factors: Sequence[float], count: int) -> list[float]:
        pairs = list(zip(factors, shifts, strict=False))
        return [math.fsum(f * s**i for f, s in pairs) / math.factorial(i) for i in range(count)]

    below, above = power_series(rho, terms + 1), power_series(sigma, terms)
    if abs(below[0]) > 1e-14 * sum(map(abs, rho)):
        raise ValueError(f"the factors of the iterates must add up to 0; they add up to {below[0]:g}")
    others = np.polydiv(np.asarray(rho, dtype=float), [1.0, -1.0])[0]
    if np.any(np.abs(np.roots(others)) >= 1.0):
        raise ValueError("a root of the recurrence other than 1 does not die out")
    found: list[float] = []
    for i in range(terms):
        rest = above[i] - math.fsum(found[j] * below[1 + i - j] for j in range(i))
        found.append(rest / below[1])
    return tuple(found)


class Carriers:
    """Tries whether a run can be carried, and carries it.

    Args:
        problem: in the coordinates that the method is run in; it offers a Hessian.
        series: of the method, in iterations.
        stepped: the first iteration at which a run may be taken over.
    """

    def __init__(self, problem: Problem, series: Sequence[float], stepped: int) -> None:
        self._problem, self._stepped = problem, stepped
        self._pace = Pace(problem.loss, problem.grad, problem.hessian, series, problem.resolution)

    def attempt(self, flight: Flight | None, k: int, w: Array) -> tuple[Flight | None, float]:
        """Go on with a trial at a checkpoint; the run is taken over there if a carrier comes back.

        Args:
            flight: of the checkpoint before, without a carrier; None before the first.
            k: iterations stepped.
            w: the state (n, d) that was stepped to.
        Returns:
            The flight, and by how much the scout misses the steps, in units of what is tolerated; infinity where it
            did not go.
        """
        if 2 * k < self._stepped:
            return None, np.inf
        anew = Flight(set_out(float(k), w), k)
        if flight is None:
            return anew, np.inf
        scout = self._pace.follow(flight.scout, k)
        if scout is None:
            return anew, np.inf
        gap = self._compare(scout.x, w)
        if gap > 1.0:
            return anew, gap
        if k < self._stepped or k < 2 * flight.since:
            return flight._replace(scout=scout), gap
        start = set_out(float(k), w)
        return Flight(scout, flight.since, k, start, self._estimate(Twins(start, scout))), gap

    def carry(self, flight: Flight, k: int) -> Flight | None:
        """The flight at iteration k; None if it cannot be carried there."""
        assert flight.carrier is not None
        found = self._pace.go(Twins(flight.carrier, flight.scout), k)
        if found.first.t < k:
            return None
        rtol = self._estimate(found)
        return flight._replace(carrier=found.first, scout=found.second, rtol=rtol) if rtol <= LOST else None

    def _estimate(self, twins: Twins) -> float:
        """The relative error of a loss: what the witness tells, and what the steps would have rounded."""
        gap = abs(self._pace.part(twins.first.x, twins.second.x))
        return gap + ROUNDING + SWALLOWED * min(twins.first.t, SEEN)

    def _compare(self, x: Array, y: Array) -> float:
        """By how much two states differ in loss and gradient norm, in units of what is tolerated.

        Nothing else is asked. What is observed may be rounding alone, where its true value is 0.
        """
        pair = np.stack([x, y])
        with np.errstate(all="ignore"):
            losses, grad = self._problem.loss(pair), self._problem.grad(pair)
            slopes = norms(grad)
        return max(_miss(float(one), float(other)) for one, other in (losses, slopes))


def _miss(one: float, other: float) -> float:
    """By how much two numbers differ, in units of what is tolerated; infinity where that cannot be told."""
    if one == other:
        return 0.0
    miss = abs(one - other) / (AGREED * abs(other)) if other else np.inf
    return float(miss) if miss >= 0.0 else np.inf


def find_series(problem: Problem, optimizer: Optimizer) -> tuple[float, ...] | str:
    """The series of a method on a problem, or why its runs cannot be carried."""
    method = optimizer.method
    assert isinstance(method, StepMethod)
    if method.recurrence is None:
        return f"{optimizer.name} declares no recurrence"
    if not hasattr(problem.instance, "hessian"):
        return f"{problem.name} offers no Hessian"
    try:
        return expand(*method.recurrence(**optimizer.parameters))
    except ValueError as error:
        return str(error)
