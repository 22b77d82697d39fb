"""Two motions side by side, of different order, from starts that need not be equal: their gap is the error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..norms import norms
from ..problems import Array
from .collocation import NOISE, Bases, Motion, Place, cut, set_out

STAGES, OTHER_STAGES = 6, 5
STRAYED = 1e-10  # of a loss, by how much the two may part in a step of full length; it is halved where they do
DRIFTED = 0.3  # the same, of the difference of gradients: a gap that was there changes of its own accord
FINEST = 512  # parts of a step
MOST_TRIES = 64  # steps and failures in one of full length


class Twins(NamedTuple):
    """Where both are; the first is the answer, the second bears witness."""

    first: Place
    second: Place


class Pace:
    """Takes twins along one smooth motion; see `Motion` and `Bases` for the arguments.

    The second solves its equations with the Hessian of the first, which has no part in what they are.
    """

    def __init__(
        self,
        loss: Callable[[Array], Array],
        grad: Callable[[Array], Array],
        hessian: Callable[[Array], Array],
        series: Sequence[float],
        floor: float = 0.0,
    ) -> None:
        self._loss, self._grad, self._floor = loss, grad, floor
        self._bases = Bases(hessian)
        self._motions = [Motion(loss, grad, self._bases, series, stages, floor) for stages in (STAGES, OTHER_STAGES)]

    def start(self, t: float, first: Array, second: Array) -> Twins:
        """Twins at time t, in states (n, d)."""
        return Twins(set_out(t, first), set_out(t, second))

    def recall(self, twins: Twins) -> None:
        """Find again what the way to where twins were put down has left behind, and the way on will ask for."""
        self._bases.find(twins.first)

    def go(self, twins: Twins, end: float, finest: int = FINEST) -> Twins:
        """Both at time `end`, or at the last time before it up to which they were as parallel as can be told.

        A step that fails is halved, down to one part in `finest`, and what is left is tried as a whole again: a
        difficulty at one time costs steps there and nowhere else.
        """
        for t in cut(twins.first.t, end):
            twins, ends = self._go_on(twins, t, finest)
            if ends:
                break
        return twins

    def _go_on(self, twins: Twins, end: float, finest: int) -> tuple[Twins, list[float]]:
        """The last twins up to time `end`, and the times that are still before them."""
        whole, ends, tries = math.log(end / twins.first.t), [end], 0
        while ends:
            share = math.log(ends[-1] / twins.first.t) / whole
            found = self._step(twins, ends[-1], share)
            tries += 1
            if found is not None:
                twins = found
                ends.pop()
            elif share * finest < 1.5 or tries > MOST_TRIES:
                break
            else:
                ends.append(math.sqrt(twins.first.t * ends[-1]))
        return twins, ends

    def _step(self, twins: Twins, end: float, share: float) -> Twins | None:
        """Both at time `end`, a share of a step away; None if they part."""
        x, y = twins.first.x, twins.second.x
        first = self._motions[0].go(twins.first, end)
        second = first and self._motions[1].go(_anchor(twins.second, first), end)
        if first is None or second is None:
            return None
        allowed = share * (STRAYED + DRIFTED * self._differ(x, y)) + self._round(x)
        if second.anchor_t > first.anchor_t:  # the one that is at hand did not do for the second
            first = set_out(end, first.x)
        if not abs(self.part(first.x, second.x) - self.part(x, y)) <= allowed:
            return None
        self._bases.find(first)
        return Twins(first, _anchor(second, first))

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


def _anchor(place: Place, other: Place) -> Place:
    """A place with the anchor of another."""
    return place._replace(anchor_t=other.anchor_t, anchor_x=other.anchor_x)
