"""Does this optimizer converge like exp(−cT), or crawl like T⁻³? Laws of convergence, measured."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import compare, fit_rate, optimizer, problem, run, run_suite
    from .errors import InputError, Stop
    from .hookspecs import hookimpl
    from .optimizers import DriverMethod, Optimizer, StepMethod
    from .problems import Kernels, Problem, Theory
    from .trace import Run, Trace

__version__ = "0.1.0"

_HOMES = {
    "api": ("compare", "fit_rate", "optimizer", "problem", "run", "run_suite"),
    "errors": ("InputError", "Stop"),
    "hookspecs": ("hookimpl",),
    "optimizers": ("DriverMethod", "Optimizer", "StepMethod"),
    "problems": ("Kernels", "Problem", "Theory"),
    "trace": ("Run", "Trace"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DriverMethod",
    "InputError",
    "Kernels",
    "Optimizer",
    "Problem",
    "Run",
    "StepMethod",
    "Stop",
    "Theory",
    "Trace",
    "compare",
    "fit_rate",
    "hookimpl",
    "optimizer",
    "problem",
    "run",
    "run_suite",
]


def __getattr__(name: str) -> Any:
    """Import late: `bench-ovp --help` needs none of this."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
