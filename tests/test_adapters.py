"""The adapters as wheels, as a user installs them: found, listed, checked, and ranked in worker processes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
ADAPTERS = {
    "scipy": ("{method: L-BFGS-B}", "scipy[method=L-BFGS-B]", "{method: CG, maxcor: 5}", "no parameter 'maxcor'"),
    "torch": ("{method: Adam, lr: 0.01}", "torch[method=Adam,lr=0.01]", "{method: Adm}", "did you mean 'Adam'?"),
    "optax": ("{method: lion, lr: 0.001}", "optax[method=lion,lr=0.001]", "{method: lin}", "did you mean 'lion'?"),
}
SUITE = """\
name: adapters
problems:
  - teacher-neuron: {n: 1, d: 5}
optimizers:
  - gradient-descent
  - NAME: OPTIONS
seeds: 3
horizon: {iterations: 300}
"""


@pytest.fixture(scope="module", params=ADAPTERS)
def adapter(request):
    """The name of an adapter whose library is there."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def site(adapter, tmp_path_factory):
    """Its wheel, built and unpacked as an installer does."""
    pytest.importorskip("hatchling")
    home = tmp_path_factory.mktemp(adapter)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home)]
    built = subprocess.run(
        build, cwd=ROOT / "plugins" / f"bench-ovp-{adapter}", capture_output=True, text=True, timeout=120
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = home.glob(f"bench_ovp_{adapter}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home / "site")
    return home / "site"


def test_its_wheel_holds_one_module(adapter, site):
    assert sorted(path.name for path in site.iterdir()) == [
        f"bench_ovp_{adapter}-0.1.0.dist-info",
        f"bench_ovp_{adapter}.py",
    ]


def test_it_is_listed_with_distribution_and_version(adapter, site, command, tmp_path):
    told = command("list", "plugins", cwd=tmp_path, PYTHONPATH=site)
    assert told.returncode == 0, told.stderr
    (line,) = [line for line in told.stdout.splitlines() if line.startswith(adapter)]
    assert line.split(maxsplit=1) == [adapter, f"bench-ovp-{adapter} 0.1.0: {adapter}"]
    shown = command("show", adapter, cwd=tmp_path, PYTHONPATH=site)
    assert shown.returncode == 0, shown.stderr
    assert f"plug-in: {adapter}, of bench-ovp-{adapter} 0.1.0" in shown.stdout
    assert "options, at method=" in shown.stdout


def test_listing_does_not_load_the_library(adapter, site, tmp_path):
    library = "scipy.optimize" if adapter == "scipy" else adapter
    code = f"import sys, bench_ovp.registry as r; r.installed(); print({library!r} in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(site)}, capture_output=True, text=True, timeout=120
    )
    assert told.stdout == "False\n", told.stderr


def test_it_is_ranked_in_worker_processes(adapter, site, command, tmp_path):
    options, label, _, _ = ADAPTERS[adapter]
    (tmp_path / "suite.yaml").write_text(SUITE.replace("NAME", adapter).replace("OPTIONS", options))
    told = command("suite", "suite.yaml", "-j", 2, "--no-report", cwd=tmp_path, PYTHONPATH=site)
    assert told.returncode == 0, told.stderr
    ranking = pd.read_csv(tmp_path / "results/adapters/ranking.csv").set_index("optimizer")
    assert ranking.loc[label, "rank"] in (1, 2)
    runs = pd.read_csv(tmp_path / "results/adapters/runs.csv").set_index("optimizer").loc[label]
    assert list(runs["seed"]) == [0, 1, 2]
    assert set(runs["engine"]) == {"driver"}
    assert set(runs["optimizer.method"]) == {label.partition("method=")[2].partition(",")[0].rstrip("]")}


def test_a_mistake_in_a_suite_names_its_place(adapter, site, command, tmp_path):
    _, _, options, words = ADAPTERS[adapter]
    (tmp_path / "suite.yaml").write_text(SUITE.replace("NAME", adapter).replace("OPTIONS", options))
    told = command("check", "suite.yaml", cwd=tmp_path, PYTHONPATH=site)
    assert told.returncode == 2
    assert "suite.yaml:6:" in told.stderr
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1
