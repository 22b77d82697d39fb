"""Two motions side by side, of different order, from starts that need not be equal: their gap is the error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..norms import norms
from ..problems import Array
from .collocation import NOISE, Motion, Place, cut, set_out

STAGES, OTHER_STAGES = 6, 5
STRAYED = 1e-10  # of a loss, by how much the two may part in one step; it is cut finer where they do
DRIFTED = 0.3  # the same, of the difference of gradients: a gap that was there changes of its own accord
FINEST = 512  # parts of a step


class Twins(NamedTuple):
    """Where both are; the first is the answer, the second bears witness."""

    first: Place
    second: Place


class Pace:
    """Takes twins along one smooth motion; see `Motion` for the arguments."""

    def __init__(
        self,
        loss: Callable[[Array], Array],
        grad: Callable[[Array], Array],
        hessian: Callable[[Array], Array],
        series: Sequence[float],
        floor: float = 0.0,
    ) -> None:
        self._loss, self._grad, self._floor = loss, grad, floor
        self._motions = [Motion(loss, grad, hessian, series, stages, floor) for stages in (STAGES, OTHER_STAGES)]

    def start(self, t: float, first: Array, second: Array) -> Twins:
        """Twins at time t, in states (n, d)."""
        return Twins(set_out(t, first), set_out(t, second))

    def recall(self, twins: Twins) -> Twins:
        """Twins that were put down, with what was known of them; see `Motion.recall`."""
        for motion, place in zip(self._motions, twins, strict=True):
            motion.recall(place)
        return twins

    def go(self, twins: Twins, end: float, finest: int = FINEST) -> Twins | None:
        """Both at time `end`, as parallel as can be told; None where not even `finest` parts of a step do that."""
        found: Twins | None = twins
        for t in cut(twins.first.t, end):
            found = found and self._go_on(found, t, finest)
        return found

    def _go_on(self, twins: Twins, end: float, finest: int) -> Twins | None:
        parts, before = 1, self.part(twins.first.x, twins.second.x)
        allowed = STRAYED + DRIFTED * self._differ(twins.first.x, twins.second.x) + self._round(twins.first.x)
        while parts <= finest:
            first = self._motions[0].go(twins.first, end, parts)
            second = first and self._motions[1].go(twins.second, end, parts)
            if first is not None and second is not None:
                strayed = abs(self.part(first.x, second.x) - before)
                if strayed <= allowed:
                    return Twins(first, second)
            parts *= 2
        return None

    def follow(self, witness: Place, end: float) -> Place | None:
        """The second of two alone, where the first is known otherwise."""
        for parts in (1, 4):
            found = self._motions[1].go(witness, end, parts)
            if found is not None:
                return found
        return None

    def _differ(self, x: Array, y: Array) -> float:
        """‖∇L(x) − ∇L(y)‖ over ‖∇L(x)‖; unlike the gap of losses it does not pass through 0."""
        with np.errstate(all="ignore"):
            one, other = self._grad(np.stack([x, y]))
            apart, whole = norms(np.stack([one - other, one]))
            found = apart / whole
        return float(found) if np.isfinite(found) else 0.0

    def _round(self, x: Array) -> float:
        """By how much rounding may change a loss, relative to it."""
        with np.errstate(all="ignore"):
            found = NOISE * np.sqrt(self._floor / self._loss(x[None])[0])
        return float(found) if np.isfinite(found) else 0.0

    def part(self, x: Array, y: Array) -> float:
        """By how much the loss at state y is larger than that at x, relative to the latter."""
        with np.errstate(all="ignore"):
            one, other = self._loss(np.stack([x, y]))
            return float((other - one) / one)
