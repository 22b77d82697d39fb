"""One writer to a folder at a time; the lock goes with its process, however that ends."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import InputError

FILE = ".lock"


class Lock:
    """Holds a folder for this process until `release`.

    Args:
        folder: that exists.
    Errors:
        InputError: another process holds it; the message says which, and since when.
    """

    def __init__(self, folder: Path) -> None:
        self._file: Any = (folder / FILE).open("a+")
        if not _take(self._file):
            self._file.seek(0)
            told = self._file.read()
            self._file.close()
            raise InputError(f"{folder} is in use{_describe(told)}; wait for it, or use another --results")
        self._file.seek(0)
        self._file.truncate()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        json.dump({"process": os.getpid(), "host": socket.gethostname(), "since": now}, self._file)
        self._file.flush()

    def release(self) -> None:
        """Let others in. The file stays: to remove it would race with who just opened it."""
        self._file.close()


def _describe(told: str) -> str:
    try:
        held = json.loads(told)
        return f" by process {held['process']} on {held['host']} since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _take(file: Any) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: no flock; two writers there must be kept apart by their user
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
