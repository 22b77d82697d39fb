"""The shipped problems and optimizers as Markdown, from the registry."""

import math
from collections.abc import Sequence
from typing import Any, get_args

from bench_ovp.optimizers import DriverMethod, Method
from bench_ovp.parameters import Description, Parameter
from bench_ovp.problems import Problem, description_of, parameters_of
from bench_ovp.registry import Registry, installed

SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
CLOCKS = {"lr": "lr·iteration", "iteration": "the iteration", "time": "the t of the flow"}
DISTRIBUTION = "bench-ovp"


def write_problems() -> str:
    """A section per shipped problem."""
    registry = installed()
    return "\n\n".join(_write_problem(registry, name) for name in _shipped(registry, "problems"))


def write_optimizers() -> str:
    """A section per shipped optimizer."""
    registry = installed()
    return "\n\n".join(_write_method(registry.methods[name]) for name in _shipped(registry, "optimizers"))


def _shipped(registry: Registry, kind: str) -> list[str]:
    return [name for p in registry.plugins if p.distribution == DISTRIBUTION for name in getattr(p, kind)]


def _write_problem(registry: Registry, name: str) -> str:
    definition = registry.problems[name]
    said = description_of(definition)
    theory = _write_theory(registry, registry.problem(name))
    return _section(name, said, parameters_of(definition), theory)


def _write_method(method: Method) -> str:
    symmetry = "isometries" if method.isometry_equivariant else "rotations" if method.rotation_equivariant else ""
    facts = [
        "- A driver, which owns its loop." if isinstance(method, DriverMethod) else "- A step, which the host repeats.",
        f"- `time` is {CLOCKS[method.clock]}.",
        f"- It commutes with {symmetry}." if symmetry else "- No symmetry is declared.",
    ]
    if method.family:
        facts.append(f"- It is held against theories for the family `{method.family}`.")
    return _section(method.name, method.description, method.parameters, "\n".join(facts))


def _section(name: str, said: Description, parameters: Sequence[Parameter], rest: str) -> str:
    rows = [
        f"| `{p.name}` | {_write_default(p)} | {_write_limits(p.annotation)} | {p.description} |" for p in parameters
    ]
    table = ["| parameter | default | limits | meaning |", "| --- | --- | --- | --- |", *rows]
    parts = [f"## {name}", said.summary, said.body, "\n".join(table) if rows else "It has no parameters.", rest]
    return "\n\n".join([*filter(None, parts), f"*Source:* {said.source}"])


def _write_default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    return "drawn, or none" if parameter.default is None else f"`{parameter.default}`"


def _write_limits(annotation: Any) -> str:
    """The limits of a number, as its annotation has them: "≥ 0, < 1"."""
    return ", ".join(
        f"{sign} {getattr(part, name)}"
        for part in get_args(annotation)
        for name, sign in SIGNS.items()
        if hasattr(part, name)
    )


def _write_theory(registry: Registry, problem: Problem) -> str:
    """What is known of shipped methods at the defaults of both."""
    rows = []
    for name in _shipped(registry, "optimizers"):
        optimizer = registry.optimizer(name)
        known = problem.theory(optimizer.method.family, optimizer.parameters) if optimizer.method.family else None
        if known:
            value = "" if math.isnan(known.value) else f"{known.value:.6g}"
            rows.append(f"| `{name}` | {known.law} | {value} | {known.source} |")
    return "\n".join(["| under | law | value | theory, at the defaults |", "| --- | --- | --- | --- |", *rows])
