"""Text laid out for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence


def fill(text: str, indent: int = 0) -> str:
    """Text broken into lines of the terminal, of 100 letters at most; all but the first are indented."""
    width = max(40, min(100, shutil.get_terminal_size((100, 24)).columns))
    further = " " * indent
    return textwrap.fill(text, width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows as aligned text."""
    if not rows:
        return f"{indent}(none)"
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"{indent}{line.rstrip()}" for line in lines)
