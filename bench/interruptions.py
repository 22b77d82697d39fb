"""Suites that are killed, and what is left of them: nothing lost, nothing doubled, the same bits.

Usage: python bench/interruptions.py [group|workers|dask|timeout ...] [--kills N] [--seed S]

    group    kill -9 of the whole process group at random moments; the same command again, until it is through
    workers  kill -9 of random worker processes while the suite runs
    dask     the same on a local dask cluster
    timeout  runs that hang in NumPy and in compiled code, under a limit of three seconds

Afterwards the tables are compared with those of an uninterrupted run, bit for bit, save for the seconds that runs took;
and the store is searched for runs that were computed twice.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bench_ovp.store import Store
from bench_ovp.trace import UNFINISHED

SUITE = """\
name: killed
problems:
  - teacher-neuron: {n: [2, 4, 6], d: 10}
  - exact-neuron
optimizers:
  - gradient-descent: {lr: [0.02, 0.05]}
  - heavy-ball
  - nesterov
  - polyak-step
seeds: 32
horizon: {iterations: 2e4}
"""
HANGING = """\
import numpy as np
from numba import njit
from bench_ovp import StepMethod, hookimpl

@njit
def spin(w):
    total = 0.0
    while w[0, 0, 0] == w[0, 0, 0]:
        total += 1.0
    return w + total

def stuck(oracle, w, state, k, lr: float = 0.05):
    "A step that hangs in Python from step 1000 on."
    while k >= 1000:
        pass
    return w - lr * oracle.grad(w), state

def lost(oracle, w, state, k, lr: float = 0.05):
    "A step that hangs in compiled code from step 1000 on."
    if k >= 1000:
        w = spin(w)
    return w - lr * oracle.grad(w), state

@hookimpl
def bench_ovp_optimizers():
    return [StepMethod("stuck", stuck, compile=False), StepMethod("lost", lost)]
"""
TIMED = """\
name: timed
plugins: [hanging.py]
problems: [{teacher-neuron: {n: 2, d: 5}}]
optimizers: [gradient-descent, stuck, lost]
seeds: 2
horizon: {iterations: 1e9, stepped: 1e9}
stop: {wall: 3s}
"""
LIMIT = 3.0


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command, in a process group of its own."""
    command = [sys.executable, "-m", "bench_ovp.cli", "suite", "suite.yaml", "--no-report", "-j", "2", *words]
    return subprocess.Popen(
        command, cwd=folder, text=True, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(process: subprocess.Popen[str]) -> str:
    told, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}:\n{told}")
    return told


def read_tables(folder: Path) -> list[pd.DataFrame]:
    """What must be the same."""
    home = folder / "results/killed"
    runs = pd.read_csv(home / "runs.csv").drop(columns="seconds")
    return [
        pd.read_parquet(home / "traces.parquet"),
        runs,
        *(pd.read_csv(home / f"{n}.csv") for n in ("ranking", "comparisons")),
    ]


def count_doubles(folder: Path) -> int:
    """Finished runs that were computed more than once."""
    with Store(folder / "results/killed", writable=False) as store:
        runs = [facts for facts, _ in store.list_runs() if facts["status"] != UNFINISHED]
    keys = Counter((facts["key"], facts["seed"], facts["limits"]) for facts in runs)
    return sum(count - 1 for count in keys.values())


def check(folder: Path, expected: list[pd.DataFrame]) -> None:
    for table, other in zip(read_tables(folder), expected, strict=True):
        pd.testing.assert_frame_equal(table, other, check_exact=True)
    if doubles := count_doubles(folder):
        raise SystemExit(f"{doubles} finished runs were computed twice")


def list_children(process: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found + [below for child in found for below in list_children(child)]


def is_worker(process: int) -> bool:
    """Whether a process does tasks: spawned, and no keeper of semaphores."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes()
        return b"spawn_main" in words
    return False


def kill_groups(folder: Path, kills: int, expected: list[pd.DataFrame], length: float) -> Iterator[str]:
    """Kill the command at random moments until that many kills have hit; check whenever it comes through."""
    done = through = 0
    while done < kills:
        process = start(folder)
        try:
            process.wait(random.uniform(0.0, 1.2 * length))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            done += 1
            if done % 10 == 0:
                finish(start(folder))
                check(folder, expected)
                clear(folder)
            continue
        finish(process)
        check(folder, expected)
        clear(folder)
        through += 1
    yield f"group: {done} kills, {through + done // 10} times through: the same tables, no finished run computed twice"


def kill_workers(folder: Path, kills: int, expected: list[pd.DataFrame], words: tuple[str, ...]) -> Iterator[str]:
    """Kill one worker at a time, until that many kills have hit."""
    done = through = 0
    while done < kills:
        clear(folder)
        process = start(folder, *words)
        time.sleep(2.0)
        while process.poll() is None and done < kills:
            time.sleep(random.uniform(0.5, 2.5))  # a worker takes a second to start
            workers = [child for child in list_children(process.pid) if is_worker(child)]
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(workers), signal.SIGKILL)
                    done += 1
        finish(process)
        check(folder, expected)
        through += 1
    how = " ".join(("workers", *words))
    yield f"{how}: {done} kills in {through} suites: nothing missing, nothing doubled, the same tables"


def hang(folder: Path) -> Iterator[str]:
    """Hanging runs end within a second of the limit and keep what they recorded."""
    (folder / "hanging.py").write_text(HANGING)
    (folder / "suite.yaml").write_text(TIMED)
    start(folder).communicate()  # compiles
    clear(folder)
    for name in ("gradient-descent*", "stuck", "lost"):
        began = time.monotonic()
        process = start(folder, "--only", f"* x {name}")
        told, _ = process.communicate()
        runs = pd.read_csv(folder / "results/timed/runs.csv")
        ours = runs[runs.optimizer.str.startswith(name.strip("*"))]
        rows = pd.read_parquet(folder / "results/timed/traces.parquet")
        kept = rows[rows.optimizer.str.startswith(name.strip("*"))].groupby("seed").iteration.max().min()
        yield (
            f"timeout, {name.strip('*')}: status {set(ours.status)}, records kept up to iteration {kept:g}, "
            f"whole command {time.monotonic() - began:.1f} s, limit {LIMIT:g} s; {told.splitlines()[0][:150]}"
        )


def clear(folder: Path) -> None:
    shutil.rmtree(folder / "results", ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", default=["group", "workers", "dask", "timeout"])
    parser.add_argument("--kills", type=int, default=0, help="100 of groups and 50 of workers, unless told")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "suite.yaml").write_text(SUITE)
        finish(start(folder))
        clear(folder)
        began = time.monotonic()
        finish(start(folder))
        length = time.monotonic() - began
        expected = read_tables(folder)
        clear(folder)
        print(f"uninterrupted: {length:.1f} s", flush=True)
        for mode in options.modes:
            (folder / "suite.yaml").write_text(SUITE)
            clear(folder)
            if mode == "group":
                lines = kill_groups(folder, options.kills or 100, expected, length)
            elif mode == "timeout":
                lines = hang(folder)
            else:
                words = ("--executor", "dask") if mode == "dask" else ()
                lines = kill_workers(folder, options.kills or 50, expected, words)
            for line in lines:
                print(line, flush=True)


if __name__ == "__main__":
    main()
