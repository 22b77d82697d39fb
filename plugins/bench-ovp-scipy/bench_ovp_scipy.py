"""The methods of `scipy.optimize.minimize`, with exact gradients and, where a method takes one, exact Hessians."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt, Predicate

from bench_ovp import DriverMethod, hookimpl
from bench_ovp.parameters import Count, NonNegative, Parameter, Positive, nearest

UNLIMITED = 2**31 - 1  # as C's int
GRADIENT_FREE = ("Nelder-Mead", "Powell", "COBYLA", "COBYQA")
WITH_HESSIAN = ("Newton-CG", "trust-constr", "dogleg", "trust-ncg", "trust-krylov", "trust-exact")

Slope = Annotated[float, Gt(0), Lt(1)]
Limit = Count | None

# Of each option its type and its default. Those that end a run, and only those, differ from SciPy's own defaults:
# tolerances are as tight as a method takes them, limits are off, so that the horizon decides. None: SciPy's own.
REGION = {
    "initial_trust_radius": (Positive, 1.0),
    "max_trust_radius": (Positive, 1000.0),
    "eta": (Annotated[float, Ge(0), Lt(0.25)], 0.15),
    "gtol": (NonNegative, 0.0),
    "maxiter": (Limit, None),
}
OPTIONS: dict[str, dict[str, tuple[Any, Any]]] = {
    "Nelder-Mead": {
        "xatol": (NonNegative, 0.0),
        "fatol": (NonNegative, 0.0),
        "adaptive": (bool, False),
        "maxiter": (Limit, None),
        "maxfev": (Limit, None),
    },
    "Powell": {
        "xtol": (NonNegative, 0.0),
        "ftol": (NonNegative, 0.0),
        "maxiter": (Limit, None),
        "maxfev": (Limit, None),
    },
    "CG": {
        "gtol": (NonNegative, 0.0),
        "norm": (float | None, None),
        "c1": (Slope, 1e-4),
        "c2": (Slope, 0.4),
        "maxiter": (Limit, None),
    },
    "BFGS": {
        "gtol": (NonNegative, 0.0),
        "xrtol": (NonNegative, 0.0),
        "norm": (float | None, None),
        "c1": (Slope, 1e-4),
        "c2": (Slope, 0.9),
        "maxiter": (Limit, None),
    },
    "Newton-CG": {
        "xtol": (NonNegative, 0.0),
        "c1": (Slope, 1e-4),
        "c2": (Slope, 0.9),
        "maxiter": (Limit, None),
    },
    "L-BFGS-B": {
        "maxcor": (Count, 10),
        "maxls": (Count, 20),
        "ftol": (NonNegative, 0.0),
        "gtol": (NonNegative, 0.0),
        "maxfun": (Limit, None),
        "maxiter": (Limit, None),
    },
    "TNC": {
        "maxCGit": (int, -1),
        "eta": (float, -1.0),
        "stepmx": (NonNegative, 0.0),
        "accuracy": (NonNegative, 0.0),
        "minfev": (NonNegative, 0.0),
        "rescale": (float, -1.0),
        "ftol": (NonNegative, 0.0),
        "xtol": (NonNegative, 0.0),
        "gtol": (NonNegative, 0.0),
        "maxfun": (Limit, None),
    },
    "COBYLA": {"rhobeg": (Positive, 1.0), "tol": (Positive, 1e-15), "maxiter": (Limit, None)},
    "COBYQA": {
        "initial_tr_radius": (Positive, 1.0),
        "final_tr_radius": (Positive, 1e-15),
        "scale": (bool, False),
        "maxfev": (Limit, None),
        "maxiter": (Limit, None),
    },
    "SLSQP": {"ftol": (NonNegative, 0.0), "maxiter": (Limit, None)},
    "trust-constr": {
        "initial_tr_radius": (Positive, 1.0),
        "xtol": (NonNegative, 0.0),
        "gtol": (NonNegative, 0.0),
        "maxiter": (Limit, None),
    },
    "dogleg": REGION,
    "trust-ncg": REGION,
    "trust-krylov": {"inexact": (bool, True), **REGION},
    "trust-exact": {"subproblem_maxiter": (Limit, None), **REGION},
}


def is_offered(method: str) -> bool:
    """Whether SciPy has `method`; ValueError names the nearest."""
    if method not in OPTIONS:
        raise ValueError(f"unknown method{nearest(method, OPTIONS)}")
    return True


def declare(method: str) -> list[Parameter]:
    """The options of a method."""
    return [Parameter(name, default, annotation) for name, (annotation, default) in OPTIONS[method].items()]


def arguments(method: str, horizon: int, options: dict[str, Any]) -> dict[str, Any]:
    """What `minimize` is called with, beside the functions: options that are None are SciPy's, limits off."""
    chosen = {name: value for name, value in options.items() if value is not None}
    for limit in ("maxiter", "maxfun", "maxfev"):
        if limit in OPTIONS[method]:
            # COBYLA counts evaluations under this name; Nelder-Mead and trust-constr begin to count at 1.
            off = horizon + 2 if limit == "maxiter" and method != "COBYLA" else UNLIMITED
            chosen.setdefault(limit, off)
    return {"method": method, "options": chosen}


def check(method: str, **options: Any) -> None:
    """Take a step on a bowl; whatever SciPy says of the options is a ValueError."""
    import numpy as np
    from scipy.optimize import minimize

    def bowl(x):
        return float(x @ x) if method in GRADIENT_FREE else (float(x @ x), 2.0 * x)

    hessian = {"hess": lambda x: 2.0 * np.eye(2)} if method in WITH_HESSIAN else {}
    try:
        with np.errstate(all="ignore"):
            minimize(bowl, np.ones(2), jac=method not in GRADIENT_FREE, **hessian, **arguments(method, 1, options))
    except Exception as error:
        raise ValueError(f"{method}: {error}") from None


def drive(
    oracle: Any,
    w: Any,
    checkpoints: Any,
    method: Annotated[str, Predicate(is_offered)] = "L-BFGS-B",
    **options: Any,
) -> str:
    """A method of scipy.optimize.minimize, with the exact gradient, and the exact Hessian where it takes one.

    An iteration is one of SciPy's, and so is the clock. A loss with the gradient at the same point is one query,
    a Hessian n·d. Tolerances are 0 and limits are off unless they are given: a run goes to its horizon, or until
    SciPy gives up, and then tells why.

    Args:
        method: its name, as SciPy writes it; its options are parameters too, under SciPy's names.

    Source: scipy.optimize.minimize; each method's page names its source.
    """
    import numpy as np
    from scipy.optimize import minimize

    shape = w.shape
    iteration = -1 if method == "trust-constr" else 0  # it reports its start as well
    checkpoints.record(0, w)

    def ask(x):
        at = x.reshape(shape)
        if method in GRADIENT_FREE:
            return float(oracle.loss(at)[0])
        loss, grad = oracle.loss_and_grad(at)
        return float(loss[0]), grad.ravel()

    def curve(x):
        return oracle.hessian(x.reshape(shape))[0]

    def report(x, *_):
        nonlocal iteration
        iteration += 1
        if iteration > 0:
            checkpoints.record(iteration, np.array(x).reshape(shape))

    hessian = {"hess": curve} if method in WITH_HESSIAN else {}
    call = arguments(method, int(checkpoints.horizon), options)
    try:
        found = minimize(ask, w.ravel(), jac=method not in GRADIENT_FREE, callback=report, **hessian, **call)
    except np.linalg.LinAlgError as error:
        return f"scipy's {method} met a matrix that it cannot factor: {error}"
    return f"scipy's {method} says: {' '.join(str(found.message).split())}"


SCIPY = DriverMethod("scipy", drive, clock="iteration", options=declare, check=check, libraries=("scipy",))


@hookimpl
def bench_ovp_optimizers() -> list[DriverMethod]:
    """One method, which is all of SciPy's."""
    return [SCIPY]
