"""Plug-ins in; problems, optimizers and claims by name out."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import reprlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import pluggy

from . import hookspecs
from .claims import Claim
from .compiling import forget_stale
from .custody import Custody
from .errors import InputError
from .optimizers import DriverMethod, Method, Optimizer, StepMethod
from .parameters import nearest
from .problems import Problem, ProblemDefinition, parameters_of

COMPILED = ("integrate", "rates")  # of the host: numba keeps machine code there


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was found: where it comes from, what it offers, and what is wrong with it, if anything.

    Args:
        name: of its entry point, or of its file.
        distribution, version: that installed it; of a single file, the file.
        module: its module's name, or the path of a single file.
        problems, optimizers, claims: the names it offers.
        digest: of what is in its file; "" for a module.
        error: why it did not load; "" if it did.
        said: what it printed while it was loaded.
    """

    name: str
    distribution: str
    version: str
    module: str
    problems: tuple[str, ...] = ()
    optimizers: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    digest: str = ""
    error: str = ""
    said: str = ""

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"the plug-in {self.name} ({self.origin})"

    @property
    def fault(self) -> str:
        """What is wrong with it, in one line; "" if it did load."""
        return f"{self.title} did not load: {self.error}" if self.error else ""

    @property
    def origin(self) -> str:
        """Its distribution and version, or its file."""
        return f"{self.distribution} {self.version}".strip()

    @cached_property
    def places(self) -> tuple[Path, ...]:
        """Its file, or the folders of the package that it is in."""
        if self.module.endswith(".py"):
            return (Path(self.module),)
        try:
            spec = importlib.util.find_spec(self.module.partition(".")[0])
        except (ImportError, ValueError):
            return ()
        if spec is None:
            return ()
        folders = tuple(Path(folder) for folder in spec.submodule_search_locations or ())
        return folders or ((Path(spec.origin),) if spec.origin else ())

    def owns(self, file: str) -> bool:
        """Whether a source file belongs to it."""
        path = Path(file)
        return any(path == place or place in path.parents for place in self.places)


@dataclass(frozen=True)
class Registry:
    """All problems, optimizers and claims that are offered, by name.

    Args:
        problems: problem classes by name.
        methods: optimizers' methods by name.
        plugins: every plug-in found, the failed ones too.
        files: of the single-file plug-ins among them.
        claims: claims by name.
    """

    problems: Mapping[str, type[ProblemDefinition]] = field(default_factory=dict)
    methods: Mapping[str, Method] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()
    files: tuple[Path, ...] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)

    def problem(self, name: str, **given: Any) -> Problem:
        """The problem `name` with `given` parameters; InputError names the nearest known one."""
        return Problem(self._known(self.problems, name, "problem"), given)

    def optimizer(self, name: str, label: str | None = None, **given: Any) -> Optimizer:
        """The optimizer `name` with `given` parameters; InputError names the nearest known one."""
        return Optimizer(self._known(self.methods, name, "optimizer"), given, label)

    def plugin_of(self, kind: str, name: str) -> Plugin:
        """The plug-in that offers `name`; `kind` is "problem", "optimizer" or "claim"."""
        for plugin in self.plugins:
            if name in getattr(plugin, f"{kind}s"):
                return plugin
        raise KeyError(name)

    @property
    def failed(self) -> tuple[Plugin, ...]:
        """The plug-ins that did not load."""
        return tuple(plugin for plugin in self.plugins if plugin.error)

    def _known(self, offered: Mapping[str, Any], name: str, kind: str) -> Any:
        if name in offered:
            return offered[name]
        note = "".join(f"; {plugin.fault}" for plugin in self.failed)
        raise InputError(f"unknown {kind} {reprlib.repr(name)}{nearest(name, offered)}{note}")


class FilePlugin(NamedTuple):
    """A plug-in in a single file, which nobody installed; otherwise like an entry point.

    Args:
        path: absolute.
        digest: of what is in it, so that an edited file is another module.
    """

    path: Path
    digest: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.stem

    def load(self) -> ModuleType:
        """Import the file, once per process and under a name of its own."""
        name = f"bench_ovp_file_{self.path.stem}_{self.digest}"
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, self.path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{self.path.name} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def installed() -> Registry:
    """The registry of every plug-in that is installed."""
    return assemble(())


def assemble(files: Sequence[Path] = ()) -> Registry:
    """The registry of every plug-in that is installed, and of single files.

    Args:
        files: Python files that implement hooks, absolute.
    Errors:
        InputError: a file cannot be read.
    """
    return _assemble(tuple(FilePlugin(file, _digest(file)) for file in files))


@cache  # once per process, unless a file is edited
def _assemble(files: tuple[FilePlugin, ...]) -> Registry:
    # Our own first: nobody else's duplicate takes their place.
    ours = hookspecs.PROJECT.replace("_", "-")
    found = sorted(
        entry_points(group=hookspecs.PROJECT),
        key=lambda e: (e.dist is None or e.dist.name != ours, e.name, e.value),
    )
    registry = gather([*found, *files])
    packages = (place for plugin in registry.plugins for place in plugin.places if place.is_dir())
    forget_stale((*(Path(__file__).parent / part for part in COMPILED), *packages))
    return registry


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(str(file).encode() + file.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise InputError(f"cannot read the plug-in {file}: {error.strerror}") from None


def find_files(names: Sequence[str | Path], folder: Path) -> tuple[Path, ...]:
    """The absolute paths of single-file plug-ins.

    Args:
        names: as they are written.
        folder: where relative ones begin.
    Errors:
        InputError: one is not there.
    """
    files = []
    for name in names:
        path = Path(os.path.realpath(folder / name))  # Path.resolve raises where links go round in circles
        if path.suffix != ".py" or not os.path.isfile(path):  # Path.is_file raises where a name is too long
            raise InputError(f"there is no plug-in {path}; name a .py file that implements a hook")
        if path not in files:
            files.append(path)
    return tuple(files)


def gather(found: Sequence[EntryPoint | FilePlugin]) -> Registry:
    """Load plug-ins one by one, so that one that fails is named and hurts nobody else."""
    problems: dict[str, type[ProblemDefinition]] = {}
    methods: dict[str, Method] = {}
    claims: dict[str, Claim] = {}
    plugins: list[Plugin] = []
    for entry in found:
        if isinstance(entry, FilePlugin) and _is_there(entry.path, plugins):
            continue
        if isinstance(entry, FilePlugin):
            distribution, version, module, digest = str(entry.path), "", str(entry.path), entry.digest
        else:
            distribution = entry.dist.name if entry.dist else "?"
            version = entry.dist.version if entry.dist else "?"
            module, digest = entry.value.partition(":")[0], ""
        plugin = Plugin(entry.name, distribution, version, module, digest=digest)
        custody = Custody()
        try:
            with custody:
                offered = _offers(entry)
                _refuse_duplicates(offered, (problems, methods, claims), plugins)
        except (Exception, SystemExit) as error:  # a plug-in's own; it is named, and the others load
            plugins.append(replace(plugin, error=describe_error(error, (plugin,)), said=custody.said))
            continue
        problems |= offered[0]
        methods |= offered[1]
        claims |= offered[2]
        names = [tuple(kind) for kind in offered]
        plugins.append(replace(plugin, problems=names[0], optimizers=names[1], claims=names[2], said=custody.said))
    files = tuple(entry.path for entry in found if isinstance(entry, FilePlugin))
    return Registry(problems, methods, tuple(plugins), files, claims)


def _is_there(file: Path, plugins: Sequence[Plugin]) -> bool:
    """Whether a file is an installed plug-in, to the letter: suites name it for whoever has not installed it."""
    places = (place for plugin in plugins if not plugin.error for place in plugin.places if place.is_file())
    return any(place.name == file.name and place.read_bytes() == file.read_bytes() for place in places)


Frame = tuple[str, str]  # a source file, and file:line with the function's name


def list_frames(error: BaseException) -> list[Frame]:
    """Where an error was raised, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    return [(frame.filename, f"{frame.filename}:{frame.lineno}, in {frame.name}") for frame in reversed(frames)]


def find_culprit(frames: Sequence[Frame], suspects: Sequence[Plugin]) -> tuple[str, Plugin] | None:
    """The place of the first frame that is a suspect's, and whose it is; None where no frame tells."""
    owned = ((place, plugin) for file, place in frames for plugin in suspects if plugin.owns(file))
    return next(owned, None)


def describe_error(error: BaseException, suspects: Sequence[Plugin]) -> str:
    """One line: what was raised, and the last frame in a suspect's source, else the last that is not the host's."""
    frames = list_frames(error)
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}:{error.lineno}"
    elif found := find_culprit(frames, suspects):
        place = found[0]
    else:
        place = next((place for file, place in frames if Path(__file__).parent not in Path(file).parents), "")
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" + (f" ({place})" if place else "")


Offered = tuple[dict[str, type[ProblemDefinition]], dict[str, Method], dict[str, Claim]]


def _offers(entry: EntryPoint | FilePlugin) -> Offered:
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
    claims: dict[str, Claim] = {}
    for claim in _flatten(manager.hook.bench_ovp_claims):
        if not isinstance(claim, Claim):
            raise TypeError(f"bench_ovp_claims must return Claims, not {claim!r}")
        _add(claims, claim.name, claim)
    return problems, methods, claims


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


def _refuse_duplicates(offered: Offered, known: tuple[Mapping[str, Any], ...], plugins: Sequence[Plugin]) -> None:
    for place, kind in enumerate(("problem", "optimizer", "claim")):
        for name in offered[place]:
            if name in known[place]:
                owner = Registry(plugins=tuple(plugins)).plugin_of(kind, name)
                raise ValueError(f"the {kind} {name!r} is offered by {owner.title} already; give it another name")
