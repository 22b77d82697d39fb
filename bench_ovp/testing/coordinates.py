"""Checks of a problem in other coordinates: fewer, or more precise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..problems import Array, Problem
from .check import Inapplicable, Nonconformance
from .differences import EPSILON
from .kernels import compare_kernels, sensitivity
from .points import ordinary_points
from .queries import QUERIES, list_queries, refuse_coupling, refuse_impurity, same_bits

Quantity = Callable[[Problem, Array], Array]

ROUNDING = 1e-9  # of quantities in coordinates of another precision
DISTANCES = 1e-12  # relative to the size of what is subtracted
FEW = 6  # runs, where it costs more


def check_reduction(problem: Problem) -> None:
    """reduce keeps loss, gradient norm and observables, at a point and after a step of gradient descent."""
    if not hasattr(problem.instance, "reduce"):
        raise Inapplicable("the problem has no reduced form")
    w = ordinary_points(problem)
    small = problem.reduce(w)
    if small.ndim != 3 or small.shape[:2] != w.shape[:2] or small.shape[2] > w.shape[2]:
        raise Nonconformance(f"reduce of w {w.shape} returns {small.shape}; return (runs, n, fewer coordinates)")
    # A quantity is known to what an ulp in each of n·d coordinates does to it; a square root of a sum of squares
    # near 0 loses half of its digits.
    room = 64.0 * EPSILON * (8 + w[0].size)
    remedy = "return coordinates in an orthonormal basis of a space that w never leaves, or remove reduce"
    _refuse_change("reduce", remedy, (problem, w), (problem, small), room)


def check_recenter(problem: Problem) -> None:
    """recenter is an isometry to the same problem, for each run by itself, from w and from its reduced form."""
    if not hasattr(problem.instance, "recenter"):
        raise Inapplicable("the problem has one kind of coordinates only")
    w = ordinary_points(problem)
    if problem.instance.recenter(w.copy()) is None:
        raise Inapplicable("the problem recenters nothing with these parameters")
    _check_recenter_at(problem, w)
    if (small := problem.reduce(w)).shape != w.shape:
        _check_recenter_at(problem, small)


def _check_recenter_at(problem: Problem, w: Array) -> None:
    given = w.copy()
    _recenter(problem, given)
    if not same_bits(given, w):
        raise Nonconformance("recenter writes into the w that it is given; work on a copy: `x = w.copy()`")
    refuse_coupling("recenter", lambda w: {"recenter": _recenter(problem, w)[1]}, w)
    there, x = _recenter(problem, w)
    if missing := [q for q in (*QUERIES, "kernels") if q != "reduce" and _offers(problem, q) > _offers(there, q)]:
        raise Nonconformance(f"recenter's object has no {missing[0]}, which the class has; define it there as well")
    try:
        refuse_impurity(there, x[-FEW:])
        for name, ask in list_queries(there.instance).items():
            refuse_coupling(name, ask, x[-FEW:])
        if there.kernels is not None:
            compare_kernels(there, x)
    except Nonconformance as failure:
        raise Nonconformance(f"of recenter's object, {failure}") from None
    _refuse_stretching(problem, w, there, x)
    remedy = "let recenter return an object whose methods are those of the class, at the w that x stands for"
    _refuse_change("recenter", remedy, (problem, w), (there, x), ROUNDING)
    for name in ("hessian", "gauss_newton"):
        if _offers(problem, name):
            spectrum = {f"spectrum of {name}": _spectrum(name)}
            _refuse_change("recenter", remedy, (problem, w[-FEW:]), (there, x[-FEW:]), ROUNDING, spectrum)


def _recenter(problem: Problem, w: Array) -> tuple[Problem, Array]:
    found = problem.instance.recenter(w)
    if found is None:
        raise Nonconformance(
            "recenter returns None for some runs and not for others; decide by the problem's parameters, "
            "for a run's coordinates must not depend on its batch"
        )
    x = found[1] if isinstance(found, tuple) and len(found) == 2 else None
    if not isinstance(x, np.ndarray) or x.shape != w.shape or x.dtype != np.float64:
        told = f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(found).__name__
        raise Nonconformance(f"recenter of w {w.shape} returns {told}; return an object and x, float64 of w's shape")
    return problem.recenter(w)


def _refuse_stretching(problem: Problem, w: Array, there: Problem, x: Array) -> None:
    """Distances between runs are kept, and slopes along the ways from one to another."""
    from_w, from_x = w[:, None] - w, x[:, None] - x  # (runs, runs, n, d)
    before, after = _norm(from_w), _norm(from_x)
    size = max(float(_norm(w).max()), float(_norm(x).max()))
    if not (gap := float(np.abs(after - before).max())) <= DISTANCES * size:
        raise Nonconformance(
            f"recenter changes the distance between two points by {gap:.2g}; return x = Q w − b with an orthogonal Q "
            "and one b for all runs, or remove recenter"
        )
    room = ROUNDING * np.sqrt(w[0].size) * sensitivity(problem.grad, w)[:, None] * before
    slopes = [np.einsum("aik,abik->ab", p.grad(at), way) for p, at, way in ((problem, w, from_w), (there, x, from_x))]
    if not np.all(np.abs(slopes[0] - slopes[1]) <= room):
        raise Nonconformance(
            "recenter's gradient has another slope along the way from one point to another; "
            "turn it as w is turned: where x = Q w − b, it is Q times the gradient at w"
        )


def _refuse_change(
    what: str,
    remedy: str,
    here: tuple[Problem, Array],
    there: tuple[Problem, Array],
    room: float,
    quantities: dict[str, Quantity] | None = None,
) -> None:
    """Raise Nonconformance where a quantity is another `there`, at a point or after a step of gradient descent."""
    problem, w = here
    other, x = there
    grad, other_grad = problem.grad(w), other.grad(x)
    lr = 0.1 * np.sqrt(np.sum(w * w, axis=(1, 2)) / np.maximum(1e-300, np.sum(grad * grad, axis=(1, 2))))
    after = w - lr[:, None, None] * grad
    other_after = x - lr[:, None, None] * other_grad
    for where, full, short in (("", w, x), (" after a step", after, other_after)):
        for name, quantity in (quantities or _list_quantities(problem)).items():
            full, short = np.ascontiguousarray(full), np.ascontiguousarray(short)
            a, b = (v.reshape(len(v), -1) for v in (quantity(problem, full), quantity(other, short)))
            size = sensitivity(lambda w, ask=quantity: ask(problem, w), full)
            gap = np.abs(a - b).max(axis=1)
            if np.any(~(gap <= room * size)):
                worst = int(np.argmax(gap / (size + 1e-300)))
                at = int(np.argmax(np.abs(a - b)[worst]))
                raise Nonconformance(
                    f"{what} changes the {name}{where} from {a[worst, at]:.12g} to {b[worst, at]:.12g}; {remedy}"
                )


def _list_quantities(problem: Problem) -> dict[str, Quantity]:
    """Loss, gradient norm and observables, each (runs,)."""
    partial = getattr(problem.instance, "partial", ())

    def observing(name: str) -> Quantity:
        def ask(problem: Problem, w: Array) -> Array:
            found = np.asarray(problem.observe(w)[name], dtype=float)
            # Where a partial observable does not exist, it must not exist in other coordinates either.
            return np.where(np.isnan(found), 0.0, found) if name in partial else found

        return ask

    found: dict[str, Quantity] = {
        "loss": lambda problem, w: np.asarray(problem.loss(w)),
        "gradient's norm": lambda problem, w: _norm(problem.grad(w)),
        "points without a gradient": lambda problem, w: problem.degenerate(w).astype(float),
    }
    return found | {f"observable {name!r}": observing(name) for name in problem.observe(problem.start([0]))}


def _spectrum(name: str) -> Quantity:
    return lambda problem, w: np.asarray(np.linalg.eigvalsh(getattr(problem, name)(w)))


def _offers(problem: Problem, name: str) -> bool:
    if name == "kernels":
        return problem.kernels is not None
    return hasattr(problem.instance, name)


def _norm(w: Array) -> Array:
    return np.asarray(np.sqrt(np.sum(w * w, axis=(-2, -1))))
