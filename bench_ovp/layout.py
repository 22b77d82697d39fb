"""Text laid out for where it is printed: tables aligned and folded, colour taken out where none is wanted.

Whoever makes a text does not know how wide a terminal is, or whether there is one: a text may be stored, and printed
again elsewhere. So a row of a table is a line with tabs between its cells, and `lay_out` is called last.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

LEAST = 24  # letters that the last column of a table needs beside the others, to be folded there
GAP = "  "
NARROW = 4  # letters of a first column, with the gap, beside which the second always stands
STYLE = re.compile(r"\x1b\[[0-9;]*m")
BOLD, RED, GREEN = "1", "31", "32"


def style(text: str, code: str) -> str:
    """Text in a colour or weight; `lay_out` takes it out again where that is not wanted."""
    return f"\x1b[{code}m{text}\x1b[0m" if text else text


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Rows of a table, for `lay_out` to align."""
    return "\n".join(f"{indent}{chr(9).join(row)}" for row in rows) if rows else f"{indent}(none)"


def fill(text: str, indent: int = 0) -> str:
    """Text broken into lines of the terminal, of 100 letters at most; all but the first are indented."""
    width = max(40, min(100, shutil.get_terminal_size((100, 24)).columns))
    further = " " * indent
    return textwrap.fill(text, width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


def find_room() -> int | None:
    """The width of the terminal that standard output goes to; None if it goes elsewhere."""
    return max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def may_colour() -> bool:
    """Whether colour is wanted: on a terminal that has it, unless NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def lay_out(text: str, room: int | None, colour: bool) -> str:
    """A text as it is printed.

    Args:
        text: whose lines with tabs are rows of tables.
        room: letters in a line; None where lines may be of any length.
        colour: whether styles stay.
    """
    lines = (text if colour else STYLE.sub("", text)).split("\n")
    found: list[str] = []
    for (tabs, indent), group in groupby(lines, key=lambda line: (line.count("\t"), _count_indent(line))):
        if tabs:
            found += _align([line[indent:].split("\t") for line in group], indent, room)
        else:
            found += [part for line in group for part in _wrap(line[indent:], indent, room)]
    return "\n".join(found)


def _align(rows: Sequence[Sequence[str]], indent: int, room: int | None) -> Iterator[str]:
    """Columns side by side; what has no room beside the others is folded there, or stands below."""
    widths = [max(_measure(row[k]) for row in rows) for k in range(len(rows[0]))]
    starts = [indent + sum(widths[:k]) + len(GAP) * k for k in range(len(widths))]
    for row in rows:
        line, beside = "", 0
        for start, cell in zip(starts, row, strict=True):
            narrow = beside == 1 and start <= indent + NARROW  # a rank is not left alone on its line
            if beside and not narrow and room is not None and start + _measure(cell) > room:
                break
            line += " " * (start - _measure(line)) + cell
            beside += 1
        rest = [cell for cell in row[beside:] if cell]
        if room is None or not rest:
            yield line.rstrip()
        elif beside == len(row) - 1 and room - starts[-1] >= LEAST:
            first, *others = _wrap(row[-1], starts[-1], room)
            yield line + " " * (starts[-1] - _measure(line)) + first.lstrip(" ")
            yield from others
        else:
            yield line.rstrip()
            yield from _wrap(GAP.join(rest), indent + len(2 * GAP), room)


def _wrap(text: str, indent: int, room: int | None) -> Iterator[str]:
    """Lines of no more than `room` letters, as far as words allow; styles take no room."""
    line = ""
    for word in text.split(" ") if room is not None else [text]:
        longer = f"{line} {word}" if line else word
        if line.strip() and room is not None and indent + _measure(longer) > room:
            yield f"{' ' * indent}{line}".rstrip()
            line = word
        else:
            line = longer
    yield f"{' ' * indent}{line}".rstrip()


def _measure(text: str) -> int:
    return len(STYLE.sub("", text))


def _count_indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
