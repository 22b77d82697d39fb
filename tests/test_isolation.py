"""A plug-in that misbehaves is named in one line; everything else runs on."""

from __future__ import annotations

import pandas as pd
import pytest

from bench_ovp.checkpoints import Horizon
from bench_ovp.guard import Death
from bench_ovp.plan import list_cells
from bench_ovp.registry import installed
from bench_ovp.suite import Suite
from bench_ovp.work import describe_death

HEAD = """\
import os
import numpy as np
from bench_ovp import StepMethod, hookimpl

KEPT = []
"""

STEP = """\


def misstep_{index}(oracle, w, state, k, lr: float = 0.05):
    \"\"\"A step that goes wrong.\"\"\"
    g = oracle.grad(w)
{body}
    return w - lr * g, state
"""

HOOK = """\


@hookimpl
def bench_ovp_optimizers():
    return [{methods}]
"""

IN_A_RUN = {
    "raises": ("    if k == 70:\n        raise ArithmeticError('too much')", "ArithmeticError: too much"),
    "returns-nonsense": ("    return 'w', state", "its step must return w as float64 of shape (2, 1, 4), not str"),
    "returns-nan": ("    if k == 70:\n        g = g * np.nan", "its step makes NaN of a finite w"),
    "changes-its-inputs": ("    w -= lr * g", "its step writes into the arrays that it is given"),
    "runs-forever": ("    while k == 70:\n        pass", "no sign of life, killed at the wall limit of 3 s"),
    "eats-memory": ("    KEPT.append(np.ones((100 + k, 100_000)))", "Unable to allocate"),
    "calls-os-exit": ("    if k == 70:\n        os._exit(0)", "Exited: it called os._exit(0); raise an error instead"),
    "leaves": ("    if k == 70:\n        raise SystemExit", "SystemExit"),
    "crashes": ("    if k == 70:\n        import ctypes\n        ctypes.string_at(0)", "Segmentation fault"),
    "is-killed": ("    if k == 70:\n        os.kill(os.getpid(), 9)", "its worker process was killed or crashed"),
}
PRINTS = "    if k == 70:\n        print('seventy')"
FRAMELESS = ("returns-nonsense", "returns-nan", "is-killed")  # no frame of the plug-in is at work by then

SUITE = f"""\
name: mixed
plugins: [stranger.py]
problems:
  - exact-neuron: {{d: 4}}
optimizers: [gradient-descent, {", ".join(IN_A_RUN)}, prints, heavy-ball]
seeds: 2
horizon: {{iterations: 200}}
stop: {{wall: 3s, memory: 400MB}}
"""


def write_stranger(bodies):
    """The source of a plug-in with a method for each body, by name."""
    steps = [STEP.format(index=index, body=body) for index, body in enumerate(bodies.values())]
    methods = ", ".join(f"StepMethod('{name}', misstep_{i}, compile=False)" for i, name in enumerate(bodies))
    return HEAD + "".join(steps) + HOOK.format(methods=methods)


@pytest.fixture(scope="module")
def mixed(command, tmp_path_factory):
    """One suite with every kind of misbehaviour beside what is shipped: what was told, and the runs."""
    home = tmp_path_factory.mktemp("mixed")
    bodies = {kind: body for kind, (body, _) in IN_A_RUN.items()} | {"prints": PRINTS}
    (home / "stranger.py").write_text(write_stranger(bodies))
    (home / "suite.yaml").write_text(SUITE)
    told = command("suite", "suite.yaml", "-j", 2, "--no-report", cwd=home)
    return told, pd.read_csv(home / "results/mixed/runs.csv").set_index("optimizer")


@pytest.mark.parametrize("kind", IN_A_RUN)
def test_a_run_that_misbehaves_is_named_in_one_line(mixed, kind):
    told, runs = mixed
    what = IN_A_RUN[kind][1]
    culprits = [line for line in told.stderr.splitlines() if line.startswith(f"exact-neuron[d=4] x {kind}: ")]
    assert len(culprits) == 1, told.stderr
    assert what in culprits[0]
    assert "the plug-in stranger (" in culprits[0]
    if kind not in FRAMELESS:
        assert "stranger.py:" in culprits[0]
        assert "in misstep_" in culprits[0]
    assert set(runs.loc[kind, "status"]) == {"timeout" if kind in ("runs-forever", "eats-memory") else "failed"}
    assert all(what in reason for reason in runs.loc[kind, "reason"])


def test_everything_else_runs_on(mixed):
    told, runs = mixed
    assert told.returncode == 1
    assert "Traceback" not in told.stderr + told.stdout
    for good in ("gradient-descent", "heavy-ball", "prints"):
        assert list(runs.loc[good, "status"]) == ["ok", "ok"]


def test_what_a_run_prints_is_told_and_kept_out_of_the_output(mixed):
    told, _ = mixed
    (line,) = [line for line in told.stderr.splitlines() if "seventy" in line]
    assert line.startswith("prints: the plug-in stranger (")
    assert "seventy" not in told.stdout


SMALL = """\
name: small
plugins: [stranger.py]
problems:
  - exact-neuron: {d: 4}
optimizers:
  - gradient-descent
  - bad
  - heavy-ball
seeds: 2
horizon: {iterations: 50}
"""
GOOD = write_stranger({"bad": ""})


@pytest.fixture
def suite(invoke, tmp_path):
    """Run the small suite with a stranger's file, in this process; what was told, and the runs."""

    def run(source):
        (tmp_path / "stranger.py").write_text(source)
        (tmp_path / "suite.yaml").write_text(SMALL)
        told = invoke("suite", "suite.yaml", "--no-report")
        table = tmp_path / "results/small/runs.csv"
        return told, pd.read_csv(table).set_index("optimizer") if table.exists() else None

    return run


AT_LOADING = {
    "fails to import": ("import nothing_like_it\n", "ModuleNotFoundError: No module named 'nothing_like_it'"),
    "has a slip in its syntax": ("def f(:\n", "SyntaxError"),
    "misspells a hook": (
        GOOD.replace("bench_ovp_optimizers", "bench_ovp_optimisers"),
        "unknown hook 'bench_ovp_optimisers'; did you mean 'bench_ovp_optimizers'?",
    ),
    "offers a duplicate name": (
        GOOD.replace("'bad'", "'gradient-descent'"),
        "the optimizer 'gradient-descent' is offered by the plug-in optimizers (bench-ovp 0.1.0) already",
    ),
    "returns nonsense": (GOOD.replace("return [Step", "return [3] or [Step"), "must return StepMethod"),
    "calls os._exit": ("import os\nos._exit(0)\n", "it called os._exit(0)"),
    "leaves": ("raise SystemExit(0)\n", "SystemExit: 0"),
}


@pytest.mark.parametrize("kind", AT_LOADING)
def test_a_plugin_that_does_not_load_is_named_and_the_others_run(suite, kind):
    source, what = AT_LOADING[kind]
    told, runs = suite(source)
    assert told.exit_code == 1, told.output
    culprits = [line for line in told.stderr.splitlines() if line.startswith("the plug-in stranger (") and what in line]
    assert len(culprits) == 1, told.stderr
    assert "there is no optimizer 'bad'" in told.stderr
    assert "suite.yaml:7" in told.stderr  # where it is asked for
    assert set(runs.index) == {"gradient-descent", "heavy-ball"}
    assert set(runs["status"]) == {"ok"}


def test_what_a_plugin_prints_while_it_is_loaded_is_told(suite):
    told, runs = suite("print('loading')\n" + GOOD)
    assert told.exit_code == 0  # a chatterbox, but all runs ended
    assert set(runs["status"]) == {"ok"}
    assert "printed while it was loaded: loading" in told.stderr
    assert "loading" not in told.stdout


def test_a_single_file_is_a_plugin_for_every_command(invoke, tmp_path):
    (tmp_path / "stranger.py").write_text(GOOD)
    listed = invoke("list", "plugins", "--plugin", "stranger.py")
    assert listed.exit_code == 0
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith("stranger")]
    assert line.split(maxsplit=1)[1] == f"{tmp_path / 'stranger.py'}: bad"
    assert "A step that goes wrong." in invoke("show", "bad", "--plugin", "stranger.py").stdout
    (tmp_path / "suite.yaml").write_text(SMALL.replace("plugins: [stranger.py]\n", ""))
    arguments = ("suite", "suite.yaml", "--no-report", "--only", "* x bad")
    assert invoke(*arguments).exit_code == 2
    assert invoke(*arguments, "--plugin", "stranger.py").exit_code == 0
    assert invoke("report", "results/small").exit_code == 0  # it remembers the file
    missing = invoke("list", "--plugin", "nobody.py")
    assert missing.exit_code == 2
    assert "nobody.py; name a .py file that implements a hook" in missing.stderr


def test_an_edit_to_a_single_file_runs_its_cells_again(suite):
    suite(GOOD)
    told, _ = suite("# a word\n" + GOOD.replace("A step that", "The step that"))
    assert "3 of 3 cells are stored already" in told.stderr  # it means the same
    told, _ = suite(GOOD.replace("return w - lr * g", "return w - lr * (g + 0.0)"))
    assert "2 of 3 cells are stored already" in told.stderr


def test_a_death_without_frames_says_no_place():
    registry = installed()
    suite = Suite("s", (registry.problem("exact-neuron"),), (registry.optimizer("heavy-ball"),), (0,), Horizon(1))
    [cell] = list_cells(suite, registry)
    told = describe_death(Death("task", False, "Segmentation fault", (), {}), cell, registry)
    assert told == f"Segmentation fault, under {registry.plugin_of('optimizer', 'heavy-ball').title}"
