"""The methods that the paper's result is held against, and those that people train with."""

from bench_ovp.hookspecs import hookimpl


@hookimpl
def bench_ovp_optimizers():
    """First-order methods, a flow, a preconditioned method, adaptive ones, and schedules."""
    from .adaptive import ADAGRAD, ADAM, RMSPROP
    from .directions import LION, NORMALIZED_GRADIENT_DESCENT, SIGN_DESCENT
    from .first_order import GRADIENT_DESCENT, HEAVY_BALL, NESTEROV, POLYAK_STEP
    from .flow import GRADIENT_FLOW
    from .orthogonal import MUON
    from .preconditioned import PRECONDITIONED_GRADIENT_DESCENT
    from .schedules import (
        COOLING_SCHEDULE,
        COSINE_SCHEDULE,
        GRADIENT_DESCENT_POLYAK,
        POWER_SCHEDULE,
        SILVER_SCHEDULE,
    )

    return [
        GRADIENT_DESCENT,
        GRADIENT_FLOW,
        HEAVY_BALL,
        NESTEROV,
        PRECONDITIONED_GRADIENT_DESCENT,
        POLYAK_STEP,
        GRADIENT_DESCENT_POLYAK,
        POWER_SCHEDULE,
        COOLING_SCHEDULE,
        COSINE_SCHEDULE,
        SILVER_SCHEDULE,
        NORMALIZED_GRADIENT_DESCENT,
        SIGN_DESCENT,
        LION,
        ADAGRAD,
        RMSPROP,
        ADAM,
        MUON,
    ]
