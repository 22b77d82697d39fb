"""The JSON Schema of suite files, so that editors complete and check them while they are written.

It is made from what reads suite files: the limits of `suite`, and the parameters of the problems and optimizers at
hand. What it accepts may still be refused, since it does not see what belongs together: equal labels, a flow without
a time, an override that matches no cell, a start that is not there. `bench-ovp check` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .optimizers import DriverMethod
from .parameters import Parameter
from .problems import description_of, parameters_of
from .registry import Registry
from .suite import FINEST, LONGEST_NAME, MOST_OVERRIDES, REQUIRED
from .yaml_nodes import LARGEST_INTEGER, LONGEST_TEXT

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
NONZERO = "(?=.*[1-9])"  # ahead of an amount
WALL = f"^{NONZERO}(?:{AMOUNT}h)?(?:{AMOUNT}m)?(?:{AMOUNT}s)?$"
MEMORY = f"^{NONZERO}{AMOUNT} ?(?:|kB|MB|GB|TB)$"
NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$"


def describe_schema(registry: Registry) -> Schema:
    """The schema of suite files that name the problems and optimizers of a registry, draft 2020-12.

    A file with the key `plugins` may name others, too.
    """
    problems = {
        name: (description_of(kind).summary, parameters_of(kind), False) for name, kind in registry.problems.items()
    }
    optimizers = {
        name: (method.description.summary, method.parameters, isinstance(method, DriverMethod) and bool(method.options))
        for name, method in registry.methods.items()
    }
    known = {
        "problem": _describe_item(problems, tunable=False),
        "optimizer": _describe_item(optimizers, tunable=True),
    }
    return {
        "$schema": DIALECT,
        "title": "A suite of bench-ovp",
        "description": "Every problem runs with every optimizer from every seed.",
        "type": "object",
        "properties": {
            "name": _say("names the folder of the results", type="string", pattern=NAME, maxLength=LONGEST_NAME),
            "problems": _say("in the order of the tables; a list for a value is a grid", type="array", minItems=1),
            "optimizers": _say("likewise", type="array", minItems=1),
            "seeds": _describe_seeds(),
            "horizon": _refer("horizon"),
            "checkpoints": _mapping(
                "where the trace is recorded",
                {"per_decade": _say("records per decade, log-spaced", **_count(most=FINEST), default=20)},
            ),
            "stop": _refer("stop"),
            "tuning": _describe_tuning(),
            "overrides": _describe_overrides(),
            "plugins": _say(
                "Python files with hooks, relative to this file; they are run when it is read",
                type="array",
                minItems=1,
                items={"type": "string", "pattern": r"\.py$", "maxLength": LONGEST_TEXT},
            ),
        },
        "required": list(REQUIRED),
        "additionalProperties": False,
        "if": {"required": ["plugins"]},
        "then": _list_items({kind: {"anyOf": [_refer(kind), _refer(f"other_{kind}")]} for kind in known}),
        "else": _list_items({kind: _refer(kind) for kind in known}),
        "$defs": {
            **known,
            **{f"other_{kind}": _describe_other(item) for kind, item in known.items()},
            "horizon": _describe_horizon(),
            "stop": _describe_stop(),
        },
    }


def _list_items(items: Mapping[str, Schema]) -> Schema:
    return {"properties": {f"{kind}s": {"items": item} for kind, item in items.items()}}


def _refer(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _describe_other(item: Schema) -> Schema:
    """A name that only a file of `plugins` knows, with whatever parameters."""
    known = {"enum": list(item["anyOf"][-1]["properties"])}
    values = {"type": ["object", "null"]}
    mapping = {"type": "object", "propertyNames": {"not": known}, "additionalProperties": values}
    return {"anyOf": [{"type": "string", "not": known}, mapping | {"minProperties": 1, "maxProperties": 1}]}


Offer = tuple[str, Iterable[Parameter], bool]  # what it is, its parameters, and whether these decide on further ones


def _describe_item(offers: Mapping[str, Offer], tunable: bool) -> Schema:
    """NAME, or NAME: {PARAMETER: VALUE}; what can be tuned has `label` and `tune`, too."""
    bare: list[Schema] = []
    mappings: dict[str, Schema] = {}
    for name, (summary, parameters, is_open) in offers.items():
        required = [p.name for p in parameters if p.required]
        if not required:
            bare.append({"const": name, "description": summary})
        values = {p.name: _describe_values(p) for p in parameters}
        rules: Schema = {"required": required} if required else {}
        if tunable:
            grids = {p.name: _list_values(p, least=2) for p in parameters}
            values["label"] = _text("what tables shall call it, instead of its name and parameters", LONGEST_NAME)
            values["tune"] = _mapping("values to choose from, for each problem anew", grids, is_open)
            rules = {"allOf": [{"anyOf": _need(key)} for key in required]} if required else {}
        mappings[name] = _say(
            summary,
            type="object" if required else ["object", "null"],
            properties=values,
            **rules,
            additionalProperties=is_open,
        )
    mapping = {"type": "object", "properties": mappings, "additionalProperties": False}
    return {"anyOf": [*bare, mapping | {"minProperties": 1, "maxProperties": 1}]}


def _need(key: str) -> list[Schema]:
    """A parameter that must be given, or tuned."""
    return [{"required": [key]}, {"required": ["tune"], "properties": {"tune": {"required": [key]}}}]


def _describe_values(parameter: Parameter) -> Schema:
    """A value, or a list of values: a grid."""
    value, several = _describe_value(parameter), _list_values(parameter, least=1)
    default = parameter.default
    plain = not parameter.required and isinstance(default, int | float | str)
    empty = [{"type": "null"}] if default is None and {"type": "null"} not in value.get("anyOf", ()) else []
    return _say(
        parameter.description,
        anyOf=[*value.get("anyOf", [value]), *empty, several],
        **({"default": default} if plain else {}),
    )


def _describe_value(parameter: Parameter) -> Schema:
    from pydantic import TypeAdapter

    return TypeAdapter(parameter.annotation).json_schema()


def _list_values(parameter: Parameter, least: int) -> Schema:
    return {"type": "array", "minItems": least, "uniqueItems": True, "items": _describe_value(parameter)}


def _describe_seeds() -> Schema:
    listed = {"type": "array", "minItems": 1, "uniqueItems": True, "items": _count(least=0)}
    return _say("a number n for 0 to n - 1, or a list; every seed gives each optimizer the same start",
                anyOf=[_count(), listed])  # fmt: skip


def _describe_horizon() -> Schema:
    return _mapping(
        "how far a run goes; where several apply, the one that comes first",
        {
            "iterations": _say("steps of the method; a flow does not look at it", **_count()),
            "time": _say("lr times iterations, or the t of a flow, which asks for it", **_positive()),
            "evaluations": _say("queries charged to one run", **_count()),
            "stepped": _say("no limit: up to where every step is taken; 1e5 if not given", **_count()),
        },
    )


def _describe_stop() -> Schema:
    return _mapping(
        "what ends a run before its horizon",
        {
            "loss": _say("a target", type="number", minimum=0),
            "wall": _say("seconds, or 30s, 10m, 1h30m", anyOf=[_positive(), {"type": "string", "pattern": WALL}]),
            "memory": _say("bytes, or 500MB, 2GB", anyOf=[_count(), {"type": "string", "pattern": MEMORY}]),
        },
    )


def _describe_tuning() -> Schema:
    tuning = _mapping(
        "on which seeds optimizers with the key tune are tuned, none of them among those of the suite",
        {"seeds": _describe_seeds(), "horizon": _refer("horizon")},
    )
    return tuning | {"required": ["seeds"]}


def _describe_overrides() -> Schema:
    item = _mapping(
        "another horizon or stop rule for some cells",
        {
            "cells": _text('a glob over "PROBLEM x OPTIMIZER": * and ? are wild, brackets literal', LONGEST_TEXT),
            "horizon": _refer("horizon"),
            "stop": _refer("stop"),
        },
    )
    item |= {"required": ["cells"], "anyOf": [{"required": ["horizon"]}, {"required": ["stop"]}]}
    return _say("later ones win, key by key", type="array", minItems=1, maxItems=MOST_OVERRIDES, items=item)


def _say(description: str, **rules: Any) -> Schema:
    return {"description": description, **rules} if description else rules


def _mapping(description: str, properties: Mapping[str, Schema], is_open: bool = False) -> Schema:
    return _say(description, type="object", minProperties=1, properties=dict(properties), additionalProperties=is_open)


def _text(description: str, longest: int) -> Schema:
    return _say(description, type="string", pattern=r"\S", maxLength=longest)


def _count(least: int = 1, most: int = LARGEST_INTEGER) -> Schema:
    return {"type": "integer", "minimum": least} | ({"maximum": most} if most < LARGEST_INTEGER else {})


def _positive() -> Schema:
    return {"type": "number", "exclusiveMinimum": 0}
