"""The doors through which problems, optimizers and claims come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .claims import Claim
    from .optimizers import Method
    from .problems import ProblemDefinition

PROJECT = "bench_ovp"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def bench_ovp_problems() -> Sequence[type[ProblemDefinition]]:  # type: ignore[empty-body]
    """Return the problems this plug-in offers, each a class as `bench_ovp.problem` describes."""


@hookspec
def bench_ovp_optimizers() -> Sequence[Method]:  # type: ignore[empty-body]
    """Return the optimizers this plug-in offers, each a `StepMethod` or a `DriverMethod`."""


@hookspec
def bench_ovp_claims() -> Sequence[Claim]:  # type: ignore[empty-body]
    """Return the claims this plug-in makes about runs, of its own problems or of others'."""
