"""The small figures of why each pair has its law, drawn by a second process while the report draws the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..processes import WorkerPool, count_jobs
from .figures.explanation import sketch

if TYPE_CHECKING:
    from ..reasons import Reasons

MOST = 60  # pairs: of more, none is drawn; each is 0.2 s and 10 kB
FEWEST = 12  # for less a second process is not worth the two seconds of its imports

Sketches = Callable[[], list[bytes | None]]


@contextmanager
def begin_sketches(reasons: Sequence[Reasons]) -> Iterator[Sketches]:
    """Begin to draw, and give a call that waits for what is drawn: an SVG per pair, or None where there are too many.

    Args:
        reasons: of the pairs.
    """
    if len(reasons) > MOST:
        yield lambda: [None] * len(reasons)
    elif len(reasons) < FEWEST or count_jobs(None) < 2:
        yield lambda: _draw(reasons)
    else:
        with WorkerPool(1) as pool:
            drawn: Future[list[bytes | None]] = pool.submit(_draw, reasons)

            def wait() -> list[bytes | None]:
                try:
                    return drawn.result()
                except BrokenProcessPool:  # somebody has killed it: what it was to draw is drawn here
                    return _draw(reasons)

            try:
                yield wait
            except BaseException:
                pool.kill()
                raise


def _draw(reasons: Sequence[Reasons]) -> list[bytes | None]:
    return [sketch(pair) for pair in reasons]
