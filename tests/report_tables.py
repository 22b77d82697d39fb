"""Tables of a believable suite, made up from formulas: what the report's tests draw."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

PROBLEMS = (
    *(f"teacher-neuron[n={n},d=20,sigma=0.1]" for n in (2, 5, 10, 20)),
    "exact-neuron[d=20,sigma=0.1]",
    "toy-case-1",
    "toy-case-2[n=5]",
    "toy-case-3[n=5,d=20,sigma=0.1]",
)
OPTIMIZERS = {
    "gradient-descent[lr=0.05]": 0.05,
    "gradient-flow": None,
    "heavy-ball[lr=0.05,beta=0.9]": 0.05,
    "nesterov[lr=0.05]": 0.05,
    "preconditioned-gradient-descent[lr=0.5]": 0.5,
    "polyak-step": 1.0,
}
CONSTANTS = {2: 1.6, 5: 0.7, 10: 3.0, 20: 9.0}
POWERS = {"nesterov": 3.6, "polyak-step": 6.0}


class Suite(NamedTuple):
    traces: pd.DataFrame
    runs: pd.DataFrame
    ranking: pd.DataFrame
    provenance: dict[str, Any]


def expect_law(problem: str, optimizer: str) -> tuple[str, float, str, float]:
    """Law and value of a pair; then theory's, "" and NaN where it has none."""
    slow = problem.startswith(("teacher", "toy-case-1"))
    method = optimizer.split("[")[0]
    rate = 5.0 if problem.startswith("toy") else 1.0
    none = ("", np.nan)
    if method == "preconditioned-gradient-descent":
        return ("superexponential", np.nan, *none) if "toy-case-2" in problem else ("exponential", 1.4, *none)
    if slow and method == "polyak-step" and "toy" in problem:
        return ("undecided", np.nan, *none)
    if slow:
        theory = none if method in POWERS else ("power", 3.0)
        return ("power", POWERS.get(method, 3.0), *theory)
    if method == "polyak-step":
        return "exponential", np.log(4), "exponential", np.log(4)
    if method == "gradient-descent":
        rate = -2 * np.log(1 - rate * 0.025) / 0.05
    elif method == "heavy-ball":
        rate = -np.log(0.9) / 0.05
    elif method == "nesterov":
        return "exponential", 0.5064, *none
    return "exponential", rate, "exponential", rate


def read_n(problem: str) -> float:
    return float(problem.split("n=")[1].split(",")[0].rstrip("]")) if "[n=" in problem else np.nan


def make_run(problem: str, optimizer: str, seed: int, horizon: float) -> pd.DataFrame:
    """A trace along the expected law, with a transient and a wiggle of its own."""
    chance = np.random.default_rng([seed, PROBLEMS.index(problem), list(OPTIMIZERS).index(optimizer)])
    law, value, _, _ = expect_law(problem, optimizer)
    lr = OPTIMIZERS[optimizer]
    steps = np.unique(np.round(10 ** (np.arange(0, 20 * np.log10(horizon) + 1) / 20)))
    time = steps * (lr or 0.05)
    start = chance.uniform(0.2, 0.26)
    if law == "exponential":
        loss = start * np.exp(-value * time)
    elif law == "superexponential":
        loss = start * np.exp(-(time**1.6))
    else:
        power = value if law == "power" else 2.2
        constant = CONSTANTS.get(int(read_n(problem)) if "teacher" in problem else 0, 1.0)
        constant *= chance.uniform(0.8, 1.25) * (3.0 if "heavy" in optimizer else 1.0)
        offset = (constant / start) ** (1 / power)
        loss = constant / (time + offset) ** power
        if "nesterov" in optimizer:
            loss = loss * np.exp(0.4 * np.sin(3 * np.log(time + 1) + seed))
    kept = np.concatenate([[True], loss[:-1] > 1e-28])
    n = read_n(problem)
    return pd.DataFrame(
        {
            "problem": problem,
            "optimizer": optimizer,
            "seed": seed,
            "iteration": np.nan if lr is None else steps,
            "time": time,
            "evaluations": steps * (1 if lr else 0.2) + 2,
            "loss": loss,
            "grad_norm": np.sqrt(loss),
            "theta_max": np.nan if np.isnan(n) else loss ** (1 / 3),
            "norm_min": chance.uniform(3e-4, 0.2),
            "problem.n": n,
            "problem.d": np.nan if "toy-case-1" in problem else 20.0,
        }
    )[kept]


def finish_run(trace: pd.DataFrame, chance: np.random.Generator) -> dict[str, Any]:
    """The row of `runs` that belongs to a trace."""
    problem, optimizer, seed = trace.iloc[0][["problem", "optimizer", "seed"]]
    law, value, _, _ = expect_law(problem, optimizer)
    width = 0.012 if law == "power" else 0.0006
    measured = value * (1 + width * chance.uniform(-0.4, 0.4))
    last = trace.iloc[-1]
    with np.errstate(over="ignore"):
        growth = last["time"] ** value if law == "power" else np.exp(measured * last["time"])
    return {
        "problem": problem, "optimizer": optimizer, "seed": seed, "problem.n": read_n(problem),
        "status": "target" if last["loss"] <= 1e-28 else "ok", "reason": "", "law": law,
        "value": measured, "low": measured - value * width, "high": measured + value * width,
        "constant": last["loss"] * growth if np.isfinite(growth) else np.nan,
        "final_loss": last["loss"], "iterations": last["iteration"], "evaluations": last["evaluations"],
        "seconds": 0.1, "law_reason": f"{law} has the weight, over four decades.",
    }  # fmt: skip


def rank_runs(runs: pd.DataFrame, traces: pd.DataFrame) -> pd.DataFrame:
    """A ranking good enough to draw: the majority's law, medians, shares."""
    rows = []
    for (problem, optimizer), own in runs.groupby(["problem", "optimizer"], sort=False):
        counts = own["law"].value_counts()
        law = counts.index[0] if counts.iloc[0] * 2 >= len(own) else "undecided"
        mean = own[own["law"] == law][["value", "low", "high", "constant"]].median()
        _, _, theory_law, theory_value = expect_law(problem, optimizer)
        row = {
            "problem": problem, "optimizer": optimizer, "law": law, **mean,
            "share": (own["law"] == law).mean(), "theory_law": theory_law or None,
            "theory_value": theory_value,
            "theory_source": f"a theorem on {theory_law} laws" if theory_law else None,
            "agrees": bool(law == theory_law and mean["low"] <= theory_value <= mean["high"])
            if theory_law
            else None,
            "seeds": len(own), "problem.n": read_n(problem),
        }  # fmt: skip
        pair = traces[(traces["problem"] == problem) & (traces["optimizer"] == optimizer)]
        for target in ("1e-4", "1e-8", "1e-12"):
            reached = pair[pair["loss"] <= float(target)].groupby("seed")["evaluations"].min()
            every = np.concatenate([reached, np.full(max(0, len(own) - len(reached)), np.inf)])
            row[f"evaluations_to_{target}"] = np.median(every)
        rows.append(row)
    ranking = pd.DataFrame(rows)
    order = ["superexponential", "exponential", "power", "undecided", "stalled", "diverged"]
    ranking["place"] = ranking["law"].map(order.index) * 1e9 - ranking["value"].fillna(0)
    ranking["rank"] = ranking.groupby("problem")["place"].rank(method="min").astype(int)
    return ranking.sort_values(["problem", "place"], kind="stable").drop(columns="place")


def make_suite(
    seeds: int = 16, horizon: float = 1e6, problems: Any = PROBLEMS, optimizers: Any = tuple(OPTIMIZERS)
) -> Suite:
    """The whole suite; a few of its runs failed, one before it recorded anything."""
    chance = np.random.default_rng(0)
    traces, runs = [], []
    for problem in problems:
        for optimizer in optimizers:
            far = {"preconditioned-gradient-descent[lr=0.5]": 1e3, "polyak-step": 1e4}.get(optimizer, horizon)
            for seed in range(seeds):
                traces.append(make_run(problem, optimizer, seed, far))
                runs.append(finish_run(traces[-1], chance))
    traces, runs = pd.concat(traces, ignore_index=True), pd.DataFrame(runs)
    traces["iteration"] = traces["iteration"].astype("Int64")  # with NA for a flow, as the engine writes it
    unknown = {"law": "undecided", "value": np.nan, "low": np.nan, "high": np.nan, "constant": np.nan}
    for place, (status, reason) in enumerate(
        [("degenerate", "neuron 3 came within 1e-12 of zero"), ("timeout", "10 min of wall time"),
         ("failed", "LinAlgError: singular matrix")]
    ):  # fmt: skip
        row = (7 * place + 3) * seeds % len(runs)
        runs.loc[row, ["status", "reason", *unknown]] = [status, reason, *unknown.values()]
        if status == "failed":
            keys = ["problem", "optimizer", "seed"]
            traces = traces[(traces[keys] != runs.loc[row, keys]).any(axis=1)]
    provenance = {
        "suite": "paper", "suite_file": "name: paper\nproblems:\n  - toy-case-1\n",
        "started": "2025-03-01T10:00:00", "finished": "2025-03-01T10:20:00",
        "versions": {"bench-ovp": "0.1.0", "numpy": np.__version__},
        "machine": {"cpu": "an eight-bit home computer", "cores": 2},
        "git": {"commit": "0" * 40, "dirty": True},
        "missing": [],
        "problems": {label: {"summary": "A made-up problem.", "source": "nowhere"} for label in problems},
        "optimizers": {label: {"summary": "A made-up method.", "source": "nowhere"} for label in optimizers},
        "clocks": {
            label: {None: "time", 1.0: "iteration"}.get(OPTIMIZERS.get(label, 0.1), "lr")
            for label in optimizers
        },
    }  # fmt: skip
    return Suite(traces, runs, rank_runs(runs, traces), provenance)
