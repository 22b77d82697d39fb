"""Figures drawn by two processes where there are two cores: this one from the first on, the other from the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..processes import WorkerPool, open_companion
from .figures.explanation import sketch

if TYPE_CHECKING:
    from ..reasons import Reasons

T = TypeVar("T")

FEWEST = 16  # drawings: for less a second process is not worth the two seconds of its imports
MOST = 60  # pairs that are explained by a small figure: of more, none is drawn; each is 0.1 s and 10 kB


def draw_all(drawings: Sequence[Callable[[], T]], companion: WorkerPool | None = None) -> list[T]:
    """What each of them returns, in their order.

    Args:
        drawings: calls of functions of modules, with arguments that can be pickled.
        companion: the other process, if one is there already.
    """
    if companion:
        return _share(drawings, companion)
    with open_companion(len(drawings) >= FEWEST) as pool:
        return _share(drawings, pool) if pool else [draw() for draw in drawings]


def _share(drawings: Sequence[Callable[[], T]], pool: WorkerPool) -> list[T]:
    taken = pool.submit(_take_up, drawings)  # together: they share tables
    given = [pool.submit(_draw, place) for place in reversed(range(len(drawings)))]
    return [_fetch(draw, taken, future) for draw, future in zip(drawings, reversed(given), strict=True)]


def _fetch(draw: Callable[[], T], taken: Future[None], given: Future[T]) -> T:
    if given.cancel():
        return draw()  # nobody had begun it
    try:
        taken.result()
        return given.result()
    except BrokenProcessPool:  # somebody has killed the other process
        return draw()


_taken_up: Sequence[Callable[[], Any]] = ()  # by the other process


def _take_up(drawings: Sequence[Callable[[], Any]]) -> None:
    global _taken_up
    _taken_up = drawings


def _draw(place: int) -> Any:
    return _taken_up[place]()


def plan_sketches(reasons: Sequence[Reasons]) -> list[Callable[[], bytes]]:
    """Drawings of why each pair has its law, small SVGs; none where there are too many pairs."""
    return [partial(sketch, pair) for pair in reasons] if len(reasons) <= MOST else []
