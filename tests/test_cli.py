"""The commands: exit codes, messages of one line, what is written and what is not run twice."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY, command_line, drop_runs, environment, write_plugin

import bench_ovp as ovp
from bench_ovp.executors import Pool, SerialExecutor, open_pool
from bench_ovp.store import FILE, Store


def frame(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "traces.parquet")


def runs(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "runs.csv")


def refused(result, *words: str) -> None:
    """Exit code 2, and one line on stderr that has all the words."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


# Bad input.

BROKEN = {
    "empty": ("", 1, "the file is empty; begin with a name"),
    "no YAML": (TINY.replace("[1, 2]", "[1, 2"), 3, "check indentation, colons, quotes and brackets"),
    "a tab": (TINY.replace("  - heavy-ball", "\t- heavy-ball"), 6, "indent with spaces"),
    "a misspelt key": (TINY.replace("seeds:", "sedes:"), 7, "did you mean 'seeds'?"),
    "a key twice": (TINY + "seeds: 3\n", 9, "on line 7 already; remove one of the two"),
    "no horizon": (TINY.replace("horizon: {iterations: 1e3}\n", ""), 1, "write horizon: {iterations: 1e5}"),
    "an unknown problem": (TINY.replace("teacher-neuron", "teacher-neurone"), 3, "did you mean 'teacher-neuron'?"),
    "an unknown optimizer": (TINY.replace("heavy-ball", "heavy-bal"), 6, "did you mean 'heavy-ball'?"),
    "an unknown parameter": (TINY.replace("lr:", "rate:"), 5, "gradient-descent has no parameter 'rate'; known: "),
    "a text for a number": (TINY.replace("0.1", '"0.1"'), 5, "lr = '0.1'"),
    "a negative step size": (TINY.replace("0.1", "-0.1"), 5, "greater than 0"),
    "half a student": (TINY.replace("[1, 2]", "1.5"), 3, "n = 1.5"),
    "an empty grid": (TINY.replace("[1, 2]", "[]"), 3, "is empty; give a value"),
    "equal labels": (TINY.replace("[1, 2]", "[2, 2]"), 3, "remove one of the two"),
    "no seeds": (TINY.replace("seeds: 2", "seeds: 0"), 7, "write seeds: 16"),
    "a seed twice": (TINY.replace("seeds: 2", "seeds: [1, 1]"), 7, "the seed 1 is given twice; remove"),
    "an endless horizon": (TINY.replace("1e3", ".inf"), 8, "not finite; write a finite number"),
    "a flow without a time": (TINY.replace("heavy-ball", "gradient-flow"), 8, "add one, such as horizon: {time: 5e4}"),
    "a name that leaves the folder": (TINY.replace("tiny", "../tiny"), 1, "fit to name a folder"),
    "a start that is not there": (TINY.replace("d: 5", "w0: w.npy"), 3, "cannot read"),
    "an override of nothing": (TINY + 'overrides: [{cells: "a*", stop: {wall: 1}}]\n', 9, "a cell is called"),
    "too many runs": (TINY.replace("seeds: 2", "seeds: 1e9"), 3, "shorten a grid or the seeds"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("words", [("suite",), ("check",)], ids=" ".join)
def test_a_broken_suite_file_gets_one_line_and_nothing_is_written(invoke, tiny, words, kind):
    text, line, remedy = BROKEN[kind]
    tiny.write_text(text)
    refused(invoke(*words, "suite.yaml"), f"suite.yaml:{line}:", remedy)
    assert os.listdir(tiny.parent) == ["suite.yaml"]


def test_a_broken_suite_file_in_a_process_of_its_own(command, tiny):
    tiny.write_text(BROKEN["a misspelt key"][0])
    told = command("suite", "suite.yaml", cwd=tiny.parent)
    assert told.returncode == 2
    assert told.stdout == ""
    assert re.fullmatch(r"bench-ovp: suite\.yaml:7:1: unknown key 'sedes'; did you mean 'seeds'\?.*\n", told.stderr)
    assert not (tiny.parent / "results").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("suite", "nowhere.yaml"), "nowhere.yaml:1:1: there is no such file; check the path"),
        (("suite", "."), "this is a directory; name a file in it"),
        (("suite", "suite.yaml", "--only", "nothing*"), "no cell matches; cells are called like 'teacher-neuron[n=1"),
        (("suite", "suite.yaml", "--executor", "proces"), "unknown; known: process, serial, dask"),
        (("suite", "suite.yaml", "--executor", "proces", "--dry-run"), "unknown; known: process, serial, dask"),
        (("suite", "suite.yaml", "--results", "suite.yaml"), "cannot write to the folder"),
        (("report", "nowhere"), "nowhere holds no results of a suite; name a folder"),
        (("report", "."), "holds no results of a suite"),
        (("show", "heavy-bal"), "no problem or optimizer is called 'heavy-bal'; did you mean 'heavy-ball'?"),
        (("show", "teacher"), "did you mean 'teacher-neuron'?"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(invoke, tiny, words, told):
    refused(invoke(*words), told)
    assert os.listdir(tiny.parent) == ["suite.yaml"]


@pytest.mark.parametrize(
    "words", [("suit",), ("list", "plugin"), ("suite",), ("suite", "suite.yaml", "-j", "0"), ("show",)], ids=" ".join
)
def test_a_mistaken_command_line_is_bad_input(invoke, tiny, words):
    result = invoke(*words, *([] if words[0] != "suite" else ["--no-report"]))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "Usage" in result.stderr
    assert not (tiny.parent / "results").exists()


def test_dask_that_is_absent_is_named_with_its_remedy(invoke, tiny, monkeypatch):
    find = importlib.util.find_spec  # of all else, for keys are remembered and follow imports by it
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "distributed" else find(name))
    refused(invoke("suite", "suite.yaml", "--executor", "dask"), 'pip install "bench-ovp[dask]"')
    assert not (tiny.parent / "results").exists()


# What is offered.


def test_list_names_all_there_is(invoke):
    told = invoke("list")
    assert told.exit_code == 0
    assert {"problems", "optimizers", "plugins"} <= set(told.stdout.splitlines())
    for name in ("teacher-neuron", "toy-case-3", "gradient-flow", "polyak-step"):
        assert re.search(rf"^  {name}  +\S", told.stdout, re.MULTILINE), name
    assert invoke("list", "problems").stdout.startswith("teacher-neuron ")
    assert "heavy-ball" not in invoke("list", "problems").stdout
    assert re.search(r"^neuron +bench-ovp \d+\.\d+\.\d+: teacher-neuron, ", invoke("list", "plugins").stdout, re.M)


def test_show_tells_parameters_defaults_limits_theory_and_source(invoke):
    problem = invoke("show", "exact-neuron").stdout
    for part in (r"d +(=|default) ?20\b", r"sigma +(=|default) ?0\.1\b", "gradient-flow +exponential 1\\b"):
        assert re.search(part, problem), part
    assert "source: Yehudai & Shamir (2020)" in problem
    optimizer = invoke("show", "heavy-ball").stdout
    for part in (
        "beta",
        "0.9",
        "momentum",
        "Polyak (1964)",
        "lr·iteration",
        "commutes with isometries",
        "plug-in: optimizers, of bench-ovp",
    ):
        assert part in optimizer, part


def test_show_survives_a_plugin_whose_parameters_must_be_given(invoke, install):
    install("strict_plugin", STRICT)
    for name in ("teacher-neuron", "valley", "strict-descent"):
        told = invoke("show", name)
        assert told.exit_code == 0, told.output
        assert name in told.stdout
    assert "required" in invoke("show", "strict-descent").stdout


STRICT = '''\
from bench_ovp import StepMethod, hookimpl

class Valley:
    """A valley."""
    name = "valley"
    def __init__(self, width: float): ...
    def start(self, seeds): ...
    def loss(self, w): ...
    def grad(self, w): ...

def step(oracle, w, state, k, lr: float):
    """A step whose size must be given."""
    return w - lr * oracle.grad(w), state

@hookimpl
def bench_ovp_problems():
    return [Valley]

@hookimpl
def bench_ovp_optimizers():
    return [StepMethod("strict-descent", step, family="gradient-descent")]
'''


def test_check_says_that_nothing_is_wrong_and_runs_nothing(invoke, tiny):
    told = invoke("check", "suite.yaml")
    assert told.exit_code == 0
    assert "4 cells of 2 seeds; nothing is wrong" in told.stdout
    assert os.listdir(tiny.parent) == ["suite.yaml"]


@pytest.mark.parametrize("words", [("--help",), ("suite", "-h"), ("--version",)], ids=" ".join)
def test_help_and_version(invoke, words):
    told = invoke(*words)
    assert told.exit_code == 0
    assert "bench-ovp" in told.stdout


# Running.


def test_a_dry_run_prints_the_plan_and_writes_nothing(invoke, tiny):
    told = invoke("suite", "suite.yaml", "--dry-run")
    assert told.exit_code == 0, told.output
    assert told.stdout.count("0/2 runs stored") == 4
    assert "4 cells; about" in told.stdout
    assert os.listdir(tiny.parent) == ["suite.yaml"]


def test_only_takes_brackets_literally(invoke, tiny):
    only = "teacher-neuron[n=2,*] x gradient*"
    assert invoke("suite", "suite.yaml", "--no-report", "--only", only).exit_code == 0
    found = runs(tiny.parent / "results" / "tiny")
    assert set(found["problem"]) == {"teacher-neuron[n=2,d=5]"}
    assert set(found["optimizer"]) == {"gradient-descent[lr=0.1]"}
    both = invoke("suite", "suite.yaml", "--dry-run", "--only", only, "--only", "*x heavy-ball")
    assert both.stdout.count("runs stored") == 3
    assert "2/2 runs stored" in both.stdout
    refused(invoke("suite", "suite.yaml", "--only", "teacher-neuron[[]n=2* x *"), "no cell matches")


def test_the_command_writes_the_tables(tiny_results):
    names = {"traces.parquet", "runs.csv", "ranking.csv", "comparisons.csv", "provenance.json"}
    assert names <= set(os.listdir(tiny_results))
    table = runs(tiny_results)
    assert len(table) == 8
    assert set(table["status"]) <= {"ok", "floor"}
    assert list(table)[:5] == ["problem", "optimizer", "seed", "status", "reason"]
    ranking = pd.read_csv(tiny_results / "ranking.csv")
    assert list(ranking.groupby("problem")["rank"].apply(list)) == [[1, 2], [1, 1]]  # two seeds may be a tie
    single = ranking[ranking["problem"] == "teacher-neuron[n=1,d=5]"]
    assert set(single["law"]) == {"exponential"}


def test_a_second_run_computes_nothing(invoke, tiny, tiny_results, monkeypatch):
    home = tiny.parent / "results" / "tiny"
    shutil.copytree(tiny_results, home)
    before = {name: (home / name).read_bytes() for name in ("traces.parquet", "runs.csv", "ranking.csv")}
    monkeypatch.setattr("bench_ovp.integrate.integrate", lambda *a, **k: pytest.fail("it ran"))
    again = invoke("suite", "suite.yaml", "--no-report")
    assert again.exit_code == 0
    assert "4 of 4 cells are stored already" in again.stderr
    assert {name: (home / name).read_bytes() for name in before} == before
    assert invoke("suite", "suite.yaml", "--dry-run").stdout.count("2/2 runs stored") == 4


def test_more_seeds_extend_what_is_stored(invoke, tiny, tiny_results, monkeypatch):
    from bench_ovp import integrate as module

    home = tiny.parent / "results" / "tiny"
    shutil.copytree(tiny_results, home)
    ran, real = [], module.integrate
    spy = lambda p, o, seeds, *rest, **named: ran.append(seeds) or real(p, o, seeds, *rest, **named)  # noqa: E731
    monkeypatch.setattr(module, "integrate", spy)
    assert invoke("suite", "suite.yaml", "--no-report", "--seeds", "3").exit_code == 0
    assert ran == [(2,)] * 4
    old, new = frame(tiny_results), frame(home)
    pd.testing.assert_frame_equal(new[new["seed"] < 2].reset_index(drop=True), old, check_exact=True)


def test_the_executors_and_python_give_the_same_bits(invoke, tiny, tiny_results):
    assert invoke("suite", "suite.yaml", "--no-report").exit_code == 0
    expected = frame(tiny_results)
    pd.testing.assert_frame_equal(frame(tiny.parent / "results" / "tiny"), expected, check_exact=True)
    for n in (1, 2):
        for optimizer in (ovp.optimizer("gradient-descent", lr=0.1), ovp.optimizer("heavy-ball")):
            problem = ovp.problem("teacher-neuron", n=n, d=5)
            found = ovp.run(problem, optimizer, seeds=2, iterations=1e3).frame()
            mine = (expected["problem"] == problem.label) & (expected["optimizer"] == optimizer.label)
            shared = [name for name in expected if name in found]
            assert {"loss", "grad_norm", "time", "evaluations", "theta_max", "problem.n", "optimizer.lr"} <= set(shared)
            pd.testing.assert_frame_equal(
                found[shared], expected.loc[mine, shared].reset_index(drop=True), check_exact=True, check_dtype=False
            )


def test_a_script_without_a_guard_may_run_a_suite(tiny, tiny_results):
    # As the README has it: no `if __name__ == "__main__"`, though workers are spawned.
    script = tiny.parent / "script.py"
    script.write_text('import bench_ovp as ovp\nprint(ovp.run_suite("suite.yaml", jobs=1, report=False))\n')
    told = subprocess.run([sys.executable, "script.py"], cwd=tiny.parent, capture_output=True, text=True, timeout=300)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.split() == ["results/tiny"]
    pd.testing.assert_frame_equal(frame(tiny.parent / "results/tiny"), frame(tiny_results), check_exact=True)


# The report.


def test_the_report_of_a_half_finished_suite_is_marked_partial(invoke, tiny, tiny_results):
    home = tiny.parent / "results" / "tiny"
    shutil.copytree(tiny_results, home)
    assert drop_runs(home, lambda facts: facts["label"].startswith("teacher-neuron[n=1,d=5] x heavy")) == 2
    told = invoke("report", home)
    assert told.exit_code == 0, told.output
    assert "partial: 1 cells are not finished, such as teacher-neuron[n=" in told.stdout
    assert len(runs(home)) == 6
    assert "partial" in (home / "report.html").read_text().lower()
    assert list((home / "figures").glob("*.svg"))
    assert len(pd.read_csv(home / "figures" / "ranking.csv"))  # of n = 2, where two are left to be compared
    with Store(home, writable=False) as store:
        assert len(list(store.list_runs())) == 6  # it ran nothing


def test_a_report_is_not_drawn_over_by_one_of_nothing(invoke, tiny, tiny_results):
    """Runs of an earlier version are of no cell any more, as are those of other parameters."""
    home = tiny.parent / "results" / "tiny"
    shutil.copytree(tiny_results, home)
    assert invoke("report", home).exit_code == 0
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    suite = home / "suite.yaml"
    suite.write_text(suite.read_text().replace("lr: 0.1", "lr: 0.01").replace("- heavy-ball", "- nesterov"))
    told = invoke("report", home)
    assert told.exit_code == 2
    assert told.stderr.startswith(f"bench-ovp: the runs in {home} are of other code or parameters than its cells")
    assert f"`bench-ovp suite {suite}` runs the cells anew" in told.stderr
    after = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    assert {name for name in before if before[name] != after[name]} == {"suite.yaml"}
    assert invoke("explain-cache", home, "*").stdout.count("2 of 2 runs would be computed") == 4


def test_a_damaged_run_is_named_and_computed_again(invoke, tiny, tiny_results):
    home = tiny.parent / "results" / "tiny"
    shutil.copytree(tiny_results, home)
    image = bytearray((home / FILE).read_bytes())
    image[image.index(b'"status": "ok"')] ^= 1
    (home / FILE).write_bytes(image)
    told = invoke("suite", "suite.yaml", "--no-report")
    assert told.exit_code == 0
    assert "bytes are damaged; what they held is computed again, the file as it was is damaged-1.jour" in told.stderr
    pd.testing.assert_frame_equal(frame(home), frame(tiny_results), check_exact=True)


# What breaks.

BREAKER = """\
import os, signal, sys, time
from bench_ovp import StepMethod, hookimpl

def step(oracle, w, state, k, lr: float = 0.1, how: str = ""):
    "Break, or wait for a gate, at step 5."
    if k == 5:
        if how == "raise":
            raise ArithmeticError("of my own making\\nwith a second line")
        if how == "exit":
            sys.exit(0)
        if how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while how == "wait" and not os.path.exists(os.environ["GATE"]):
            time.sleep(0.02)
    return w - lr * oracle.grad(w), state

@hookimpl
def bench_ovp_optimizers():
    return [StepMethod("breaker", step, compile=False)]
"""


def breaking(*optimizers: str) -> str:
    items = "".join(f"  - {item}\n" for item in optimizers)
    head, tail = TINY.split("optimizers:\n")
    return f"{head}optimizers:\n{items}{tail[tail.index('seeds:') :]}".replace("[1, 2]", "1").replace("1e3", "20")


@pytest.mark.parametrize(
    ("how", "reason"),
    [("raise", "ArithmeticError: of my own making with a second line (/"), ("exit", "SystemExit: 0 (/")],
)
def test_a_run_that_breaks_is_a_row_and_the_others_finish(invoke, install, tiny, how, reason):
    install("breaker_plugin", BREAKER)
    tiny.write_text(breaking(f"breaker: {{how: {how}}}", "gradient-descent"))
    told = invoke("suite", "suite.yaml", "--no-report")
    assert told.exit_code == 1, told.output
    assert "2 runs failed or timed out" in told.stdout
    assert "Traceback" not in told.output
    table = runs(tiny.parent / "results" / "tiny").set_index("optimizer")
    broken, fine = table.loc[f"breaker[how={how}]"], table.loc["gradient-descent"]
    assert set(broken["status"]) == {"failed"}
    assert all(broken["reason"].str.startswith(reason))
    assert broken["law"].eq("undecided").all()
    assert set(fine["status"]) == {"ok"}
    again = invoke("suite", "suite.yaml", "--no-report")
    assert again.exit_code == 1  # a failure is not kept: it was tried again
    assert "1 of 2 cells are stored already" in again.stderr


def test_a_timeout_is_a_failure_and_goes_again_under_a_higher_limit(invoke, install, tiny, monkeypatch):
    install("breaker_plugin", BREAKER)
    text = breaking("breaker: {how: wait}").replace("seeds: 2", "seeds: 1") + "stop: {wall: WALL}\n"
    gate = tiny.parent / "gate"
    monkeypatch.setenv("GATE", str(gate))
    monkeypatch.setattr("time.sleep", lambda seconds: gate.touch())
    for wall, status, code in (("1e-9", "timeout", 1), ("10s", "ok", 0)):
        tiny.write_text(text.replace("WALL", wall))
        assert invoke("suite", "suite.yaml", "--no-report").exit_code == code
        assert list(runs(tiny.parent / "results" / "tiny")["status"]) == [status]


def test_a_worker_that_a_plugin_kills_fails_that_run_alone(command, tiny):
    write_plugin(tiny.parent / "site", "breaker_plugin", BREAKER)
    tiny.write_text(breaking("breaker: {how: die}", "breaker").replace("seeds: 2", "seeds: 1"))
    told = command("suite", "suite.yaml", "-j", 1, "--no-report", cwd=tiny.parent, PYTHONPATH=tiny.parent / "site")
    assert told.returncode == 1, told.stderr
    assert "Traceback" not in told.stderr
    table = runs(tiny.parent / "results" / "tiny").set_index("optimizer")
    assert dict(table["status"]) == {"breaker[how=die]": "failed", "breaker": "ok"}
    assert "its worker process was killed or crashed" in table.loc["breaker[how=die]", "reason"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no mask of signals")
def test_workers_start_deaf_to_ctrl_c_and_the_planner_does_not(tmp_path):
    main, mask = sys.modules["__main__"], signal.pthread_sigmask(signal.SIG_BLOCK, [])
    pool = open_pool("process", 1, tmp_path)
    assert signal.SIGINT in pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, []).result()
    pool.close(now=False)
    assert signal.SIGINT not in mask
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    assert sys.modules["__main__"] is main


class Frail(SerialExecutor):
    """Takes one task; then its worker has died."""

    def submit(self, fn, /, *args, **kwargs):
        if vars(self).setdefault("spent", False):
            raise BrokenProcessPool
        self.spent = True
        return super().submit(fn, *args, **kwargs)


def test_a_pool_that_breaks_between_two_tasks_is_opened_anew(invoke, tiny, tiny_results, monkeypatch):
    def open_frail(name, jobs, folder):
        return Pool(Frail(), lambda: 1, lambda now: None)

    monkeypatch.setattr("bench_ovp.crew.open_pool", open_frail)
    told = invoke("suite", "suite.yaml", "--no-report")
    assert told.exit_code == 0, told.output
    pd.testing.assert_frame_equal(frame(tiny.parent / "results/tiny"), frame(tiny_results), check_exact=True)


WAITING = ("suite", "suite.yaml", "-j", 1, "--no-report")


def behind_a_gate(home: Path) -> dict[str, Path]:
    """Write a suite whose second cell waits for a gate; return the variables that it needs."""
    write_plugin(home / "site", "breaker_plugin", BREAKER)
    (home / "suite.yaml").write_text(breaking("breaker", "breaker: {how: wait}").replace("seeds: 2", "seeds: 1"))
    return {"PYTHONPATH": home / "site", "GATE": home / "gate"}


def hear_ctrl_c() -> None:
    """As from a terminal: what a shell starts in the background ignores it, and so would all that tests start there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def waiting(home: Path, variables: dict[str, Path]) -> Iterator[subprocess.Popen[str]]:
    """The suite under way, its first cell done, in a session of its own."""
    with subprocess.Popen(
        command_line(*WAITING),
        cwd=home,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    ) as process:
        try:
            line = process.stderr.readline()
            assert line.startswith("[1/2] "), line
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def the_worker_of(process: subprocess.Popen[str]) -> int:
    """The process id of its one worker."""
    (found,) = [
        int(status.parent.name)
        for status in Path("/proc").glob("[0-9]*/status")
        if f"\nPPid:\t{process.pid}\n" in status.read_text()
        and b"spawn_main" in (status.parent / "cmdline").read_bytes()
    ]
    return found


def is_gone(session: int, within: float) -> bool:
    """Whether every process of a session ends in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_ctrl_c_ends_soon_keeps_what_is_done_and_the_same_command_goes_on(tmp_path, command):
    variables = behind_a_gate(tmp_path)
    with waiting(tmp_path, variables) as suite:
        begun = time.monotonic()
        os.killpg(suite.pid, signal.SIGINT)  # a terminal sends it to all
        told, complaint = suite.communicate(timeout=30)
        assert time.monotonic() - begun < 5.0
        assert suite.returncode == 130
        assert "interrupted; finished runs are kept, the same command goes on" in complaint
        assert "Traceback" not in told + complaint
        assert is_gone(suite.pid, within=5.0)
    variables["GATE"].touch()
    again = command(*WAITING, cwd=tmp_path, **variables)
    assert again.returncode == 0, again.stderr
    assert "1 of 2 cells are stored already" in again.stderr
    assert list(runs(tmp_path / "results" / "tiny")["status"]) == ["ok", "ok"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="finds the worker in /proc")
def test_a_worker_that_is_killed_does_not_lose_the_suite(tmp_path):
    variables = behind_a_gate(tmp_path)
    with waiting(tmp_path, variables) as suite:
        os.kill(the_worker_of(suite), signal.SIGKILL)
        variables["GATE"].touch()
        told, complaint = suite.communicate(timeout=120)
        assert suite.returncode == 0, complaint
        assert "a worker process died; the tasks under way are tried again" in complaint
        assert "Traceback" not in told + complaint
    assert list(runs(tmp_path / "results" / "tiny")["status"]) == ["ok", "ok"]
