"""What numba compiles: how long that took, and that none of it outlives its source."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

STAMP = "bench-ovp.digest"  # in __pycache__: of the sources that the machine code beside it was made from


class Compiling:
    """A context in which `seconds` counts what numba compiles; code that is read back from disk is not compiled."""

    def __enter__(self) -> Compiling:
        from numba.core import event

        self._timer: Any = event.TimingListener()  # type: ignore[no-untyped-call]
        event.register("numba:compile", self._timer)  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        from numba.core import event

        event.unregister("numba:compile", self._timer)  # type: ignore[no-untyped-call]

    @property
    def seconds(self) -> float:
        """So far; 0 if nothing was compiled."""
        return float(self._timer.duration) if self._timer.done else 0.0


def forget_stale(folders: Iterable[Path]) -> None:
    """Remove machine code that was made from other sources than those that are there now.

    numba looks at the file of a function alone, and not at those of the functions that were inlined into it.

    Args:
        folders: of packages; code in them is looked after with all that is below.
    """
    for folder in folders:
        with contextlib.suppress(OSError):  # what cannot be written there, numba keeps elsewhere
            _forget_stale(folder)


def _forget_stale(folder: Path) -> None:
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        total.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes() + b"\0")
    digest = total.hexdigest()
    stamp = folder / "__pycache__" / STAMP
    if stamp.exists() and stamp.read_text() == digest:
        return
    for code in (*folder.rglob("__pycache__/*.nbi"), *folder.rglob("__pycache__/*.nbc")):
        code.unlink(missing_ok=True)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest)
