"""The tables of a suite, read back: what two runs of it are compared by, whatever plug-ins are installed now."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..comparison import Entrant
from ..courses import Reader
from ..errors import InputError
from ..problems import Array
from ..rates import Rate
from ..trace import Run

FILES = ("provenance.json", "ranking.csv", "runs.csv", "traces.parquet")
NUMBERS = ("value", "low", "high", "constant", "law_start", "law_end")  # of a run's law
READ = ("problem", "optimizer", "seed", "time", "evaluations", "loss")  # columns of the traces
Parameters = Mapping[str, str]  # as the tables write them; what is drawn per seed is not there
Row = Mapping[str, str]


@dataclass(frozen=True)
class Archive:
    """The results of a suite in a folder, from its tables alone.

    Args:
        folder: where they are.
        provenance: as provenance.json has it.
        ranking: rows of ranking.csv by the labels of problem and optimizer.
        runs: rows of runs.csv by the same labels, in the order of the seeds.
    """

    folder: Path
    provenance: Mapping[str, Any]
    ranking: Mapping[tuple[str, str], Row]
    runs: Mapping[tuple[str, str], tuple[Row, ...]]

    @cached_property
    def problems(self) -> dict[str, Parameters]:
        """The parameters of each problem, by label, in the order of the suite."""
        return self._list_parameters(0, "problem.")

    @cached_property
    def optimizers(self) -> dict[str, Parameters]:
        """The parameters of each optimizer, likewise."""
        return self._list_parameters(1, "optimizer.")

    def read_parameters(self, labels: tuple[str, str], prefix: str) -> Parameters:
        """Those of a pair; the ones of its optimizer may be tuned for its problem."""
        given = {name.removeprefix(prefix): value for name, value in self.ranking[labels].items()
                 if name.startswith(prefix)}  # fmt: skip
        return {name: value for name, value in given.items() if value != ""}

    def read_problem(self, problem: str) -> dict[str, Read]:
        """The runs on one problem with their laws, by the label of the optimizer.

        Errors:
            InputError: the traces cannot be read, or do not fit to the table of runs.
        """
        path = self.folder / "traces.parquet"
        with _refusing(path, self.folder):
            traces = _read_traces(path, problem)
        own = {optimizer: rows for (name, optimizer), rows in self.runs.items() if name == problem}
        with _refusing(self.folder / "runs.csv", self.folder):
            runs = {optimizer: [_read_run(row, traces) for row in rows] for optimizer, rows in own.items()}
        return {optimizer: _read_pair(read) for optimizer, read in runs.items()}

    def _list_parameters(self, place: int, prefix: str) -> dict[str, Parameters]:
        found: dict[str, Parameters] = {}
        for labels in self.ranking:
            if labels[place] not in found:
                found[labels[place]] = self.read_parameters(labels, prefix)
        order = {label: k for k, label in enumerate(self.provenance.get(prefix[:-1] + "s", ()))}
        return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


@dataclass(frozen=True)
class Read:
    """A pair that was read back: as comparisons read it, and its losses against time, by seed."""

    entrant: Entrant
    curves: Mapping[int, tuple[Array, Array]]


def read_archive(folder: Path) -> Archive:
    """The results in a folder.

    Errors:
        InputError: there are none, or a table cannot be read.
    """
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        told = f"{folder} holds no {missing[0]} of a suite"
        raise InputError(f"{told}; name a folder that `bench-ovp suite` made, such as results/paper")
    with _refusing(folder / FILES[0], folder):
        provenance = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
        if not isinstance(provenance, dict):
            raise ValueError("it is no mapping")  # noqa: TRY004  one kind of error for what a file holds
    with _refusing(folder / FILES[1], folder):
        ranking = {(row["problem"], row["optimizer"]): row for row in _read_rows(folder / FILES[1])}
    runs: dict[tuple[str, str], list[Row]] = {}
    with _refusing(folder / FILES[2], folder):
        for row in _read_rows(folder / FILES[2]):
            runs.setdefault((row["problem"], row["optimizer"]), []).append(row)
        if runs.keys() != ranking.keys():
            raise ValueError("its pairs are not those of ranking.csv")
    return Archive(folder, provenance, ranking, {pair: tuple(own) for pair, own in runs.items()})


@contextmanager
def _refusing(path: Path, folder: Path) -> Iterator[None]:
    """What is wrong with a file as one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        text = " ".join(str(error).split())[:200]
        told = f"no column {text}" if isinstance(error, KeyError) else text or type(error).__name__
        remedy = f"write the tables again with `bench-ovp report {folder}`"
        raise InputError(f"cannot read {path}: {told}; {remedy}") from None


def _read_rows(path: Path) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if None in row or None in row.values():
                raise ValueError("a row is longer or shorter than the first")
            yield row


def _read_traces(path: Path, problem: str) -> dict[tuple[str, int], dict[str, Array]]:
    """The records of one problem by optimizer and seed; the groups of rows of other problems are not read."""
    from pyarrow.parquet import read_table

    table = read_table(path, columns=list(READ), filters=[("problem", "==", problem)])
    seeds = table.column("seed").to_numpy()
    if not len(seeds):
        return {}
    names = table.column("optimizer").combine_chunks().dictionary_encode()
    codes, words = names.indices.to_numpy(), names.dictionary.to_pylist()
    numbers = {name: table.column(name).to_numpy().astype(float) for name in READ[3:]}
    starts = np.flatnonzero((np.diff(codes, prepend=-1) != 0) | (np.diff(seeds, prepend=-1) != 0))
    return {
        (words[codes[first]], int(seeds[first])): {name: column[first:end] for name, column in numbers.items()}
        for first, end in zip(starts, [*starts[1:], len(seeds)], strict=True)
    }


def _read_run(row: Row, traces: Mapping[tuple[str, int], dict[str, Array]]) -> tuple[Run, Rate]:
    value, low, high, constant, start, end = (_number(row[name]) for name in NUMBERS)
    rate = Rate(row["law"], value, low, high, constant, start=start, end=end)
    curve = traces.get((row["optimizer"], int(row["seed"])), {})
    iterations = int(row["iterations"]) if row["iterations"] else None
    spent = iterations, int(row["evaluations"]), float(row["seconds"])
    return Run(int(row["seed"]), row["status"], row["reason"], curve, *spent), rate


def _read_pair(runs: list[tuple[Run, Rate]]) -> Read:
    rates = [rate for _, rate in runs]
    reader = Reader([run for run, _ in runs], rates)
    curves = {run.seed: (run.rows["time"], run.rows["loss"]) for run, _ in runs if run.rows}
    return Read(Entrant(reader.summarise(rates), reader.read_courses(rates, "time")), curves)


def _number(text: str) -> float:
    return float(text) if text else math.nan
