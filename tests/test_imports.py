"""What may import what: no cycles, numerics without files and figures, a host that knows no plug-in by name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import bench_ovp
from bench_ovp import hookspecs
from bench_ovp.registry import installed

ROOT = Path(__file__).resolve().parent.parent
HOST = ROOT / "bench_ovp"
PACKAGES = (HOST, *(p.parent for p in sorted((ROOT / "plugins").glob("*/__init__.py"))))
HEAVY = {"pandas", "yaml", "click", "matplotlib", "seaborn"}
NUMERICS = re.compile(
    r"bench_ovp\.((rates|integrate)(\..*)?|checkpoints|oracle|problems|optimizers|trace|ranking|comparison|contest|clocks|significance)|bench_ovp_.*"
)


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the host and of the shipped plug-ins, parsed, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for file in sorted(package.rglob("*.py")):
            parts = file.relative_to(package.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(file.read_text(), str(file))
    return found


def is_package(module: str) -> bool:
    return any(other.startswith(f"{module}.") for other in modules()) or "." not in module


def statements(node: ast.AST, inside_functions: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run: at module level, or also those in functions; never those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for otherwise in child.orelse:
                yield from statements(otherwise, inside_functions)
        elif inside_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(child, inside_functions)


def imported(module: str, inside_functions: bool = False) -> set[str]:
    """The full names that `module` imports; a name that `bench_ovp` hands out late counts as its home."""
    found: set[str] = set()
    for node in statements(modules()[module], inside_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        origin = node.module or ""
        if node.level:
            parts = module.split(".")
            anchor = parts[: len(parts) - node.level + is_package(module)]
            origin = ".".join([*anchor, *filter(None, [node.module])])
        for alias in node.names:
            inner = f"{origin}.{alias.name}"
            if inner in modules():
                found.add(inner)
            elif origin == "bench_ovp" and alias.name in bench_ovp.__all__:
                found.add(getattr(bench_ovp, alias.name).__module__)
            else:
                found.add(origin)
    return found


@cache
def graph() -> dict[str, set[str]]:
    """Who imports whom at module level, among our own modules."""
    return {name: (imported(name) & modules().keys()) - {name} for name in modules()}


def reach(module: str) -> set[str]:
    """`module` and all of ours that it imports, directly or not."""
    seen, left = set(), [module]
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            left += graph()[name]
    return seen


def numerics() -> list[str]:
    return [name for name in modules() if NUMERICS.fullmatch(name)]


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def in_a_fresh_process(statement: str) -> set[str]:
    """The top-level modules that are loaded after `statement`."""
    program = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return set(told.stdout.split())


def test_the_scan_sees_what_is_there():
    assert {"bench_ovp.cli", "bench_ovp.integrate", "bench_ovp_neuron.lanes", "bench_ovp_optimizers"} <= set(modules())
    assert {"bench_ovp.errors", "bench_ovp.rates", "bench_ovp.hookspecs"} <= set(graph()["bench_ovp.registry"]) | set(
        graph()["bench_ovp.work"]
    )
    assert "bench_ovp.problems" in graph()["bench_ovp_neuron.theory"]  # handed out late by bench_ovp
    assert "pandas" in imported("bench_ovp.tables")
    assert "pandas" not in imported("bench_ovp.trace", inside_functions=True)  # for type checkers only
    assert "bench_ovp.tables" in imported("bench_ovp.trace", inside_functions=True) - imported("bench_ovp.trace")


def test_imports_make_no_cycle():
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("module", numerics())
def test_numerics_know_no_files_terminal_or_figures(module):
    direct = imported(module, inside_functions=True)
    assert not top(direct) & HEAVY
    for other in reach(module):
        assert not top(imported(other)) & HEAVY, f"{module} imports {other}"


def test_numerics_load_nothing_heavy():
    loaded = in_a_fresh_process("import bench_ovp.integrate, bench_ovp.rates, bench_ovp_neuron, bench_ovp_optimizers")
    assert "numpy" in loaded
    assert not loaded & HEAVY


def test_the_commands_start_light():
    loaded = in_a_fresh_process("import bench_ovp.cli")
    assert "click" in loaded
    assert not loaded & {"numpy", "pandas", "numba", "yaml", "scipy", "pydantic", "matplotlib"}


def test_the_report_runs_nothing_and_the_engine_draws_nothing():
    running = {"engine", "executors", "work", "integrate", "store", "suite_run"}
    drawn = [name for name in modules() if name.startswith("bench_ovp.report")]
    assert drawn
    for name in drawn:
        reached = reach(name) | imported(name, inside_functions=True)
        assert not {f"bench_ovp.{part}" for part in running} & reached, name
    for name in ("engine", "work", "store", "plan", "executors"):
        below = reach(f"bench_ovp.{name}")
        assert not [other for other in below if ".report" in other or other.endswith((".cli", ".tables"))]


def literals(tree: ast.Module) -> Iterator[ast.Constant]:
    """String literals, docstrings excepted."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


@pytest.mark.parametrize("module", [name for name in modules() if name.partition(".")[0] == "bench_ovp"])
def test_the_host_knows_no_plugin_by_name(module):
    shipped = [p for p in installed().plugins if p.distribution == "bench-ovp"]
    names = {name for p in shipped for name in (p.module, *p.problems, *p.optimizers)}
    assert len(names) > 10
    assert not top(imported(module, inside_functions=True)) & names
    names -= vars(hookspecs).keys()  # a hook that a package is called after
    known = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names))
    for literal in literals(modules()[module]):
        found = known.search(literal.value)
        assert found is None, f"line {literal.lineno} names {found.group()}"
