"""Which names a new plug-in may have: its distribution, its module and what it offers are called alike."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution

from ..errors import InputError
from ..registry import installed

PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 50  # a label adds parameters to the name, and has room for 100 characters

# What the written files import, or what pytest and pip read beside a pyproject.toml, under these very names.
RESERVED = frozenset({"conformance", "conftest", "hatchling", "np", "ovp", "pytest", "setup", "tests"})


def module_of(name: str) -> str:
    """The module that holds the plug-in `name`: hyphens are written as underscores."""
    return name.replace("-", "_")


def check_name(name: str) -> None:
    """Refuse a name that would hide, replace or break something else.

    Errors:
        InputError: what the name collides with, and a name that would do.
    """
    if not PATTERN.fullmatch(name) or len(name) > LONGEST:
        told = f"use at most {LONGEST} lower-case letters, digits and single hyphens, such as my-{_tame(name)}"
        raise InputError(f"{name!r} cannot name a plug-in: {told}")
    if taken := _taken_by(name):
        raise InputError(f"{name!r} cannot name a plug-in: {taken}; choose another, such as my-{_tame(name)}")


def _taken_by(name: str) -> str:
    """What has the name already, or nothing."""
    module = module_of(name)
    registry = installed()
    if name in registry.problems or name in registry.methods:
        return "a problem or an optimizer is called so; see bench-ovp list"
    if keyword.iskeyword(module):
        return f"{module} is a word of Python's own"
    if module in sys.stdlib_module_names:
        return f"{module} is a module of Python's standard library"
    if module in RESERVED:
        return f"{module} has a meaning of its own in the files of a plug-in"
    found = importlib.util.find_spec(module)
    if found is not None and found.origin is not None:  # a mere folder without __init__.py has no origin
        return f"a package {module} is installed"
    try:
        return f"the distribution {distribution(name).name} is installed, and pip would replace it"
    except PackageNotFoundError:
        return ""


def _tame(name: str) -> str:
    """The nearest to `name` that the pattern allows behind `my-`."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    return "-".join(words)[: LONGEST - 3].strip("-") or "plugin"
