"""The figures in Markdown, and their place on a page."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from .rows import HEADER, Line

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def tables(
    steps: Sequence[Line],
    suites: Sequence[Line],
    skipped: Mapping[str, str],
    versions: Mapping[str, str],
    machine: str,
    rounds: int,
) -> str:
    """The figures: a table for each that was measured, what was skipped, and where it was."""
    parts = [
        f"## {title}\n\n{HEADER}\n" + "\n".join(map(str, lines)) + "\n"
        for title, lines in (("A step", steps), ("A suite", suites))
        if lines
    ]
    if skipped:
        parts.append("Skipped:\n\n" + "\n".join(f"- {peer}: needs {what}" for peer, what in skipped.items()) + "\n")
    told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    today = datetime.datetime.now(datetime.UTC).date()
    parts.append(f"Measured on {today}: {machine}; rounds: {rounds}, on one core. {told}.\n")
    return "\n".join(parts)


def renew(page: str, figures: str) -> str:
    """A page whose figures, between BEGIN and END, are these; a page without the marks is replaced by them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{figures}{end}{after}" if begin and end else figures
