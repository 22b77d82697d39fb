"""What was found, in sentences computed from the tables: they change when the tables do.

A sentence speaks only of decided laws; where a law is undecided it is left out or says so.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from .labels import (
    enumerate_words,
    group_families,
    name_together,
    write_interval,
    write_law,
    write_theory,
)
from .tables import DECIDED, FAILURES, Tables, list_rows

MOST_SENTENCES = 12  # of one kind


class Contrast(NamedTuple):
    """One optimizer, a problem that it solves exponentially, and a family on which it obeys a power law."""

    optimizer: str
    exponential: str
    powers: tuple[str, ...]


def choose_contrast(tables: Tables) -> Contrast | None:
    """The optimizer that shows both laws on the most problems, rows with a theory first.

    Of its power laws the largest family is taken, of its exponentials the problem that shares most parameters
    with that family. None if no optimizer shows both.
    """
    ranking = tables.ranking[tables.ranking["law"].isin(["power", "exponential"])]
    best, best_score = "", (0, 0)
    for optimizer in tables.optimizers:
        rows = ranking[ranking["optimizer"] == optimizer]
        score = (int((rows["theory_law"] != "").sum()), len(rows))
        if rows["law"].nunique() == 2 and score > best_score:
            best, best_score = optimizer, score
    if not best:
        return None
    laws = tables.rows(best)["law"]
    families = group_families(laws.index[laws == "power"])
    family = max(families, key=lambda family: len(family.members))
    powers = tuple(member.text for member in family.members)
    exponentials = list(laws.index[laws == "exponential"])
    kinship = [share_parameters(tables, problem, powers[0]) for problem in exponentials]
    return Contrast(best, exponentials[kinship.index(max(kinship))], powers)


def share_parameters(tables: Tables, one: str, other: str) -> int:
    """The number of parameters that two problems have in common, with equal values."""
    columns = [name for name in tables.ranking.columns if str(name).startswith("problem.")]
    pairs = tables.ranking.drop_duplicates("problem").set_index("problem")[columns]
    return sum(bool(pairs[name][one] == pairs[name][other]) for name in columns)


def write_findings(tables: Tables) -> list[str]:
    """All sentences, the contrast first."""
    contrast = choose_contrast(tables)
    sentences: list[str] = []
    if contrast:
        sentences += [write_contrast(tables, contrast), write_cost(tables, contrast)]
        sentences += write_others(tables, contrast)
    else:
        every = [told for optimizer in tables.optimizers if (told := write_laws(tables, optimizer))]
        sentences += every[:MOST_SENTENCES]
        if len(every) > MOST_SENTENCES:
            sentences.append(f"The ranking has the laws of {len(every) - MOST_SENTENCES} more optimizers.")
    return [*sentences, *write_agreement(tables), *write_tuning(tables), *write_rest(tables)]


def write_contrast(tables: Tables, contrast: Contrast) -> str:
    """`Under … the loss of … falls exponentially, …, while on … it crawls like …`."""
    rows = tables.rows(contrast.optimizer)
    fast, slow = rows.loc[[contrast.exponential]], rows.loc[list(contrast.powers)]
    short = name_all(tables)
    return (
        f"Under {tables.optimizers[contrast.optimizer].short} the loss of {short[contrast.exponential]} "
        f"falls exponentially, like {measure(fast)}, while on {name_together(contrast.powers, short)} it "
        f"crawls like {measure(slow)}."
    )


def name_all(tables: Tables) -> dict[str, str]:
    """Short names of problems."""
    return {label: look.short for label, look in tables.problems.items()}


def measure(rows: pd.DataFrame, *, runs: bool = True) -> str:
    """`t^−3.00 (95 %: 2.97 to 3.03; 64 of 64 runs)` for rows of one law.

    The value is the median of the rows, the interval holds all of theirs: it is no narrower for their number.
    """
    law, value = rows["law"].iloc[0], float(rows["value"].median())
    low, high = float(rows["low"].min()), float(rows["high"].max())
    interval = f"95 %: {write_interval(value, low, high)}" if math.isfinite(value + low + high) else ""
    aside = "; ".join(filter(None, [interval, count_runs(rows) if runs else ""]))
    if not runs:
        return f"{write_law(law, value, low, high)}{interval and f'; {interval}'}"
    return f"{write_law(law, value, low, high)} ({aside})"


def count_runs(rows: pd.DataFrame) -> str:
    """`64 of 64 runs`: those that follow the law of their row."""
    every = int(rows["seeds"].sum())
    return f"{round((rows['share'] * rows['seeds']).sum())} of {every} run{'s' * (every != 1)}"


def write_cost(tables: Tables, contrast: Contrast) -> str:
    """What the next factor of 1000 costs under either law."""
    rows = tables.rows(contrast.optimizer)
    rate = rows.loc[[contrast.exponential], "value"].iloc[0]
    power = rows.loc[list(contrast.powers), "value"].median()
    return (
        f"Each further factor of 1000 in the loss costs the first {math.log(1000) / rate:.2g} more units of "
        "time, whenever it is asked for; for the second it multiplies all the time spent so far by "
        f"{1000 ** (1 / power):.2g}."
    )


def write_others(tables: Tables, contrast: Contrast) -> list[str]:
    """Which of the other optimizers escape the power law on the same problems, and which do not."""
    short = name_all(tables)
    escaped, bound, unknown = [], [], []
    for optimizer, look in tables.optimizers.items():
        rows = tables.rows(optimizer)
        rows = rows[rows.index.isin(contrast.powers)]
        if optimizer == contrast.optimizer or rows.empty:
            continue
        free = rows[rows["law"].isin(["exponential", "superexponential"])]
        slow = rows[rows["law"] == "power"]
        clock = tables.clock(optimizer)
        aside = f", its time counts {clock}" if clock not in ("", tables.clock(contrast.optimizer)) else ""
        if len(free):
            laws = [measure(free[free["law"] == law]) for law in free["law"].unique()]
            rest = f", but not on {name_together(list(slow.index), short)}" if len(slow) else ""
            where = name_together(list(free.index), short)
            escaped.append(f"{look.short} escapes the power law on {where}{rest}: {enumerate_words(laws)}{aside}")
        elif len(slow):
            partly = f" on {name_together(list(slow.index), short)}" if len(slow) < len(rows) else ""
            bound.append(f"{look.short}{partly} ({measure(slow, runs=False)}{aside})")
        elif (rows["law"] == "undecided").all():
            unknown.append(look.short)
    told = [f"Of the other optimizers, {list_some(escaped)}."] if escaped else []
    if bound:
        told.append(
            f"{'Still bound' if escaped else 'The other optimizers are bound'} by it: {enumerate_words(bound)}."
        )
    if unknown:
        told.append(f"Whether {enumerate_words(unknown)} escape{'s' * (len(unknown) == 1)} it is undecided.")
    return told


def write_laws(tables: Tables, optimizer: str) -> str:
    """`Under … the loss falls like … on …`, over all decided laws of one optimizer; "" if there are none."""
    rows = tables.rows(optimizer)
    parts = []
    for law in DECIDED:
        for family in group_families(rows.index[rows["law"] == law]):
            members = [member.text for member in family.members]
            parts.append(f"{measure(rows.loc[members])} on {name_together(members, name_all(tables))}")
    if not parts:
        return ""
    return f"Under {tables.optimizers[optimizer].short} the loss falls like {enumerate_words(parts)}."


def write_agreement(tables: Tables) -> list[str]:
    """How many of the laws that theory names were found, and each that was not."""
    ranking = tables.ranking
    known = ranking[(ranking["theory_law"] != "") & ranking["law"].isin(DECIDED) & ranking["agrees"].notna()]
    if known.empty:
        return []
    wrong = known[~known["agrees"].astype(bool)]
    agreed = "all of them" if wrong.empty else str(len(known) - len(wrong))
    told: list[str] = []
    told.append(
        f"Theory names the law of {len(known)} of the {count_pairs(len(ranking))} measured; the measurement "
        f"agrees with {agreed}: the same law, and theory's value inside the interval."
    )
    for row in list_rows(wrong)[:5]:
        pair = name_pair(tables, row["problem"], row["optimizer"])
        found = write_law(row["law"], row["value"], row["low"], row["high"])
        expected = write_theory(row["theory_law"], row["theory_value"])
        within = f" ({write_interval(row['value'], row['low'], row['high'])})" if math.isfinite(row["value"]) else ""
        told.append(f"It disagrees on {pair}: measured {found}{within}, theory {expected}.")
    if len(wrong) > 5:
        told.append(f"It disagrees on {len(wrong) - 5} more; the ranking marks them.")
    return told


def count_pairs(count: int) -> str:
    """`1 pair`, `48 pairs`."""
    return f"{count} pair{'s' * (count != 1)}"


def name_pair(tables: Tables, problem: str, optimizer: str) -> str:
    """`teacher-neuron n=5 under nesterov`."""
    return f"{tables.problems[problem].short} under {tables.optimizers[optimizer].short}"


def write_rest(tables: Tables) -> list[str]:
    """What stalls, grows or is undecided, and how many runs did not end well."""
    told = []
    for law, sentence in REST.items():
        count = int((tables.ranking["law"] == law).sum())
        if count:
            where = []
            for optimizer, look in tables.optimizers.items():
                rows = tables.rows(optimizer)
                if problems := list(rows.index[rows["law"] == law]):
                    where.append(f"{name_together(problems, name_all(tables))} under {look.short}")
            named = f": {list_some(where)}" if count < len(tables.ranking) else ""
            told.append(f"{sentence.format(count_pairs(count))}{named}.")
    statuses = tables.runs["status"]
    counts = [f"{(statuses == status).sum()} {WORDS[status]}" for status in FAILURES if (statuses == status).any()]
    if counts:
        told.append(f"Of {len(statuses)} runs {enumerate_words(counts)}; the list below says why.")
    return told


def write_tuning(tables: Tables) -> list[str]:
    """On which seeds parameters were chosen, and where a grid ended too soon; nothing where nothing was tuned."""
    tuning = tables.provenance.get("tuning")
    if not tuning or not tuning["chosen"]:
        return []
    seeds = enumerate_words([str(seed) for seed in tuning["seeds"]])
    pairs = count_pairs(len(tuning["chosen"]))
    told = f"The parameters of {pairs} were tuned on seeds that are not reported, {seeds}."
    return [told, *(f"{line}." for line in tuning["warnings"])]


def list_some(words: Sequence[str], most: int = 6) -> str:
    """The words, and how many more there are beyond `most`."""
    if len(words) <= most:
        return "; ".join(words)
    return f"{'; '.join(words[:most])} and {len(words) - most} more"


REST = {
    "stalled": "The loss of {} no longer falls",
    "diverged": "The loss of {} grows",
    "undecided": "The law of {} is undecided",
}
WORDS = {"failed": "failed", "timeout": "timed out", "degenerate": "degenerated", "diverged": "diverged"}
