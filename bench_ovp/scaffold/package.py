"""The folder of a new plug-in: written whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import InputError
from .names import check_name, module_of

Kind = Literal["optimizer", "driver", "problem"]
COMMANDS = ('pip install -e ".[test]"', "pytest", "bench-ovp suite suite.yaml")


class Package(NamedTuple):
    """What was written: the folder, for each file in it what it is for, and the commands to go on with there."""

    folder: Path
    files: Mapping[str, str]
    commands: tuple[str, ...] = COMMANDS


def write_package(kind: Kind, name: str, parent: Path) -> Package:
    """Write the package of a new plug-in to `parent`/`name`.

    Args:
        kind: "optimizer" for a step that the host repeats, "driver" for an optimizer that owns its loop, "problem".
        name: of the plug-in and of what it offers, such as my-optimizer.
        parent: an existing folder, or one to be made.
    Errors:
        InputError: the name will not do, the folder has files in it, or it cannot be written.
    """
    check_name(name)
    folder = parent / name
    module = module_of(name)
    purposes = {
        "pyproject.toml": "what pip installs, and the entry point by which bench-ovp finds it",
        f"{module}.py": f"the {'problem' if kind == 'problem' else 'optimizer'}: put your own here",
        f"tests/test_{module}.py": "the conformance kit, and a test of its own",
        "suite.yaml": "a suite of some seconds, with shipped ones to compare with",
        "README.md": "what it is, and these commands",
    }
    templates = ("pyproject.toml", f"{kind}.py", f"test_{kind}.py", f"{kind}.yaml", "README.md")
    facts = {"kind": kind, "name": name, "module": module}
    texts = {file: render(template, **facts) for file, template in zip(purposes, templates, strict=True)}
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} is there already; choose another name, or another folder with --to")
        _write_all(folder, texts)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}; choose a folder with --to") from None
    return Package(folder, purposes)


def render(template: str, **facts: Any) -> str:
    """The text of `templates/TEMPLATE.j2` with `facts` in it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  what is written is source code, not HTML
        loader=PackageLoader("bench_ovp.scaffold"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(f"{template}.j2").render(facts)


def _write_all(folder: Path, texts: Mapping[str, str]) -> None:
    """Write beside `folder` first, and rename: whoever looks sees all files or none."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        for name, text in texts.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_text(text, encoding="utf-8")
        draft.rename(folder)  # takes the place of an empty folder; a full one is an OSError
    finally:
        shutil.rmtree(draft, ignore_errors=True)
