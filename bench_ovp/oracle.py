"""What a method may ask of a problem, and what each query is charged."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .problems import Array, Problem


@dataclass
class Meter:
    """Evaluations charged so far, to all runs together."""

    charged: int = 0


class Oracle:
    """A problem that counts: a gradient (with the loss at the same point) costs 1, a loss alone 1, a Hessian or
    a Gauss–Newton matrix n·d. A query about all runs is charged once to each of them.

    Args:
        problem: what is asked.
        runs: how many runs share the queries.
        curvature_cost: n·d of the full problem, whatever dimension it was reduced to.
    """

    def __init__(self, problem: Problem, runs: int, curvature_cost: int) -> None:
        self._problem = problem
        self._runs = runs
        self._curvature_cost = curvature_cost
        self._meter = Meter()

    @property
    def evaluations(self) -> int:
        """What has been charged to each run so far."""
        return -(-self._meter.charged // self._runs)

    @property
    def resolution(self) -> float:
        """The smallest loss that double precision resolves here; 0 where the problem does not say. It is free."""
        return self._problem.resolution

    def narrow(self, runs: int) -> None:
        """Go on with fewer runs, each charged as before."""
        self._meter.charged = self.evaluations * runs
        self._runs = runs

    def charge(self, evaluations: int) -> None:
        """Charge for queries that were made elsewhere, in compiled code: evaluations of all runs together."""
        self._meter.charged += evaluations

    @contextmanager
    def again(self) -> Iterator[None]:
        """For a driver that goes on from a state: queries that were charged before it was put down are free."""
        charged = self._meter.charged
        yield
        self._meter.charged = charged

    def loss(self, w: Array) -> Array:
        """The loss, shape (runs,)."""
        self._meter.charged += len(w)
        return np.asarray(self._problem.loss(w))

    def grad(self, w: Array) -> Array:
        """The gradient, shape (runs, n, d)."""
        self._meter.charged += len(w)
        return self._problem.grad(w)

    def loss_and_grad(self, w: Array) -> tuple[Array, Array]:
        """The loss and the gradient at the same point, for the price of one."""
        self._meter.charged += len(w)
        return np.asarray(self._problem.loss(w)), self._problem.grad(w)

    def hessian(self, w: Array) -> Array:
        """The Hessian, shape (runs, n·d, n·d)."""
        self._meter.charged += len(w) * self._curvature_cost
        return self._problem.hessian(w)

    def gauss_newton(self, w: Array) -> Array:
        """The Gauss–Newton matrix, shape (runs, n·d, n·d)."""
        self._meter.charged += len(w) * self._curvature_cost
        return self._problem.gauss_newton(w)

    def hold(self, w: Array, memory: Array | None = None) -> tuple[Self, Array] | None:
        """An oracle of the problem without what a flow holds at zero, and the state there; see `Problem.hold`.

        It charges to the account of this one.
        """
        return self._beside(self._problem.hold(w, memory))

    def margin(self, w: Array) -> float:
        """See `Problem.margin`; it is charged as a gradient."""
        self._meter.charged += 1
        return self._problem.margin(w)

    def release(self, w: Array) -> tuple[Self, Array]:
        """An oracle of the problem with all that was held, and the state there; see `Problem.release`."""
        found = self._beside(self._problem.release(w))
        assert found is not None
        return found

    @property
    def held(self) -> Array | None:
        """The memory of what is held, for `hold`; None where nothing is."""
        return self._problem.held

    @property
    def problem(self) -> Problem:
        """What is asked, for `checkpoints.record`; it is not to be asked itself."""
        return self._problem

    def _beside(self, found: tuple[Problem, Array] | None) -> tuple[Self, Array] | None:
        if found is None:
            return None
        other = copy.copy(self)
        other._problem = found[0]
        return other, found[1]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        known = "loss, grad, loss_and_grad, hessian, gauss_newton, evaluations"
        raise AttributeError(f"the oracle has no {name!r}; it answers {known}")
