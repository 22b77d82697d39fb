"""What a plug-in is asked once before its run: answers of the right form, and nobody's arrays written into."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import PluginError
from ..optimizers import Optimizer, StepMethod
from ..oracle import Oracle
from ..problems import Array, Problem

State = tuple[Any, ...]


def rehearse_problem(problem: Problem, w: Array) -> None:
    """Ask for loss and gradient at `w` (runs, n, d).

    Errors:
        PluginError: an answer has another form, or `w` was written into.
    """
    if not isinstance(w, np.ndarray) or w.ndim != 3 or w.dtype != np.float64:
        raise PluginError(f"{problem.name}: start must return float64 of shape (runs, n, d), not {_form(w)}")
    before = w.copy()
    with np.errstate(all="ignore"):
        for quantity, shape in (("loss", w.shape[:1]), ("grad", w.shape)):
            answer = getattr(problem.instance, quantity)(w)
            if not isinstance(answer, np.ndarray) or answer.shape != shape or answer.dtype != np.float64:
                told = f"must return float64 of shape {shape}, not {_form(answer)}"
                raise PluginError(f"{problem.name}: {quantity} {told}")
            if not np.array_equal(w, before, equal_nan=True):
                w[...] = before
                raise PluginError(f"{problem.name}: {quantity} writes into the w that it is given; work on a copy")
            if len(w) > 1:
                getattr(problem.instance, quantity)(
                    w[:1].copy()
                )  # one run alone may be compiled anew, before time counts


def rehearse_step(problem: Problem, optimizer: Optimizer, w: Array, state: State) -> None:
    """Take one step in Python on arrays that cannot be written to, and throw it away.

    Errors:
        PluginError: it returns something else than it should, or writes into what it is given.
    """
    method = optimizer.method
    assert isinstance(method, StepMethod)
    lent = [np.array(part) for part in (w, *state)]
    for part in lent:
        part.flags.writeable = False
    oracle = Oracle(problem, len(w), curvature_cost=0)
    with np.errstate(all="ignore"):
        try:
            result = method.step(oracle, lent[0], tuple(lent[1:]), 0, *optimizer.parameters.values())
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            told = "its step writes into the arrays that it is given; return new ones, such as w = w - lr * g"
            raise PluginError(f"{optimizer.name}: {told}").with_traceback(error.__traceback__) from None
    if not isinstance(result, tuple) or len(result) != 2:
        raise PluginError(f"{optimizer.name}: its step must return (w, state), not {_form(result)}")
    check_step(optimizer, w, *result)


def check_step(optimizer: Optimizer, before: Array, after: Any, state: Any) -> None:
    """Refuse what a step must not return.

    Errors:
        PluginError: what, and what it should be.
    """
    if not isinstance(after, np.ndarray) or after.shape != before.shape or after.dtype != np.float64:
        told = f"must return w as float64 of shape {before.shape}, not {_form(after)}"
        raise PluginError(f"{optimizer.name}: its step {told}")
    if not isinstance(state, tuple):
        raise PluginError(f"{optimizer.name}: its step must return its state as a tuple, not {_form(state)}")


def _form(thing: Any) -> str:
    if isinstance(thing, np.ndarray):
        return f"{thing.dtype} of shape {thing.shape}"
    return type(thing).__name__
