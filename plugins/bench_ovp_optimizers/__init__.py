"""The methods that the paper's result is held against."""

from bench_ovp.hookspecs import hookimpl


@hookimpl
def bench_ovp_optimizers():
    """First-order methods, a flow, and a preconditioned method."""
    from .first_order import GRADIENT_DESCENT, HEAVY_BALL, NESTEROV, POLYAK_STEP
    from .flow import GRADIENT_FLOW
    from .preconditioned import PRECONDITIONED_GRADIENT_DESCENT

    return [
        GRADIENT_DESCENT,
        GRADIENT_FLOW,
        HEAVY_BALL,
        NESTEROV,
        PRECONDITIONED_GRADIENT_DESCENT,
        POLYAK_STEP,
    ]
