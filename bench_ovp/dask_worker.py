"""What a dask worker needs beside tasks: bounds, in whichever machine and whenever it starts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin

from .work import prepare_worker


class Guarded(WorkerPlugin):  # type: ignore[misc]
    """Gives each worker a guard; its notes outlive the worker, so that its successor on that machine reads them.

    Args:
        suite: a name for this run of a suite.
    """

    name = "bench-ovp"

    def __init__(self, suite: str) -> None:
        self.suite = suite

    def setup(self, worker: Any) -> None:
        """In a worker that starts, or has joined."""
        folder = Path(tempfile.gettempdir()) / f"{self.suite}-dask"
        folder.mkdir(exist_ok=True)
        prepare_worker(folder, None, ours=False)
