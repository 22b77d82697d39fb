"""No suite file, however malformed, gets more than one line and exit code 2: `fuzz_suites` says what is fed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import command_line
from fuzz_suites import GOOD, KINDS, LARGEST, SLOWEST, find_fault, make_suites, write_armoury


def feed(count: int, seed: int) -> dict:
    """What the program says of `count` files, from a process of its own, whose memory is its own."""
    words = [sys.executable, "fuzz_suites.py", "--count", str(count), "--seed", str(seed)]
    done = subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=7200)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert not told["faults"], told["faults"]
    assert done.returncode == 0
    assert sum(told["exits"].values()) == count
    return told


def count_exits(told: dict, code: int) -> int:
    """How many files ended with `code`."""
    return sum(number for ending, number in told["exits"].items() if ending.endswith(f" {code}"))


def test_five_hundred_files():
    told = feed(500, seed=20)
    assert {ending.split()[0] for ending in told["exits"]} == set(KINDS)
    assert count_exits(told, 2) > 350
    assert count_exits(told, 0) > 20, "files that are right are needed too, or the fuzzer only scratches the surface"


@pytest.mark.slow
def test_twenty_thousand_malformed_files():
    told = feed(24_000, seed=0)
    assert count_exits(told, 2) >= 20_000


def test_the_fuzzer_sees_a_fault():
    assert find_fault(0, "a.yaml: 1 cells of 1 seeds; nothing is wrong with it\n", "", "a.yaml") is None
    assert find_fault(2, "", "bench-ovp: /b/a.yaml:1:1: told; remedy\n", "a.yaml") is None
    assert find_fault(0, "nothing is wrong with it", "warning", "a.yaml")
    assert find_fault(1, "", "Traceback", "a.yaml")
    assert find_fault(2, "", "bench-ovp: /b/a.yaml:1:1: two\nlines\n", "a.yaml")
    assert find_fault(2, "", "bench-ovp: somewhere\n", "a.yaml")
    assert find_fault(2, "", "bench-ovp: /b/a.yaml:1:1: " + "a" * 9000, "a.yaml")


def run_measured(folder: Path, *words: object) -> tuple[int, str, str, float, float]:
    """Exit code, stdout, stderr, seconds of processor time and MB of the command itself."""
    with (folder / "out").open("w+") as out, (folder / "err").open("w+") as err:
        child = subprocess.Popen(command_line(*words), cwd=folder, stdout=out, stderr=err)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        return child.returncode, out.read(), err.read(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


@pytest.mark.slow
def test_three_hundred_files_through_the_command(tmp_path):
    home = tmp_path / "home"
    write_armoury(home)
    before = sorted(path.name for path in home.iterdir())
    exits, slowest, largest = Counter(), 0.0, 0.0
    for place, (kind, data) in enumerate(make_suites(300, seed=1)):
        (tmp_path / "suite.yaml").write_bytes(data)
        (home / "suite.yaml").write_bytes(data)
        words = ("check", home / "suite.yaml") if place % 2 else ("suite", home / "suite.yaml", "--dry-run")
        code, out, err, seconds, size = run_measured(tmp_path, *words)
        if code != 0 or place % 2:  # a right suite is also timed, in its own time
            assert find_fault(code, out, err, "suite.yaml") is None, (place, kind, find_fault(code, out, err, ""))
            slowest, largest = max(slowest, seconds), max(largest, size)
        exits[code] += 1
    assert sorted({path.name for path in home.iterdir()} - {"suite.yaml"}) == before
    assert slowest < SLOWEST
    assert largest < LARGEST
    assert exits[2] > 200
    print(dict(exits), f"slowest {slowest:.2f} s, {largest:.0f} MB")


@pytest.mark.slow
def test_files_that_are_right_can_be_planned(tmp_path, invoke):
    write_armoury(tmp_path)
    planned = 0
    for kind, data in make_suites(160, seed=3):
        (tmp_path / "suite.yaml").write_bytes(data)
        if kind != "bomb" and invoke("check", "suite.yaml").exit_code == 0:
            done = invoke("suite", "suite.yaml", "--dry-run")
            assert done.exit_code == 0, (data, done.output)
            assert done.output.rstrip().endswith("nothing was run")
            planned += 1
    assert planned > 5
    assert not (tmp_path / "results").exists()


def test_the_good_files_are_good(tmp_path, invoke):
    write_armoury(tmp_path)
    for text in GOOD:
        (tmp_path / "suite.yaml").write_text(text)
        assert invoke("check", "suite.yaml").exit_code == 0
