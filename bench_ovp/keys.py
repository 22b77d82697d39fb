"""What defines the numbers of a trace, and the key that is made of it.

A key covers names, parameters, what a method declares, the meaning of the sources, and the versions of libraries:
nothing else. Labels, seeds, horizons, paths and limits of time are not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from .optimizers import DriverMethod, Optimizer
from .parameters import load_matrix
from .problems import Problem
from .sources import digest_meanings, trace_sources

NUMERICS = ("checkpoints.py", "oracle.py", "optimizers.py", "problems.py", "trace.py", "integrate")
LIBRARIES = ("numpy", "scipy", "numba")
SILENT = {"name", "family", "check", "options", "libraries"}  # of a method: they define no number
FILE_MODULE = "bench_ovp_file_"  # how modules of single files begin; a digest of their place follows


class Definition(NamedTuple):
    """One side of a trace.

    Args:
        what: its name, its parameters, and what it declares of itself.
        sources: digests of the modules that it is made of, by name.
    """

    what: list[Any]
    sources: dict[str, str]


def define_problem(problem: Problem) -> Definition:
    """What defines a problem."""
    parents = problem.definition.__mro__
    modules = [parent.__module__ for parent in parents]
    return Definition([problem.name, _content_of(problem.parameters)], _trace_all(modules))


def define_optimizer(optimizer: Optimizer) -> Definition:
    """What defines an optimizer."""
    method = optimizer.method
    declared, modules = {}, []
    for field in fields(method):
        value = getattr(method, field.name)
        if callable(value):
            modules.append(_module_of(value))
        elif field.name not in SILENT and value != field.default:
            declared[field.name] = value
    sources = _trace_all(modules)
    if isinstance(method, DriverMethod):
        sources |= {f"{library}=={library_version(library)}": "" for library in method.libraries}
    return Definition([optimizer.name, _content_of(optimizer.parameters), declared], sources)


def describe_host() -> Definition:
    """What all traces share: the host's numerics, and the libraries under them."""
    libraries = {f"{library}=={library_version(library)}": "" for library in LIBRARIES}
    return Definition([], {"the host's numerics": numerics_digest(), **libraries})


def digest_definition(definition: Definition) -> str:
    """Of one side, or of the host."""
    return digest_json(definition)


def make_key(problem: str, optimizer: str, per_decade: int, stepped: int | None) -> str:
    """The key of a trace.

    Args:
        problem, optimizer: the digests of its two sides.
        per_decade: where it is recorded.
        stepped: up to where it is stepped, if that was asked for.
    """
    return digest_json([problem, optimizer, _digest_host(), per_decade, stepped])


@cache
def _digest_host() -> str:
    return digest_definition(describe_host())


def digest_json(plain: Any) -> str:
    """A digest of plain data."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


library_version = cache(version)  # it reads a file


@cache
def numerics_digest() -> str:
    """The digest of the host's own numerics."""
    here = Path(__file__).parent
    return digest_meanings(
        file for name in NUMERICS for file in ([here / name] if name.endswith(".py") else (here / name).glob("*.py"))
    )


@cache
def rates_digest() -> str:
    """The digest of the law detector, on which stored fits depend."""
    return digest_meanings((Path(__file__).parent / "rates").glob("*.py"))


def _trace_all(modules: Iterable[str]) -> dict[str, str]:
    """What modules are made of; the module of a single file is called by the file's name."""
    found: dict[str, str] = {}
    for module in dict.fromkeys(modules):
        for name, digest in trace_sources(module).items():
            plain = name.removeprefix(FILE_MODULE).rpartition("_")[0] if name.startswith(FILE_MODULE) else name
            found[plain] = digest
    return found


def _module_of(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__module__", None) or type(function).__module__


def _content_of(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: _content(value) for name, value in parameters.items()}


def _content(value: Any) -> Any:
    """A parameter's value as JSON; a matrix file by what is in it."""
    if isinstance(value, Path):
        return load_matrix(value)
    if isinstance(value, list | tuple):
        return [_content(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
