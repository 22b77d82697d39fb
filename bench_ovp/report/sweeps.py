"""Sweeps: rows of a table that differ in one parameter of a problem or an optimizer, and in nothing else of it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from .labels import parse_label

LEAST = 3  # values that make a sweep


class Sweep(NamedTuple):
    """One parameter, and the labels at each value of it."""

    parameter: str
    label: str  # what the members share: their name, and in brackets the parameters that are the same
    members: dict[str, float]  # each label's value, ascending


def find_sweeps(frame: pd.DataFrame, owner: str, parameter: str | None = None) -> list[Sweep]:
    """The sweeps among the problems or optimizers of a table.

    Args:
        frame: with columns `owner` and `owner.PARAMETER`.
        owner: "problem" or "optimizer".
        parameter: the one to look for; any that is a number, if None.
    """
    columns = [str(name) for name in frame.columns if str(name).startswith(f"{owner}.")]
    known = frame.drop_duplicates(owner).set_index(owner)[columns]
    known = known.dropna(axis="columns", how="all")
    found = []
    for column in known.columns if parameter is None else known.columns.intersection([f"{owner}.{parameter}"]):
        values = pd.to_numeric(known[column], errors="coerce")
        rest = known.drop(columns=column).astype(object).where(lambda table: table.notna(), "")
        groups: dict[tuple[str, ...], dict[str, float]] = {}
        for label, value, shared in zip(known.index, values, rest.to_numpy(), strict=True):
            if np.isfinite(value):
                same = parse_label(str(label)).name, *map(str, shared)
                groups.setdefault(same, {})[str(label)] = float(value)
        names = [str(column).removeprefix(f"{owner}.") for column in rest]
        for (name, *told), members in groups.items():
            if len(set(members.values())) >= LEAST:
                pairs = ",".join(f"{key}={value}" for key, value in zip(names, told, strict=True) if value)
                label = f"{name}[{pairs}]" if pairs else name
                ordered = dict(sorted(members.items(), key=lambda member: member[1]))
                found.append(Sweep(str(column).removeprefix(f"{owner}."), label, ordered))
    return found
