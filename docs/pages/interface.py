"""The Python interface as Markdown, from signatures and docstrings."""

import dataclasses
import importlib
import inspect
import re
from typing import Any

from .docstrings import Docstring, read_docstring, write_docstring

HOST_ONLY = {"Oracle": ("narrow", "charge")}  # the host's own calls, which nobody else has a use for


def describe(path: str) -> str:
    """One public name, such as "bench_ovp.run": its signature, its docstring, and, of a class, its members.

    Errors:
        LookupError: there is no such thing.
    """
    thing = find(path)
    if inspect.isclass(thing):
        return _describe_class(path, thing)
    said = read_docstring(thing)
    return directive("function", path + write_signature(thing), write_docstring(said), 4)


def find(path: str) -> Any:
    """What a dotted path names.

    Errors:
        LookupError: there is no such thing.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise LookupError(f"no public name {path!r}") from None


def list_members(kind: type) -> dict[str, Any]:
    """The public fields of a class (each None), then its properties and methods, in the order of its source."""
    left_out = HOST_ONLY.get(kind.__name__, ())
    noted = dict.fromkeys(inspect.get_annotations(kind))
    defined = {name: member for name, member in vars(kind).items() if inspect.isfunction(member) or _getter(member)}
    return {n: member for n, member in (noted | defined).items() if not n.startswith("_") and n not in left_out}


def undocumented(path: str) -> list[str]:
    """The public members of what `path` names, and itself, of which no docstring says anything."""
    thing = find(path)
    missing = [] if read_docstring(thing).prose else [path]
    if inspect.isclass(thing):
        told = read_docstring(thing)
        missing += [f"{path}.{name}" for name, member in list_members(thing).items() if not _say(told, name, member)]
    return missing


def _say(told: Docstring, name: str, member: Any) -> str:
    """What is said of a member: in its own docstring, or in the class's, under Args or in code type."""
    if member is not None:
        return read_docstring(member).prose
    return told.arguments.get(name, "") or (name if re.search(rf"`{name}`", told.prose) else "")


def _describe_class(path: str, kind: type) -> str:
    told = read_docstring(kind)
    parts = [write_docstring(told, arguments=not _declares_fields(kind))]
    for name, member in list_members(kind).items():
        parts.append(_describe_member(kind, told, name, member))
    return directive("exception" if issubclass(kind, Exception) else "class", path, "\n\n".join(parts), 6)


def _describe_member(kind: type, told: Docstring, name: str, member: Any) -> str:
    """A method, a property, or a field with its type and default."""
    if getter := _getter(member):
        noted = write_type(inspect.signature(getter).return_annotation)
        return directive("property", name, write_docstring(read_docstring(member)), 5, type=noted)
    if inspect.isfunction(member):
        return directive("method", name + write_signature(member), write_docstring(read_docstring(member)), 5)
    default = _defaults(kind).get(name)
    options = {"type": write_type(inspect.get_annotations(kind)[name])} | ({"value": default} if default else {})
    return directive("attribute", name, told.arguments.get(name, ""), 5, **options)


def _getter(member: Any) -> Any:
    """The function behind a property, cached or not."""
    return getattr(member, "fget", None) or getattr(member, "func", None)


def _declares_fields(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")


def _defaults(kind: type) -> dict[str, str]:
    """The defaults of a dataclass or a NamedTuple, as the source would write them."""
    if not dataclasses.is_dataclass(kind):
        return {name: repr(value) for name, value in getattr(kind, "_field_defaults", {}).items()}
    missing = dataclasses.MISSING
    plain = {f.name: repr(f.default) for f in dataclasses.fields(kind) if f.default is not missing}
    made = {f.name: f"{f.default_factory.__name__}()" for f in dataclasses.fields(kind) if callable(f.default_factory)}
    return plain | made


def write_signature(function: Any) -> str:
    """`(a: A, *, b: B = 1) -> C`, with types as the source writes them and without `self`."""
    read = inspect.signature(function)
    parts, named = [], False
    for name, p in read.parameters.items():
        if name in ("self", "cls"):
            continue
        if p.kind is p.KEYWORD_ONLY and not named:
            parts.append("*")
        named = named or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else f" = {p.default!r}"
        noted = "" if p.annotation is p.empty else f": {write_type(p.annotation)}"
        parts.append(f"{stars}{name}{noted}{default}")
    returned = "" if read.return_annotation is read.empty else f" -> {write_type(read.return_annotation)}"
    return f"({', '.join(parts)}){returned}"


def write_type(noted: Any) -> str:
    """A type as the source writes it."""
    if isinstance(noted, str):
        return noted
    return getattr(noted, "__forward_arg__", None) or getattr(noted, "__name__", str(noted))


def directive(kind: str, argument: str, content: str, colons: int, **options: str) -> str:
    """A directive of Sphinx's Python domain, in MyST's notation; an outer one has more colons than an inner one."""
    fence = ":" * colons
    lines = [f"{fence}{{py:{kind}}} {argument}", *(f":{name}: {value}" for name, value in options.items())]
    return "\n".join([*lines, "", content, fence])
