"""The documentation against the code: its examples run, its tables are complete."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Collection
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import numpy as np
import pytest

import bench_ovp as ovp
from bench_ovp import claims, hookspecs, matrices, parameters, ranking, suite, yaml_nodes
from bench_ovp.claims.verdicts import COLUMNS as CLAIM_COLUMNS
from bench_ovp.cli import main
from bench_ovp.contest import hold_contests
from bench_ovp.integrate.driven import Checkpoints
from bench_ovp.oracle import Oracle
from bench_ovp.problems import ProblemDefinition
from bench_ovp.rates import Rate
from bench_ovp.registry import gather, installed
from bench_ovp.scaffold.package import render
from bench_ovp.tables import comparison_frame, ranking_frame, runs_frame, trace_frame
from bench_ovp.trace import STATUSES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "generated" not in page.parts)
FENCE = re.compile(r"^```(\w+)(?: (\S+\.py))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[tuple[str | None, str]]:
    """(file name or None, code) of a page's blocks in a language, in order."""
    return [(name or None, code) for kind, name, code in FENCE.findall(page.read_text()) if kind == language]


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    text = (DOCS / page).read_text()
    level = heading.partition(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {heading!r}"
    return found.group(1)


def first_cells(text: str) -> set[str]:
    """The names in code type in the first cells of a text's tables."""
    rows = (line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def write_named(page: Path, folder: Path) -> list[str]:
    """Write a page's named blocks; their names."""
    named = [(name, code) for name, code in blocks(page, "python") if name]
    for name, code in named:
        (folder / name).write_text(code)
    return [name for name, _ in named]


# Examples.


# Pages with ```console blocks are followed as a whole, in test_guides.py.
EXAMPLES = [p for p in PAGES if "```python" in p.read_text() and "```console" not in p.read_text()]


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda p: p.name)
def test_examples_run(page, importable):
    write_named(page, importable)
    for position, (name, code) in enumerate(blocks(page, "python")):
        if name:
            importlib.import_module(name.removesuffix(".py"))
        else:
            exec(compile(code, f"{page.name}, block {position}", "exec"), {"__name__": "example"})


def test_plugins_come_in_by_their_entry_points(importable):
    """The optimizer is a file of at most 15 lines and one line in its pyproject."""
    page = DOCS / "write-an-optimizer.md"
    optimizer = "bench_ovp_momentum.py"
    assert optimizer in write_named(page, importable)
    assert len((importable / optimizer).read_text().strip().splitlines()) <= 15
    [(_, project)] = blocks(page, "toml")
    entries = tomllib.loads(project)["project"]["entry-points"][hookspecs.PROJECT]
    assert list(entries.values()) == [optimizer.removesuffix(".py")]
    registry = gather([EntryPoint(name, value, hookspecs.PROJECT) for name, value in entries.items()])
    assert [plugin.error for plugin in registry.plugins] == [""]
    assert "my-heavy-ball" in registry.methods


@pytest.mark.parametrize(("page", "kind"), [("write-an-optimizer.md", "optimizer"), ("write-a-problem.md", "problem")])
def test_pages_show_what_new_writes(page, kind):
    name, code = next((name, code) for name, code in blocks(DOCS / page, "python") if name)
    assert name == f"my_{kind}.py"
    assert code == render(f"{kind}.py", kind=kind, name=f"my-{kind}", module=f"my_{kind}")


def commands_of(page: Path) -> list[list[str]]:
    """The words of each bench-ovp command in a page's shell blocks and code type."""
    text = page.read_text()
    lines = [line for _, code in blocks(page, "sh") for line in code.splitlines()]
    lines += re.findall(r"`(bench-ovp [^`]+)`", text)
    found = (re.search(r"(?:^|/|&& )bench-ovp (.+)", line.partition(" #")[0]) for line in lines)
    return [shlex.split(match.group(1)) for match in found if match]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda p: p.name)
def test_commands_and_options_exist(page):
    for words in commands_of(page):
        known: click.Command = main
        options = {option for parameter in known.params for option in parameter.opts}
        for word in words:
            if isinstance(known, click.Group) and word in known.commands:
                known = known.commands[word]
                options |= {option for parameter in known.params for option in parameter.opts} | {"--help"}
            elif word.startswith("-"):
                assert word.partition("=")[0] in options, words
        assert known is not main or words[0].startswith("-"), words


def test_the_suite_of_suites_md_reads(tmp_path):
    [(_, text)] = blocks(DOCS / "suites.md", "yaml")
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    read = suite.read_suite(file, installed())
    assert read.name == "example"
    assert [problem.label for problem in read.problems[:2]] == [f"teacher-neuron[n={n},d=20,sigma=0.1]" for n in (2, 5)]
    assert [optimizer.label for optimizer in read.optimizers] == [
        "gradient-descent[lr=0.05]",
        "gradient-descent[lr=0.1]",
        "momentum",
        "gradient-flow",
    ]
    horizon, stop = read.rules("toy-case-1", "momentum")
    assert (horizon.iterations, horizon.time, stop.loss, stop.wall) == (20_000, 5e3, 1e-20, 600.0)


# Completeness.


def test_every_page_is_in_the_index():
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", (DOCS / "README.md").read_text()))
    assert {page.relative_to(DOCS).as_posix() for page in PAGES} - {"README.md"} <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([\w./-]*\.md)?(#[\w-]+)?\)", page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
            assert anchor[1:] in slugs, f"{target}{anchor}"


def annotation(noted: object) -> str:
    """A type as the source writes it."""
    return str(getattr(noted, "__forward_arg__", noted))


def signature(function: Callable[..., object], skip: int = 0) -> str:
    """`(a: A, b: B = 1) -> C`, without the first `skip` arguments."""
    read = inspect.signature(function)
    told = []
    for name, p in list(read.parameters.items())[skip:]:
        default = "" if p.default is p.empty else f" = {p.default!r}"
        told.append(f"{name}: {annotation(p.annotation)}{default}")
    return f"({', '.join(told)}) -> {annotation(read.return_annotation)}"


def fields(kind: type) -> list[str]:
    """The fields of a dataclass or a NamedTuple, with their types and defaults."""
    if dataclasses.is_dataclass(kind):
        defaults = {f.name: f.default for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
    else:
        defaults = kind._field_defaults
    names = [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else kind._fields
    noted = inspect.get_annotations(kind)
    return [
        f"{name}: {annotation(noted[name])}" + (f" = {defaults[name]!r}" if name in defaults else "") for name in names
    ]


def members(kind: type, leave_out: Collection[str] = ()) -> list[str]:
    """The public attributes, properties and methods of a class."""
    found = [f"{name}: {annotation(noted)}" for name, noted in inspect.get_annotations(kind).items()]
    for name, member in vars(kind).items():
        if name.startswith("_") or name in leave_out:
            continue
        if isinstance(member, property):
            found.append(f"{name}: {inspect.signature(member.fget).return_annotation}")
        elif inspect.isfunction(member):
            found.append(f"{name}{signature(member, skip=1)}")
    return found


CLAIM_TYPES = (claims.Claim, claims.Case, claims.Finding, claims.Scale, claims.Diagram, claims.Line)


def stubs() -> dict[str, list[str]]:
    """What hooks.md shows below each heading, from the code."""
    hooks = [f"{name}{signature(hook)}" for name, hook in vars(hookspecs).items() if name.startswith("bench_ovp_")]
    host_only = {"narrow", "charge"}  # the host's own calls, which a plug-in has no use for
    positions = vars(Checkpoints([1.0], lambda *_: None, lambda *_: None))["positions"]
    return {
        "## The hooks": hooks,
        "### StepMethod": fields(ovp.StepMethod),
        "### DriverMethod": fields(ovp.DriverMethod),
        "### Oracle": members(Oracle, host_only),
        "### Checkpoints": [f"positions: {type(positions).__name__}", *members(Checkpoints)],
        "### ProblemDefinition": members(ProblemDefinition),
        "### Theory": fields(ovp.Theory),
        "### Kernels": fields(ovp.Kernels),
        **{f"### {kind.__name__}": fields(kind) for kind in CLAIM_TYPES},
    }


@pytest.mark.parametrize("heading", stubs())
def test_signatures_are_as_documented(heading):
    """The block below the heading is what the code says, line by line; on a failure, paste the left side."""
    told = re.findall(r"^```text\n(.*?)^```$", section("hooks.md", heading), re.MULTILINE | re.DOTALL)
    assert "\n".join(stubs()[heading]) + "\n" == told[0]


@pytest.mark.parametrize("documented", [ovp.StepMethod, ovp.DriverMethod, ProblemDefinition])
def test_calls_are_as_in_the_docstrings(documented):
    """The lines that are set apart in the docstring stand in the reference and in the guide too."""
    lines = [line[4:] for line in inspect.getdoc(documented).splitlines() if line.startswith("    ")]
    lines = [line for line in lines if re.match(r"\w+\(|resolution|\s+(?:with rotations;|precise,)", line)]
    assert lines
    page = (DOCS / "hooks.md").read_text()
    for line in lines:
        assert line in page


def test_types_of_parameters_are_documented():
    assigned = [node for node in ast.parse(inspect.getsource(parameters)).body if isinstance(node, ast.Assign)]
    assert {node.targets[0].id for node in assigned} == first_cells(section("hooks.md", "## Types of parameters"))


def traces():
    """A compiled and a driven method on a problem, without compiling anything new."""
    problem = ovp.problem("teacher-neuron", n=2, d=3)
    return [
        ovp.run(problem, ovp.optimizer("gradient-descent"), seeds=2, iterations=10),
        ovp.run(problem, ovp.optimizer("gradient-flow"), seeds=1, time=0.1),
    ]


SHARED = "## Columns that all tables share"


@pytest.mark.parametrize(
    ("heading", "make"),
    [
        ("## traces.parquet", lambda found: trace_frame(found)),
        ("## runs.csv", lambda found: runs_frame([(t, [Rate("undecided")] * len(t.runs)) for t in found])),
        ("## ranking.csv", lambda found: ranking_frame([(t, [Rate("undecided")] * len(t.runs)) for t in found])),
        (
            "## comparisons.csv",
            lambda found: comparison_frame(hold_contests([(t, [Rate("undecided")] * len(t.runs)) for t in found])),
        ),
    ],
)
def test_every_column_is_documented(heading, make):
    documented = first_cells(section("results.md", heading)) | first_cells(section("results.md", SHARED))
    columns = {str(name) for name in make(traces()).columns}
    plain = {name for name in columns if "." not in name}
    assert plain <= documented
    assert {name.partition(".")[0] + ".NAME" for name in columns - plain} <= documented
    extra = documented - plain - {"problem.NAME", "optimizer.NAME"}
    told = set(STATUSES) | set(ranking.ORDER)
    assert extra <= told, "columns that no table has"


def test_columns_and_verdicts_of_claims_are_documented():
    told = first_cells(section("results.md", "## claims.csv")) | first_cells(section("results.md", SHARED))
    assert set(CLAIM_COLUMNS) <= told
    assert first_cells(section("claims.md", "## Verdicts")) == set(claims.VERDICTS)


def test_every_claim_of_the_paper_is_documented():
    told = first_cells(section("claims.md", "## The paper's claims"))
    families = [name.removesuffix("…") for name in told if name.endswith("…")]
    [paper] = [plugin for plugin in installed().plugins if plugin.name == "paper"]
    for name in paper.claims:
        assert name in told or any(name.startswith(family) for family in families), name


def test_statuses_laws_and_targets_are_documented():
    assert first_cells(section("results.md", "### Statuses")) == set(STATUSES)
    assert first_cells(section("results.md", "### Laws")) == set(ranking.ORDER)
    order = section("results.md", "### How ranks are made").splitlines()[1]
    assert re.findall(r"\w+", order.partition("law: ")[2]) == list(ranking.ORDER)
    assert len(ranking.TARGETS) == 3


def test_files_of_results_are_documented(tmp_path):
    file = tmp_path / "suite.yaml"
    file.write_text(
        "name: tiny\nproblems: [toy-case-2]\noptimizers: [preconditioned-gradient-descent]\n"
        "seeds: 1\nhorizon: {iterations: 4}\n"
    )
    from bench_ovp.suite_run import run_suite

    folder = run_suite(file, tmp_path, executor="serial", report=False).folder
    documented = first_cells(section("results.md", "# Results").partition("\n## ")[0])
    assert {f"{found.name}/" if found.is_dir() else found.name for found in folder.iterdir()} <= documented
    assert "missing" in json.loads((folder / "provenance.json").read_text())


def test_suite_keys_and_limits_are_documented():
    page = (DOCS / "suites.md").read_text()
    named = first_cells(page)
    for key in suite.EXAMPLES:
        assert key in named or f"`{key}`" in page, key
    required = {
        re.findall(r"`(\w+)`", line)[0]
        for line in section("suites.md", "## Keys").splitlines()
        if line.endswith("| yes |")
    }
    assert required == set(suite.REQUIRED)
    limits = section("suites.md", "## Limits")
    for limit in (
        suite.MOST_CELLS,
        suite.MOST_POINTS,
        suite.MOST_NUMBERS,
        suite.MOST_OVERRIDES,
        suite.MOST_MATCHED,
        suite.FINEST,
        suite.LONGEST_NAME,
        suite.MOST_CHOICES,
        matrices.LARGEST_MATRIX,
        yaml_nodes.LONGEST_TEXT,
        yaml_nodes.MOST_VALUES,
        yaml_nodes.LARGEST_FILE,
        yaml_nodes.DEEPEST,
    ):
        assert re.search(rf"\| {limit:,}\b", limits), limit


def test_families_are_documented():
    shipped = [p for p in installed().plugins if p.distribution == "bench-ovp"]
    families = {installed().methods[name].family for plugin in shipped for name in plugin.optimizers}
    [told] = [line for line in (DOCS / "write-an-optimizer.md").read_text().splitlines() if "Shipped families" in line]
    assert families - {""} == set(re.findall(r"`([a-z-]+)`", told.partition("Shipped families")[2]))


# The map of the house.


def modules_of_the_map() -> list[str]:
    table = (DOCS / "architecture.md").read_text().partition("## Words")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def imported_by(file: Path) -> set[str]:
    """Modules of the host that a file imports anywhere, type checkers' imports left out."""
    found = set()
    depth = len(file.relative_to(ROOT / "bench_ovp").parts)
    tree = ast.parse(file.read_text())
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or id(node) in skipped:
            continue
        module = node.module or ""
        if node.level == depth:
            found |= {module.partition(".")[0]} if module else {alias.name for alias in node.names}
        elif node.level == 0 and module.startswith("bench_ovp."):
            found.add(module.split(".")[1])
    return found


def test_the_map_is_true():
    """Modules exist, and import only what stands below them, with the one exception that the page names."""
    order = modules_of_the_map()
    assert len(order) == len(set(order)) > 20
    place = {name: position for position, name in enumerate(order)}
    upward = set()
    for name in order:
        path = ROOT / "bench_ovp" / name
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            upward |= {(name, other) for other in imported_by(file) if place.get(other, 99) < place[name]}
    assert upward == {("trace", "tables")}


# Claims of mathematics.md that no other test checks.


def kernel(theta):
    return np.sin(theta) + (np.pi - theta) * np.cos(theta)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_of_a_vanishing_student(seed):
    """L(ρu) = L(0) + ρφ(u) + ρ²/4 exactly, and φ is the limit of u·∇."""
    rng = np.random.default_rng(seed)
    others, u = rng.standard_normal((3, 5)), rng.standard_normal(5)
    u /= np.linalg.norm(u)
    norms = np.linalg.norm(others, axis=1)
    phi = (norms @ kernel(np.arccos(others @ u / norms)) - kernel(np.arccos(u[0]))) / (2 * np.pi)
    without, problem = ovp.problem("teacher-neuron", n=3, d=5), ovp.problem("teacher-neuron", n=4, d=5)
    for rho in (0.01, 0.3, 2.0):
        w = np.vstack([rho * u, others])
        assert problem.loss(w) == pytest.approx(without.loss(others) + rho * phi + rho**2 / 4, rel=1e-13)
        assert problem.grad(w)[0] @ u == pytest.approx(phi + rho / 2, rel=1e-13)


def test_lemma_20_fails_opposite_to_the_teacher():
    w = np.array([[-2.0, 0.0, 0.0]])
    loss = ovp.problem("teacher-neuron", n=1, d=3).loss(w)
    assert loss == pytest.approx(1.25)
    assert 4 * np.pi**3 > 30 * np.pi * loss


def test_two_students_late():
    """L = z³/(3πh₁h₂) on the valley of two students, and so L·t³ → (8π²/3)(h₁h₂)²."""
    z, h = 1e-7, 0.3
    problem = ovp.problem("teacher-neuron", n=2, d=2)
    w = np.array([[h, z], [1 - h, -z]])
    assert problem.loss(w) == pytest.approx(z**3 / (3 * np.pi * h * (1 - h)), rel=1e-6)
    across = problem.grad(w)[:, 1]
    assert across == pytest.approx(np.array([1, -1]) * z**2 / (2 * np.pi * h * (1 - h)), rel=1e-6)


@pytest.mark.parametrize(("lr", "n", "rate"), [(0.5, 1, -2 * np.log(0.5) / 0.5), (0.5, 2, -3 * np.log(0.75) / 0.5)])
def test_gauss_newton_rates(lr, n, rate):
    problem = ovp.problem("teacher-neuron", n=n, d=3)
    optimizer = ovp.optimizer("preconditioned-gradient-descent", lr=lr)
    frame = ovp.run(problem, optimizer, seeds=1, iterations=60, per_decade=200).frame()
    late = frame[(frame.loss > 1e-26) & (frame.loss < 1e-12)]
    assert len(late) > 5
    slope = np.polyfit(late.time.astype(float), np.log(late.loss.astype(float)), 1)[0]
    assert -slope == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize("text", [page.read_text() for page in PAGES], ids=[page.name for page in PAGES])
def test_pages_name_no_machine(text):
    assert not re.search(r"/(?:home|root|tmp|work)/|https?://(?!keepachangelog|semver)", text)
