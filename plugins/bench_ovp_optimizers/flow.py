"""Gradient flow: explicit while that pays, in the logarithm of time from then on, and with a witness all the way."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bench_ovp import DriverMethod
from bench_ovp.integrate.collocation import Place, pack_place, set_out, unpack_place
from bench_ovp.integrate.twins import Pace, Twins
from bench_ovp.parameters import Positive

EPSILON = float(np.finfo(np.float64).eps)
STIFF = 15  # explicit steps in one stretch after which others are tried, and kinks are looked for
SHORT = 1e-3  # of a stretch: a kink is looked for in steps below
KINK = 0.1  # relative change of ∇L within one of them, if it is a kink
LIMIT = 2000  # explicit steps in one stretch, after which coarser ones are taken
MOST_HOVERING = 20_000  # of these
ROUNDING = 1e-12  # of a loss: no smaller error is claimed
SAFETY = 1e-2  # the solver's tolerance of a step, in units of what is asked of the loss
COARSER = 10.0  # the tolerance of the witness, in units of the other
FINEST = 2048  # of a stretch, the part that a step in log t may be, before explicit ones are the better choice
ROUGH_TOLERANCE, ROUGH_FINEST = 1e-7, 2  # of a step, and the part of a stretch, after that and until it has settled
HOVER_TOLERANCE = 1e-5  # where ∇L jumps, relative to ‖w‖


class Side(NamedTuple):
    """One of two flows, at a checkpoint.

    Args:
        oracle: of the problem whose state it is in: that of the run, or one without the students that are held.
        place: where it is.
    """

    oracle: Any
    place: Place


class Whereabouts(NamedTuple):
    """All that the rest of a flow depends on, at a checkpoint.

    Args:
        first, second: the flow and its witness.
        stiff: whether explicit steps have become short.
        rough: whether a student has hovered at zero, so that digits are lost that no tolerance brings back.
        settled: whether the last stretch went in log time.
    """

    first: Side
    second: Side
    stiff: bool
    rough: bool = False
    settled: bool = False


class Stuck(Exception):
    """The solver makes no headway; the message says where."""


def flow(oracle, w, checkpoints, rtol: Positive = 1e-8):
    """Gradient flow: dw/dt = −∇L(w).

    First the explicit Runge–Kutta method of order 8, from checkpoint to checkpoint. Once the problem is stiff, Radau's
    collocation of order 9 with the exact Hessian, in log t: where the loss falls like a power of t, steps of equal
    length in log t are equally good. The tolerance is relative to how far w still moves, so that a converging run
    does not freeze at rtol·‖w‖. Every step has to dissipate what the loss loses.

    The same flow is followed a second time, by coarser explicit steps and a collocation of order 7. By how much the
    losses of the two differ is recorded as their error, and both are charged.

    From a large start a student can be drawn to zero, where the loss has no gradient, and held there. Where the
    problem says so (`hold`), it stays at exactly zero, and the flow goes on in the others until it is let go.
    Anywhere else where the gradient jumps, the flow goes on as small explicit steps do, hopping about within a
    coarser tolerance.

    Args:
        rtol: relative tolerance of the loss.

    Source: Hairer, Nørsett & Wanner (1993), II.5; Hairer & Wanner (1996), IV.5 and IV.8; Filippov (1988), §4.
    """
    course = Course(oracle, rtol)
    at = course.start(w[0]) if checkpoints.earlier is None else course.take_up(checkpoints.earlier)
    for target in checkpoints.positions:
        try:
            at = course.go(at, target)
        except Stuck as ending:
            return str(ending)
        there = None if at.first.oracle.held is None else at.first.oracle.problem
        checkpoints.record(target, at.first.place.x[None], course.estimate(at), pack(at), there)
    return None


def pack(at):
    """Whereabouts as arrays, by name."""
    state = {"flags": np.array([at.stiff, at.rough, at.settled], dtype=float)}
    for name, side in (("first", at.first), ("second", at.second)):
        state |= pack_place(name, side.place)
        if side.oracle.held is not None:
            state[f"{name}_held"] = side.oracle.held
    return state


class Course:
    """Takes a flow and its witness from checkpoint to checkpoint: what comes depends on the whereabouts alone.

    Args:
        oracle: that is asked, and charges.
        rtol: relative tolerance of the loss.
    """

    def __init__(self, oracle, rtol):
        self._oracle, self._tolerance = oracle, SAFETY * rtol
        self._pace = self._paced = None

    def start(self, w):
        """The whereabouts at time 0, in `w` (n, d)."""
        side = Side(self._oracle, set_out(0.0, w))
        return Whereabouts(side, side, False)

    def take_up(self, state):
        """The whereabouts at which an earlier run was put down; what it had asked is not charged again."""
        sides = []
        with self._oracle.again():
            for name in ("first", "second"):
                oracle, place = self._oracle, unpack_place(name, state)
                if f"{name}_held" in state:
                    oracle, _ = oracle.hold(place.x, np.asarray(state[f"{name}_held"]))
                sides.append(Side(oracle, place))
            at = Whereabouts(*sides, *(bool(flag) for flag in state["flags"]))
            if at.settled:
                self._pace_of(at).recall(Twins(at.first.place, at.second.place))
        return at

    def estimate(self, at):
        """The estimated relative error of the loss."""
        one, other = (side.oracle.loss(side.place.x[None])[0] for side in (at.first, at.second))
        return abs((other - one) / one) + ROUNDING

    def go(self, at, target):
        """The whereabouts at time `target`.

        Errors:
            Stuck: no step is short enough.
        """
        finest = ROUGH_FINEST if at.rough and not at.settled else FINEST
        if at.stiff:
            at = self._glide(at, target, finest)
            if at.first.place.t == target:
                return at
        tolerance = max(self._tolerance, ROUGH_TOLERANCE) if at.rough else self._tolerance
        first, steps, rough = self._step(at.first, target, tolerance)
        second, _, rough_too = self._step(at.second, target, COARSER * tolerance)
        rough = rough or rough_too
        return Whereabouts(first, second, rough or steps > STIFF, at.rough or rough)

    def _glide(self, at, target, finest):
        """The whereabouts at time `target` by steps in log t, or as far as they lead."""
        if not is_same(at.first.oracle.held, at.second.oracle.held):
            return at
        found = self._pace_of(at).go(Twins(at.first.place, at.second.place), target, finest)
        sides = [side._replace(place=place) for side, place in zip((at.first, at.second), found, strict=True)]
        if any(is_let_go(*side) for side in sides):
            return at
        return Whereabouts(*sides, True, at.rough, found.first.t == target)

    def _pace_of(self, at):
        """What takes both sides along, in the problem that both are in."""
        oracle = at.first.oracle
        if self._pace is None or self._paced is not oracle:
            self._paced = oracle
            resolution = oracle.resolution
            self._pace = Pace(oracle.loss, oracle.grad, lambda x: oracle.hessian(x[None])[0], (1.0,), resolution)
        return self._pace

    def _step(self, side, target, tolerance):
        """A side at time `target` by explicit steps, how many they were, and whether it hovers there."""
        from scipy.integrate import DOP853

        (oracle, (t, at, *_)), steps = side, 0
        while True:
            shape = at.shape
            velocity = fall(oracle, shape)
            speed = np.linalg.norm(velocity(t, at.ravel()))
            atol = tolerance * reach(speed, at, target - t)
            solver = DOP853(velocity, t, at.ravel(), target, rtol=100.0 * EPSILON, atol=atol)
            found = None
            while found is None and solver.status == "running":
                before, earlier = solver.f, solver.t
                solver.step()
                steps += 1
                state = solver.y.reshape(shape)
                short = (solver.step_size or 0.0) < SHORT * (target - t)
                if oracle.held is not None and oracle.margin(state) <= 0.0:
                    return self._let_go(oracle, solver, earlier, target, shape), steps, True
                if short and (found := oracle.hold(state)) is not None:
                    break
                if steps > LIMIT or (steps > STIFF and short and is_kink(before, solver.f)):
                    return self._hover(oracle, state, solver.t, target), steps, True
                left = max(target - solver.t, solver.step_size or 0.0)
                solver.atol = tolerance * reach(np.linalg.norm(solver.f), solver.y, left)
            if found is None:
                break
            (oracle, at), t = found, solver.t
            if t == target:
                return Side(oracle, set_out(target, at)), steps, False
        if solver.status != "finished":
            raise Stuck(f"the solver makes no headway at t = {solver.t:g}")
        return Side(oracle, set_out(target, solver.y.reshape(shape))), steps, False

    def _let_go(self, oracle, solver, earlier, target, shape):
        """The side at `target` where, in the last step, what was held is let go."""
        way, later = solver.dense_output(), solver.t
        while earlier < (middle := 0.5 * (earlier + later)) < later:
            if oracle.margin(way(middle).reshape(shape)) > 0.0:
                earlier = middle
            else:
                later = middle
        whole, at = oracle.release(way(later).reshape(shape))
        return self._hover(whole, at, later, target)

    def _hover(self, oracle, at, t, target):
        """The side at `target` where a student hovers at zero: ∇L jumps, no order of accuracy is left to gain."""
        from scipy.integrate import DOP853

        coarse = HOVER_TOLERANCE * np.linalg.norm(at)
        solver, steps = DOP853(fall(oracle, at.shape), t, at.ravel(), target, rtol=HOVER_TOLERANCE, atol=coarse), 0
        while solver.status == "running" and steps < MOST_HOVERING:
            solver.step()
            steps += 1
            solver.atol = HOVER_TOLERANCE * np.linalg.norm(solver.y)
        if solver.status != "finished":
            raise Stuck(f"the solver makes no headway at t = {solver.t:g}")
        return Side(oracle, set_out(target, solver.y.reshape(at.shape)))


def fall(oracle, shape):
    """The velocity of a flow, for SciPy."""

    def velocity(_, x):
        return -oracle.grad(x.reshape(1, *shape)).ravel()

    return velocity


def is_same(one, other):
    """Whether two memories are of the same parts."""
    return one is other if one is None or other is None else np.array_equal(one, other)


def is_let_go(oracle, place):
    """Whether what a side holds would leave where it is."""
    return oracle.held is not None and oracle.margin(place.x) <= 0.0


def reach(speed, x, duration):
    """How far x still goes in `duration`, and no further than to 0."""
    return min(speed * duration, np.linalg.norm(x))


def is_kink(before, after):
    """Whether ∇L jumped in a step that was as short as it was."""
    return np.linalg.norm(after - before) > KINK * np.linalg.norm(before)


GRADIENT_FLOW = DriverMethod(
    "gradient-flow",
    flow,
    clock="time",
    family="gradient-flow",
    rotation_equivariant=True,
    isometry_equivariant=True,
    rtol=1e-8,
)
