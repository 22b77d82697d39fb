"""Tasks timed in turns: a round times each once, so that a slow phase of the machine hits all of them alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .task import Missing, Task

FOLDER = Path(__file__).resolve().parent.parent
Group = tuple[Task, ...]
FEWEST, MOST = 4, 10_000_000  # steps
LONG = 10  # times as many steps, where two horizons are compared: a start in 100,000 dimensions varies by a second


class Worker:
    """A peer's process, seen from outside."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        command = [sys.executable, "-m", "peers.worker", peer]
        self.process = subprocess.Popen(
            command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.versions: dict[str, str] = self._hear()["versions"]

    def seconds(self, task: Task, steps: int) -> float:
        """How long `steps` steps of a task take."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([task.method, task.n, task.d, task.runs, steps]) + "\n")
        return float(self._hear())

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer {self.peer} broke off with exit code {self.process.wait()}")
        answer = json.loads(line)
        if isinstance(answer, dict) and "missing" in answer:
            self.close()
            raise Missing(answer["missing"])
        return answer


class Peers:
    """The peers that can run here, each started when it is first asked for.

    Args:
        versions: of what they are made of, by package.
        skipped: by peer, what is missing.
    """

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self.versions: dict[str, str] = {}
        self.skipped: dict[str, str] = {}

    def worker(self, peer: str) -> Worker:
        """The peer's process; raises Missing."""
        if peer in self.skipped:
            raise Missing(self.skipped[peer])
        if peer not in self.workers:
            self.workers[peer] = Worker(peer)
            self.versions |= self.workers[peer].versions
        return self.workers[peer]

    def steps(self, task: Task, seconds: float) -> int:
        """How many steps of a task last about so long."""
        worker, steps = self.worker(task.peer), FEWEST
        while (spent := worker.seconds(task, steps)) < 0.7 * seconds and steps < MOST:
            steps = min(MOST, int(steps * min(10.0, max(1.5, seconds / spent))))
        return steps

    def cost(self, task: Task, steps: int) -> float:
        """Seconds per run and step."""
        worker = self.worker(task.peer)
        if task.slope:
            return (worker.seconds(task, (1 + LONG) * steps) - worker.seconds(task, steps)) / (LONG * steps * task.runs)
        return worker.seconds(task, steps) / (steps * task.runs)

    def close(self) -> None:
        """Let all of them end."""
        for worker in self.workers.values():
            worker.close()


def paces(peers: Peers, tasks: Sequence[Task], seconds: float) -> dict[Task, int]:
    """The number of steps that each task takes; tasks of a peer that cannot run are left out."""
    print("steps: compiling, and finding out how many last long enough", file=sys.stderr)
    found: dict[Task, int] = {}
    for task in sorted(tasks, key=lambda t: t.pace is not None):
        try:
            found[task] = found[task.pace] if task.pace else peers.steps(task, seconds)
            peers.worker(task.peer).seconds(task, 1)  # compiles, and is seen to run
        except Missing as error:
            peers.skipped[task.peer] = str(error)
    return found


def measure(peers: Peers, groups: Sequence[Group], seconds: float, rounds: int) -> dict[Group, list[list[float]]]:
    """Seconds per run and step of the tasks of each group that can run, a list over rounds for each task.

    The tasks of a group are compared, and so they are timed one right after the other, in each group anew.
    """
    tasks = [task for group in groups for task in group]
    tasks += [task.pace for task in tasks if task.pace]
    steps = paces(peers, list(dict.fromkeys(tasks)), seconds)
    costs: dict[Group, list[list[float]]] = {g: [[] for _ in g] for g in groups if all(task in steps for task in g)}
    for number in range(rounds):
        print(f"steps: round {number + 1} of {rounds}", file=sys.stderr)
        for group, spent in costs.items():
            for task, times in zip(group, spent, strict=True):
                times.append(peers.cost(task, steps[task]))
    return costs
