"""A hundred thousand cells on a dask cluster of four workers, one of them killed and one added midway.

Usage: python bench/cluster.py [CELLS]

It prints the seconds and the overhead per cell, what the planner and the scheduler held at most, and whether every cell
has its runs. The cells are as small as can be: what is measured is everything around them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SUITE = """\
name: cells
problems:
  - exact-neuron: {{d: 2, sigma: {sigmas}}}
optimizers:
  - gradient-descent: {{lr: {rates}}}
seeds: 1
horizon: {{iterations: 10}}
"""
ACROSS = 100  # step sizes


def open_cluster(folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    log = folder / "scheduler.log"
    with log.open("wb") as out:
        scheduler = subprocess.Popen([*command, "--no-dashboard"], cwd=folder, stdout=out, stderr=out)
    for _ in range(200):
        if found := re.search(r"tcp://(127\.0\.0\.1:\d+)", log.read_text()):
            return found[1], scheduler
        time.sleep(0.1)
    raise SystemExit(log.read_text())


def add_worker(folder: Path, address: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://{address}", "--nthreads", "1"]
    with (folder / "workers.log").open("ab") as out:
        return subprocess.Popen([*command, "--no-dashboard"], cwd=folder, stdout=out, stderr=out)


def held(process: int) -> float:
    """MB that a process has held at most."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+)", text)
    return float(found[1]) / 1024 if found else 0.0


def main() -> None:
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sigmas = [round(0.1 + k / cells, 8) for k in range(max(1, cells // ACROSS))]
        rates = [round(0.01 + k / 10_000, 6) for k in range(ACROSS)]
        (folder / "suite.yaml").write_text(SUITE.format(sigmas=sigmas, rates=rates))
        address, scheduler = open_cluster(folder)
        workers = [add_worker(folder, address) for _ in range(4)]
        began = time.monotonic()
        command = [sys.executable, "-m", "bench_ovp.cli", "suite", "suite.yaml", "--no-report"]
        planner = subprocess.Popen([*command, "--executor", f"dask://{address}"], cwd=folder, stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)  # fmt: skip
        peak = [0.0, 0.0]

        def watch() -> None:
            while planner.poll() is None:
                peak[:] = max(peak[0], held(planner.pid)), max(peak[1], held(scheduler.pid))
                time.sleep(0.5)

        watcher = threading.Thread(target=watch)
        watcher.start()
        time.sleep(60)
        below = Path(f"/proc/{workers[0].pid}/task/{workers[0].pid}/children").read_text().split()
        os.kill(int(below[0]) if below else workers[0].pid, signal.SIGKILL)
        workers.append(add_worker(folder, address))
        print("one worker killed, one added", flush=True)
        code = planner.wait()
        watcher.join()
        spent = time.monotonic() - began
        runs = sum(1 for _ in (folder / "results/cells/runs.csv").open()) - 1
        told = f"{len(sigmas) * ACROSS} cells, {runs} runs, exit code {code}, {spent:.0f} s, "
        told += f"{1e3 * spent / runs:.1f} ms a cell; planner {peak[0]:.0f} MB, scheduler {peak[1]:.0f} MB"
        print(told, flush=True)
        for process in (*workers, scheduler):
            process.terminate()


if __name__ == "__main__":
    main()
