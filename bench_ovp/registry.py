"""Plug-ins in, problems and optimizers by name out."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, cast

import pluggy

from . import hookspecs
from .errors import InputError
from .optimizers import DriverMethod, Method, Optimizer, StepMethod
from .parameters import nearest
from .problems import Problem, ProblemDefinition, parameters_of


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was found: where it comes from, what it offers, and what is wrong with it, if anything."""

    name: str
    distribution: str
    version: str
    module: str
    problems: tuple[str, ...] = ()
    optimizers: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Registry:
    """All problems and optimizers that are offered, by name.

    Args:
        problems: problem classes by name.
        methods: optimizers' methods by name.
        plugins: every plug-in found, the failed ones too.
    """

    problems: Mapping[str, type[ProblemDefinition]] = field(default_factory=dict)
    methods: Mapping[str, Method] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()

    def problem(self, name: str, **given: Any) -> Problem:
        """The problem `name` with `given` parameters; InputError names the nearest known one."""
        return Problem(self._known(self.problems, name, "problem"), given)

    def optimizer(self, name: str, label: str | None = None, **given: Any) -> Optimizer:
        """The optimizer `name` with `given` parameters; InputError names the nearest known one."""
        return Optimizer(self._known(self.methods, name, "optimizer"), given, label)

    def module_of(self, kind: str, name: str) -> str:
        """The module of the plug-in that offers `name`; `kind` is "problem" or "optimizer"."""
        for plugin in self.plugins:
            if name in (plugin.problems if kind == "problem" else plugin.optimizers):
                return plugin.module
        raise KeyError(name)

    def _known(self, offered: Mapping[str, Any], name: str, kind: str) -> Any:
        if name in offered:
            return offered[name]
        failed = [p.name for p in self.plugins if p.error]
        note = f" (plug-ins that did not load: {', '.join(failed)})" if failed else ""
        raise InputError(f"unknown {kind} {name!r}{nearest(name, offered)}{note}")


@cache
def installed() -> Registry:
    """The registry of every plug-in that is installed; read once per process."""
    found = sorted(entry_points(group=hookspecs.PROJECT), key=lambda e: (e.name, e.value))
    return gather(found)


def gather(found: list[EntryPoint]) -> Registry:
    """Load entry points one by one, so that one that fails is named and hurts nobody else."""
    problems: dict[str, type[ProblemDefinition]] = {}
    methods: dict[str, Method] = {}
    plugins = []
    for entry in found:
        distribution = entry.dist.name if entry.dist else "?"
        version = entry.dist.version if entry.dist else "?"
        plugin = Plugin(entry.name, distribution, version, entry.value.partition(":")[0])
        try:
            offered = _offers(entry)
            _refuse_duplicates(offered, problems, methods)
        except (Exception, SystemExit) as error:  # a plug-in's own; it is named, and the others load
            frame = traceback.extract_tb(error.__traceback__)[-1]
            message = " ".join(str(error).split())
            told = f"{type(error).__name__}: {message} ({frame.filename}:{frame.lineno})"
            plugins.append(Plugin(plugin.name, distribution, version, plugin.module, error=told))
            continue
        problems |= offered[0]
        methods |= offered[1]
        plugins.append(Plugin(plugin.name, distribution, version, plugin.module, tuple(offered[0]), tuple(offered[1])))
    return Registry(problems, methods, tuple(plugins))


Offered = tuple[dict[str, type[ProblemDefinition]], dict[str, Method]]


def _offers(entry: EntryPoint) -> Offered:
    """What one entry point offers, checked; raises what is wrong."""
    module = entry.load()
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, entry.name)
    _refuse_misspelt(module)
    problems: dict[str, type[ProblemDefinition]] = {}
    for definition in _flatten(manager.hook.bench_ovp_problems):
        _check_problem(definition)
        _add(problems, definition.name, definition)
    methods: dict[str, Method] = {}
    for method in _flatten(manager.hook.bench_ovp_optimizers):
        if not isinstance(method, StepMethod | DriverMethod):
            raise TypeError(f"bench_ovp_optimizers must return StepMethod or DriverMethod, not {method!r}")
        _ = method.parameters  # its signature must be readable
        _add(methods, method.name, method)
    return problems, methods


def _flatten(hook: pluggy.HookCaller) -> list[Any]:
    results = hook()
    if len(results) < len(hook.get_hookimpls()):  # pluggy leaves None out
        raise TypeError(f"{hook.name} must return a list, not None")
    for result in results:
        if not isinstance(result, list | tuple):
            raise TypeError(f"{hook.name} must return a list, not {result!r}")
    return [item for result in results for item in result]


def _add(offered: dict[str, Any], name: Any, item: Any) -> None:
    if not isinstance(name, str) or not name:
        raise TypeError(f"the name of {item!r} must be a string")
    if name in offered:
        raise ValueError(f"{name!r} is offered twice")
    offered[name] = item


def _check_problem(definition: Any) -> None:
    if not inspect.isclass(definition):
        raise TypeError(f"bench_ovp_problems must return classes, not {definition!r}")
    for required in ("name", "start", "loss", "grad"):
        if not hasattr(definition, required):
            raise TypeError(f"problem {definition.__name__} has no {required!r}")
    parameters_of(cast("type[ProblemDefinition]", definition))


def _refuse_misspelt(module: ModuleType) -> None:
    # pluggy leaves a hook that it does not know out in silence, unless check_pending() asks; and a function
    # without the marker is no hook at all. Both are a slip of the pen that would hide a whole plug-in.
    known = {name for name in vars(hookspecs) if name.startswith("bench_ovp_")}
    for name, value in vars(module).items():
        marked = getattr(value, f"{hookspecs.PROJECT}_impl", None)
        if marked and (marked.get("specname") or name) not in known:
            raise NameError(f"unknown hook {name!r}{nearest(name, known)}")
        if name in known and callable(value) and not marked:
            raise NameError(f"{name} lacks the @bench_ovp.hookimpl marker")
    if not any(getattr(value, f"{hookspecs.PROJECT}_impl", None) for value in vars(module).values()):
        raise NameError(f"it implements no hook; known: {', '.join(sorted(known))}")


def _refuse_duplicates(offered: Offered, problems: Mapping[str, Any], methods: Mapping[str, Any]) -> None:
    for kind, new, old in (("problem", offered[0], problems), ("optimizer", offered[1], methods)):
        for name in new:
            if name in old:
                raise ValueError(f"{kind} {name!r} is offered by another plug-in already")
