"""Tables for tests of figures: those of `report_tables` with comparisons, and grids of many problems and methods."""

from itertools import combinations

import numpy as np
import pandas as pd
from report_tables import OPTIMIZERS, PROBLEMS, Suite, make_suite

from bench_ovp.report.tables import Tables, gather

LONG = "[d=20,sigma=0.1,teacher_norm=1.25,w0=0f3a91bc]"


def compare_ranks(ranking: pd.DataFrame) -> pd.DataFrame:
    """Comparisons that say what the ranks say, on two clocks."""
    rows = []
    for problem, own in ranking.groupby("problem", sort=False):
        places = dict(zip(own["optimizer"], own["rank"], strict=True))
        for clock in ("time", "evaluations"):
            for one, other in combinations(places, 2):
                gap = places[other] - places[one]
                better = one if gap > 0 else other if gap < 0 else None
                rows.append((problem, clock, one, other, better, "law" if better else None, 1e-3, 1e-2))
    return pd.DataFrame(rows, columns=["problem", "clock", "optimizer", "other", "better", "by", "p", "p_holm"])


def complete_suite(suite: Suite) -> Tables:
    """The tables of a suite with its comparisons, and ranks per evaluation that are those per time."""
    ranking = suite.ranking.assign(rank_evaluations=suite.ranking["rank"])
    return gather(suite.traces, suite.runs, ranking, suite.provenance, comparisons=compare_ranks(ranking))


def rename(frame: pd.DataFrame, problem: str, optimizer: str) -> pd.DataFrame:
    """A copy under other labels."""
    names = {"problem": problem + frame["problem"].astype(str), "optimizer": optimizer + frame["optimizer"].astype(str)}
    return frame.assign(**names)


def make_large(seeds: int = 2, horizon: float = 1e3, long: bool = False) -> Suite:
    """24 problems under 12 optimizers, of labels that are long if wanted."""
    whole = make_suite(seeds, horizon)
    copies = [(problem, optimizer) for problem in ("", "second-", "third-") for optimizer in ("", "accelerated-")]
    tables = [pd.concat([rename(frame, *copy) for copy in copies], ignore_index=True) for frame in whole[:3]]
    if long:
        for name in ("problem", "optimizer"):
            ends = {label: f"-of-a-name-without-an-end{LONG}-{k}" for k, label in enumerate(tables[1][name].unique())}
            ends = {label: label.partition("[")[0] + end for label, end in ends.items()}
            tables = [table.assign(**{name: table[name].map(ends)}) for table in tables]
    labels = {kind: {label: {} for label in tables[1][kind].unique()} for kind in ("problem", "optimizer")}
    provenance = whole.provenance | {"problems": labels["problem"], "optimizers": labels["optimizer"], "clocks": {}}
    return Suite(*tables, provenance)


def make_single() -> Suite:
    """One pair."""
    return make_suite(3, 1e4, PROBLEMS[:1], tuple(OPTIMIZERS)[:1])


def make_grid(values: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0), seeds: int = 5) -> Suite:
    """A step-size grid of two methods on two problems, one of which diverges at the largest steps."""
    chance = np.random.default_rng(7)
    runs, ranking, traces = [], [], []
    for problem, power in (("teacher-neuron[n=2]", 3.0), ("exact-neuron", 9.0)):
        for method, best in (("gradient-descent", 0.3), ("adam", 0.03)):
            for lr in values:
                optimizer = f"{method}[lr={lr:g}]"
                lost = lr > best * 2
                row = {"problem": problem, "optimizer": optimizer, "optimizer.lr": lr, "problem.n": 2.0}
                ranking.append(row | {"rank": 1, "law": "diverged" if lost else "power", "value": power, "share": 1.0})
                for seed in range(seeds):
                    loss = np.inf if lost else (lr * 1e3) ** -power * chance.uniform(0.5, 2.0)
                    run = {"seed": seed, "status": "diverged" if lost else "ok", "final_loss": loss, "law": "power"}
                    runs.append(row | run)
                    trace = {"seed": seed, "time": lr * np.array([10.0, 1e3]), "evaluations": np.array([10.0, 1e3])}
                    traces.append(pd.DataFrame(row | trace | {"loss": [1.0, 1.0 if lost else loss]}))
    return Suite(pd.concat(traces, ignore_index=True), pd.DataFrame(runs), pd.DataFrame(ranking), {})


def make_sweep(powers: dict[str, float], values: tuple[int, ...] = (2, 4, 8, 16)) -> Suite:
    """Power laws C(n) t^−3 with C = n^power exactly, three seeds each with constants 0.5, 1 and 2 times that."""
    traces, runs, ranking = [], [], []
    time = 10.0 ** np.arange(0, 5.01, 0.1)
    for n in values:
        for optimizer, power in powers.items():
            row = {"problem": f"teacher-neuron[n={n}]", "optimizer": optimizer, "problem.n": float(n)}
            row |= {"law": "power", "value": 3.02, "low": 2.9, "high": 3.1, "constant": np.nan}
            ranking.append(row | {"rank": 1, "share": 1.0, "theory_law": "power", "theory_value": 3.0})
            for seed, factor in enumerate((0.5, 1.0, 2.0)):
                loss = factor * n**power * time**-3.0
                key = {name: row[name] for name in ("problem", "optimizer")} | {"seed": seed}
                traces.append(pd.DataFrame({**key, "time": time, "evaluations": time, "loss": loss}))
                runs.append(row | {"seed": seed, "status": "ok", "final_loss": loss[-1]})
    return Suite(pd.concat(traces, ignore_index=True), pd.DataFrame(runs), pd.DataFrame(ranking), {})
