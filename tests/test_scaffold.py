"""`bench-ovp new`: what it writes is installed, passes its own tests and is ranked; what it refuses, and why."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import environment, write_plugin

from bench_ovp.errors import InputError
from bench_ovp.registry import installed
from bench_ovp.scaffold import names, package

ROOT = Path(__file__).resolve().parent.parent
WORDS = {
    "optimizer": ("optimizer", "my-optimizer"),
    "driver": ("optimizer", "my-driver", "--driver"),
    "problem": ("problem", "my-problem"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The three packages as `new` writes them, with what an installation puts beside them."""
    home = tmp_path_factory.mktemp("scaffold")
    for kind, (_, name, *_) in WORDS.items():
        written = package.write_package(kind, name, home)
        module = names.module_of(name)
        write_plugin(home, module, (written.folder / f"{module}.py").read_text())
    return home


# What is written.


@pytest.mark.parametrize("kind", WORDS)
def test_new_says_what_it_wrote_and_how_to_go_on(invoke, tmp_path, kind):
    done = invoke("new", *WORDS[kind], "--to", "some where")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "some where" / WORDS[kind][1]
    written = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    module = names.module_of(WORDS[kind][1])
    assert written == {"pyproject.toml", "README.md", "suite.yaml", f"{module}.py", f"tests/test_{module}.py"}
    for file in written:
        assert f"  {file} " in done.output
    commands = done.output.partition("go on with\n")[2].splitlines()
    assert [line.strip() for line in commands] == [
        f"cd 'some where/{WORDS[kind][1]}'",
        'pip install -e ".[test]"',
        "pytest",
        "bench-ovp suite suite.yaml",
    ]
    for command in commands[1:]:
        assert command.strip() in (folder / "README.md").read_text()
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]  # no draft is left


@pytest.mark.parametrize("kind", WORDS)
def test_the_project_needs_bench_ovp_to_run_and_pytest_to_be_tested(site, kind):
    name = WORDS[kind][1]
    project = tomllib.loads((site / name / "pyproject.toml").read_text())["project"]
    assert project["name"] == name
    assert project["entry-points"]["bench_ovp"] == {name: names.module_of(name)}
    assert project["dependencies"] == ["bench-ovp", "numpy"]
    assert project["optional-dependencies"] == {"test": ["pytest"]}


@pytest.mark.parametrize("kind", WORDS)
def test_files_are_tidy_and_name_no_machine(site, kind):
    for file in (site / WORDS[kind][1]).rglob("*"):
        if not file.is_file():
            continue
        text = file.read_text()
        assert text.endswith("\n"), file
        assert not text.endswith("\n\n"), file
        assert not re.search(r"[ \t]$|\{[{%]|https?://|/(?:home|root|tmp|work)/", text, re.MULTILINE), file
        assert max(map(len, text.splitlines())) <= 120, file


@pytest.mark.parametrize("kind", ["optimizer", "driver"])
def test_an_optimizer_is_fifteen_lines_of_code(site, kind):
    """Without docstrings, comments and blank lines."""
    module = names.module_of(WORDS[kind][1])
    tree = ast.parse((site / f"{module}.py").read_text())
    documented = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.FunctionDef)]
    for node in documented:
        node.body.pop(0)
    assert len([line for line in ast.unparse(tree).splitlines() if line.strip()]) <= 18


@pytest.mark.parametrize("kind", WORDS)
def test_it_is_listed_and_documented(site, command, tmp_path, kind):
    name = WORDS[kind][1]
    shown = command("show", name, cwd=tmp_path, PYTHONPATH=site)
    assert shown.returncode == 0, shown.stderr
    assert "source: " in shown.stdout
    [parameters] = re.findall(r"^parameters\n((?:  .+\n)+)", shown.stdout, re.MULTILINE)
    for line in parameters.splitlines():
        assert re.search(r"= \S+ .+[a-z]{3}", line), "a parameter without a description"


# What becomes of it.


@pytest.mark.parametrize("kind", WORDS)
def test_its_tests_pass_as_written(site, kind):
    run = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    told = subprocess.run(
        run,
        cwd=site / WORDS[kind][1],
        env=environment(PYTHONPATH=site),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("kind", WORDS)
def test_its_suite_ranks_it(site, command, tmp_path, kind):
    """As written, but for fewer seeds: worker processes find the plug-in too, and theory agrees where there is one."""
    name = WORDS[kind][1]
    file = site / name / "suite.yaml"
    told = command("suite", file, "-j", 1, "--seeds", 2, "--no-report", cwd=tmp_path, PYTHONPATH=site)
    assert told.returncode == 0, told.stdout + told.stderr
    ranking = pd.read_csv(tmp_path / "results" / name / "ranking.csv")
    mine = ranking[ranking["problem" if kind == "problem" else "optimizer"].str.startswith(name)]
    assert len(mine) == len(ranking) // (1 if kind == "problem" else 3)
    assert not ranking["law"].isin(["undecided", "diverged", "stalled"]).any()
    known = ranking[ranking["theory_law"].notna()]
    assert len(known)
    assert known["agrees"].all()


def test_its_wheel_holds_the_plugin(site, tmp_path):
    """What pip would install: the module and the entry point, from the files as written."""
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    built = subprocess.run(build, cwd=site / "my-optimizer", capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("my_optimizer-0.1.0-*.whl")
    held = zipfile.ZipFile(wheel).namelist()
    assert [name for name in held if ".dist-info/" not in name] == ["my_optimizer.py"]
    assert any(name.endswith(".dist-info/entry_points.txt") for name in held)


def test_our_own_wheel_carries_the_templates(tmp_path):
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(file.relative_to(ROOT)) for file in (ROOT / "bench_ovp").rglob("*.j2")}
    assert len(ours) > 10
    assert ours <= held


def test_templates_name_only_what_is_shipped():
    """The host names no plug-in in its code; its templates must, and must not fall behind."""
    registry = installed()
    for kind in WORDS:
        read = yaml.safe_load(package.render(f"{kind}.yaml", name="mine", module="mine", kind=kind))
        for section, known in (("problems", registry.problems), ("optimizers", registry.methods)):
            listed = {item if isinstance(item, str) else next(iter(item)) for item in read[section]}
            assert listed - {"mine"} <= set(known)


# What is refused.

TAKEN = {
    "toy-case-1": "see bench-ovp list",
    "heavy-ball": "see bench-ovp list",
    "lambda": "a word of Python's own",
    "json": "Python's standard library",
    "conftest": "a meaning of its own",
    "numpy": "a package numpy is installed",
    "bench-ovp": "a package bench_ovp is installed",
    "docstring-parser": "a package docstring_parser is installed",
}
ILL = ["My-Optimizer", "my_optimizer", "1st", "-x", "x-", "a--b", "..", "a/b", "", "größe", "my optimizer", "a" * 51]


@pytest.mark.parametrize("name", [*TAKEN, *ILL])
@pytest.mark.parametrize("kind", ["optimizer", "problem"])
def test_a_name_that_will_not_do(invoke, tmp_path, kind, name):
    refused = invoke("new", kind, "--to", "there", "--", name)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert len(refused.stderr.strip().splitlines()) == 1
    assert TAKEN.get(name, "lower-case letters, digits and single hyphens") in refused.stderr
    advised = refused.stderr.strip().rpartition("such as ")[2]
    names.check_name(advised)
    assert not list(tmp_path.iterdir())


def test_a_distribution_of_that_name_would_be_replaced(tmp_path, monkeypatch):
    write_plugin(tmp_path, "other", "")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "other-1.0.dist-info").rename(tmp_path / "strange_kit-1.0.dist-info")
    (tmp_path / "strange_kit-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: strange-kit\nVersion: 1.0\n"
    )
    with pytest.raises(InputError, match="pip would replace it; choose another, such as my-strange-kit"):
        names.check_name("strange-kit")


def test_reserved_names_are_those_that_the_files_use():
    imported = set()
    for kind in WORDS:
        for template in (f"{kind}.py", f"test_{kind}.py"):
            tree = ast.parse(package.render(template, name="mine", module="mine", kind=kind))
            for node in ast.walk(tree):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    imported |= {alias.asname or alias.name for alias in node.names}
    lower = {name for name in imported if name.islower()} - {"mine"}
    assert lower <= names.RESERVED | sys.stdlib_module_names


def test_a_folder_with_files_is_left_alone(invoke, tmp_path):
    (tmp_path / "my-optimizer").mkdir()
    (tmp_path / "my-optimizer/notes.txt").write_text("mine")
    refused = invoke("new", "optimizer", "my-optimizer")
    assert refused.exit_code == 2
    assert "my-optimizer is there already; choose another name, or another folder with --to" in refused.stderr
    assert [file.name for file in tmp_path.rglob("*")] == ["my-optimizer", "notes.txt"]


def test_a_file_in_the_way_is_left_alone(invoke, tmp_path):
    (tmp_path / "my-optimizer").write_text("mine")
    assert invoke("new", "optimizer", "my-optimizer").exit_code == 2
    assert invoke("new", "optimizer", "other", "--to", "my-optimizer").exit_code == 2
    assert (tmp_path / "my-optimizer").read_text() == "mine"


def test_an_empty_folder_is_filled(invoke, tmp_path):
    (tmp_path / "my-optimizer").mkdir()
    assert invoke("new", "optimizer", "my-optimizer").exit_code == 0
    assert (tmp_path / "my-optimizer/my_optimizer.py").is_file()


def test_all_or_nothing(tmp_path, monkeypatch):
    """A disk that is full half-way leaves nothing behind."""
    wrote = []
    write_text = Path.write_text

    def fill(self, *words, **more):
        if len(wrote) == 3:
            raise OSError(28, "No space left on device")
        wrote.append(self)
        return write_text(self, *words, **more)

    monkeypatch.setattr(Path, "write_text", fill)
    with pytest.raises(InputError, match="No space left on device; choose a folder with --to"):
        package.write_package("problem", "my-problem", tmp_path)
    assert len(wrote) == 3
    assert not list(tmp_path.iterdir())


def test_a_problem_has_no_driver(invoke):
    refused = invoke("new", "problem", "my-problem", "--driver")
    assert refused.exit_code == 2
    assert "No such option" in refused.stderr
