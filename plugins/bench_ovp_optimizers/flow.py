"""Gradient flow: explicit while that pays, in the logarithm of time from then on, and with a witness all the way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench_ovp import DriverMethod
from bench_ovp.integrate.collocation import pack_place, set_out, unpack_place
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
FINEST = 32  # parts of a stretch that steps in log t may take before explicit ones are the better choice
ROUGH_TOLERANCE, ROUGH_FINEST = 1e-7, 2  # of a step, and parts of a stretch, after that and until it has settled
HOVER_TOLERANCE = 1e-5  # where ∇L jumps, relative to ‖w‖


class Whereabouts(NamedTuple):
    """All that the rest of a flow depends on, at a checkpoint; arrays (n, d) and numbers.

    Args:
        twins: the flow and its witness, at the time of the checkpoint.
        stiff: whether explicit steps have become short.
        rough: whether a student has hovered at zero, so that digits are lost that no tolerance brings back.
        settled: whether the last stretch went in log time.
    """

    twins: Twins
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

    From a large start a student can be drawn to zero, where the loss has no gradient, and held there for a
    while. The flow then goes on as small explicit steps do, hopping about zero within a coarser tolerance.

    Args:
        rtol: relative tolerance of the loss.

    Source: Hairer, Nørsett & Wanner (1993), II.5; Hairer & Wanner (1996), IV.5 and IV.8.
    """
    course = Course(oracle, rtol)
    at = course.start(w[0]) if checkpoints.earlier is None else course.take_up(unpack(checkpoints.earlier))
    for target in checkpoints.positions:
        try:
            at = course.go(at, target)
        except Stuck as ending:
            return str(ending)
        checkpoints.record(target, at.twins.first.x[None], course.estimate(at), pack(at))
    return None


def pack(at):
    """Whereabouts as arrays, by name."""
    places = pack_place("first", at.twins.first) | pack_place("second", at.twins.second)
    return places | {"flags": np.array([at.stiff, at.rough, at.settled], dtype=float)}


def unpack(state):
    """The whereabouts that were packed."""
    twins = Twins(unpack_place("first", state), unpack_place("second", state))
    return Whereabouts(twins, *(bool(flag) for flag in state["flags"]))


class Course:
    """Takes a flow and its witness from checkpoint to checkpoint: what comes depends on the whereabouts alone.

    Args:
        oracle: that is asked, and charges.
        rtol: relative tolerance of the loss.
    """

    def __init__(self, oracle, rtol):
        self._oracle, self._grad, self._tolerance = oracle, oracle.grad, SAFETY * rtol
        resolution = oracle.resolution
        self._pace = Pace(oracle.loss, oracle.grad, lambda x: oracle.hessian(x[None])[0], (1.0,), resolution)

    def start(self, w):
        """The whereabouts at time 0, in `w` (n, d)."""
        return Whereabouts(self._pace.start(0.0, w, w), False)

    def take_up(self, at):
        """The whereabouts `at` which an earlier run was put down; what it had asked is not charged again."""
        with self._oracle.again():
            self._pace.recall(at.twins)
        return at

    def estimate(self, at):
        """The estimated relative error of the loss."""
        return abs(self._pace.part(at.twins.first.x, at.twins.second.x)) + ROUNDING

    def go(self, at, target):
        """The whereabouts at time `target`.

        Errors:
            Stuck: no step is short enough.
        """
        twins, stiff, rough, settled = at
        finest = ROUGH_FINEST if rough and not settled else FINEST
        if stiff and (found := self._pace.go(twins, target, finest)) is not None:
            return Whereabouts(found, True, rough, True)
        tolerance = max(self._tolerance, ROUGH_TOLERANCE) if rough else self._tolerance
        first, steps, hovers = self._step(twins.first, target, tolerance)
        second, _, hovers_too = self._step(twins.second, target, COARSER * tolerance)
        hovers = hovers or hovers_too
        return Whereabouts(Twins(first, second), hovers or steps > STIFF, rough or hovers)

    def _step(self, place, target, tolerance):
        """The place at time `target` by explicit steps, how many they were, and whether it hovers there."""
        from scipy.integrate import DOP853

        shape, t, at = place.x.shape, place.t, place.x.ravel()

        def velocity(_, x):
            return -self._grad(x.reshape(1, *shape)).ravel()

        speed = np.linalg.norm(self._grad(place.x[None]))
        atol = tolerance * reach(speed, at, target - t)
        solver, steps = DOP853(velocity, t, at, target, rtol=100.0 * EPSILON, atol=atol), 0
        while solver.status == "running":
            before = solver.f
            solver.step()
            steps += 1
            short = (solver.step_size or 0.0) < SHORT * (target - t)
            if steps > LIMIT or (steps > STIFF and short and is_kink(before, solver.f)):
                return set_out(target, self._hover(solver.y, solver.t, target, velocity).reshape(shape)), steps, True
            left = max(target - solver.t, solver.step_size or 0.0)
            solver.atol = tolerance * reach(np.linalg.norm(solver.f), solver.y, left)
        if solver.status != "finished":
            raise Stuck(f"the solver makes no headway at t = {solver.t:g}")
        return set_out(target, solver.y.reshape(shape)), steps, False

    def _hover(self, at, t, target, velocity):
        """The state at `target` where a student hovers at zero: ∇L jumps, no order of accuracy is left to gain."""
        from scipy.integrate import DOP853

        coarse = HOVER_TOLERANCE * np.linalg.norm(at)
        solver, steps = DOP853(velocity, t, at, target, rtol=HOVER_TOLERANCE, atol=coarse), 0
        while solver.status == "running" and steps < MOST_HOVERING:
            solver.step()
            steps += 1
            solver.atol = HOVER_TOLERANCE * np.linalg.norm(solver.y)
        if solver.status != "finished":
            raise Stuck(f"the solver makes no headway at t = {solver.t:g}")
        return solver.y


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
