"""Imports that wait until something of them is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class Promise:
    """Stands for a member of a module; the module is imported when it is called, or asked for a member of its own."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call it."""
        return getattr(import_module(self._module), self._name)(*args, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(getattr(import_module(self._module), self._name), name)


class Waiting(ModuleType):
    """Stands for a module: whatever is asked of it is promised."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Promise(self.__name__, name)


@contextmanager
def waiting(*modules: str) -> Iterator[None]:
    """What is imported meanwhile gets promises for members of these modules, unless they are there already."""
    absent = [name for name in modules if name not in sys.modules]
    sys.modules |= {name: Waiting(name) for name in absent}
    try:
        yield
    finally:
        for name in absent:
            if isinstance(sys.modules.get(name), Waiting):
                del sys.modules[name]
