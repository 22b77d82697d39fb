"""How far the work is: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any


class Silent:
    """Says nothing."""

    def begin(self, cells: int, done: int, weight: float) -> None:
        """Nothing to say."""

    def started(self, label: str) -> None:
        """Nothing to say."""

    def advanced(self, label: str, weight: float, cell_done: bool, compiling: float) -> None:
        """Nothing to say."""

    def noted(self, line: str) -> None:
        """Nothing to say."""


class Reporting:
    """Cells done, the current cell and the time left, on stderr. Use it as a context."""

    def __init__(self) -> None:
        self._cells = self._done = 0
        self._left = self._total = self._compiling = 0.0
        self._begun = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self._current: list[str] = []

    def __enter__(self) -> Reporting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._current = None, []

    def begin(self, cells: int, done: int, weight: float) -> None:
        """Open the bar, or print the first line; a suite that is tuned begins twice."""
        self.__exit__(None, None, None)
        self._cells, self._done = cells, done
        self._left = self._total = weight
        self._compiling = 0.0
        self._begun = time.monotonic()
        if done:
            self.noted(describe_stored(done, cells))
        if done < cells and sys.stderr.isatty():
            self._open_bar()

    def started(self, label: str) -> None:
        """Show the cell."""
        self._current.append(label)
        self._refresh(label)

    def advanced(self, label: str, weight: float, cell_done: bool, compiling: float) -> None:
        """Move the bar, or print a line when a cell is done."""
        self._left -= weight
        self._compiling += compiling
        self._done += cell_done
        if label in self._current:
            self._current.remove(label)
        if self._bar is not None:
            self._refresh(self._current[0] if self._current else label)
        elif cell_done:
            self._say(f"[{self._done}/{self._cells}] {label}  ({self._remaining()})")

    def noted(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            self._say(line)

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        console = Console(stderr=True)
        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # what is left: numbers are never cut
        self._bar = Progress(
            TextColumn("{task.fields[cells]} cells", markup=False),
            BarColumn(bar_width=24 if console.width >= 100 else 8),
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("{task.fields[label]}", markup=False, table_column=rest),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("", total=max(self._total, 1e-9), cells="", left="", label="")
        self._bar.start()
        self._refresh("")

    def _refresh(self, label: str) -> None:
        if self._bar is None:
            return
        self._bar.update(
            self._task,
            completed=self._total - self._left,
            cells=f"{self._done}/{self._cells}",
            left=self._remaining(),
            label=label,
        )

    def _remaining(self) -> str:
        spent = time.monotonic() - self._begun
        share = 1.0 - self._left / self._total if self._total else 1.0
        if self._left <= 0.0:
            return f"{_clock(spent)} spent"
        if share <= 0.0:
            return "time left unknown"
        spent -= min(self._compiling, spent)  # once on a machine: of the rest it tells nothing
        return f"about {_clock(spent / share * (1.0 - share))} left"

    @staticmethod
    def _say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def describe_stored(done: int, cells: int) -> str:
    """How much need not run."""
    return f"{done} of {cells} cells are stored already"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
