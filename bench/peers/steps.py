"""Steps: bench-ovp against the limit in C, NumPy, JAX and PyTorch; its methods against each other; its scaling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .rounds import Group, Peers, measure
from .rows import Line, line
from .task import Task

SHAPES = ((2, 2), (5, 5), (10, 10), (20, 20))
OTHERS = {
    "NumPy, in lock-step": ("numpy_lockstep", 64),
    "NumPy, one run": ("numpy_lockstep", 1),
    "JAX, vmap and fori_loop": ("jax_lanes", 64),
    "PyTorch, autograd, in a batch": ("torch_autograd", 64),
    "PyTorch, autograd, one run": ("torch_autograd", 1),
}
WIDTHS = (100, 200, 400)
WIDEST = Task("ours", WIDTHS[-1], 50, runs=16)
EXPONENT = 2.2  # promised of the growth with n


class Comparison(NamedTuple):
    """Two tasks whose ratio is a line of the table."""

    what: str
    task: Task
    against: str
    other: Task
    promise: float | None = None


def comparisons() -> Iterator[Comparison]:
    """All of them, in the table's order."""
    for n, d in SHAPES:
        ours = Task("ours", n, d)
        promise = 1.0 if n == 2 else 1.5
        yield Comparison(f"bench-ovp ({n}, {d})", ours, "limit in C", Task("limit", n, d, pace=ours), promise)
    for n, d in SHAPES:
        for name, (peer, runs) in OTHERS.items():
            yield Comparison(f"{name} ({n}, {d})", Task(peer, n, d, runs), "bench-ovp", Task("ours", n, d))
    for n, d in ((5, 5), (10, 10)):
        plain = Task("ours", n, d)
        heavy = Task("ours", n, d, method="heavy-ball", pace=plain)
        nesterov = Task("ours", n, d, method="nesterov", pace=plain)
        stranger = Task("ours", n, d, method="stranger", pace=plain)
        yield Comparison(f"heavy-ball ({n}, {d})", heavy, "gradient-descent", plain, 1.3)
        yield Comparison(f"nesterov ({n}, {d})", nesterov, "gradient-descent", plain, 1.3)
        yield Comparison(f"a stranger's heavy ball ({n}, {d})", stranger, "heavy-ball", heavy, 2.0)
    few = Task("ours", 10, 11, runs=4, slope=True)
    many = Task("ours", 10, 100_000, runs=4, slope=True, pace=few)
    yield Comparison("bench-ovp (10, 100000), 4 runs", many, "bench-ovp (10, 11)", few, 1.1)


def widths() -> Group:
    """The tasks that show how the cost grows with n."""
    return tuple(WIDEST if n == WIDEST.n else WIDEST._replace(n=n, pace=WIDEST) for n in WIDTHS)


def growth(costs: Sequence[Sequence[float]]) -> Line:
    """The line of the exponent of n, fitted in each round."""
    exponents = np.polyfit(np.log(WIDTHS), np.log(costs), 1)[0]
    median = float(np.median(exponents))
    takes = ", ".join(f"{1e6 * np.median(c):.3g}" for c in costs) + " µs"
    spread = float(exponents.min()), float(exponents.max())
    what = f"exponent of n, bench-ovp ({', '.join(map(str, WIDTHS))}; {WIDEST.d}), {WIDEST.runs} runs"
    return Line(what, takes, "", "", median, spread, EXPONENT)


def steps_table(peers: Peers, only: str, seconds: float, rounds: int) -> list[Line]:
    """Measure and compare; `only` names a peer, or is ""."""
    wanted = [c for c in comparisons() if only in ("", c.task.peer, c.other.peer)]
    wide = [widths()] if only in ("", "ours") else []
    costs = measure(peers, [*((c.task, c.other) for c in wanted), *wide], seconds, rounds)
    lines = [
        line(c.what, costs[c.task, c.other][0], c.against, costs[c.task, c.other][1], c.promise)
        for c in wanted
        if (c.task, c.other) in costs
    ]
    return lines + [growth(costs[group]) for group in wide]
