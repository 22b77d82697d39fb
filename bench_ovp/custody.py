"""Somebody else's code at work: what it prints is kept, and it may not end the process."""

from __future__ import annotations

import io
import os
import sys
from types import TracebackType
from typing import Any

LONGEST = 200  # characters of what was printed that are passed on


class Exited(Exception):
    """A plug-in called os._exit, which would have taken the process with it."""


class Custody:
    """A context in which prints go to `said` and os._exit raises `Exited`.

    The streams and os._exit are the process's: one thread at a time.
    """

    def __init__(self) -> None:
        self._printed = io.StringIO()
        self._before: tuple[Any, ...] = ()

    def __enter__(self) -> Custody:
        self._before = sys.stdout, sys.stderr, os._exit
        sys.stdout = sys.stderr = self._printed
        os._exit = _refuse_exit
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        sys.stdout, sys.stderr, os._exit = self._before

    @property
    def said(self) -> str:
        """What was printed, in one line, cut to a line's length."""
        line = " ".join(self._printed.getvalue().split())
        return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _refuse_exit(status: int) -> Any:
    raise Exited(f"it called os._exit({status}); raise an error instead")
