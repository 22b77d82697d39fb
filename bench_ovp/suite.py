"""Suites: what a suite file asks for, checked."""

from __future__ import annotations

import math
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from .candidates import TUNED, Tunable
from .checkpoints import Horizon, StopRule
from .errors import InputError
from .matrices import load_matrix
from .optimizers import DriverMethod, Optimizer, name_for
from .parameters import Parameter, count_numbers, nearest, show_value
from .parameters import label as write_label
from .problems import Problem, parameters_of
from .registry import Registry, find_files
from .yaml_nodes import LARGEST_INTEGER, Mark, Node, parse, read_text

MOST_CELLS = 2_000_000  # problems x optimizers x seeds
MOST_POINTS = 50_000  # of all grids over problems, and as many over optimizers: a second of making them
MOST_NUMBERS = 1_000_000  # in the vectors and matrices of all points together
MOST_OVERRIDES = 100
MOST_MATCHED = 200_000_000  # characters of labels that overrides are held against: a second of matching
FINEST = 1000  # checkpoints per decade
LONGEST_NAME = 100
MOST_CHOICES = 100  # methods of one library in one item

EXAMPLES = {
    "name": "name: paper (letters, digits, '.', '_' and '-', at most 100)",
    "problems": "problems: [NAME, NAME: {PARAMETER: VALUE}] with names from `bench-ovp list`",
    "optimizers": "optimizers: [NAME, NAME: {PARAMETER: VALUE}] with names from `bench-ovp list`",
    "label": "label: momentum",
    "seeds": "seeds: 16 or seeds: [0, 3, 7]",
    "horizon": "horizon: {iterations: 1e5}",
    "iterations": "iterations: 1e6",
    "time": "time: 5e4",
    "evaluations": "evaluations: 1e6",
    "stepped": "stepped: 1e5",
    "checkpoints": "checkpoints: {per_decade: 20}",
    "per_decade": "per_decade: 20",
    "stop": "stop: {loss: 1e-28, wall: 10m}",
    "loss": "loss: 1e-28",
    "wall": "wall: 10m, or 30s, 1h30m, or a number of seconds",
    "memory": "memory: 2GB, or 500MB, or a number of bytes",
    "plugins": "plugins: [my_optimizer.py], a Python file with hooks, relative to the suite file",
    "overrides": 'overrides: [{cells: "* x NAME*", horizon: {iterations: 1e4}}]',
    "cells": 'cells: "* x NAME*"',
    "tuning": "tuning: {seeds: [100, 101, 102, 103]}, with seeds that the suite does not have",
    "tune": "tune: {lr: [0.01, 0.1, 1]}",
}
REQUIRED = ("name", "problems", "optimizers", "seeds", "horizon")

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
# What Windows takes for a device, whatever follows a dot: results are carried from machine to machine.
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{k}" for port in ("COM", "LPT") for k in range(1, 10))}
_AMOUNT = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_UNITS = ("", "kB", "MB", "GB", "TB")
_MEMORY = re.compile(f"{_AMOUNT} ?({'|'.join(_UNITS)})")
_WALL = re.compile(f"(?:{_AMOUNT}h)?(?:{_AMOUNT}m)?(?:{_AMOUNT}s)?")


@dataclass(frozen=True)
class Override:
    """Another horizon or stop rule for the cells whose label matches the glob `cells`."""

    cells: str
    horizon: Horizon | None = None
    stop: StopRule | None = None


@dataclass(frozen=True)
class Tuning:
    """How parameters are chosen that an optimizer leaves to be tuned.

    Args:
        seeds: that candidates are tried on; none of the suite's.
        horizon: of these runs, where it differs from that of the cell, key by key.
    """

    seeds: tuple[int, ...]
    horizon: Horizon | None = None


@dataclass(frozen=True)
class Suite:
    """What a suite file asks for: every problem with every optimizer from every seed.

    Args:
        name: the folder of its results.
        problems: in the file's order, grids expanded, the last parameter fastest; labels are distinct.
        optimizers: likewise; some may be still to be tuned.
        seeds: distinct.
        horizon: how far runs go, unless an override says otherwise.
        per_decade: checkpoints per decade.
        stop: when they end early, unless an override says otherwise.
        overrides: in the file's order.
        tuning: how parameters are chosen; None where no optimizer leaves any.
        absent: what it names and cannot be had, because a plug-in did not load; a line each.
        text: the file as read.
    """

    name: str
    problems: tuple[Problem, ...]
    optimizers: tuple[Optimizer | Tunable, ...]
    seeds: tuple[int, ...]
    horizon: Horizon
    per_decade: int = 20
    stop: StopRule = field(default_factory=StopRule)
    overrides: tuple[Override, ...] = ()
    tuning: Tuning | None = None
    absent: tuple[str, ...] = ()
    text: str = field(default="", repr=False)

    def rules(self, problem: str, optimizer: str) -> tuple[Horizon, StopRule]:
        """The horizon and stop rule of a cell, by its labels; later overrides win, key by key."""
        horizon, stop = self.horizon, self.stop
        for override in self.overrides:
            if matches(override.cells, cell_label(problem, optimizer)):
                horizon = replace(horizon, **_given(override.horizon))
                stop = replace(stop, **_given(override.stop))
        return horizon, stop

    def tuning_rules(self, problem: str, optimizer: str) -> tuple[Horizon, StopRule]:
        """The horizon and stop rule of the runs by which a cell is tuned: those of the cell, and what `tuning` says."""
        horizon, stop = self.rules(problem, optimizer)
        return replace(horizon, **_given(self.tuning.horizon if self.tuning else None)), stop


def cell_label(problem: str, optimizer: str) -> str:
    """What globs are matched against."""
    return f"{problem} x {optimizer}"


def matches(glob: str, label: str) -> bool:
    """Whether `glob` covers all of `label`: * and ? are wild, brackets literal, case counts."""
    return compile_glob(glob)(label) is not None


@lru_cache(maxsize=4 * MOST_OVERRIDES)  # as a suite of a million cells asks each of its globs a million times
def compile_glob(glob: str) -> Callable[[str], re.Match[str] | None]:
    """The matcher of a glob, see `matches`."""
    return re.compile(translate(glob.replace("[", "[[]"))).match


def read_suite(path: Path, registry: Registry, folder: Path | None = None) -> Suite:
    """Read and check a suite file.

    Args:
        path: the file.
        registry: the problems and optimizers that it may name.
        folder: where relative paths in it begin; its own folder, if None.
    Errors:
        InputError: PATH:LINE:COLUMN, the first mistake, and the remedy.
    """
    text = read_text(path)
    root = parse(text, path)
    folder = (folder or path.parent).resolve()
    readers: dict[str, Reader] = {
        "name": _read_name,
        "plugins": _read_plugins,
        "problems": partial(_read_entries, kind="problem", registry=registry, folder=folder),
        "optimizers": partial(_read_entries, kind="optimizer", registry=registry, folder=folder),
        "seeds": _read_seeds,
        "horizon": _read_horizon,
        "checkpoints": partial(_read_keys, readers={"per_decade": partial(_read_count, least=1, most=FINEST)}),
        "stop": _read_stop,
        "overrides": _read_overrides,
        "tuning": _read_tuning,
    }
    found = _read_top(root, readers)
    absent = [entry for kind in ("problems", "optimizers") for entry in found[kind] if entry.absent]
    for kind in ("problems", "optimizers"):
        found[kind] = [entry for entry in found[kind] if not entry.absent]
        if not found[kind]:
            raise absent[0].mark.refuse(absent[0].absent)
    _refuse_many(found)
    problems = _expand(found["problems"], lambda entry, point: Problem(registry.problems[entry.name], point))
    optimizers = _expand(
        found["optimizers"],
        lambda entry, point: _make_optimizer(entry, point, registry),
    )
    tuning: Tuning | None = found.get("tuning")
    _check_tuning(root, found, tuning)
    overrides: list[tuple[Mark, Override]] = found.get("overrides", [])
    suite = Suite(
        name=found["name"],
        problems=tuple(problems.values()),
        optimizers=tuple(optimizers.values()),
        seeds=tuple(found["seeds"]),
        horizon=found["horizon"],
        per_decade=found.get("checkpoints", {}).get("per_decade", Suite.per_decade),
        stop=found.get("stop", StopRule()),
        overrides=tuple(override for _, override in overrides),
        tuning=tuning,
        absent=tuple(str(entry.mark.refuse(entry.absent)) for entry in absent),
        text=text,
    )
    if overrides:
        _refuse_much_matching(overrides, problems, optimizers)
    for mark, override in overrides:
        match = compile_glob(override.cells)
        if not absent and not any(match(cell_label(*cell)) for cell in product(problems, optimizers)):
            known = f"a cell is called {_clip(cell_label(next(iter(problems)), next(iter(optimizers))))}"
            raise mark.refuse(f"no cell matches {reprlib.repr(override.cells)}; {known}, and * and ? are wild")
    # An override may add an end, and never takes one away.
    asked = suite.horizon
    endless = asked.iterations is None and asked.time is None and asked.evaluations is None
    for problem, optimizer in product(problems, optimizers) if endless else ():
        rule = suite.rules(problem, optimizer)[0]
        if rule.iterations is None and rule.time is None and rule.evaluations is None:
            raise root.children["horizon"].refuse(f"the horizon has no end; write {EXAMPLES['horizon']}")
    flows = [label for label, it in optimizers.items() if it.method.clock == "time"] if not asked.time else []
    for problem, optimizer in product(problems, flows):
        if suite.rules(problem, optimizer)[0].time is None:
            told = f"{_clip(optimizer)} is a flow and ends at a time; add one, such as horizon: {{time: 5e4}}"
            raise root.children["horizon"].refuse(told)
    return suite


@dataclass(frozen=True)
class _Entry:
    """An item of `problems` or `optimizers`: for each parameter given, the values that it takes in turn."""

    mark: Mark
    name: str
    values: Mapping[str, Sequence[Any]]
    label: str | None = None
    absent: str = ""  # why nothing can be made of it
    tuned: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    order: tuple[str, ...] = ()  # of all parameters in the file, where some are tuned
    tune_mark: Mark | None = None

    @property
    def size(self) -> int:
        return math.prod(len(values) for values in self.values.values())

    @property
    def candidates(self) -> int:
        """How many points there are to tune with; 0 where nothing is tuned."""
        return self.size * math.prod(len(values) for values in self.tuned.values()) if self.tuned else 0

    def points(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.values, point, strict=True)) for point in product(*self.values.values()))

    @property
    def numbers(self) -> int:
        """How many numbers the vectors and matrices of all points hold."""
        size = max(self.size, self.candidates)
        lists = (*self.values.values(), *self.tuned.values())
        return sum(size // len(values) * sum(map(count_numbers, values)) for values in lists if values)


Reader = Callable[[Node], Any]
Made = TypeVar("Made", Problem, Optimizer | Tunable)


def _read_top(root: Node, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The values of the top keys, read in the file's order; the first of all mistakes is reported."""
    if not isinstance(root.value, dict):
        raise root.refuse(f"a suite must be a mapping, not {root.show()}; begin with {EXAMPLES['name']}")
    found: dict[str, Any] = {}
    mistakes: list[str] = []
    for key, node in root.value.items():
        if mistakes and key not in readers:
            mistakes.append(key)  # it only counts: finding the nearest known key takes a while
            continue
        try:
            found[key] = _reader(node, readers)(node)
        except InputError as error:
            mistakes.append(str(error))
    for key in REQUIRED:
        if key not in root.value:
            mistakes.append(str(root.refuse(f"the suite has no {key}; write {EXAMPLES[key]}")))
    if mistakes:
        more = f" (and {len(mistakes) - 1} more)" if mistakes[1:] else ""
        raise InputError(mistakes[0] + more)
    return found


def _read_keys(node: Node, readers: Mapping[str, Reader]) -> dict[str, Any]:
    if not isinstance(node.value, dict) or not node.value:
        raise _mistaken(node, "a mapping with at least one key")
    return {key: _reader(child, readers)(child) for key, child in node.value.items()}


def _reader(node: Node, readers: Mapping[str, Reader]) -> Reader:
    if node.key not in readers:
        raise node.key_mark.refuse(f"unknown key {reprlib.repr(node.key)}{nearest(node.key, readers)}")
    return readers[node.key]


def _mistaken(node: Node, what: str) -> InputError:
    return node.refuse(f"{node.key} must be {what}, not {node.show()}; write {EXAMPLES[node.key]}")


def _read_list(node: Node) -> list[Node]:
    if not isinstance(node.value, list) or not node.value:
        raise _mistaken(node, "a list with at least one item")
    return node.value


def _read_text(node: Node) -> str:
    if not isinstance(node.value, str) or not node.value.strip():
        raise _mistaken(node, "a text (in quotes, if it looks like a number)")
    return node.value


def _read_count(node: Node, least: int = 1, most: int = LARGEST_INTEGER) -> int:
    value = node.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        upto = f" to {most}" if most < LARGEST_INTEGER else ""
        raise _mistaken(node, f"a whole number from {least}{upto}")
    return value


def _read_number(node: Node, zero: bool = False) -> float:
    value = node.value
    if isinstance(value, int | float) and not isinstance(value, bool) and (value > 0 or (zero and value == 0)):
        return float(value)
    raise _mistaken(node, "a number that is not negative" if zero else "a positive number")


def _read_name(node: Node) -> str:
    name = _read_text(node)
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name) or name.partition(".")[0].upper() in _DEVICES:
        raise _mistaken(node, "fit to name a folder")
    return name


def read_plugins(path: Path, folder: Path | None = None) -> tuple[Path, ...]:
    """The single-file plug-ins that a suite file asks for; nothing else of it is looked at.

    Args:
        path: the suite file.
        folder: where relative paths in it begin; its own folder, if None.
    Errors:
        InputError: the file cannot be read, or one of them is not there.
    """
    root = parse(read_text(path), path)
    node = root.value.get("plugins") if isinstance(root.value, dict) else None
    if node is None:
        return ()
    found: list[Path] = []
    for item in _read_list(node):
        with item.mark.locate():
            found += find_files([_read_text(item)], (folder or path.parent).resolve())
    return tuple(found)


def _read_plugins(node: Node) -> None:
    """They were read before the registry was made."""


def _read_seeds(node: Node) -> Sequence[int]:
    if not isinstance(node.value, list):
        return range(_read_count(node))
    seeds: dict[int, None] = {}
    for item in _read_list(node):
        seed = _read_count(item, least=0)
        if seed in seeds:
            raise item.refuse(f"the seed {seed} is given twice; remove one of the two")
        seeds[seed] = None
    return tuple(seeds)


def _read_horizon(node: Node) -> Horizon:
    readers: dict[str, Reader] = {
        "iterations": _read_count,
        "time": _read_number,
        "evaluations": _read_count,
        "stepped": _read_count,
    }
    return Horizon(**_read_keys(node, readers))


def _read_stop(node: Node) -> StopRule:
    readers: dict[str, Reader] = {
        "loss": partial(_read_number, zero=True),
        "wall": _read_wall,
        "memory": _read_memory,
    }
    return StopRule(**_read_keys(node, readers))


def _read_memory(node: Node) -> int:
    if not isinstance(node.value, str):
        return _read_count(node)
    found = _MEMORY.fullmatch(node.value)
    size = float(found.group(1)) * 1000 ** _UNITS.index(found.group(2)) if found else 0.0
    if size < 1:
        raise _mistaken(node, "an amount of memory")
    return int(size)


def _read_wall(node: Node) -> float:
    if not isinstance(node.value, str):
        return _read_number(node)
    found = _WALL.fullmatch(node.value)
    hours, minutes, seconds = (float(amount or 0) for amount in (found.groups() if found else "000"))
    wall = 3600 * hours + 60 * minutes + seconds
    if wall == 0:
        raise _mistaken(node, "a positive span of time")
    return wall


def _read_tuning(node: Node) -> Tuning:
    values = _read_keys(node, {"seeds": _read_seeds, "horizon": _read_horizon})
    if "seeds" not in values:
        raise node.refuse(f"tuning needs seeds; write {EXAMPLES['tuning']}")
    if (count := len(values["seeds"])) > MOST_CELLS:
        raise node.children["seeds"].refuse(f"{count:,} seeds are too many; list at most {MOST_CELLS:,}")
    return Tuning(tuple(values["seeds"]), values.get("horizon"))


def _check_tuning(root: Node, found: Mapping[str, Any], tuning: Tuning | None) -> None:
    """Refuse a tuning without seeds, seeds without a tuning, and seeds that are used twice."""
    marks = [entry.tune_mark for entry in found["optimizers"] if entry.tune_mark]
    if tuning is None:
        if marks:
            raise marks[0].refuse(f"the suite does not say what to tune on; write {EXAMPLES['tuning']}")
        return
    if not marks and not any(entry.absent for entry in found["optimizers"]):
        told = f"no optimizer is to be tuned; remove the key, or give one {EXAMPLES['tune']}"
        raise root.children["tuning"].refuse(told)
    if told := say_shared(found["seeds"], tuning):
        raise root.children["tuning"].children["seeds"].refuse(told)


def say_shared(seeds: Collection[int], tuning: Tuning) -> str:
    """What is wrong where results would be reported from seeds that were tuned on; "" where nothing is."""
    known = seeds if isinstance(seeds, range) else set(seeds)
    shared = next((seed for seed in tuning.seeds if seed in known), None)
    if shared is None:
        return ""
    return f"seed {shared} is among those that are reported; tune on others, such as {max(seeds) + 1}"


def _make_optimizer(entry: _Entry, point: dict[str, Any], registry: Registry) -> Optimizer | Tunable:
    method = registry.methods[entry.name]
    if not entry.tuned:
        return Optimizer(method, point, entry.label)
    given = {name: point.get(name, TUNED) for name in entry.order}
    tunable = Tunable(method, given, entry.tuned, entry.label)
    _ = tunable.candidates  # refuses bad values here, where they are written
    return tunable


def _read_overrides(node: Node) -> list[tuple[Mark, Override]]:
    items = _read_list(node)
    if len(items) > MOST_OVERRIDES:
        raise node.refuse(f"{len(items)} overrides; say it in {MOST_OVERRIDES}, with * in cells")
    readers: dict[str, Reader] = {"cells": _read_text, "horizon": _read_horizon, "stop": _read_stop}
    overrides = []
    for item in items:
        values = _read_keys(item, readers)
        if "cells" not in values or len(values) == 1:
            raise item.refuse(f"an override needs cells, and horizon or stop; write {EXAMPLES['overrides']}")
        overrides.append((item.children["cells"].mark, Override(**values)))
    return overrides


def _read_entries(node: Node, kind: str, registry: Registry, folder: Path) -> list[_Entry]:
    return [_read_entry(item, kind, registry, folder) for item in _read_list(node)]


def _read_entry(item: Node, kind: str, registry: Registry, folder: Path) -> _Entry:
    name, given = _read_item(item, kind)
    if registry.failed and name not in (registry.problems if kind == "problem" else registry.methods):
        # It may well be what a broken plug-in would have offered: the others can do without it.
        failed = "; ".join(plugin.fault for plugin in registry.failed)
        return _Entry(item.mark, name, {}, absent=f"there is no {kind} {reprlib.repr(name)}, and {failed}")
    choices = _choices(item, kind, name, given, registry, folder)
    label, tune = None, None
    values: dict[str, list[Any]] = {}
    tuned: dict[str, list[Any]] = {}
    order: list[str] = []
    for key, node in given.items():
        if key == "tune" and kind == "optimizer":
            tune, tuned = node, _read_tune(node, given, choices, folder)
            order += tuned
            continue
        if key == "label" and kind == "optimizer":
            label = _read_text(node)
            if len(label) > LONGEST_NAME:
                raise node.refuse(f"a label of {len(label)} characters; shorten it to {LONGEST_NAME}")
            continue
        others = (["label", "tune"] if isinstance(node.value, dict) else ["label"]) if kind == "optimizer" else []
        values[key] = _read_parameter(node, choices, folder, others)
        order.append(key)
    entry = _Entry(item.mark, name, values, label, "", tuned, tuple(order), tune.key_mark if tune else None)
    _refuse_twice(entry, kind)
    if label is not None and entry.size > 1:
        told = f"one label for the {entry.size} optimizers of a grid; remove it, or list them one by one"
        raise given["label"].key_mark.refuse(told)
    return entry


def _read_parameter(
    node: Node, choices: Mapping[str, Mapping[str, Parameter]], folder: Path, others: Sequence[str]
) -> list[Any]:
    """The values of one parameter of an item; `others` are the keys that may stand beside parameters."""
    values: list[Any] | None = None
    for owner, known in choices.items():
        if node.key not in known:
            near = nearest(node.key, [*known, *others])
            raise node.key_mark.refuse(f"{owner} has no parameter {reprlib.repr(node.key)}{near}")
        read = _read_values(node, known[node.key], folder)
        if values is not None and values != read:
            told = f"{node.key} is one thing for {next(iter(choices))} and another for {owner}; list them one by one"
            raise node.key_mark.refuse(told)
        values = read
    return values or []


def _read_tune(
    node: Node, given: Mapping[str, Node], choices: Mapping[str, Mapping[str, Parameter]], folder: Path
) -> dict[str, list[Any]]:
    """The grid of an optimizer that is to be tuned."""
    if not isinstance(node.value, dict) or not node.value:
        raise _mistaken(node, "a mapping of parameters to the values that they may take")
    grid = {}
    for key, child in node.value.items():
        if key in given:
            raise child.key_mark.refuse(f"{key} is given, and to be tuned; remove one of the two")
        grid[key] = values = _read_parameter(child, choices, folder, [])
        [(most, count)] = Counter(map(show_value, values)).most_common(1)
        if count > 1:
            raise child.refuse(f"{key} = {_clip(most)} is given twice; remove one of the two")
        if len(values) < 2:
            raise child.refuse(f"one value of {key} leaves nothing to choose; list more, or move it out of tune")
    return grid


def _choices(
    item: Node, kind: str, name: str, given: Mapping[str, Node], registry: Registry, folder: Path
) -> dict[str, dict[str, Parameter]]:
    """The parameters that an item may set, by name: one set of them for each point of the grid that decides."""
    fixed = {p.name: p for p in _parameters(item.mark, kind, name, registry)}
    method = registry.methods[name] if kind == "optimizer" else None
    if not isinstance(method, DriverMethod) or not method.deciding:
        return {name: fixed}
    deciding = {p.name: _read_values(given[p.name], p, folder) for p in method.deciding if p.name in given}
    entry = _Entry(next((given[key].mark for key in deciding), item.mark), name, deciding)
    if entry.size > MOST_CHOICES:
        raise entry.mark.refuse(f"a grid of {entry.size:,} in {name}; list at most {MOST_CHOICES} in one item")
    choices = {}
    for point in entry.points():
        with entry.mark.locate():
            choices[name_for(method, point)] = {p.name: p for p in method.parameters_for(point)}
    return choices


def _read_item(item: Node, kind: str) -> tuple[str, Mapping[str, Node]]:
    """The name in an item of a list, and the nodes of its parameters."""
    example = "NAME or NAME: {PARAMETER: VALUE}"
    if isinstance(item.value, str):
        return item.value, {}
    if not isinstance(item.value, dict) or not item.value:
        raise item.refuse(f"a {kind} must be a name, not {item.show()}; write {example}")
    (name, node), *others = item.value.items()
    if others:
        told = f"a second key in one {kind}; put it on a line of its own with a dash, or write {example}"
        raise others[0][1].key_mark.refuse(told)
    if node.value is None:
        return name, {}
    if not isinstance(node.value, dict):
        raise node.refuse(f"the parameters of {_clip(name)} must be a mapping, not {node.show()}; write {example}")
    return name, node.value


def _parameters(mark: Mark, kind: str, name: str, registry: Registry) -> tuple[Parameter, ...]:
    with mark.locate():
        if kind == "problem":
            if name not in registry.problems:
                registry.problem(name)  # says which ones there are
            return parameters_of(registry.problems[name])
        if name not in registry.methods:
            registry.optimizer(name)
        return registry.methods[name].parameters


def _read_values(node: Node, parameter: Parameter, folder: Path) -> list[Any]:
    """The values that a parameter takes in turn: one, or those of a grid."""
    if not isinstance(node.value, list) or _rank(node, parameter) <= parameter.depth:
        return [_read_value(node, parameter, folder)]
    if not node.value:
        raise node.refuse(f"the grid of {parameter.name} is empty; give a value, or remove the key")
    return [_read_value(item, parameter, folder) for item in node.value]


def _read_value(node: Node, parameter: Parameter, folder: Path) -> Any:
    value = node.plain()
    with node.mark.locate():
        if isinstance(value, str) and parameter.takes_path:
            value = folder / value
            load_matrix(value)
        return parameter.check(value)


def _rank(node: Node, parameter: Parameter) -> int:
    """How many lists deep `node` is, where the path of a matrix counts as the matrix."""
    if isinstance(node.value, list):
        return 1 + max((_rank(item, parameter) for item in node.value), default=0)
    return parameter.depth if isinstance(node.value, str) and parameter.takes_path else 0


def _refuse_many(found: Mapping[str, Any]) -> None:
    # Counted before anything is expanded: seeds: 1e12 must cost nothing.
    sizes = {kind: sum(entry.size for entry in found[kind]) for kind in ("problems", "optimizers")}
    problems, optimizers, seeds = *sizes.values(), len(found["seeds"])
    candidates = sum(entry.candidates for entry in found["optimizers"])
    tried = len(found["tuning"].seeds) if candidates and "tuning" in found else 0
    if problems * (optimizers * seeds + candidates * tried) > MOST_CELLS:
        told = f"{problems:,} problems x {optimizers:,} optimizers x {seeds:,} seeds"
        told += f", and {candidates:,} candidates x {tried:,} seeds to tune" if tried else ""
        remedy = f"shorten a grid or the seeds to at most {MOST_CELLS:,} runs, or split the suite"
        raise found["problems"][0].mark.refuse(f"{told} are too many; {remedy}")
    sizes["optimizers"] += candidates
    for kind, size in sizes.items():
        mark = found[kind][0].mark
        if size > MOST_POINTS:
            raise mark.refuse(f"{size:,} {kind} are too many; shorten a grid to at most {MOST_POINTS:,}")
        if (numbers := sum(entry.numbers for entry in found[kind])) > MOST_NUMBERS:
            told = f"{numbers:,} numbers in the vectors and matrices of {size:,} {kind} are too many"
            raise mark.refuse(f"{told}; shorten a grid to at most {MOST_NUMBERS:,}, or split the suite")


def _refuse_much_matching(
    overrides: Sequence[tuple[Mark, Override]], problems: Collection[str], optimizers: Collection[str]
) -> None:
    one = len(optimizers) * sum(map(len, problems)) + len(problems) * sum(map(len, optimizers))
    if len(overrides) * one > MOST_MATCHED:
        cells = len(problems) * len(optimizers)
        told = f"{len(overrides)} overrides are too many for {cells:,} cells; say it in {MOST_MATCHED // one}"
        raise overrides[0][0].refuse(f"{told}, or split the suite")


def _refuse_twice(entry: _Entry, kind: str) -> None:
    """Refuse a grid with two equal values, before its points are made."""
    for key, values in entry.values.items():
        seen: set[str] = set()
        for value in values:
            shown = show_value(value)
            if shown in seen:
                point = {name: value if name == key else others[0] for name, others in entry.values.items()}
                raise _twice(entry.mark, write_label(entry.name, point), entry.mark.line, kind == "optimizer")
            seen.add(shown)


def _twice(mark: Mark, label: str, line: int, renamable: bool) -> InputError:
    remedy = ", or give it a label" if renamable else ""
    return mark.refuse(f"{_clip(label)} is on line {line} already; remove one of the two{remedy}")


def _expand(entries: list[_Entry], make: Callable[[_Entry, dict[str, Any]], Made]) -> dict[str, Made]:
    """Every point of every grid, made, by label."""
    made: dict[str, Made] = {}
    lines: dict[str, int] = {}
    for entry in entries:
        for point in entry.points():
            with entry.mark.locate():
                thing = make(entry, point)
                label = thing.label
            if label in made:
                raise _twice(entry.mark, label, lines[label], not isinstance(thing, Problem))
            made[label] = thing
            lines[label] = entry.mark.line
    return made


def _clip(label: str) -> str:
    """A label in a message, which a vector of hundreds of numbers would swamp."""
    return label if len(label) <= 200 else f"{label[:200]}…"


def _given(rule: Horizon | StopRule | None) -> dict[str, Any]:
    return {key: value for key, value in vars(rule).items() if value is not None} if rule else {}
