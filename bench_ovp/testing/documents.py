"""Checks of what can be read before anything runs: parameters, documentation, and whether cells can be sent."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..optimizers import Method, Optimizer
from ..parameters import Parameter, describe, nearest
from ..problems import Problem, ProblemDefinition, parameters_of
from .check import Nonconformance

PLAIN = (bool, int, float, str, Path, type(None))


def check_problem_parameters(definition: type[ProblemDefinition]) -> None:
    """The defaults of a problem are plain data within their own limits."""
    _check_defaults(parameters_of(definition))


def check_method_parameters(method: Method) -> None:
    """The defaults of a method are plain data within their own limits."""
    _check_defaults(method.parameters)


def check_problem_documentation(definition: type[ProblemDefinition]) -> None:
    """The class says in its docstring what it is, what each parameter means, and where it comes from."""
    _check_docstring("the class", definition, parameters_of(definition))


def check_method_documentation(method: Method) -> None:
    """The step or driver says in its docstring what it does, what each parameter means, and where it comes from."""
    thing = getattr(method, "step", None) or getattr(method, "drive", None)
    _check_docstring(getattr(thing, "__name__", "the step"), thing, method.parameters)


def check_problem_travels(problem: Problem) -> None:
    """A cell with the problem can be sent to another process, and is the same problem there."""
    revived = Problem(problem.definition, _sent(problem.given))
    if revived.label != problem.label or revived.parameters != problem.parameters:
        raise Nonconformance("its parameters change when they are pickled; use numbers, strings and lists")
    if not (problem.start([3]) == revived.start([3])).all():
        raise Nonconformance("it starts elsewhere after pickling; let everything follow from parameters and seed")


def check_method_travels(optimizer: Optimizer) -> None:
    """A cell with the method can be sent to another process."""
    revived = Optimizer(optimizer.method, _sent(optimizer.given))
    if revived.label != optimizer.label or revived.parameters != optimizer.parameters:
        raise Nonconformance("its parameters change when they are pickled; use numbers, strings and lists")


def _check_defaults(parameters: tuple[Parameter, ...]) -> None:
    for p in parameters:
        if p.required:
            continue
        if not _is_plain(p.default):
            raise Nonconformance(
                f"the default of {p.name!r} is a {type(p.default).__name__}; parameters are plain data: numbers, "
                "strings, lists; use None and make the object inside"
            )
        try:
            p.check(p.default)
        except InputError as error:
            raise Nonconformance(f"the default breaks its own limits: {error}; change it, or the annotation") from None


def _check_docstring(where: str, thing: Any, parameters: tuple[Parameter, ...]) -> None:
    said = describe(thing)
    if not said.summary:
        raise Nonconformance(f"{where} has no docstring; its first line says what it is, in a sentence")
    names = [p.name for p in parameters]
    for p in parameters:
        if not p.description:
            raise Nonconformance(
                f"{p.name!r} is not described; add a line to `Args:` of {where}: what it means, and its unit"
            )
    for name in said.parameters:
        if name not in names:
            raise Nonconformance(f"`Args:` of {where} describes {name!r}, which is no parameter{nearest(name, names)}")
    if not said.source:
        raise Nonconformance(f"{where} names no source; add a line `Source: author (year), where` to its docstring")


def _sent(given: Any) -> dict[str, Any]:
    try:
        revived: dict[str, Any] = pickle.loads(pickle.dumps(dict(given)))  # noqa: S301 - our own bytes
        json.dumps(revived, default=str)
    except Exception as error:
        raise Nonconformance(f"its parameters cannot be sent: {error}; use numbers, strings and lists") from None
    return revived


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return isinstance(value, PLAIN)
