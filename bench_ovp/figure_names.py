"""What `bench-ovp report` may be asked to draw: names, formats and widths, read without loading what draws them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from .errors import InputError

# In the order of the page. Each is a kind: `convergence` has a figure for each optimizer, `claims` for each group.
NAMES = (
    *("contrast", "convergence", "compensated", "slopes", "laws", "constants", "optimizers", "evaluations", "profiles"),
    *("sensitivity", "ranking", "critical-difference", "overview", "claims"),
)
FORMATS = ("pdf", "png", "svg")
UNITS = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72}  # inches
NARROWEST, WIDEST = 2.5, 20.0  # inches
DOUBLE = 6.75  # inches: two columns of a journal


class Order(NamedTuple):
    """Figures that somebody wants as files.

    Args:
        names: of kinds, or of single figures; none for all there are.
        formats: of FORMATS.
        width: in inches.
        output: the folder that they go to; `figures` in that of the results, if None.
    """

    names: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("pdf",)
    width: float = DOUBLE
    output: Path | None = None


def read_width(text: str) -> float:
    """A width such as `3.25in`, `86mm`, `8.6cm` or `234pt`, in inches.

    Errors:
        InputError: it is not written so, or no figure is legible at it.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(in|cm|mm|pt)\s*", text)
    width = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not NARROWEST <= width <= WIDEST:
        raise InputError(
            f"--width {text}: write a length with in, cm, mm or pt, such as 3.25in, from "
            f"{NARROWEST:g}in to {WIDEST:g}in"
        )
    return width


def check_names(names: Iterable[str]) -> None:
    """Refuse names that no figure can have, before anything is read.

    Errors:
        InputError: there is one.
    """
    for name in names:
        if not is_possible(name):
            refuse_name(name)


def is_possible(name: str) -> bool:
    """Whether a figure may have a name: that of a kind, or one that begins with it."""
    return any(name == kind or name.startswith(f"{kind}-") for kind in NAMES)


def refuse_name(name: str, further: Sequence[str] = ()) -> None:
    """Say that no figure has a name, and which there are.

    Args:
        name: that was asked for.
        further: names of single figures, beside those of the kinds.
    Errors:
        InputError: always.
    """
    known = (*NAMES, *(other for other in further if other not in NAMES))
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"; did you mean {close[0]!r}? There are" if close else "; there are"
    raise InputError(f"--figures {name}: no such figure{meant} {', '.join(known)}")


def complete_names(typed: str, folder: Path) -> list[str]:
    """What a name may go on as: a kind, or one of the figures that the report in a folder has."""
    drawn = sorted(path.stem for path in (folder / "figures").glob("*.csv"))
    return [name for name in dict.fromkeys((*NAMES, *drawn)) if name.startswith(typed)]


def spread_names(words: Sequence[str]) -> list[str]:
    """Words of a command line in which `--figures` stands before every name of those that follow it."""
    spread: list[str] = []
    naming = False
    for word in words:
        if naming and is_possible(word) and spread[-1] != "--figures":
            spread.append("--figures")
        elif not (naming and spread[-1] == "--figures"):
            naming = word == "--figures"
        spread.append(word)
    return spread
