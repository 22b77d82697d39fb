"""What several test files share: a tiny suite, the command, and plug-ins made on the spot."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

from bench_ovp.journal import Journal, write_journal
from bench_ovp.registry import _assemble
from bench_ovp.store import FILE, RUN, _read_facts

settings.register_profile("seeded", derandomize=True, deadline=None)  # the same examples every time
settings.load_profile("seeded")

TINY = """\
name: tiny
problems:
  - teacher-neuron: {n: [1, 2], d: 5}
optimizers:
  - gradient-descent: {lr: 0.1}
  - heavy-ball
seeds: 2
horizon: {iterations: 1e3}
"""


def drop_runs(folder: Path, drops: Callable[[dict[str, Any]], bool]) -> int:
    """Take stored runs out of a folder of results; how many there were."""
    journal = Journal(folder / FILE)
    contents = [journal.read(place) for place in journal.scan().places]
    journal.close()
    kept = [content for content in contents if content[:1] != RUN or not drops(_read_facts(content))]
    write_journal(folder / FILE, kept)
    return len(contents) - len(kept)


Command = Callable[..., subprocess.CompletedProcess[str]]
Invoke = Callable[..., Result]


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules can be imported for the length of a test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == tmp_path:
            del sys.modules[name]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A suite of four cells of two seeds; a second, once the steps are compiled."""
    path = tmp_path / "suite.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command in this process, from tmp_path; a suite runs serially."""
    from bench_ovp.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Result:
        serial = ["--executor", "serial"] if words[0] == "suite" and "--executor" not in words else []
        return CliRunner().invoke(main, [*map(str, words), *serial])

    return run


def command_line(*words: object) -> list[str]:
    """The words of a true subprocess."""
    return [sys.executable, "-m", "bench_ovp.cli", *map(str, words)]


def environment(**changes: object) -> dict[str, str]:
    """The environment of a true subprocess."""
    return {**os.environ, **{name: str(value) for name, value in changes.items()}}


@pytest.fixture(scope="session")
def command() -> Command:
    """Run the command as users do, in a process of its own."""

    def run(*words: object, cwd: Path, **changes: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command_line(*words), cwd=cwd, env=environment(**changes), capture_output=True, text=True, timeout=300
        )

    return run


@pytest.fixture(scope="session")
def tiny_results(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """The folder of results of the tiny suite, made once by the command in worker processes. Read only."""
    home = tmp_path_factory.mktemp("tiny")
    (home / "suite.yaml").write_text(TINY)
    done = command("suite", "suite.yaml", "-j", 2, "--no-report", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "results" / "tiny"


def write_plugin(folder: Path, name: str, source: str, entry: str | None = None) -> Path:
    """Lay a one-module distribution `name` 1.0 out in `folder`, as pip would install it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    facts = folder / f"{name}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[bench_ovp]\n{name} = {entry or name}\n")
    return folder


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a one-module plug-in for this process, for the length of a test."""
    site = tmp_path / "site"

    def add(name: str, source: str) -> Path:
        write_plugin(site, name, source)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, name, raising=False)
        _assemble.cache_clear()
        return site

    yield add
    _assemble.cache_clear()
