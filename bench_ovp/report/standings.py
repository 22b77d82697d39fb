"""The ranks of a suite and what is known of them: bounds from pairs that were told apart, and means over problems."""

import numpy as np
import pandas as pd

from ..comparison import CRITERIA
from ..ranking import rank
from .tables import Tables, list_rows

CLOCKS = {"time": "rank", "evaluations": "rank_evaluations"}  # column of the ranking
COLUMNS = ("clock", "problem", "optimizer", "low", "high", "entrants")


def list_separations(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """(better, worse) of the compared pairs of a problem that are no tie, those that count most first.

    Args:
        rows: of the comparisons, of one problem and clock.
    """
    found = []
    for row in list_rows(rows[rows["better"] != ""]):
        worse = row["other"] if row["better"] == row["optimizer"] else row["optimizer"]
        sure = (-1.0, 0.0) if np.isnan(row["p"]) else (row["p_holm"], row["p"])
        found.append((CRITERIA.index(row["by"]), *sure, (row["better"], worse)))
    return [pair for *_, pair in sorted(found)]


def bound_ranks(tables: Tables) -> pd.DataFrame:
    """A row per clock, problem and optimizer: the ranks from `low`, which is the one of
    the tables, to `high` that it may truly have.

    It is behind all that were told to be better, and ahead of all that were told to be worse; it may be on either
    side of the others. The pairs of a problem were tested together, so that the bounds hold together.

    Source: Klein, Wright & Wieczorek (2020), J. R. Statist. Soc. C 69, 589-606, for such bounds from pairs.
    """
    found = []
    grouped = tables.comparisons.groupby(["clock", "problem"], sort=False)
    for (clock, problem), rows in grouped:
        if clock not in CLOCKS:
            continue
        entrants = list(dict.fromkeys([*rows["optimizer"], *rows["other"]]))
        separations = list_separations(rows)
        ahead = rank(entrants, separations)
        behind = rank(entrants, [(worse, better) for better, worse in separations])
        for name in entrants:
            high = len(entrants) + 1 - behind[name]
            found.append((clock, problem, name, ahead[name], high, len(entrants)))
    return pd.DataFrame(found, columns=list(COLUMNS))


def average_ranks(bounds: pd.DataFrame) -> pd.DataFrame:
    """A row per clock and optimizer: the mean over problems of the middle of its bounds, and of the bounds, best first.

    Args:
        bounds: as of `bound_ranks`.
    """
    middle = bounds.assign(rank=(bounds["low"] + bounds["high"]) / 2)
    grouped = middle.groupby(["clock", "optimizer"], sort=False)
    means = grouped[["rank", "low", "high"]].mean().assign(problems=grouped.size()).reset_index()
    return means.sort_values(["clock", "rank", "high"], kind="stable", ignore_index=True)
