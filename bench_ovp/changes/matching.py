"""Which label of one run of a suite is which of the other: the same, or the only one that differs by a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Parameters = Mapping[str, str]


class Match(NamedTuple):
    """A problem or an optimizer of both runs: its labels, and the parameters whose values differ."""

    before: str
    after: str
    parameters: dict[str, tuple[str, str]]


class Matching(NamedTuple):
    """All of one kind: those of both runs, those that only the first has, and those that only the second has."""

    matches: tuple[Match, ...]
    gone: tuple[str, ...]
    added: tuple[str, ...]


def match(before: Mapping[str, Parameters], after: Mapping[str, Parameters]) -> Matching:
    """Match labels: equal ones first, then those of one name that differ in the fewest parameters.

    A label goes by its parameters, so another step size makes another one. Of the labels that only one side has, two
    are matched if each is the only one of its name that differs from the other in so few parameters. Where there are
    several, nobody can tell which became which, and they are gone and added.

    Args:
        before, after: parameters by label, defaults included.
    """
    found = {label: Match(label, label, differ(before[label], after[label])) for label in before if label in after}
    gone = [label for label in before if label not in after]
    added = [label for label in after if label not in before]
    distances = {
        (old, new): len(differ(before[old], after[new])) for old in gone for new in added if _name(old) == _name(new)
    }
    for distance in sorted(set(distances.values())):
        near = [pair for pair, apart in distances.items() if apart == distance and pair[0] in gone and pair[1] in added]
        for old, new in near:
            if [pair for pair in near if pair[0] == old or pair[1] == new] == [(old, new)]:
                found[old] = Match(old, new, differ(before[old], after[new]))
                gone.remove(old)
                added.remove(new)
    return Matching(tuple(found[label] for label in before if label in found), tuple(gone), tuple(added))


def differ(before: Parameters, after: Parameters) -> dict[str, tuple[str, str]]:
    """The parameters that differ, each with both values; "" is none."""
    names = dict.fromkeys((*before, *after))
    values = {name: (before.get(name, ""), after.get(name, "")) for name in names}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1] and not _equal(*pair)}


def _name(label: str) -> str:
    return label.partition("[")[0]


def _equal(one: str, other: str) -> bool:
    """Whether two texts are one number: a column of whole numbers beside a half is written with `.0`."""
    try:
        return float(one) == float(other)
    except ValueError:
        return False
