"""Plug-ins come in one by one: a broken one is named, and hurts nobody else."""

from __future__ import annotations

import itertools
from importlib.metadata import EntryPoint

import pytest

from bench_ovp.errors import InputError
from bench_ovp.registry import FilePlugin, Registry, gather, installed

GOOD = """
from bench_ovp import StepMethod, hookimpl

class Bowl:
    "A bowl."
    name = "bowl"
    def __init__(self, n: int = 2): ...
    def start(self, seeds): ...
    def loss(self, w): ...
    def grad(self, w): ...

def descend(oracle, w, state, k, lr: float = 0.1):
    "Go down."
    return w, state

@hookimpl
def bench_ovp_problems():
    return [Bowl]

@hookimpl
def bench_ovp_optimizers():
    return [StepMethod("descend", descend)]
"""
OPTIMIZERS = "from bench_ovp import StepMethod, DriverMethod, hookimpl\n@hookimpl\ndef bench_ovp_optimizers():\n"
PROBLEMS = "from bench_ovp import hookimpl\n@hookimpl\ndef bench_ovp_problems():\n"
numbers = itertools.count()


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """Make a module with an entry point of its own."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(source: str, name: str = "stranger", attribute: str = "") -> EntryPoint:
        module = f"registry_plugin_{next(numbers)}"
        (tmp_path / f"{module}.py").write_text(source)
        return EntryPoint(name, module + attribute, "bench_ovp")

    return make


BROKEN = {
    "a missing dependency": ("import no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'"),
    "a syntax error": ("def broken(:\n", "SyntaxError"),
    "an exception of several lines": ("raise RuntimeError('first\\nsecond')\n", "RuntimeError: first second"),
    "an exit": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "no hook": ("import bench_ovp\n", "implements no hook; known: bench_ovp_claims, bench_ovp_optimizers"),
    "a misspelt hook": (
        OPTIMIZERS.replace("_optimizers", "_optimisers") + "    return []\n",
        "unknown hook 'bench_ovp_optimisers'; did you mean 'bench_ovp_optimizers'?",
    ),
    "a misspelt hook beside a good one": (
        GOOD + "@hookimpl\ndef bench_ovp_problem():\n    return []\n",
        "unknown hook 'bench_ovp_problem'; did you mean 'bench_ovp_problems'?",
    ),
    "a missing marker": (
        OPTIMIZERS.replace("@hookimpl\n", "") + "    return []\n",
        "bench_ovp_optimizers lacks the @bench_ovp.hookimpl marker",
    ),
    "an argument that no hook has": (OPTIMIZERS.replace("():", "(config):") + "    return []\n", "config"),
    "a hook that raises": (OPTIMIZERS + "    return 1 / 0\n", "ZeroDivisionError"),
    "a forgotten return": (OPTIMIZERS + "    [1]\n", "bench_ovp_optimizers must return a list, not None"),
    "no list": (OPTIMIZERS + "    return 3\n", "bench_ovp_optimizers must return a list, not 3"),
    "a bare function": (OPTIMIZERS + "    return [len]\n", "must return StepMethod or DriverMethod, not <built-in"),
    "a step with *args": (
        OPTIMIZERS + "    return [StepMethod('a', lambda oracle, w, state, k, *rates: (w, state))]\n",
        "takes *rates; name each parameter instead",
    ),
    "a method without a name": (
        OPTIMIZERS + "    return [StepMethod('', lambda oracle, w, state, k: (w, state))]\n",
        "must be a string",
    ),
    "an optimizer twice": (
        OPTIMIZERS + "    return 2 * [StepMethod('a', lambda oracle, w, state, k: (w, state))]\n",
        "ValueError: 'a' is offered twice",
    ),
    "an instance for a class": (PROBLEMS + "    return [object()]\n", "must return classes, not <object"),
    "a problem without a loss": (
        PROBLEMS + "    return [type('Flat', (), {'name': 'flat', 'start': 1})]\n",
        "problem Flat has no 'loss'",
    ),
    "a name that is taken": (GOOD, "ValueError: the problem 'bowl' is offered by the plug-in good (? ?) already"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_named_and_the_others_load(entry, case):
    source, told = BROKEN[case]
    later = GOOD.replace('"bowl"', '"dish"').replace('"descend"', '"ascend"')
    registry = gather([entry(GOOD, "good"), entry(source, "stranger"), entry(later, "later")])
    assert list(registry.problems) == ["bowl", "dish"]
    assert list(registry.methods) == ["descend", "ascend"]
    good, broken, after = registry.plugins
    assert (good.error, after.error) == ("", "")
    assert broken.name == "stranger"
    assert told in broken.error
    assert "\n" not in broken.error
    assert "bench_ovp/" not in broken.error  # no frame of the host's: that is not where the mistake is
    assert broken.problems == broken.optimizers == ()


def test_a_plugin_that_clashes_in_one_name_offers_nothing(entry):
    clash = GOOD.replace('"bowl"', '"dish"')  # the optimizer is the same
    registry = gather([entry(GOOD), entry(clash, "second")])
    assert list(registry.problems) == ["bowl"]
    assert "the optimizer 'descend' is offered by the plug-in stranger (? ?) already" in registry.plugins[1].error


def test_a_file_that_is_installed_already_is_not_loaded_twice(entry, tmp_path):
    point = entry(GOOD)
    for folder, source in (("same", GOOD), ("other", GOOD + "# edited")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{point.value}.py").write_text(source)
    same, other = (FilePlugin(tmp_path / folder / f"{point.value}.py", "0") for folder in ("same", "other"))
    registry = gather([point, same])
    assert [plugin.error for plugin in registry.plugins] == [""]
    assert "is offered by the plug-in stranger (? ?) already" in gather([point, other]).plugins[1].error
    assert gather([same]).plugins[0].problems == ("bowl",)  # where it is not installed, the file will do


def test_an_entry_point_may_name_a_module_that_is_not_there():
    registry = gather([EntryPoint("gone", "no_such_module_at_all", "bench_ovp")])
    assert "No module named 'no_such_module_at_all'" in registry.plugins[0].error


def test_what_a_plugin_offers_is_told(entry):
    point = entry(GOOD)
    (plugin,) = gather([point]).plugins
    assert (plugin.name, plugin.module) == ("stranger", point.value)
    assert (plugin.problems, plugin.optimizers) == (("bowl",), ("descend",))


def test_names_become_problems_and_optimizers(entry):
    registry = gather([entry(GOOD)])
    assert registry.problem("bowl", n=3).label == "bowl[n=3]"
    assert registry.optimizer("descend", lr=0.5).parameters == {"lr": 0.5}
    assert registry.optimizer("descend", label="mine").label == "mine"
    assert registry.plugin_of("problem", "bowl") == registry.plugins[0]
    with pytest.raises(InputError, match="bowl has no parameter 'm'; known: n"):
        registry.problem("bowl", m=3)


def test_an_unknown_name_gives_the_nearest(entry):
    registry = gather([entry(GOOD), entry("import nothing_like_it\n", "lame")])
    with pytest.raises(InputError, match=r"unknown problem 'bow'; did you mean 'bowl'\?") as told:
        registry.problem("bow")
    assert "the plug-in lame (? ?) did not load: ModuleNotFoundError" in str(told.value)
    with pytest.raises(InputError, match="unknown optimizer 'xyz'; known: descend"):
        registry.optimizer("xyz")
    with pytest.raises(InputError, match="unknown problem 'bowl'"):
        Registry().problem("bowl")


def test_the_shipped_plugins_come_in_by_their_entry_points():
    shipped = {p.name: p for p in installed().plugins if p.distribution == "bench-ovp"}
    assert set(shipped) == {"neuron", "optimizers", "paper"}
    assert not [p.error for p in shipped.values() if p.error]
    assert shipped["neuron"].problems[0] == "teacher-neuron"
    assert len(shipped["optimizers"].optimizers) == 18
    assert shipped["paper"].claims[0] == "lemma-3"
