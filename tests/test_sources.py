"""Keys follow what code means, through all that it imports, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PACKAGE = {
    "__init__.py": """\
from bench_ovp import hookimpl

@hookimpl
def bench_ovp_optimizers():
    from .steps import MINE
    from .others import OTHER
    return [MINE, OTHER]
""",
    "steps.py": """\
from bench_ovp import StepMethod
from .deep.helpers import half

def step(oracle, w, state, k):
    "A step."
    return half(w), state

MINE = StepMethod("mine", step, compile=False)
""",
    "others.py": """\
from bench_ovp import StepMethod

def step(oracle, w, state, k):
    return w, state

OTHER = StepMethod("other", step, compile=False)
""",
    "deep/__init__.py": "",
    "deep/helpers.py": """\
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from ..unseen import Nothing

def half(w):
    from ..late import factor
    return w * factor
""",
    "late.py": "factor = 0.5\n",
    "unseen.py": "Nothing = None\n",
}
ASK = """
    import sys
    from bench_ovp.keys import define_optimizer
    from bench_ovp.optimizers import Optimizer
    import strange_package.steps, strange_package.others
    for method in (strange_package.steps.MINE, strange_package.others.OTHER):
        print(define_optimizer(Optimizer(method)))
"""
CHANGES = {
    "a comment": ("steps.py", "def step", "# of mine\ndef step", set()),
    "a docstring": ("steps.py", "A step.", "The step.", set()),
    "a line break": ("late.py", "factor = 0.5", "factor = (\n    0.5\n)", set()),
    "the step": ("steps.py", "half(w)", "half(half(w))", {0}),
    "a helper": ("deep/helpers.py", "w * factor", "factor * w", {0}),
    "a helper of a helper, imported late": ("late.py", "0.5", "0.25", {0}),
    "another method's step": ("others.py", "return w,", "return 1.0 * w,", {1}),
    "what only a type checker sees": ("unseen.py", "None", "1", set()),
    "the hook, which is no part of a step": ("__init__.py", "[MINE, OTHER]", "[OTHER, MINE]", set()),
    "what the package does at its import": ("__init__.py", "\n@hookimpl", "\nimport warnings\n@hookimpl", {0, 1}),
    "what a method declares": ("steps.py", "compile=False", "compile=False, rotation_equivariant=True", {0}),
}


def definitions(folder) -> list[str]:
    code = textwrap.dedent(ASK)
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, env={"HOME": str(folder)}
    )
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


@pytest.fixture
def package(tmp_path):
    for name, source in PACKAGE.items():
        file = tmp_path / "strange_package" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return tmp_path


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_counts_where_it_matters(package, change):
    name, old, new, changed = CHANGES[change]
    before = definitions(package)
    file = package / "strange_package" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    after = definitions(package)
    assert {index for index in (0, 1) if before[index] != after[index]} == changed


def test_a_definition_names_modules_and_versions(package):
    mine, other = definitions(package)
    for module in ("steps", "deep.helpers", "late"):
        assert f"strange_package.{module}" in mine
    assert "strange_package.others" in other
    assert "steps" not in other


def test_the_shipped_methods_do_not_depend_on_one_another():
    from bench_ovp.keys import define_optimizer, define_problem
    from bench_ovp.registry import installed

    registry = installed()
    descent = define_optimizer(registry.optimizer("gradient-descent")).sources
    assert any(name.endswith("first_order") for name in descent)
    assert not any(name.endswith(("flow", "preconditioned")) for name in descent)
    neuron = define_problem(registry.problem("teacher-neuron")).sources
    assert {"lanes", "arcs", "vectors", "coordinates"} <= {name.rpartition(".")[2] for name in neuron}
    assert any(name.startswith("numba==") for name in neuron)


def test_machine_code_does_not_outlive_a_helper_that_was_inlined(tmp_path):
    (tmp_path / "inlined").mkdir()
    (tmp_path / "inlined/__init__.py").write_text("")
    (tmp_path / "inlined/outer.py").write_text(
        "from numba import njit\nfrom .inner import number\n\n@njit(cache=True)\ndef tell():\n    return number()\n"
    )
    code = (
        "from pathlib import Path\nfrom bench_ovp.compiling import forget_stale\n"
        "forget_stale([Path('inlined')])\nfrom inlined.outer import tell\nprint(tell())"
    )
    told = []
    for number in (1, 2, 2):
        (tmp_path / "inlined/inner.py").write_text(
            f"from numba import njit\n\n@njit\ndef number():\n    return {number}\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        told.append(int(done.stdout))
    assert told == [1, 2, 2]
    assert list((tmp_path / "inlined/__pycache__").glob("*.nbc"))
