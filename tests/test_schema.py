"""The JSON Schema of suite files against what reads them: where it refuses, so does `bench-ovp check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import TINY

from bench_ovp.errors import InputError
from bench_ovp.optimizers import DriverMethod, StepMethod
from bench_ovp.parameters import Count, Parameter, Positive, Vector
from bench_ovp.registry import Registry, installed
from bench_ovp.schema import DIALECT, describe_schema
from bench_ovp.suite import EXAMPLES, REQUIRED, read_plugins, read_suite
from bench_ovp.yaml_nodes import parse

ROOT = Path(__file__).resolve().parent.parent
TRACKED = ROOT / "suites" / "suite.schema.json"


def shipped() -> Registry:
    """What this distribution offers, whatever else is installed here."""
    found = installed()
    ours = [plugin for plugin in found.plugins if plugin.distribution == "bench-ovp"]
    problems = {name: found.problems[name] for plugin in ours for name in plugin.problems}
    methods = {name: found.methods[name] for plugin in ours for name in plugin.optimizers}
    return replace(found, problems=problems, methods=methods)


def validator(registry: Registry) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(describe_schema(registry))


def load(text: str) -> Any:
    """A suite file as its reader sees it: 1e6 is a number."""
    return parse(text, Path("suite.yaml")).plain()


def read(file: Path) -> None:
    """What `bench-ovp check` does with a suite file."""
    read_plugins(file)  # before the registry is made
    read_suite(file, shipped())


def test_the_schema_is_one():
    schema = describe_schema(shipped())
    assert schema["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_tracked_copy_is_what_the_command_prints(command, tmp_path):
    """On a failure: bench-ovp schema > suites/suite.schema.json"""
    assert json.loads(TRACKED.read_text(encoding="utf-8")) == describe_schema(shipped())
    printed = command("schema", cwd=tmp_path)
    assert printed.returncode == 0
    assert json.loads(printed.stdout)["properties"] == describe_schema(shipped())["properties"]


@pytest.mark.parametrize("file", sorted((ROOT / "suites").glob("*.yaml")), ids=lambda file: file.name)
def test_shipped_suites_are_valid_and_name_the_schema(file):
    text = file.read_text(encoding="utf-8")
    validator(shipped()).validate(load(text))
    [line] = [line for line in text.splitlines() if line.startswith("# yaml-language-server:")]
    assert (file.parent / line.partition("$schema=")[2]).samefile(TRACKED)


def keys_of(schema: Any) -> set[str]:
    """The names of all properties anywhere in a schema."""
    if isinstance(schema, list):
        return set().union(*map(keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own.union(*map(keys_of, schema.values()))


def test_it_has_every_key_and_every_parameter_with_its_meaning():
    schema = describe_schema(shipped())
    assert keys_of(schema) >= set(EXAMPLES)
    assert schema["required"] == list(REQUIRED)
    for kind, offered in (("problem", shipped().problems), ("optimizer", shipped().methods)):
        described = schema["$defs"][kind]["anyOf"][-1]["properties"]
        assert described.keys() == offered.keys()
        for name, item in described.items():
            assert item["description"], name
            assert all(value.get("description") for value in item["properties"].values()), name
    assert schema["$defs"]["optimizer"]["anyOf"][-1]["properties"]["heavy-ball"]["properties"]["beta"]["default"] == 0.9


def change(old: str, new: str) -> str:
    assert old in TINY
    return TINY.replace(old, new)


ACCEPTED = {
    "as it is": TINY,
    "whole numbers as 1e3": change("d: 5", "d: 5e0"),
    "a grid of a float, with a whole number": change("lr: 0.1", "lr: [0.1, 1]"),
    "a label": change("lr: 0.1", "lr: 0.1, label: mine"),
    "an empty value": change("- heavy-ball", "- heavy-ball:"),
    "an empty mapping": change("- heavy-ball", "- heavy-ball: {}"),
    "a matrix": change("{n: [1, 2], d: 5}", "{w0: [[0.1, 0.2], [0.3, -0.1]]}"),
    "a grid of matrices": change("{n: [1, 2], d: 5}", "{w0: [[[0.1, 0.2]], [[0.3, -0.1]]]}"),
    "a vector": change("teacher-neuron: {n: [1, 2], d: 5}", "toy-case-2: {n: 2, lambdas: [0.2, 0.3]}"),
    "what is drawn": change("teacher-neuron: {n: [1, 2], d: 5}", "toy-case-1: {lambda1: null}"),
    "listed seeds": change("seeds: 2", "seeds: [0, 7]"),
    "checkpoints": TINY + "checkpoints: {per_decade: 1000}\n",
    "all of stop": TINY + "stop: {loss: 0, wall: 1h30m, memory: 1.5GB}\n",
    "stop in numbers": TINY + "stop: {wall: 0.5, memory: 1e9}\n",
    "an override": TINY + 'overrides: [{cells: "* x heavy*", horizon: {iterations: 10}, stop: {wall: 5}}]\n',
    "a tuned one": change("lr: 0.1", "tune: {lr: [0.1, 0.2]}") + "tuning: {seeds: [5, 6], horizon: {iterations: 9}}\n",
    "a flow with its time": change("heavy-ball", "gradient-flow").replace("1e3}", "1e3, time: 10}"),
}
REFUSED = {
    "an unknown key": TINY + "sedes: 2\n",
    "no name": change("name: tiny\n", ""),
    "no seeds": change("seeds: 2\n", ""),
    "a name that leaves the folder": change("tiny", "../tiny"),
    "an empty name": change("tiny", "''"),
    "a long name": change("tiny", "a" * 101),
    "an unknown problem": change("teacher-neuron", "teacher-neurone"),
    "an unknown optimizer": change("heavy-ball", "heavy-bal"),
    "an unknown parameter": change("lr:", "rate:"),
    "a label of a problem": change("d: 5", "d: 5, label: mine"),
    "an empty label": change("lr: 0.1", "lr: 0.1, label: ' '"),
    "a long label": change("lr: 0.1", f"lr: 0.1, label: {'a' * 101}"),
    "a text for a number": change("0.1", '"0.1"'),
    "a truth for a number": change("0.1", "true"),
    "a negative step size": change("0.1", "-0.1"),
    "a step size of zero": change("0.1", "0"),
    "a beta of one": change("- heavy-ball", "- heavy-ball: {beta: 1}"),
    "half a student": change("[1, 2]", "1.5"),
    "no student": change("[1, 2]", "0"),
    "an empty grid": change("[1, 2]", "[]"),
    "a value twice": change("[1, 2]", "[2, 2]"),
    "a grid in a grid": change("[1, 2]", "[[1, 2]]"),
    "a missing default": change("0.1", "null"),
    "two keys in an item": change("  - heavy-ball", "  - {heavy-ball: , nesterov: }"),
    "no problems": change("  - teacher-neuron: {n: [1, 2], d: 5}\n", "  []\n"),
    "a mapping of problems": change("- teacher-neuron", "teacher-neuron"),
    "no seed": change("seeds: 2", "seeds: 0"),
    "half a seed": change("seeds: 2", "seeds: 1.5"),
    "a negative seed": change("seeds: 2", "seeds: [-1]"),
    "a seed twice": change("seeds: 2", "seeds: [1, 1]"),
    "an empty horizon": change("{iterations: 1e3}", "{}"),
    "half an iteration": change("1e3", "0.5"),
    "a horizon of nothing known": change("iterations", "steps"),
    "a negative time": change("iterations: 1e3", "time: -1"),
    "too fine": TINY + "checkpoints: {per_decade: 1001}\n",
    "a negative target": TINY + "stop: {loss: -1}\n",
    "a wall of nothing": TINY + "stop: {wall: 0s}\n",
    "a wall in days": TINY + "stop: {wall: 1d}\n",
    "memory of nothing": TINY + "stop: {memory: 0GB}\n",
    "memory in pounds": TINY + "stop: {memory: 1lb}\n",
    "an override without cells": TINY + "overrides: [{stop: {wall: 5}}]\n",
    "an override of nothing": TINY + 'overrides: [{cells: "*"}]\n',
    "no overrides": TINY + "overrides: []\n",
    "a plug-in that is no Python file": TINY + "plugins: [mine.txt]\n",
    "a tuning without seeds": change("lr: 0.1", "tune: {lr: [0.1, 0.2]}") + "tuning: {horizon: {iterations: 9}}\n",
    "one value to tune": change("lr: 0.1", "tune: {lr: [0.1]}") + "tuning: {seeds: [5]}\n",
    "a value to tune twice": change("lr: 0.1", "tune: {lr: [0.1, 0.1]}") + "tuning: {seeds: [5]}\n",
    "nothing to tune": change("lr: 0.1", "tune: {}") + "tuning: {seeds: [5]}\n",
    "what cannot be tuned": change("lr: 0.1", "tune: {rate: [1, 2]}") + "tuning: {seeds: [5]}\n",
    "a problem that is tuned": change("d: 5", "tune: {d: [5, 6]}") + "tuning: {seeds: [5]}\n",
    "a list": "- name: tiny\n",
}
UNSEEN = {  # refused by `check`, which sees what belongs together
    "equal labels": change("- heavy-ball", "- gradient-descent: {lr: 0.1}"),
    "one label for a grid": change("lr: 0.1", "lr: [0.1, 0.2], label: mine"),
    "a flow without a time": change("heavy-ball", "gradient-flow"),
    "a horizon without an end": change("iterations", "stepped"),
    "an override that matches nothing": TINY + 'overrides: [{cells: "a*", stop: {wall: 1}}]\n',
    "tuned on what is reported": change("lr: 0.1", "tune: {lr: [0.1, 0.2]}") + "tuning: {seeds: [1]}\n",
    "given and tuned": change("lr: 0.1", "lr: 0.1, tune: {lr: [0.1, 0.2]}") + "tuning: {seeds: [5]}\n",
    "a tuning of nothing": TINY + "tuning: {seeds: [5]}\n",
    "a start that is not there": change("d: 5", "w0: w.npy"),
    "a name of a device": change("tiny", "con"),
    "too many runs": change("seeds: 2", "seeds: 1e9"),
}
CASES = [
    *((text, True, True) for text in ACCEPTED.values()),
    *((text, False, False) for text in REFUSED.values()),
    *((text, False, True) for text in UNSEEN.values()),
]


@pytest.mark.parametrize(("text", "readable", "valid"), CASES, ids=[*ACCEPTED, *REFUSED, *UNSEEN])
def test_it_agrees_with_what_reads_suites(tmp_path, text, readable, valid):
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    assert validator(shipped()).is_valid(load(text)) == valid
    if readable:
        read(file)
    else:
        with pytest.raises(InputError):
            read(file)


# Plug-ins that are not ours.


class Valley:
    """A valley, whose width must be given."""

    name = "valley"

    def __init__(self, width: Positive, shape: Vector | None = None, kind: str = "round") -> None:
        """Make one."""

    def start(self, seeds): ...

    def loss(self, w): ...

    def grad(self, w): ...


def roll(oracle, w, state, k, lr: Positive, every: Count = 3):
    """Roll down."""


def options(method: str = "plain") -> Sequence[Parameter]:
    return (Parameter("depth", 2, int),) if method == "deep" else ()


def choose(oracle, w, checkpoints, method: str = "plain", **further):
    """Choose a way down."""


STRANGE = Registry(
    {"valley": Valley},
    {"ball": StepMethod("ball", roll), "library": DriverMethod("library", choose, options=options)},
)


@pytest.mark.parametrize(
    ("problem", "optimizer", "valid"),
    [
        ("{valley: {width: 2}}", "{ball: {lr: 1}}", True),
        ("{valley: {width: 2, kind: flat, shape: [1, 2]}}", "library", True),
        ("{valley: {width: 2}}", "{library: {method: deep, depth: 3}}", True),  # its method decides what it takes
        ("{valley: {width: 2}}", "{ball: {tune: {lr: [1, 2]}}}", True),
        ("{valley: {width: 2}}", "{ball: {tune: {every: [1, 2]}}}", False),  # and lr?
        ("{valley: {width: 2}}", "{library: {method: deep, tune: {depth: [1, 2]}}}", True),
        ("valley", "{ball: {lr: 1}}", False),  # a width must be given
        ("{valley: }", "{ball: {lr: 1}}", False),
        ("{valley: {}}", "{ball: {lr: 1}}", False),
        ("{valley: {width: 2, kind: 3}}", "{ball: {lr: 1}}", False),
        ("{valley: {width: 2}}", "ball", False),
        ("{valley: {width: 2}}", "{ball: {lr: 1, every: 0.5}}", False),
        ("teacher-neuron", "{ball: {lr: 1}}", False),  # of no plug-in that is at hand
    ],
)
def test_a_strangers_parameters_are_in_it(problem, optimizer, valid):
    text = f"name: a\nproblems: [{problem}]\noptimizers: [{optimizer}]\nseeds: 1\nhorizon: {{iterations: 1}}\n"
    assert validator(STRANGE).is_valid(load(text)) == valid


def test_a_file_with_plugins_may_name_what_only_they_know():
    text = change("heavy-ball", "my-own: {rate: fast}")
    assert not validator(shipped()).is_valid(load(text))
    assert validator(shipped()).is_valid(load(text + "plugins: [my_own.py]\n"))
    known = change("- heavy-ball", "- heavy-ball: {beta: 2}")
    assert not validator(shipped()).is_valid(load(known + "plugins: [my_own.py]\n"))  # what is known is still checked
