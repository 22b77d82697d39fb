"""A call written as text, such as `chain(clip(1.0), adam(lr))`: parsed, never evaluated.

With it an adapter lets a suite file compose what another library offers.
"""

from __future__ import annotations

import ast
import inspect
import reprlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .parameters import nearest

NOTHING: Mapping[str, Any] = MappingProxyType({})


def build(text: str, offered: Mapping[str, Callable[..., Any]], values: Mapping[str, Any] = NOTHING) -> Any:
    """What the call in `text` makes.

    Args:
        text: in Python's syntax: names, numbers, texts, True, False, None, lists, tuples, dicts, and calls.
        offered: what may be called, by name; a name may have dots.
        values: what the other names stand for.
    Errors:
        ValueError: one line: what is not understood, an unknown name with the nearest one, or what a call raised.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        return _make(tree, offered, values)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"cannot read {reprlib.repr(text)}; write a call, such as name(0.1, key=2)") from None


def _make(node: ast.expr, offered: Mapping[str, Callable[..., Any]], values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.List(elts=items):
            return [_make(item, offered, values) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_make(item, offered, values) for item in items)
        case ast.Dict(keys=keys, values=items) if None not in keys:
            return {_make(k, offered, values): _make(v, offered, values) for k, v in zip(keys, items, strict=True) if k}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _make(operand, offered, values)
            if isinstance(value, int | float):
                return -value
        case ast.Name() | ast.Attribute():
            name = ast.unparse(node)
            if name in values:
                return values[name]
            remedy = f"; write {name}(…)" if name in offered else nearest(name, [*offered, *values])
            raise ValueError(f"{name!r} is no value{remedy}")
        case ast.Call(func=ast.Name() | ast.Attribute() as function, args=items, keywords=pairs):
            args = [_make(item, offered, values) for item in items]
            options = {pair.arg: _make(pair.value, offered, values) for pair in pairs}
            if None not in options:
                return _call(ast.unparse(function), offered, args, {str(k): v for k, v in options.items()})
    raise ValueError(f"{reprlib.repr(ast.unparse(node))} is neither a plain value nor a call by name; write it out")


def _call(name: str, offered: Mapping[str, Callable[..., Any]], args: list[Any], options: dict[str, Any]) -> Any:
    if name not in offered:
        raise ValueError(f"unknown name {name!r}{nearest(name, offered)}")
    function = offered[name]
    arguments = inspect.signature(function).parameters
    if not any(p.kind is p.VAR_KEYWORD for p in arguments.values()):
        for key in options:
            if key not in arguments:
                raise ValueError(f"{name} has no argument {key!r}{nearest(key, arguments)}")
    try:
        return function(*args, **options)
    except Exception as error:  # whatever the library makes of these values
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{name}: {told}") from None
