"""How long numba compiled, apart from everything else that a task did."""

from __future__ import annotations

from types import TracebackType
from typing import Any


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
