"""Optimizers that are tuned: what a file may say, what is chosen and why, and that it is chosen once."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import drop_runs
from report_tables import OPTIMIZERS, PROBLEMS, make_suite

from bench_ovp.candidates import Tunable
from bench_ovp.checkpoints import Horizon
from bench_ovp.errors import InputError
from bench_ovp.optimizers import Optimizer, StepMethod
from bench_ovp.parameters import NonNegative, Positive
from bench_ovp.plan import Cell, Choice, list_entries
from bench_ovp.registry import Registry, installed
from bench_ovp.report.findings import write_findings
from bench_ovp.report.tables import gather
from bench_ovp.store import Outcome, Store
from bench_ovp.suite import Suite, Tuning, read_suite
from bench_ovp.suite_run import plan_suite, redraw, run_suite
from bench_ovp.trace import Run
from bench_ovp.tuning import list_warnings, tune
from bench_ovp.work import fit_failed

TUNED = """\
name: tuned
problems:
  - teacher-neuron: {n: [1, 2], d: 5}
optimizers:
  - gradient-descent: {tune: {lr: [0.01, 0.1, 1, 30]}}
  - heavy-ball: {beta: 0.5, label: ball, tune: {lr: [0.1, 0.3]}}
  - gradient-descent: {lr: 0.1}
tuning: {seeds: [100, 101, 102]}
seeds: 2
horizon: {iterations: 300}
stop: {loss: 1e-10}
"""


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    path = tmp_path / "suite.yaml"
    path.write_text(TUNED)
    return path


def read(folder: Path, text: str) -> Suite:
    path = folder / "suite.yaml"
    path.write_text(text)
    return read_suite(path, installed())


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# What a file may say.


def test_a_tuned_optimizer_is_read(tmp_path):
    suite = read(tmp_path, TUNED)
    assert [thing.label for thing in suite.optimizers] == [
        "gradient-descent[lr=tuned]",
        "ball",
        "gradient-descent[lr=0.1]",
    ]
    assert suite.tuning == Tuning((100, 101, 102))
    descent, ball, plain = suite.optimizers
    assert isinstance(plain, Optimizer)
    assert isinstance(descent, Tunable)
    assert [one.parameters["lr"] for one in descent.candidates] == [0.01, 0.1, 1.0, 30.0]
    assert [one.label for one in ball.candidates] == ["heavy-ball[beta=0.5,lr=0.1]", "heavy-ball[beta=0.5,lr=0.3]"]


def test_a_grid_beside_tune_makes_several_tuned_optimizers(tmp_path):
    text = TUNED.replace("beta: 0.5, label: ball, tune", "beta: [0.5, 0.9], tune")
    labels = [thing.label for thing in read(tmp_path, text).optimizers]
    assert labels[1:3] == ["heavy-ball[beta=0.5,lr=tuned]", "heavy-ball[beta=0.9,lr=tuned]"]


def test_two_parameters_are_tuned_together_the_last_fastest(tmp_path):
    text = TUNED.replace("{beta: 0.5, label: ball, tune: {lr: [0.1, 0.3]}}", "{tune: {beta: [0, 0.9], lr: [0.1, 0.3]}}")
    ball = read(tmp_path, text).optimizers[1]
    assert ball.label == "heavy-ball[beta=tuned,lr=tuned]"
    points = [(one.parameters["beta"], one.parameters["lr"]) for one in ball.candidates]
    assert points == [(0.0, 0.1), (0.0, 0.3), (0.9, 0.1), (0.9, 0.3)]


def test_candidates_run_as_the_cell_does_but_for_what_tuning_says(tmp_path):
    text = TUNED.replace("102]}", "102], horizon: {iterations: 50}}")
    text += 'overrides: [{cells: "* x ball", horizon: {iterations: 70, evaluations: 9}, stop: {wall: 5}}]\n'
    suite = read(tmp_path, text)
    entries = list_entries(suite, installed())
    ball = next(entry for entry in entries if entry.label.endswith("x ball"))
    assert isinstance(ball, Choice)
    assert {option.label for option in ball.options} == {ball.label}
    assert {option.horizon for option in ball.options} == {Horizon(iterations=70, evaluations=9)}
    assert {trial.horizon for trial in ball.trials} == {Horizon(iterations=50, evaluations=9)}
    assert {trial.stop.wall for trial in ball.trials} == {5.0}
    assert {trial.seeds for trial in ball.trials} == {(100, 101, 102)}
    assert {option.seeds for option in ball.options} == {(0, 1)}
    assert [option.key for option in ball.options] == [trial.key for trial in ball.trials]  # one method, other seeds


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "[100, 101, 102]",
            "[9, 1, 102]",
            "8:17: seed 1 is among those that are reported; tune on others, such as 2",
        ),
        ("[100, 101, 102]", "1e12", "1,000,000,000,000 seeds are too many; list at most 2,000,000"),
        ("[100, 101, 102]", "3", "seed 0 is among those that are reported"),
        ("tuning: {seeds: [100, 101, 102]}\n", "", "5:24: the suite does not say what to tune on; write tuning:"),
        ("{seeds: [100, 101, 102]}", "{horizon: {iterations: 9}}", "tuning needs seeds; write tuning: {seeds: [100"),
        ("{seeds: [100, 101, 102]}", "{seeds: [100, 100]}", "the seed 100 is given twice"),
        ("{seeds: [100, 101, 102]}", "{seeds: [100], by: loss}", "unknown key 'by'; known: horizon, seeds"),
        ("{lr: [0.1, 0.3]}", "{lr: 0.1}", "one value of lr leaves nothing to choose"),
        ("{lr: [0.1, 0.3]}", "{lr: []}", "the grid of lr is empty"),
        ("{lr: [0.1, 0.3]}", "[0.1, 0.3]", "tune must be a mapping of parameters to the values that they may take"),
        ("{lr: [0.1, 0.3]}", "{lr: [0.1, 1e-1]}", "lr = 0.1 is given twice"),
        ("{lr: [0.1, 0.3]}", "{beta: [0.1, 0.3]}", "beta is given, and to be tuned"),
        ("{lr: [0.1, 0.3]}", "{lr: [0.1, -0.3]}", "lr = -0.3"),
        ("{lr: [0.1, 0.3]}", "{rl: [0.1, 0.3]}", "heavy-ball has no parameter 'rl'; did you mean 'lr'?"),
        ("tune: {lr: [0.1, 0.3]}", "tuna: {lr: [0.1, 0.3]}", "has no parameter 'tuna'; did you mean 'tune'?"),
        ("d: 5}", "tune: {d: [5, 6]}}", "teacher-neuron has no parameter 'tune'"),
        ("beta: 0.5,", "beta: [0.5, 0.6],", "one label for the 2 optimizers of a grid"),
    ],
)
def test_a_mistake_gets_one_line(tmp_path, old, new, told):
    assert old in TUNED
    text = TUNED.replace(old, new)
    with pytest.raises(InputError, match=re.escape(told)) as error:
        read(tmp_path, text)
    assert "\n" not in str(error.value)


def test_tuning_without_anything_to_tune_is_refused(tmp_path):
    text = re.sub(r"tune: \{lr: \[[^]]*\]\}", "lr: 0.2", TUNED)
    with pytest.raises(
        InputError, match=re.escape("no optimizer is to be tuned; remove the key, or give one tune: {lr:")
    ):
        read(tmp_path, text)


def test_candidates_count_before_they_are_made(tmp_path):
    many = ", ".join(f"{1 + k}e-3" for k in range(1000))
    grids = f"tune: {{lr: [{many}], beta: [{', '.join(f'0.{k:03}' for k in range(1, 1000))}]}}"
    text = TUNED.replace("{beta: 0.5, label: ball, tune: {lr: [0.1, 0.3]}}", f"{{{grids}}}")
    with pytest.raises(InputError, match=r"and 999,004 candidates x 3 seeds to tune are too many"):
        read(tmp_path, text)


def test_seeds_of_the_command_must_be_others_too(suite_file):
    with pytest.raises(InputError, match="--seeds 101: seed 100 is among those that are reported"):
        plan_suite(suite_file, installed(), seeds=101)


# What is chosen: runs are made up, so that each rule decides alone.


def stand(oracle, w, state, k, lr: Positive = 0.1, cooling: NonNegative = 0.0):
    """It is never run."""
    return w, state


STAND = StepMethod("stand", stand)
REGISTRY = Registry(installed().problems, {"stand": STAND}, installed().plugins)


def choose(folder: Path, runs: dict[float, list[tuple[str, float, int]]], target: float | None = None):
    """What comes of candidates whose runs end as given: (status, final loss, evaluations) for each seed."""
    seeds = tuple(range(100, 100 + max(map(len, runs.values()))))
    tunable = Tunable(STAND, {"lr": "tuned"}, {"lr": list(runs)})
    problem = installed().problem("teacher-neuron", n=1, d=3)
    suite = Suite("a", (problem,), (tunable,), (0,), Horizon(iterations=10), tuning=Tuning(seeds))
    if target is not None:
        suite = Suite(**{**vars(suite), "stop": type(suite.stop)(loss=target)})
    [choice] = list_entries(suite, REGISTRY)
    failed = set()
    with Store(folder / "store") as store:
        for trial, ended in zip(choice.trials, runs.values(), strict=True):
            for seed, (status, loss, evaluations) in zip(seeds, ended, strict=False):
                if status == "failed":
                    failed.add((trial.key, seed, trial.limits))
                    continue
                rows = {"time": np.array([0.0, 1.0]), "loss": np.array([1.0, loss])}
                run = Run(seed, status, "", rows, evaluations, evaluations, 0.0)
                store.save(trial.with_seeds([seed]), [Outcome(run, fit_failed(""), "numpy")])
        return tune([choice], store, failed).get(choice.label)


def chosen(folder: Path, runs: dict[float, list[tuple[str, float, int]]], target: float | None = None) -> float:
    return choose(folder, runs, target).values["lr"]


def test_the_smallest_median_loss_is_chosen(tmp_path):
    runs = {0.1: [("ok", 3.0, 9)] * 3, 0.2: [("ok", 2.0, 9)] * 2 + [("ok", 50.0, 9)], 0.3: [("ok", 2.5, 9)] * 3}
    assert chosen(tmp_path, runs) == 0.2


def test_of_an_even_number_the_upper_median_counts(tmp_path):
    runs = {0.1: [("ok", 1.0, 9), ("ok", 4.0, 9)], 0.2: [("ok", 2.0, 9), ("ok", 3.0, 9)]}
    assert chosen(tmp_path, runs) == 0.2


@pytest.mark.parametrize("status", ["diverged", "degenerate", "timeout", "failed"])
def test_what_did_not_come_through_is_worst(tmp_path, status):
    runs = {0.1: [(status, 1e-9, 1)] * 2 + [("ok", 1e-9, 1)], 0.2: [("ok", 5.0, 9)] * 3}
    found = choose(tmp_path, runs)
    assert found.values == {"lr": 0.2}
    assert dict(found.statuses[0]) == {status: 2, "ok": 1}
    assert found.unsound == 2 * (status in ("failed", "timeout"))


def test_beyond_the_target_the_fewest_evaluations_decide(tmp_path):
    runs = {0.1: [("target", 1e-12, 90)], 0.2: [("target", 9e-11, 30)], 0.3: [("target", 1e-15, 40)]}
    assert chosen(tmp_path, runs, target=1e-10) == 0.2
    assert chosen(tmp_path / "other", runs) == 0.3  # without a target the loss itself


def test_of_equal_ones_the_first_is_chosen_and_its_edge_not_told(tmp_path):
    found = choose(tmp_path, {0.2: [("ok", 1.0, 9)], 0.1: [("ok", 1.0, 9)], 0.3: [("ok", 2.0, 9)]})
    assert found.values == {"lr": 0.2}
    tied = choose(tmp_path / "other", {0.1: [("ok", 1.0, 9)], 0.2: [("ok", 1.0, 9)]})
    assert (tied.values, tied.edges) == ({"lr": 0.1}, {})


@pytest.mark.parametrize(
    ("best", "told"), [(0.1, "lr = 0.1 is the smallest"), (0.2, ""), (0.3, "lr = 0.3 is the largest")]
)
def test_the_end_of_a_grid_is_told(tmp_path, best, told):
    runs = {lr: [("ok", 1.0 if lr == best else 2.0, 9)] for lr in (0.1, 0.2, 0.3)}
    lines = list_warnings([choose(tmp_path, runs)])
    assert [line.partition(" of its grid")[0] for line in lines] == [f"stand[lr=tuned]: {told}"] * bool(told)


def test_the_least_value_that_there_is_is_no_edge():
    tunable = Tunable(STAND, {"cooling": "tuned"}, {"cooling": [0.0, 1e-3]})
    assert tunable.find_edges({"cooling": 0.0}) == {}
    assert tunable.find_edges({"cooling": 1e-3}) == {"cooling": "largest"}


def test_nothing_but_failures_is_told(tmp_path):
    found = choose(tmp_path, {0.1: [("diverged", 1.0, 9)], 0.2: [("diverged", 1.0, 9)]})
    assert found.values == {"lr": 0.1}
    [line] = list_warnings([found])
    assert line.startswith("stand[lr=tuned]: no candidate came through on teacher-neuron[n=1,d=3]")


def test_nothing_is_chosen_before_all_have_ended(tmp_path):
    assert choose(tmp_path, {0.1: [("ok", 1.0, 9)] * 2, 0.2: [("ok", 1.0, 9)]}) is None


# The whole way.


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of results of the tuned suite. Read only."""
    home = tmp_path_factory.mktemp("tuned")
    (home / "suite.yaml").write_text(TUNED)
    return run_suite(home / "suite.yaml", home / "results", executor="serial", report=False).folder


def test_the_tables_say_what_was_chosen(results):
    ranking = {(row["problem"], row["optimizer"]): row for row in table(results, "ranking")}
    assert len(ranking) == 6
    tuning = table(results, "tuning")
    assert len(tuning) == 2 * (4 + 2)
    for problem in ("teacher-neuron[n=1,d=5]", "teacher-neuron[n=2,d=5]"):
        rows = [row for row in tuning if (row["problem"], row["optimizer"]) == (problem, "gradient-descent[lr=tuned]")]
        [best] = [row for row in rows if row["chosen"] == "True"]
        assert best["candidate"] == "gradient-descent[lr=1]"
        assert min(float(row["loss"]) for row in rows) == float(best["loss"])
        assert rows[-1]["statuses"] == "diverged 3"
        assert float(ranking[problem, "gradient-descent[lr=tuned]"]["optimizer.lr"]) == 1.0
        assert float(ranking[problem, "gradient-descent[lr=0.1]"]["optimizer.lr"]) == 0.1
    assert {row["seed"] for row in table(results, "runs")} == {"0", "1"}  # and none of those that were tuned on
    provenance = json.loads((results / "provenance.json").read_text())
    assert provenance["tuning"]["seeds"] == [100, 101, 102]
    assert provenance["tuning"]["chosen"]["teacher-neuron[n=2,d=5] x ball"] == {"lr": 0.3}
    assert provenance["tuning"]["unsettled"] == []
    [edge] = provenance["tuning"]["warnings"]
    assert edge.startswith("ball: lr = 0.3 is the largest of its grid, and best on teacher-neuron[n=1,d=5], teacher-")


def test_a_tuned_run_is_the_run_with_that_value(results, tmp_path):
    plain = TUNED.replace("tune: {lr: [0.01, 0.1, 1, 30]}", "lr: 1").replace("tune: {lr: [0.1, 0.3]}", "lr: 0.3")
    (tmp_path / "suite.yaml").write_text(plain.replace("tuning: {seeds: [100, 101, 102]}\n", ""))
    other = run_suite(tmp_path / "suite.yaml", tmp_path / "results", executor="serial", report=False).folder
    assert not (other / "tuning.csv").exists()

    def numbers(folder: Path) -> list[tuple[str, ...]]:
        return [tuple(row[name] for name in ("seed", "status", "law", "final_loss")) for row in table(folder, "runs")]

    assert numbers(results) == numbers(other)


def test_the_command_tells_tunes_once_and_goes_on(suite_file, invoke):
    assert "6 cells of 2 seeds, after 12 cells of candidates on 3 others" in invoke("check", suite_file).output
    planned = invoke("suite", suite_file, "--dry-run").output
    assert re.search(r"n=1,d=5\] x gradient-descent\[lr=tuned\], 4 candidates +0/12 runs stored", planned)
    done = invoke("suite", suite_file, "--no-report")
    assert done.exit_code == 0
    assert "ball: lr = 0.3 is the largest of its grid" in done.output
    planned = invoke("suite", suite_file, "--dry-run").output
    assert re.search(r"n=1,d=5\] x gradient-descent\[lr=tuned\], 4 candidates +12/12 runs stored", planned)
    suite_file.write_text(TUNED.replace("seeds: 2", "seeds: 3"))
    more = invoke("suite", suite_file, "--no-report").output
    assert "12 of 12 cells are stored already" in more  # of candidates
    assert "[6/6]" in more
    assert "0 did not" in invoke("suite", suite_file, "--verify").output


def test_a_half_tuned_suite_says_what_is_missing_and_tunes_the_rest(suite_file, invoke):
    invoke("suite", suite_file, "--no-report", "--only", "*n=1,* x *")
    folder = Path("results/tuned")
    assert len(table(folder, "ranking")) == 3
    told = json.loads((folder / "provenance.json").read_text())
    assert set(told["missing"]) == {
        "teacher-neuron[n=2,d=5] x gradient-descent[lr=tuned]",
        "teacher-neuron[n=2,d=5] x ball",
        "teacher-neuron[n=2,d=5] x gradient-descent[lr=0.1]",
    }
    assert len(told["tuning"]["unsettled"]) == 2
    done = invoke("suite", suite_file, "--no-report")
    assert "6 of 12 cells are stored already" in done.output
    assert json.loads((folder / "provenance.json").read_text())["missing"] == []


def test_a_lost_trial_is_run_again_and_chooses_the_same(suite_file, invoke):
    invoke("suite", suite_file, "--no-report")
    folder = Path("results/tuned")
    before = table(folder, "tuning"), table(folder, "ranking")
    lost = drop_runs(folder, lambda facts: facts["seed"] == 101 and "gradient-descent[lr=0.1]" in facts["label"])
    assert lost == 2
    assert len(redraw(folder, report=False).missing) == 2
    assert [row for row in table(folder, "ranking") if "lr=tuned" in row["optimizer"]] == []
    assert "10 of 12 cells are stored already" in invoke("suite", suite_file, "--no-report").output
    assert (table(folder, "tuning"), table(folder, "ranking")) == before


def test_halves_of_two_machines_are_joined(suite_file, invoke):
    for folder, half in (("one", "*n=1,* x *"), ("other", "*n=2,* x *")):
        assert invoke("suite", suite_file, "--no-report", "--only", half, "--results", folder).exit_code == 0
    joined = invoke("merge", "one/tuned", "other/tuned", "--no-report")
    assert joined.exit_code == 0
    assert "partial" not in joined.output
    assert len(table(Path("one/tuned"), "tuning")) == 12
    assert len(table(Path("one/tuned"), "ranking")) == 6


BREAKING = """
import numpy as np
import bench_ovp as ovp

def breaks(oracle, w, state, k, lr=0.1):
    "w ← w − lr ∇L(w), for lr up to 0.5."
    if lr > 0.5:
        raise RuntimeError("too long")
    return w - lr * oracle.grad(w), state

@ovp.hookimpl
def bench_ovp_optimizers():
    return [ovp.StepMethod("breaks", breaks, compile=False)]
"""


def test_a_candidate_that_fails_is_worst_also_in_a_report_of_later(tmp_path, invoke):
    (tmp_path / "breaks.py").write_text(BREAKING)
    text = TUNED.replace("  - gradient-descent: {lr: 0.1}\n", "").replace("gradient-descent: {tune", "breaks: {tune")
    (tmp_path / "suite.yaml").write_text(text + "plugins: [breaks.py]\n")
    done = invoke("suite", "suite.yaml", "--no-report")
    assert done.exit_code == 1
    assert "12 runs failed or timed out" in done.output  # 2 problems, 2 candidates, 3 seeds
    rows = table(tmp_path / "results/tuned", "tuning")
    assert [row["statuses"] for row in rows[:4]] == ["ok 3", "target 3", "failed 3", "failed 3"]
    [first, *_] = redraw(tmp_path / "results/tuned", report=False).warnings
    assert first.startswith("ball: lr = 0.3 is the largest of its grid")
    assert table(tmp_path / "results/tuned", "tuning") == rows


def test_entries_keep_the_order_of_the_suite(suite_file):
    _, entries = plan_suite(suite_file, installed())
    assert [type(entry) for entry in entries] == [Choice, Choice, Cell] * 2


def test_the_report_tells_on_which_seeds_and_where_a_grid_ended():
    made = make_suite(seeds=2, horizon=1e3, problems=PROBLEMS[:1], optimizers=tuple(OPTIMIZERS)[:1])
    tables = gather(*made)
    plain = write_findings(tables)
    warning = "ball: lr = 0.3 is the largest of its grid, and best on a; a wider grid may do better"
    tuning = {"seeds": [100, 101], "chosen": {"a x ball": {"lr": 0.3}}, "warnings": [warning]}
    told = write_findings(tables._replace(provenance={**tables.provenance, "tuning": tuning}))
    assert [line for line in told if line not in plain] == [
        "The parameters of 1 pair were tuned on seeds that are not reported, 100 and 101.",
        f"{warning}.",
    ]
