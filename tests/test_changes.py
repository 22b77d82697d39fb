"""What changed between two runs of suites: nothing where nothing did, and exactly what did."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import TINY

import bench_ovp as ovp
from bench_ovp.changes import change
from bench_ovp.changes.matching import match
from bench_ovp.comparison import Course, Entrant, list_findings
from bench_ovp.ranking import Fitted, summarise
from bench_ovp.rates import Rate
from bench_ovp.suite_run import run_suite


def run(home: Path, text: str) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    file = home / "suite.yaml"
    file.write_text(text)
    return run_suite(file, home, executor="serial", report=False).folder


@pytest.fixture
def copy(tiny_results: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_results, tmp_path / "copy")


def edit_rows(file: Path, edit: Callable[[dict[str, str]], None]) -> None:
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for row in rows:
        edit(row)
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def changed_pairs(changes: ovp.changes.Changes) -> set[tuple[str, str]]:
    return {(pair.problem.after, pair.optimizer.after) for pair in changes.pairs if pair.changed}


# Two runs of suites.


def test_two_runs_of_one_suite_do_not_differ(invoke, tiny_results, tmp_path):
    again = run(tmp_path / "again", TINY)
    changes = ovp.compare(tiny_results, again)
    assert not changes.changed
    assert len(changes.pairs) == 4
    assert all((pair.equal, pair.common) == (2, 2) for pair in changes.pairs)
    told = invoke("compare", tiny_results, again, "--fail-on-change", "--fail-on-slower")
    assert told.exit_code == 0
    assert told.stdout.strip().endswith("no change in 4 pairs; 8 of 8 runs with the same seed have the same bits")


def test_a_changed_step_size_changes_exactly_that_pair(invoke, tmp_path):
    one = TINY.replace("[1, 2]", "2")
    before = run(tmp_path / "before", one)
    after = run(tmp_path / "after", one.replace("lr: 0.1", "lr: 0.2"))
    changes = ovp.compare(before, after)
    assert changed_pairs(changes) == {("teacher-neuron[n=2,d=5]", "gradient-descent[lr=0.2]")}
    [pair] = [pair for pair in changes.pairs if pair.changed]
    assert pair.optimizer == ("gradient-descent[lr=0.1]", "gradient-descent[lr=0.2]", {"lr": ("0.1", "0.2")})
    assert changes.optimizers.gone == changes.optimizers.added == ()
    [effort] = [shift for shift in pair.shifts if shift.of == "evaluations"]
    assert effort.effect == pytest.approx(0.5, rel=0.1)  # half the steps, up to what is not small about 0.2
    told = invoke("compare", before, after, "--fail-on-change")
    assert told.exit_code == 1
    assert "optimizer gradient-descent[lr=0.1] is now gradient-descent[lr=0.2]" in told.stdout
    assert "  lr           0.1 -> 0.2" in told.stdout
    assert "heavy-ball" not in told.stdout
    assert told.stdout.strip().splitlines()[-1].startswith("1 of 2 pairs changed")
    assert invoke("compare", before, after).exit_code == 0


def test_other_seeds_are_no_change(tmp_path):
    text = TINY.replace("seeds: 2", "seeds: 12")
    changes = ovp.compare(
        run(tmp_path / "before", text),
        run(tmp_path / "after", text.replace("seeds: 12", f"seeds: {[*range(100, 112)]}")),
    )
    assert len(changes.pairs) == 4
    assert not changes.changed
    assert {pair.common for pair in changes.pairs} == {0}
    assert changes.suite == ("-seeds: 12", "+seeds: [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111]")


def test_another_law_under_the_same_label_is_told(invoke, tmp_path):
    """A method that escapes the power law, called as the one that obeys it."""
    text = (
        "name: laws\nproblems: [teacher-neuron: {n: 2, d: 5}]\nseeds: 3\nhorizon: {iterations: 2e4}\n"
        "optimizers:\n  - gradient-descent: {lr: 0.1, label: method}\n  - NAME: {lr: 0.5, label: other}\n"
    )
    short = "overrides: [{cells: '* x other', horizon: {iterations: 500}}]\n"
    before = run(tmp_path / "before", text.replace("NAME", "gradient-descent"))
    after = run(tmp_path / "after", text.replace("NAME", "preconditioned-gradient-descent") + short)
    changes = ovp.compare(before, after)
    assert changed_pairs(changes) == {("teacher-neuron[n=2,d=5]", "other")}
    [pair] = [pair for pair in changes.pairs if pair.changed]
    assert pair.standings[1].law == "exponential"
    assert pair.shifts[0].of == "law"
    assert "exp(-" in invoke("compare", before, after).stdout


def test_what_only_one_side_has(tmp_path, tiny_results):
    fewer = run(tmp_path / "fewer", TINY.replace("  - heavy-ball\n", "").replace("[1, 2]", "[2, 3]"))
    changes = ovp.compare(tiny_results, fewer)
    assert changes.changed
    assert changes.optimizers.gone == ("heavy-ball",)
    # One problem of the grid is another now, and no other has its name: n = 1 became n = 3.
    [renamed] = [match for match in changes.problems.matches if match.parameters]
    assert renamed.parameters == {"n": ("1", "3")}
    assert [pair.problem.after for pair in changes.pairs if pair.changed] == ["teacher-neuron[n=3,d=5]"]
    back = ovp.compare(fewer, tiny_results)
    assert back.optimizers.added == ("heavy-ball",)


# Tables that were altered.


def test_a_bit_is_seen_and_is_no_change(tiny_results, copy):
    frame = pd.read_parquet(copy / "traces.parquet")
    frame.loc[frame.index[7], "loss"] = np.nextafter(frame["loss"].iloc[7], 1)
    frame.to_parquet(copy / "traces.parquet")
    changes = ovp.compare(tiny_results, copy)
    assert not changes.changed
    assert sum(pair.equal for pair in changes.pairs) == 7


def test_a_run_that_fails_now_is_a_change(tiny_results, copy):
    edit_rows(copy / "runs.csv", lambda row: row.update(status="failed") if row["seed"] == "1" else None)
    changes = ovp.compare(tiny_results, copy)
    assert [pair.failed for pair in changes.pairs] == [(0, 1)] * 4
    assert changes.changed


def test_versions_and_machines_are_told_and_are_no_change(invoke, tiny_results, copy):
    facts = json.loads((copy / "provenance.json").read_text())
    facts["versions"]["numpy"] = "99.1"
    facts["machine"]["processor"] = "abacus"
    (copy / "provenance.json").write_text(json.dumps(facts))
    changes = ovp.compare(tiny_results, copy)
    assert not changes.changed
    assert {name for name, _, _ in changes.context} == {"versions: numpy", "machine: processor"}
    assert not changes.timed
    told = invoke("compare", tiny_results, copy, "--fail-on-change")
    assert told.exit_code == 0
    assert "-> 99.1" in told.stdout
    assert "speed is not compared: the machines differ" in told.stdout


def test_what_was_tuned_to_another_value_is_a_change_of_that_pair(tiny_results, copy):
    """Under one label a parameter may have another value for each problem."""

    def retune(row: dict[str, str]) -> None:
        if row["problem"] == "teacher-neuron[n=2,d=5]" and row["optimizer"] == "heavy-ball":
            row["optimizer.beta"] = "0.5"

    edit_rows(copy / "ranking.csv", retune)
    changes = ovp.compare(tiny_results, copy)
    assert changed_pairs(changes) == {("teacher-neuron[n=2,d=5]", "heavy-ball")}
    [pair] = [pair for pair in changes.pairs if pair.changed]
    assert pair.optimizer.parameters == {"beta": ("0.9", "0.5")}


def test_a_rank_alone_is_told_and_is_no_change(invoke, tiny_results, copy):
    edit_rows(copy / "ranking.csv", lambda row: row.update(rank="7") if row["optimizer"] == "heavy-ball" else None)
    told = invoke("compare", tiny_results, copy, "--fail-on-change")
    assert told.exit_code == 0
    assert told.stdout.count("-> 7") == 2
    assert "nothing of these pairs changed" in told.stdout


def time_as(folder: Path, seconds: Callable[[dict[str, str]], float]) -> None:
    edit_rows(folder / "runs.csv", lambda row: row.update(seconds=str(seconds(row))))


def test_a_slower_step_is_told_and_fails_only_where_it_is_asked_for(invoke, tmp_path):
    text = TINY.replace("[1, 2]", "[1, 2, 3, 4]")
    before = run(tmp_path / "before", text)
    after = shutil.copytree(before, tmp_path / "after")
    rng = np.random.default_rng(5)
    time_as(before, lambda row: 1.0)
    time_as(after, lambda row: (2.0 if row["optimizer"] == "heavy-ball" else 1.0) * math.exp(0.05 * rng.normal()))
    changes = ovp.compare(before, after)
    assert not changes.changed
    [speed] = changes.speeds
    assert (speed.optimizer, speed.pairs) == ("heavy-ball", 4)
    assert speed.low < 2 < speed.high
    assert invoke("compare", before, after, "--fail-on-change").exit_code == 0
    assert invoke("compare", before, after, "--fail-on-slower").exit_code == 1
    assert invoke("compare", after, before, "--fail-on-slower").exit_code == 0  # it is faster
    # Negative controls: a ratio that is small, one that scatters, and clocks too coarse to tell.
    for ratio, scatter, scale in ((1.1, 0.01, 1), (2.0, 1.0, 1), (2.0, 0.01, 1e-3)):
        time_as(before, lambda row, scale=scale: scale)
        time_as(after, lambda row, r=ratio, s=scatter, k=scale: k * r * math.exp(s * rng.normal()))
        assert ovp.compare(before, after).speeds == ()


# Bad input.


def spoil_json(folder: Path) -> None:
    (folder / "provenance.json").write_text("{")


def spoil_list(folder: Path) -> None:
    (folder / "provenance.json").write_text("[]")


def spoil_row(folder: Path) -> None:
    with (folder / "runs.csv").open("a") as file:
        file.write("half,a")


def spoil_number(folder: Path) -> None:
    edit_rows(folder / "runs.csv", lambda row: row.update(value="three"))


def spoil_column(folder: Path) -> None:
    text = (folder / "ranking.csv").read_text()
    (folder / "ranking.csv").write_text(text.replace("optimizer,", "method,", 1))


def spoil_pairs(folder: Path) -> None:
    edit_rows(folder / "ranking.csv", lambda row: row.update(optimizer=row["optimizer"] + "?"))


def spoil_traces(folder: Path) -> None:
    (folder / "traces.parquet").write_bytes(b"PAR1 and no more")


def spoil_text(folder: Path) -> None:
    (folder / "runs.csv").write_bytes(b"\xff\xfe\x00problem")


def remove_runs(folder: Path) -> None:
    (folder / "runs.csv").unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        *(spoil_json, spoil_list, spoil_row, spoil_number, spoil_column, spoil_pairs),
        *(spoil_traces, spoil_text, remove_runs, shutil.rmtree),
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_a_folder_that_cannot_be_read_gets_one_line(invoke, tiny_results, copy, spoil):
    spoil(copy)
    for sides in ((copy, tiny_results), (tiny_results, copy)):
        told = invoke("compare", *sides)
        assert told.exit_code == 2, told.output
        assert told.stdout == ""
        [line] = told.stderr.strip().splitlines()
        assert line.startswith("bench-ovp: ")
        assert str(copy) in line


# Labels.


def parameters(*labels: str) -> dict[str, dict[str, str]]:
    """Parameters as the labels say them."""
    found = {}
    for label in labels:
        inside = label.partition("[")[2].rstrip("]")
        found[label] = dict(part.split("=") for part in inside.split(",") if part)
    return found


@pytest.mark.parametrize(
    ("before", "after", "matched"),
    [
        (["gd[lr=1]"], ["gd[lr=2]"], {"gd[lr=1]": "gd[lr=2]"}),
        (["gd[lr=1]", "gd[lr=2]"], ["gd[lr=2]", "gd[lr=3]"], {"gd[lr=2]": "gd[lr=2]", "gd[lr=1]": "gd[lr=3]"}),
        (["gd[lr=1]", "gd[lr=2]"], ["gd[lr=3]", "gd[lr=4]"], {}),  # nobody can tell which became which
        (["gd[lr=1]", "gd[lr=2]"], ["gd[lr=3]"], {}),
        (["gd[lr=1]"], ["hb[lr=1]"], {}),  # another method
        (["hb[lr=1,beta=1]"], ["hb[lr=2,beta=2]"], {"hb[lr=1,beta=1]": "hb[lr=2,beta=2]"}),
        (["hb[lr=1,beta=1]", "hb[lr=2,beta=2]"], ["hb[lr=1,beta=3]"], {"hb[lr=1,beta=1]": "hb[lr=1,beta=3]"}),
        (["gd[lr=1]"], ["gd[lr=1.0]"], {"gd[lr=1]": "gd[lr=1.0]"}),  # one number, written twice
    ],
)
def test_labels_are_matched_where_that_is_unique(before, after, matched):
    found = match(parameters(*before), parameters(*after))
    assert {one.before: one.after for one in found.matches} == matched
    assert set(found.gone) == set(before) - matched.keys()
    assert set(found.added) == set(after) - set(matched.values())


def test_equal_labels_of_other_parameters_are_told():
    [found] = match({"mine": {"lr": "0.1"}}, {"mine": {"lr": "0.2", "beta": "0.9"}}).matches
    assert found.parameters == {"lr": ("0.1", "0.2"), "beta": ("", "0.9")}


# Chance.


def draw_entrant(rng: np.random.Generator, seeds: range, constant: float = 1.0, scatter: float = 0.3) -> Entrant:
    """Runs like C·t⁻³ whose constants and readings of the exponent scatter."""
    place = np.log(10.0) * np.linspace(0, 5, 101)
    courses, fitted = [], []
    for seed in seeds:
        height = math.log(constant) + scatter * rng.normal() - 3 * place
        value = 3 + 0.01 * rng.normal()
        rate = Rate("power", value, value - 0.03, value + 0.03, constant, end=1e5)
        effort = tuple(np.exp(np.interp(-math.log(target), -height, place)) for target in (1e-4, 1e-8, 1e-12))
        courses.append(Course(seed, "ok", rate, place, height, tuple(np.log(effort)), (0.1,) * 3, place[-1]))
        fitted.append(Fitted("ok", rate, effort))
    return Entrant(summarise(fitted), tuple(courses))


def count_shifts(rng: np.random.Generator, pairs: int, seeds: tuple[range, range], constant: float = 1.0) -> int:
    """How many of `pairs` change, the first of them by a factor in its constant."""
    found = []
    for k in range(pairs):
        one = draw_entrant(rng, seeds[0])
        other = draw_entrant(rng, seeds[1], constant if k == 0 else 1.0)
        blank = change.Pair(None, None, (one.standing, other.standing), ("1", "1"), (0, 0), 0, 0)  # type: ignore[arg-type]
        found.append((blank, list_findings(other, one)))
    return sum(bool(pair.shifts) for pair in change._judge(found))


@pytest.mark.parametrize("seeds", [(range(8), range(8)), (range(8), range(8, 16))], ids=["shared", "apart"])
def test_chance_is_no_change(seeds):
    """Of 150 pairs of equal suites few show any change, as the level of 3.8% promises."""
    rng = np.random.default_rng(11)
    shown = sum(count_shifts(rng, 6, seeds) > 0 for _ in range(150))
    assert shown <= 11  # P(more | 0.038) = 1%
    assert count_shifts(rng, 10, seeds, constant=30.0) == 1  # and what differs is found, alone


def test_what_is_sure_and_small_is_no_change():
    """Half a percent on every seed is significant, and nothing that anybody would act on."""
    one = draw_entrant(np.random.default_rng(1), range(8))
    for factor, found in ((1.005, []), (1.1, ["constant", "evaluations"])):
        other = draw_entrant(np.random.default_rng(1), range(8), factor)
        findings = list_findings(other, one)
        assert {finding.by for finding in findings if finding.p < 1e-6} == {"constant", "evaluations"}
        assert [finding.by for finding in findings if change._matters(finding) and finding.sign] == found
