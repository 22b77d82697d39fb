"""What `bench-ovp check NAME` means: a problem, an optimizer, a plug-in, or a plug-in's file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..parameters import nearest
from ..registry import FilePlugin, Plugin, Registry, assemble, find_files, gather
from .catalogue import list_checks
from .check import Check


@dataclass(frozen=True)
class Target:
    """A name to be checked; plain data, so that any process can find the same checks.

    Args:
        name: of a problem, an optimizer or a plug-in, or the path of a plug-in's file.
        parameters: values by the name of a problem or an optimizer; under "" those of the only thing that is checked.
        files: single-file plug-ins that are known besides those installed.
    """

    name: str
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def list_checks(self) -> list[Check]:
        """The checks of all that the name stands for.

        Errors:
            InputError: nothing is called so, or it does not load.
        """
        known = assemble(find_files(self.files, Path.cwd()))
        path = Path(self.name)
        if path.suffix == ".py":
            known = self._load(path)
            return self._list_plugin(known.plugins[0], known)
        things = [found[self.name] for found in (known.problems, known.methods) if self.name in found]
        if things:
            return self._list_things([(self.name, thing) for thing in things], known)
        for plugin in known.plugins:
            if self.name == plugin.name:
                return self._list_plugin(plugin, known)
        names = [*known.problems, *known.methods, *(plugin.name for plugin in known.plugins)]
        raise InputError(f"no problem, optimizer, plug-in or file is called {self.name!r}{nearest(self.name, names)}")

    def _load(self, path: Path) -> Registry:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        except OSError as error:
            raise InputError(f"cannot read the plug-in {path}: {error.strerror}; check the path") from None
        # Alone: its author may have installed it as well, and a name is offered only once.
        return gather([FilePlugin(path.resolve(), digest)])

    def _list_plugin(self, plugin: Plugin, known: Registry) -> list[Check]:
        if plugin.error:
            raise InputError(f"the plug-in {plugin.name} does not load: {plugin.error}")
        things: list[tuple[str, Any]] = [(name, known.problems[name]) for name in plugin.problems]
        things += [(name, known.methods[name]) for name in plugin.optimizers]
        return self._list_things(things, known)

    def _list_things(self, things: list[tuple[str, Any]], known: Registry) -> list[Check]:
        given = self._given([name for name, _ in things])
        beside = [*known.problems.values(), *known.methods.values()]
        return [
            check
            for name, thing in things
            for check in list_checks(thing, {k: v for k, v in given.items() if k == name}, beside)
        ]

    def _given(self, names: list[str]) -> dict[str, Mapping[str, Any]]:
        """The parameters by name; those without a name ("") belong to the only thing that is checked."""
        given = dict(self.parameters)
        if "" in given:
            if len(set(names)) > 1:
                raise InputError(f"-p KEY=VALUE could mean {' or '.join(names)}; say -p {names[0]}.KEY=VALUE")
            given[names[0]] = {**given.pop(""), **given.get(names[0], {})}
        if unknown := given.keys() - set(names):
            name = min(unknown)
            raise InputError(f"-p {name}.…: {name!r} is not checked here{nearest(name, names)}")
        return given
