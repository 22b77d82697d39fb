"""The coordinates in which a method is run: those of the problem, fewer of them, or more precise ones."""

from __future__ import annotations

from ..optimizers import Optimizer
from ..problems import Array, Problem


def choose_coordinates(problem: Problem, optimizer: Optimizer, w: Array) -> tuple[Problem, Array]:
    """The problem that the method is to see, and its start there; losses and observables are those of `problem`.

    Args:
        problem: whose start is `w` (runs, n, d).
        optimizer: what its method commutes with decides.
    """
    method = optimizer.method
    if method.rotation_equivariant:
        w = problem.reduce(w)
    return problem.recenter(w) if method.isometry_equivariant else (problem, w)
