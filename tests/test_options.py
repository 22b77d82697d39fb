"""Options: parameters that depend on other parameters, as adapters of other libraries need them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Predicate

import bench_ovp as ovp
from bench_ovp.errors import InputError
from bench_ovp.optimizers import DriverMethod, Optimizer
from bench_ovp.parameters import Parameter, Positive, Vector, read_options
from bench_ovp.plan import list_cells
from bench_ovp.registry import Registry, installed
from bench_ovp.suite import MOST_CHOICES, Suite, read_suite
from bench_ovp.tables import trace_frame

OPTIONS = {
    "sgd": (Parameter("momentum", 0.0, float), Parameter("nesterov", False, bool), Parameter("eps", 0.0, float)),
    "adam": (Parameter("betas", [0.9, 0.999], Vector), Parameter("eps", 1e-8, float)),
    "strange": (Parameter("eps", [0.0], Vector),),
    "demanding": (Parameter("width", inspect.Parameter.empty, int),),
}


def is_offered(method):
    if method not in OPTIONS:
        raise ValueError(f"unknown method; known: {', '.join(OPTIONS)}")
    return True


def check(method, lr, **options):
    if options.get("nesterov") and not options["momentum"]:
        raise ValueError("nesterov needs momentum")


def drive(oracle, w, checkpoints, method: Annotated[str, Predicate(is_offered)] = "sgd", lr: Positive = 0.1, **options):
    """A library with several methods."""
    assert set(options) == {p.name for p in OPTIONS[method]}
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * oracle.grad(w)
        checkpoints.record(k, w)


LIBRARY = DriverMethod(
    "library",
    drive,
    clock="lr",
    batched=lambda method, **_: method == "sgd",
    options=lambda method: OPTIONS[method],
    check=check,
)
PROBLEMS = installed().problems
REGISTRY = Registry(PROBLEMS, {"library": LIBRARY}, installed().plugins)


def read(folder: Path, *items: str) -> Suite:
    path = folder / "suite.yaml"
    listed = "".join(f"  - {item}\n" for item in items)
    path.write_text(f"name: a\nproblems: [toy-case-1]\noptimizers:\n{listed}seeds: 1\nhorizon: {{iterations: 9}}\n")
    return read_suite(path, REGISTRY)


def labels(folder: Path, *items: str) -> list[str]:
    return [optimizer.label for optimizer in read(folder, *items).optimizers]


def test_options_are_parameters_with_defaults():
    assert Optimizer(LIBRARY).parameters == {
        "method": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": False, "eps": 0.0
    }  # fmt: skip
    adam = Optimizer(LIBRARY, {"method": "adam", "lr": 0.01, "eps": 1})
    assert adam.parameters == {"method": "adam", "lr": 0.01, "betas": [0.9, 0.999], "eps": 1.0}
    assert adam.label == "library[method=adam,lr=0.01,eps=1]"
    assert adam.time_per_iteration == 0.01


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"momentun": 1}, "library has no parameter 'momentun'; did you mean 'momentum'?"),
        ({"method": "adam", "beta": [1]}, "library[method=adam] has no parameter 'beta'; did you mean 'betas'?"),
        ({"method": "adam", "momentum": 0.9}, "library[method=adam] has no parameter 'momentum'"),
        ({"method": "adam", "betas": 0.9}, "betas = 0.9: input should be a valid list"),
        ({"momentum": "much"}, "momentum = 'much': input should be a valid number"),
        ({"method": "demanding"}, "library[method=demanding] needs a value for 'width'"),
        ({"method": "newton"}, "method = 'newton': unknown method; known: sgd, adam"),
        ({"nesterov": True}, "library: nesterov needs momentum"),
    ],
)
def test_a_mistake_is_told(given, words):
    with pytest.raises(InputError, match=re.escape(words)):
        Optimizer(LIBRARY, given)


def test_a_method_is_batched_where_it_says_so():
    problem = ovp.problem("teacher-neuron", n=1, d=3)
    assert Optimizer(LIBRARY).method.batched is True
    assert Optimizer(LIBRARY, {"method": "adam"}).method.batched is False
    together = ovp.run(problem, Optimizer(LIBRARY), seeds=3, iterations=5)
    alone = ovp.run(problem, Optimizer(LIBRARY, {"method": "adam"}), seeds=3, iterations=5)
    for one, other in zip(together.runs, alone.runs, strict=True):
        assert np.array_equal(one.rows["loss"], other.rows["loss"])


def test_tables_have_a_column_for_each_option():
    problem = ovp.problem("teacher-neuron", n=1, d=3)
    traces = [ovp.run(problem, Optimizer(LIBRARY, {"method": m}), iterations=2) for m in ("sgd", "adam")]
    frame = trace_frame(traces)
    assert {f"optimizer.{name}" for name in ("method", "lr", "momentum", "betas", "eps")} <= set(frame)
    assert set(frame["optimizer.betas"].dropna()) == {"[0.9, 0.999]"}


def test_lists_are_grids_and_vectors_are_values(tmp_path):
    assert labels(tmp_path, "library: {momentum: [0, 0.9], lr: [0.1, 1]}") == [
        f"library[momentum={m},lr={lr}]" for m in (0, 0.9) for lr in (0.1, 1)
    ]
    assert labels(tmp_path, "library: {method: adam, betas: [0.9, 0.99]}") == ["library[method=adam,betas=[0.9,0.99]]"]
    grid = read(tmp_path, "library: {method: adam, betas: [[0.9, 0.99], [0.8, 0.9]]}").optimizers
    assert [optimizer.parameters["betas"] for optimizer in grid] == [[0.9, 0.99], [0.8, 0.9]]


def test_methods_may_be_a_grid_where_they_share_the_option(tmp_path):
    assert labels(tmp_path, "library: {method: [sgd, adam], eps: 1e-3}") == [
        "library[method=sgd,eps=0.001]",
        "library[method=adam,eps=0.001]",
    ]


@pytest.mark.parametrize(
    ("item", "place", "words"),
    [
        ("library: {momentun: 1}", "4:15", "library has no parameter 'momentun'; did you mean 'momentum'?"),
        ("library: {method: newton, lr: 1}", "4:23", "method = 'newton': unknown method"),
        ("library: {method: [sgd, newton]}", "4:29", "method = 'newton': unknown method"),
        ("library: {lr: 1, betas: [1], method: adam, eps: a}", "4:53", "eps = 'a': input should be a valid number"),
        ("library: {method: [sgd, adam], momentum: 1}", "4:36", "library[method=adam] has no parameter 'momentum'"),
        ("library: {method: [adam, strange], eps: [1.0]}", "4:40", "eps is one thing for library[method=adam] and"),
        ("library: {nesterov: [false, true]}", "4:5", "library: nesterov needs momentum"),
        ("library: {method: demanding}", "4:5", "library[method=demanding] needs a value for 'width'"),
        (f"library: {{method: [{', '.join(['sgd'] * (MOST_CHOICES + 1))}]}}", "4:23", "list at most 100"),
    ],
)
def test_a_mistake_in_a_file_names_its_place(tmp_path, item, place, words):
    with pytest.raises(InputError) as caught:
        read(tmp_path, item)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'suite.yaml'}:{place}: "), message
    assert words in message
    assert "\n" not in message


def test_options_and_versions_are_in_the_key(tmp_path, monkeypatch):
    from dataclasses import replace

    def keys(method):
        plugin = replace(installed().plugins[0], optimizers=("library",))
        registry = Registry(PROBLEMS, {"library": method}, (plugin, *installed().plugins))
        suite = read(tmp_path, "library", "library: {eps: 0}", "library: {eps: 1}")
        suite = replace(suite, optimizers=tuple(Optimizer(method, o.given) for o in suite.optimizers))
        return [cell.key for cell in list_cells(suite, registry)]

    plain = keys(LIBRARY)
    assert plain[0] == plain[1] != plain[2]
    assert keys(replace(LIBRARY, libraries=("pandas",)))[0] != plain[0]


def test_open_arguments_need_a_declaration():
    def silent(oracle, w, checkpoints, lr=0.1):
        """No options."""

    with pytest.raises(TypeError, match=r"takes \*options; name each parameter instead"):
        _ = DriverMethod("open", drive).parameters
    with pytest.raises(TypeError, match=r"declares options but does not take \*\*options"):
        _ = DriverMethod("closed", silent, options=lambda: ()).parameters
    with pytest.raises(TypeError, match=r"takes \*rates"):
        _ = DriverMethod("a", lambda oracle, w, checkpoints, *rates, **o: None, options=lambda: ()).parameters


def foreign(
    params, lr, betas=(0.9, 0.99), eps=(None, 1e-3), steps: int = 5, decay=0, rate=0.5, name="x", on=True, top=None,
    law=len, *args, must, **more,
):  # fmt: skip
    pass


def test_arguments_of_other_libraries_are_read():
    found = {p.name: p for p in read_options(foreign, leave_out=("params", "lr"))}
    assert list(found) == ["betas", "eps", "steps", "decay", "rate", "name", "on", "top", "must"]
    assert [found[name].depth for name in ("betas", "eps", "steps")] == [1, 1, 0]
    assert found["betas"].default == [0.9, 0.99]
    assert found["eps"].check([None, 1.0]) == [None, 1.0]
    assert found["must"].required
    assert (found["decay"].check(0.5), found["decay"].check(2.0)) == (0.5, 2)
    assert (found["top"].check("all"), found["top"].check(3), found["top"].check(None)) == ("all", 3, None)
    for name, value in [("steps", 1.5), ("rate", "a"), ("on", 1), ("name", 2), ("top", [1])]:
        with pytest.raises(InputError, match=f"{name} = "):
            found[name].check(value)
