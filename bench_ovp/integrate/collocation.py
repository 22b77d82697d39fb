"""A smooth motion towards a minimum, followed in the logarithm of time, where steps of one length are equally good.

The motion is that of x' = −(c₀ g + c₁ dg/dt + c₂ d²g/dt² + …) with g = ∇L(x(t)): the gradient flow where the series
ends with c₀, and the smooth part of a discrete method with further terms. Its integral over a step,

    x(t) − x(t₀) = −c₀ ∫ g dt − c₁ [g]  − c₂ [dg/dt] − …,

needs no derivative of L but g: with g a polynomial in s = log t through the stages and the left end, all of the right
side is one matrix, B, that acts on the values of g there. The stages are Radau's. Newton's method for them takes one
Hessian, in whose eigenvectors the equations of different eigenvalues part. Those of small eigenvalues need it not:
there, the right side by itself is a contraction.

Source: Hairer & Wanner (1996), Solving Ordinary Differential Equations II, IV.5 and IV.8 (Radau IIA).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from ..problems import Array

LONGEST = 0.12  # in log t: where x falls like 1/t, such a step errs by 5e-13 with 4 stages and below 1e-14 with 5
FAST = 0.1  # of the largest eigenvalue: those above stand still, those below fall like 1/t
EASY = 0.5  # λ times ‖B‖, below which fixed-point iteration does as well as Newton's, and needs no eigenvector
GAP = 1e-8  # of the largest eigenvalue: those below are found again without those above, to relative precision
MOST_ITERATIONS = 40
HOPEFUL = 4  # iterations after which it is given up where, at this rate, all would not suffice
SLOW_NEWTON = 14  # iterations after which the Hessian is taken anew for the next step: it costs as much as fifty
CONVERGED = 1e-13  # of the step
STALLED = 1e-9  # of the step: where rounding ends the iteration, so that changes grow, they have to be below
KEPT = 4  # bases: as many as two motions can ask for in one step, so that the next still finds its own
NOISE = 16.0  # of what rounding does, how much is put down to it
BALANCED = 1e-6  # of the loss: by how much it may miss what the step has dissipated


class Place(NamedTuple):
    """Where a motion is, and what else its next step depends on: nothing before this.

    Args:
        t: the time.
        x: (n, d).
        anchor_t, anchor_x: where the Hessian was taken that Newton's method uses.
    """

    t: float
    x: Array
    anchor_t: float
    anchor_x: Array


def set_out(t: float, x: Array) -> Place:
    """A motion that begins at `x` (n, d) at time t."""
    return Place(t, x, t, x)


def pack_place(name: str, place: Place) -> dict[str, Array]:
    """A place as float64 arrays, for `unpack_place`."""
    return {f"{name}_{field}": np.asarray(value, np.float64) for field, value in place._asdict().items()}


def unpack_place(name: str, state: Mapping[str, Array]) -> Place:
    """The place that was packed under a name."""
    t, x, anchor_t, anchor_x = (np.array(state[f"{name}_{field}"]) for field in Place._fields)
    return set_out(float(t), x) if anchor_t == t else Place(float(t), x, float(anchor_t), anchor_x)


class Nodes(NamedTuple):
    """Radau's nodes of a step [0, 1] with 0 before them: places (m + 1,); integrals from 0 to each node of what
    goes through the values at the nodes (m, m); derivatives of what goes through all values (m + 1, m + 1).
    """

    places: Array
    integrate: Array
    differentiate: Array


@cache
def find_nodes(stages: int) -> Nodes:
    """The nodes of Radau IIA with so many stages, the last of them at the right end."""
    from numpy.polynomial import legendre

    edge = np.zeros(stages + 1)
    edge[-2:] = -1.0, 1.0  # P_m − P_{m−1}
    right = np.sort(legendre.legroots(edge))
    right[-1] = 1.0
    points = np.concatenate([[-1.0], right])

    def through(places: Array) -> Array:
        """Legendre coefficients, in columns, of the polynomials that are 1 at one of the places and 0 at the others."""
        return np.asarray(np.linalg.inv(legendre.legvander(places, len(places) - 1)), dtype=np.float64)

    integrals = 0.5 * legendre.legval(right, legendre.legint(through(right), lbnd=-1.0)).T
    slopes = 2.0 * legendre.legval(points, legendre.legder(through(points))).T
    return Nodes(*(np.asarray(each, dtype=np.float64) for each in (0.5 * (points + 1.0), integrals, slopes)))


class Weights(NamedTuple):
    """A step from t₀ to t₁: times (m + 1,); B (m, m + 1) of x − x₀ = −B g; `power` (m + 1, m + 1), the matrix of
    the quadratic form in g that is the loss dissipated.
    """

    times: Array
    moves: Array
    power: Array


def weigh(stages: int, start: float, end: float, series: Sequence[float]) -> Weights:
    """The matrices of a step."""
    nodes, length = find_nodes(stages), np.log(end / start)
    times = start * np.exp(length * nodes.places)
    moves = np.zeros((stages, stages + 1))
    moves[:, 1:] = series[0] * length * nodes.integrate * times[1:]
    derivative = nodes.differentiate / (length * times[:, None])
    taken, speed = np.eye(stages + 1), series[0] * np.eye(stages + 1)
    for factor in series[1:]:
        moves += factor * (taken[1:] - taken[0])
        taken = derivative @ taken
        speed += factor * taken
    shares = np.concatenate([[0.0], length * nodes.integrate[-1] * times[1:]])
    return Weights(times, moves, shares[:, None] * speed)


def cut(start: float, end: float, parts: int = 1) -> list[float]:
    """The ends of steps from time `start` to `end`, equal in log t, no longer than LONGEST divided by `parts`."""
    count = parts * max(1, int(np.ceil(np.log(end / start) / LONGEST)))
    return [*(float(start * (end / start) ** (i / count)) for i in range(1, count)), end]


class Basis(NamedTuple):
    """Eigenvalues (n·d,), ascending, and eigenvectors, in rows, of a Hessian at time t; the first `slow` are slow."""

    t: float
    values: Array
    vectors: Array
    slow: int

    def pace(self, t: float) -> Array:
        """Eigenvalues times t, at a time t: fast ones stand still, slow ones fall like 1/t."""
        return self.values * np.where(np.arange(len(self.values)) < self.slow, self.t, t)


def find_basis(t: float, hessian: Array) -> Basis:
    """The eigenvectors of a Hessian (n·d, n·d); eigenvalues far below the largest are found among themselves.

    A solver knows an eigenvalue to ε of the largest one. Here the small ones fall with the angles, to 1e-15 and below.
    """
    values, vectors = np.linalg.eigh(hessian)
    small = values < GAP * values[-1]
    if small.any():
        those = vectors[:, small]
        values[small], turned = np.linalg.eigh(those.T @ hessian @ those)
        vectors[:, small] = those @ turned
    return Basis(t, values, np.ascontiguousarray(vectors.T), int(np.sum(values <= FAST * values[-1])))


class Bases:
    """The bases of a Hessian where motions are anchored: they are asked for at one anchor step after step.

    Args:
        hessian: of a single (n, d), shape (n·d, n·d).
    """

    def __init__(self, hessian: Callable[[Array], Array]) -> None:
        self._hessian = hessian
        self._known: list[tuple[Array, Basis | None]] = []

    def find(self, place: Place) -> Basis | None:
        """The basis at a place's anchor; None where the Hessian is not finite."""
        for number, (anchor, _) in enumerate(self._known):
            if anchor is place.anchor_x:
                self._known.append(self._known.pop(number))
                break
        else:
            hessian = self._hessian(place.anchor_x)
            basis = find_basis(place.anchor_t, hessian) if np.all(np.isfinite(hessian)) else None
            self._known = [*self._known, (place.anchor_x, basis)][-KEPT:]
        return self._known[-1][1]


class Newton(NamedTuple):
    """Newton's correction of a step's equations, by the eigenvectors of a Hessian that it cannot do without.

    Args:
        vectors: these, in rows (k, n·d), of ascending eigenvalues.
        soft: how many of them are slow.
        inverses: of the equations of each (k, m, m).
        weight: of each in the size of a correction (k,).
        rest: the weight of what lies across them, where the right side by itself is a contraction.
    """

    vectors: Array
    soft: int
    inverses: Array
    weight: Array
    rest: float

    def correct(self, missed: Array) -> tuple[Array, float]:
        """By how much the moves (m, n·d) are too long that miss the equations by so much, and its size."""
        modes = missed @ self.vectors.T
        easy = missed - modes @ self.vectors
        modes = np.einsum("kij,jk->ik", self.inverses, modes)
        stray = easy @ self.vectors[self.soft :].T  # what rounding leaves of a fast mode comes back λt times larger
        cleared = modes.copy()
        cleared[:, self.soft :] -= stray
        size = math.hypot(_length(modes * self.weight), self.rest * _length(easy))
        return easy + cleared @ self.vectors, size


def prepare(basis: Basis, weights: Weights, t: float, scale: float) -> Newton | None:
    """Newton's method for a step from time t of a motion with c₀ = `scale`; None where it is singular."""
    pace = scale * basis.pace(t)
    edge = EASY * scale * t / float(np.linalg.norm(weights.moves[:, 1:], 2))
    hard = int(np.searchsorted(pace, edge))
    falling = np.stack([basis.pace(time)[hard:] for time in weights.times[1:]], axis=1) / weights.times[1:]
    equations = np.eye(len(weights.moves)) + weights.moves[None, :, 1:] * falling[:, None, :]
    try:
        inverses = np.asarray(np.linalg.inv(equations), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    # A fast error is small, and yet dissipates λt times what a slow one does.
    weight, rest = np.sqrt(1.0 + pace[hard:]), math.sqrt(1.0 + edge)
    return Newton(basis.vectors[hard:], max(basis.slow - hard, 0), inverses, weight, rest)


class Motion:
    """Takes steps of a smooth motion of one run.

    Args:
        loss, grad: of a batch (runs, n, d).
        bases: of the Hessian; motions of one problem may share them.
        series: c₀, c₁, … in units of the time, its square, …
        stages: of the method, whose order is 2·stages − 1.
        floor: the smallest loss that is resolved: its root is the error of a gradient, up to a few.
    """

    def __init__(
        self,
        loss: Callable[[Array], Array],
        grad: Callable[[Array], Array],
        bases: Bases,
        series: Sequence[float],
        stages: int,
        floor: float = 0.0,
    ) -> None:
        self._loss, self._grad, self._bases, self._floor = loss, grad, bases, floor
        self._series, self._stages = tuple(series), stages

    def go(self, place: Place, end: float, parts: int = 1) -> Place | None:
        """The place at time `end`, by steps no longer than LONGEST, each divided into `parts`; None if one fails."""
        found: Place | None = place
        with np.errstate(all="ignore"):
            for t in cut(place.t, end, parts):
                found = found and self._step(found, t)
        return found

    def _step(self, place: Place, end: float) -> Place | None:
        weights = weigh(self._stages, place.t, end, self._series)
        first = self._grad(place.x[None])
        anew = () if place.anchor_t == place.t else (set_out(place.t, place.x),)
        for anchored in (place, *anew):
            solved = self._solve(anchored, weights, first)
            if solved is not None:
                break
        else:
            return None
        move, grads, iterations = solved
        x = place.x + move
        lost = float(np.sum(weights.power * (grads @ grads.T)))
        before, after = self._loss(np.stack([place.x, x]))
        rounding = NOISE * (math.sqrt(self._floor * before) + self._floor * (end - place.t))
        if not abs(before - lost - after) <= BALANCED * before + rounding:
            return None
        if iterations > SLOW_NEWTON:
            return set_out(end, x)
        return Place(end, x, anchored.anchor_t, anchored.anchor_x)

    def _solve(self, place: Place, weights: Weights, first: Array) -> tuple[Array, Array, int] | None:
        """The step's x₁ − x₀, g at its nodes (m + 1, n·d), and the iterations that this took; None without success."""
        basis = self._bases.find(place)
        newton = basis and prepare(basis, weights, place.t, self._series[0])
        if newton is None:
            return None
        stages, shape = self._stages, place.x.shape
        times, scale = weights.times, self._series[0]
        # Where students are stored, r is known to a rounding error of theirs, and so is a fast error.
        stalled = NOISE * math.sqrt(self._floor * (1.0 + scale * place.t))
        # Increments are what is iterated: of x itself, O(1) parts would round off what small ones need.
        moves = -scale * place.t * (1.0 - times[0] / times[1:])[:, None] * first.reshape(1, -1)
        grads = np.empty((stages + 1, moves.shape[1]))
        grads[0] = first.ravel()
        still, previous = not first.all(), math.inf
        for iteration in range(1, MOST_ITERATIONS + 1):
            grads[1:] = self._grad(place.x + moves.reshape(stages, *shape)).reshape(stages, -1)
            missed = moves + weights.moves @ grads
            change, size = newton.correct(missed)
            if still:  # equal students stay equal: where nothing moves, nothing is rounded into it
                change[:, ~missed.any(axis=0)] = 0.0
            moves -= change
            whole = _length(moves)
            if not math.isfinite(size):
                return None
            rate, previous = size / previous, size
            if size <= CONVERGED * whole or (size <= max(STALLED * whole, stalled) and rate >= 1.0):
                return moves[-1].reshape(shape), grads, iteration
            if iteration > HOPEFUL and size * rate ** (MOST_ITERATIONS - iteration) > max(STALLED * whole, stalled):
                return None
        return None


def _length(array: Array) -> float:
    """The root of the sum of all squares."""
    return math.sqrt(np.vdot(array, array))
