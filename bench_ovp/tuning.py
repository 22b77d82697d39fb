"""Which candidate each cell of a suite is tuned to, from runs on seeds that are not reported."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import median_high
from typing import Any, NamedTuple

from .parameters import show_value
from .plan import Cell, Choice
from .store import Store
from .trace import Run

RULE = (
    "the smallest upper median of final losses over the seeds for tuning, where a loss counts no less than the target "
    "of the stop rule; of equal ones the fewest evaluations, and then the first of the grid; runs that diverged, "
    "degenerated, failed or timed out are worst"
)
SOUND = ("ok", "target", "floor")  # the statuses of runs whose last loss counts
COLUMNS = ("problem", "optimizer", "candidate", "loss", "evaluations", "statuses", "seeds", "chosen", "edge")
MOST_NAMED = 3  # problems in a warning

Failed = Collection[tuple[str, int, str]]  # runs by key, seed and limits; they are not stored


class Score(NamedTuple):
    """What a candidate is judged by; the smaller the better, the loss first.

    Args:
        loss: the upper median of the final losses, none below the target; inf where half of the runs are unsound.
        evaluations: the upper median over the same runs.
    """

    loss: float
    evaluations: float


class Tuned(NamedTuple):
    """What came of a choice.

    Args:
        choice: that was made.
        scores: of its candidates, in their order.
        statuses: how their runs ended, and how many did so.
        best: which of them is chosen.
    """

    choice: Choice
    scores: tuple[Score, ...]
    statuses: tuple[Mapping[str, int], ...]
    best: int

    @property
    def cell(self) -> Cell:
        """The cell of the suite, with the candidate that was chosen."""
        return self.choice.options[self.best]

    @property
    def values(self) -> dict[str, Any]:
        """The values that the tuned parameters got."""
        given = self.cell.optimizer[1]
        return {name: given[name] for name in self.choice.tunable.grid}

    @property
    def edges(self) -> dict[str, str]:
        """Which of them are at an end of their grid, and at which; none where another candidate is as good."""
        if self.scores.count(self.scores[self.best]) > 1:
            return {}
        return self.choice.tunable.find_edges(self.cell.optimizer[1])

    @property
    def unsound(self) -> int:
        """How many runs of candidates failed or timed out."""
        return sum(statuses.get(status, 0) for statuses in self.statuses for status in ("failed", "timeout"))


def list_trials(entries: Iterable[Cell | Choice]) -> list[Cell]:
    """The runs by which entries are tuned, each once."""
    trials = (trial for entry in entries if isinstance(entry, Choice) for trial in entry.trials)
    return list({(trial.label, trial.key, trial.limits): trial for trial in trials}.values())


def tune(entries: Iterable[Cell | Choice], store: Store, failed: Failed) -> dict[str, Tuned]:
    """Choose, by label, wherever all runs of all candidates have ended.

    Args:
        entries: of the suite.
        store: of its results.
        failed: runs that are not stored since they failed.
    """
    choices = (entry for entry in entries if isinstance(entry, Choice))
    return {choice.label: tuned for choice in choices if (tuned := _tune_one(choice, store, failed))}


def settle(entries: Iterable[Cell | Choice], tuned: Mapping[str, Tuned]) -> list[Cell]:
    """The cells of a suite as far as they are known, in their order."""
    cells = []
    for entry in entries:
        if isinstance(entry, Cell):
            cells.append(entry)
        elif entry.label in tuned:
            cells.append(tuned[entry.label].cell)
    return cells


def list_cells(entries: Sequence[Cell | Choice], tuned: Mapping[str, Tuned]) -> list[Cell]:
    """All that a suite runs, as far as it is known: the trials, and the cells themselves."""
    return [*list_trials(entries), *settle(entries, tuned)]


def list_unsettled(entries: Iterable[Cell | Choice], tuned: Mapping[str, Tuned]) -> list[str]:
    """Labels of cells that are not tuned yet."""
    return [entry.label for entry in entries if isinstance(entry, Choice) and entry.label not in tuned]


def list_rows(tuned: Iterable[Tuned]) -> Iterator[dict[str, Any]]:
    """A row per candidate: the columns above, and one for each tuned parameter."""
    for found in tuned:
        for k, (trial, score) in enumerate(zip(found.choice.trials, found.scores, strict=True)):
            chosen = k == found.best
            told = (
                *(found.cell.problem_label, found.cell.optimizer_label, trial.optimizer_label, *score),
                ", ".join(f"{status} {count}" for status, count in found.statuses[k].items()),
                len(trial.seeds),
                chosen,
                "; ".join(f"{name}: {end}" for name, end in found.edges.items()) if chosen else "",
            )
            values = {f"optimizer.{name}": trial.optimizer[1][name] for name in found.choice.tunable.grid}
            yield dict(zip(COLUMNS, told, strict=True)) | values


def list_warnings(tuned: Iterable[Tuned]) -> list[str]:
    """What a reader should know: values at an end of their grid, and choices among nothing but failures."""
    edges: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    hopeless: dict[str, list[str]] = defaultdict(list)
    for found in tuned:
        problem, optimizer = found.cell.problem_label, found.cell.optimizer_label
        if math.isinf(found.scores[found.best].loss):
            hopeless[optimizer].append(problem)
            continue
        for name, end in found.edges.items():
            edges[optimizer, f"{name} = {show_value(found.values[name])}", end].append(problem)
    lines = [
        f"{optimizer}: {value} is the {end} of its grid, and best on {_name_some(problems)}; a wider grid may do better"
        for (optimizer, value, end), problems in edges.items()
    ]
    for optimizer, problems in hopeless.items():
        lines.append(f"{optimizer}: no candidate came through on {_name_some(problems)}; the first stands for them")
    return lines


def describe_tuning(tuned: Mapping[str, Tuned], seeds: Sequence[int], unsettled: Sequence[str]) -> dict[str, Any]:
    """What provenance tells of it."""
    return {
        "rule": RULE,
        "seeds": list(seeds),
        "chosen": {label: found.values for label, found in tuned.items()},
        "unsettled": list(unsettled),
        "warnings": list_warnings(tuned.values()),
    }


def _tune_one(choice: Choice, store: Store, failed: Failed) -> Tuned | None:
    scores, statuses = [], []
    for trial in choice.trials:
        stored = store.load(trial, timed_out=True)
        ended = [*stored, *(seed for seed in trial.seeds if (trial.key, seed, trial.limits) in failed)]
        if set(ended) != set(trial.seeds):
            return None
        found = [_judge(stored[seed].run if seed in stored else None, trial.stop.loss) for seed in trial.seeds]
        scores.append(Score(*(median_high(values) for values in zip(*found, strict=True))))
        statuses.append(Counter(stored[seed].run.status if seed in stored else "failed" for seed in trial.seeds))
    return Tuned(choice, tuple(scores), tuple(statuses), min(range(len(scores)), key=scores.__getitem__))


def _judge(run: Run | None, target: float | None) -> Score:
    """The score of one run; None is one that failed."""
    if run is None or run.status not in SOUND or not run.rows:
        return Score(math.inf, math.inf)
    return Score(max(float(run.rows["loss"][-1]), target or 0.0), float(run.evaluations))


def _name_some(problems: Sequence[str]) -> str:
    more = len(problems) - MOST_NAMED
    return ", ".join(problems[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
