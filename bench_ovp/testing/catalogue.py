"""Which checks there are, and which of them a plug-in gets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, cast

from .. import hookspecs
from ..errors import InputError
from ..optimizers import DriverMethod, Method, Optimizer, StepMethod
from ..problems import Problem, ProblemDefinition
from ..registry import Registry, gather, installed
from . import (
    coordinates,
    derivatives,
    documents,
    drivers,
    kernels,
    laws,
    losses,
    observables,
    queries,
    recurrences,
    starts,
    steps,
)
from .check import Check, Nonconformance

Parameters = Mapping[str, Mapping[str, Any]]
Offered = ModuleType | type[Any] | StepMethod | DriverMethod

# In the order in which their failures are best mended: what others build on comes first.
OF_PROBLEMS: dict[str, Callable[[Problem], None]] = {
    "start-shape": starts.check_start_shape,
    "start-seeds": starts.check_start_seeds,
    "values": losses.check_values,
    "purity": queries.check_purity,
    "determinism": queries.check_determinism,
    "hidden-state": queries.check_hidden_state,
    "batch": queries.check_batch,
    "gradient": derivatives.check_gradient,
    "hessian": derivatives.check_hessian,
    "gauss-newton": derivatives.check_gauss_newton,
    "minimum": losses.check_minimum,
    "kernels": kernels.check_kernels,
    "compiled": kernels.check_compiled_engine,
    "observables": observables.check_observables,
    "degenerate": observables.check_degenerate,
    "reduction": coordinates.check_reduction,
    "recenter": coordinates.check_recenter,
    "travels": documents.check_problem_travels,
}
OF_STEPS: dict[str, Callable[[Optimizer], None]] = {
    "answers": steps.check_answers,
    "purity": steps.check_purity,
    "determinism": steps.check_determinism,
    "hidden-state": steps.check_hidden_state,
    "batch": steps.check_batch,
    "compiled": steps.check_compiled,
    "rotation": steps.check_rotation,
    "isometry": steps.check_isometry,
    "travels": documents.check_method_travels,
}
OF_DRIVERS: dict[str, Callable[[Optimizer], None]] = {
    "answers": drivers.check_answers,
    "horizon": drivers.check_horizon,
    "stop": drivers.check_stop,
    "determinism": drivers.check_determinism,
    "batch": drivers.check_batch,
    "rotation": drivers.check_rotation,
    "isometry": drivers.check_isometry,
    "travels": documents.check_method_travels,
}


def list_checks(offered: Offered, parameters: Parameters | None = None, beside: Iterable[Any] = ()) -> list[Check]:
    """The checks of all that is offered.

    Args:
        offered: a plug-in's module, a problem class, a `StepMethod` or a `DriverMethod`.
        parameters: values by the name of a problem or an optimizer, for parameters without a default, or to check
            it with other values.
        beside: problem classes and methods that are not installed, on which theories may be tried, too.
    Errors:
        InputError: the module would not load as a plug-in, or `parameters` will not do.
    """
    problems, methods = _read(offered)
    given = parameters or {}
    if unknown := given.keys() - {p.name for p in problems} - {m.name for m in methods}:
        raise InputError(f"parameters are given for {sorted(unknown)[0]!r}, which is not offered")
    others: list[Any] = list(beside)
    registry = _among(
        [*problems, *(cast("type[ProblemDefinition]", p) for p in others if inspect.isclass(p))],
        [*methods, *(m for m in others if not inspect.isclass(m))],
    )
    found = []
    for definition in problems:
        found += _list_for_problem(definition, given.get(definition.name, {}), registry)
    for method in methods:
        found += _list_for_method(method, given.get(method.name, {}), registry)
    return found


def _read(offered: Offered) -> tuple[list[type[ProblemDefinition]], list[Method]]:
    if isinstance(offered, StepMethod | DriverMethod):
        return [], [offered]
    if inspect.isclass(offered):
        return [cast("type[ProblemDefinition]", offered)], []
    entry = EntryPoint(offered.__name__, offered.__name__, hookspecs.PROJECT)
    loaded = gather([entry])
    if error := loaded.plugins[0].error:
        raise InputError(f"{offered.__name__} does not load as a plug-in: {error}")
    return list(loaded.problems.values()), list(loaded.methods.values())


def _among(problems: Iterable[type[ProblemDefinition]], methods: Iterable[Method]) -> Registry:
    """What is installed, with what is offered before it: theories are tried on both."""
    known = installed()
    return replace(
        known,
        problems={**known.problems, **{p.name: p for p in problems}},
        methods={**known.methods, **{m.name: m for m in methods}},
    )


def _list_for_problem(definition: type[ProblemDefinition], given: Mapping[str, Any], registry: Registry) -> list[Check]:
    name = definition.name
    found = [
        Check("documentation", name, partial(documents.check_problem_documentation, definition)),
        Check("parameters", name, partial(_build, partial(documents.check_problem_parameters, definition),
                                          lambda: Problem(definition, given), name)),
    ]  # fmt: skip
    try:
        problem = Problem(definition, given)
    except Exception as error:
        if given and isinstance(error, InputError):
            raise  # whoever asks gave a value that will not do
        return found  # the check of parameters says why
    found += [Check(check, name, partial(body, problem)) for check, body in OF_PROBLEMS.items()]
    found.append(Check("theory", name, partial(laws.check_theory_form, problem, registry)))
    found.append(Check("law", name, partial(laws.check_problem_theory, problem, registry)))
    return found


def _list_for_method(method: Method, given: Mapping[str, Any], registry: Registry) -> list[Check]:
    found = [
        Check("documentation", method.name, partial(documents.check_method_documentation, method)),
        Check("parameters", method.name, partial(_build, partial(documents.check_method_parameters, method),
                                                 lambda: Optimizer(method, given), method.name)),
    ]  # fmt: skip
    try:
        optimizer = Optimizer(method, given)
    except Exception as error:
        if given and isinstance(error, InputError):
            raise  # whoever asks gave a value that will not do
        return found  # the check of parameters says why
    table, form = (OF_STEPS, steps) if isinstance(method, StepMethod) else (OF_DRIVERS, drivers)
    found += [Check(check, method.name, partial(body, optimizer)) for check, body in table.items()]
    if isinstance(method, StepMethod) and method.recurrence is not None:
        found.append(Check("recurrence", method.name, partial(recurrences.check_recurrence, optimizer)))
    found.append(Check("evaluations", method.name, partial(form.check_evaluations, optimizer, registry)))
    found.append(Check("law", method.name, partial(laws.check_method_theory, optimizer, registry)))
    return found


def _build(check: Callable[[], None], make: Callable[[], object], name: str) -> None:
    try:
        make()
    except InputError as error:
        raise Nonconformance(
            f"it cannot be made: {error}; to check it with values of your own, say "
            f"conformance(module, parameters={{{name!r}: {{…}}}}) or bench-ovp check {name} -p KEY=VALUE"
        ) from None
    check()
