"""Checks of what a problem observes, and of where it says it is degenerate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..problems import Problem
from .check import Inapplicable, Nonconformance
from .points import ordinary_points

TAKEN = ("problem", "optimizer", "seed", "iteration", "time", "evaluations", "loss", "grad_norm", "how", "loss_rtol")


def check_observables(problem: Problem) -> None:
    """observe returns a dict of finite (runs,) columns whose names are free and always the same.

    A quantity that does not exist everywhere is NaN there, and the class names it in `partial`.
    """
    if not hasattr(problem.instance, "observe"):
        raise Inapplicable("the problem observes nothing")
    w = ordinary_points(problem)
    found = problem.instance.observe(w.copy())
    if not isinstance(found, Mapping):
        raise Nonconformance(f"observe returns {type(found).__name__}; return a dict of (runs,) arrays by name")
    partial = tuple(getattr(problem.instance, "partial", ()))
    if missing := [name for name in partial if name not in found]:
        raise Nonconformance(f"partial names {missing[0]!r}, which observe does not return; correct the name")
    for name, column in found.items():
        if not isinstance(name, str) or name in TAKEN or "." in name or not name:
            raise Nonconformance(f"observe names a column {name!r}, which tables use; choose another name")
        if np.shape(column) != (len(w),):
            raise Nonconformance(f"observe returns {name!r} of shape {np.shape(column)}; return one number per run")
        values = np.asarray(column, dtype=float)
        if not np.all(np.isfinite(values) | (np.isnan(values) & (name in partial))):
            raise Nonconformance(
                f"the observable {name!r} is not finite at an ordinary point; mend its formula, "
                "or name it in `partial` if it is NaN where it does not exist"
            )
    if list(problem.instance.observe(w[:1].copy())) != list(found):
        raise Nonconformance("observe returns other columns for other runs; always return the same names")


def check_degenerate(problem: Problem) -> None:
    """degenerate returns (runs,) of bool, and starts are not degenerate."""
    if not hasattr(problem.instance, "degenerate"):
        raise Inapplicable("the problem declares no point without a gradient")
    w = ordinary_points(problem)
    found = np.asarray(problem.instance.degenerate(w.copy()))
    if found.shape != (len(w),) or found.dtype != np.bool_:
        raise Nonconformance(
            f"degenerate returns {found.dtype} of shape {found.shape}; return one bool per run: numpy.any(…, axis=…)"
        )
    if found.any():
        raise Nonconformance("degenerate is True where loss and gradient are finite; narrow its condition")
