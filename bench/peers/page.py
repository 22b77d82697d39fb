"""The figures in Markdown, and their place on a page."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from .rows import HEADER, Line

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def section(title: str, lines: Sequence[Line]) -> str:
    """A table under its heading; nothing where nothing was measured."""
    return f"## {title}\n\n{HEADER}\n" + "\n".join(map(str, lines)) + "\n" if lines else ""


def colophon(skipped: Mapping[str, str], versions: Mapping[str, str], machine: str, rounds: int) -> str:
    """What was skipped and why, the machine, and the versions."""
    missing = "".join(f"- {peer} was skipped: it needs {what}\n" for peer, what in skipped.items())
    told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    today = datetime.datetime.now(datetime.UTC).date()
    return f"{missing}\nMeasured on {today}: {machine}; rounds: {rounds}, on one core. {told}.\n".lstrip()


def renew(page: str, figures: str) -> str:
    """A page whose figures, between BEGIN and END, are these; a page without the marks is replaced by them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{figures}{end}{after}" if begin and end else figures
