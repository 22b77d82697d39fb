"""What source code numbers depend on: a module with all that it imports, by what the code means.

Meaning is the syntax tree without documentation, so a comment, a docstring or a line break changes nothing. Modules
that are installed as parts of other distributions count by name and version. Imports are read and not followed at run
time: what a module finds by a name that it computes is not seen.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, NamedTuple

from . import hookspecs

INSTALLED = {"site-packages", "dist-packages"}
REMEMBERED = "sources.json"  # in the user's cache folder
MOST = 2000  # files in it


class Meaning(NamedTuple):
    """What is in a source file.

    Args:
        code: digest of all of it.
        frame: digest of what runs when the module is imported, without the bodies of functions and classes.
        imports: (level, module, names) of each import statement, wherever it stands.
        frame_imports: of those outside functions.
    """

    code: str
    frame: str
    imports: list[Any]
    frame_imports: list[Any]


def trace_sources(module: str) -> dict[str, str]:
    """The digests of `module` and of all modules of its package, or beside it, that it imports, by name.

    Installed distributions appear as `name==version`, with an empty digest. Of a package that is only on the way to a
    module counts what runs at its import. The host itself and Python's own modules are left out.
    """
    return dict(_trace(module))


@cache
def _trace(module: str) -> tuple[tuple[str, str], ...]:
    own = module.partition(".")[0]
    found: dict[str, str] = {}
    waiting = [(module, True)]
    while waiting:
        name, whole = waiting.pop()
        if name in found and not (whole and found[name].startswith("frame ")):
            continue
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == hookspecs.PROJECT:
            continue
        place = _find(name)
        if place is None:
            continue
        if top != own and INSTALLED & set(place.parts):
            found[_tell_version(top)] = ""
            continue
        meaning = read_meaning(place)
        found[name] = meaning.code if whole else f"frame {meaning.frame}"
        parent = name.rpartition(".")[0]
        if parent:
            waiting.append((parent, False))
        for statement in meaning.imports if whole else meaning.frame_imports:
            waiting += [(target, True) for target in _resolve(name, place, *statement)]
    return tuple(sorted(found.items()))


def read_meaning(file: Path) -> Meaning:
    """What a source file means; remembered by its bytes, since to parse it takes longer than to run it."""
    image = file.read_bytes()
    key = hashlib.sha256(image).hexdigest()
    known = _recall()
    if key not in known:
        known[key] = list(_parse(image))
        _keep(known)
    return Meaning(*known[key])


def digest_meanings(files: Iterable[Path]) -> str:
    """A digest of files, by name and meaning."""
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(f"{file.name}\0{read_meaning(file).code}\0".encode())
    return total.hexdigest()


def _parse(image: bytes) -> Meaning:
    try:
        tree = ast.parse(image)
    except (SyntaxError, ValueError):  # it cannot be imported either, and who does is told so
        plain = hashlib.sha256(image).hexdigest()
        return Meaning(plain, plain, [], [])
    imports = list(_list_imports(tree, into_functions=True))
    frame_imports = list(_list_imports(tree, into_functions=False))
    for node in ast.walk(tree):
        kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    code = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return Meaning(code, hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports, frame_imports)


def _list_imports(node: ast.AST, into_functions: bool) -> Iterator[Any]:
    """Import statements below `node`, but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ([0, alias.name, []] for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield [child.level, child.module or "", [alias.name for alias in child.names]]
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for other in child.orelse:
                yield from _list_imports(other, into_functions)
        elif into_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _list_imports(child, into_functions)


def _resolve(importer: str, place: Path, level: int, module: str, names: list[str]) -> Iterator[str]:
    """The modules that an import statement may name."""
    if level:
        package = importer if place.name == "__init__.py" else importer.rpartition(".")[0]
        for _ in range(level - 1):
            package = package.rpartition(".")[0]
        module = f"{package}.{module}" if module else package
    inner = [f"{module}.{name}" for name in names]
    found = [name for name in inner if _find(name) is not None]
    yield from found
    if len(found) < len(inner) or not inner:
        yield module


@cache
def _find(name: str) -> Path | None:
    """The source file of a module; nothing is imported for it."""
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    if file and file.endswith(".py"):
        return Path(file)
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        base = Path(folder).joinpath(*rest)
        for file_path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if file_path.is_file():
                return file_path
    return None


@cache
def _tell_version(top: str) -> str:
    """The distribution that a package belongs to, with its version."""
    try:
        return f"{top}=={version(top)}"
    except PackageNotFoundError:
        names = packages_distributions().get(top)
        return f"{names[0]}=={version(names[0])}" if names else top


def _memory() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("bench-ovp") / f"{sys.version_info[0]}.{sys.version_info[1]}-{REMEMBERED}"


@cache
def _recall() -> dict[str, Any]:
    try:
        known = json.loads(_memory().read_text())
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        return {}


def _keep(known: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # it only saves time
        file = _memory()
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.getpid()}")
        partial.write_text(json.dumps(dict(list(known.items())[-MOST:])))
        partial.replace(file)
