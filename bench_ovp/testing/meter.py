"""An oracle whose charges are checked: it keeps books of its own, and sees who asks a problem behind its back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ..oracle import Oracle
from ..problems import Array, Problem
from .check import Nonconformance

ASKED = ("loss", "grad", "hessian", "gauss_newton")
Answer = TypeVar("Answer")
REMEDY = "ask only the oracle that the step is handed, once for each answer that is needed"


class GaveUp(BaseException):
    """Raised into a method that does not end; no `except Exception` catches it."""


class MeteredOracle(Oracle):
    """An oracle with books of its own.

    Args:
        problem: what is asked.
        runs: how many runs share the queries.
        most: queries after which GaveUp is raised; None for any number.
    """

    def __init__(self, problem: Problem, runs: int, most: int | None = None) -> None:
        n, d = problem.start([0]).shape[1:]
        super().__init__(problem, runs, n * d)
        self.books = _Books(runs, n * d, most)

    def narrow(self, runs: int) -> None:
        """Go on with fewer runs."""
        super().narrow(runs)
        self.books.narrow(runs)

    def loss(self, w: Array) -> Array:
        """The loss, booked."""
        return self.books.ask(super().loss, w, 1)

    def grad(self, w: Array) -> Array:
        """The gradient, booked."""
        return self.books.ask(super().grad, w, 1)

    def loss_and_grad(self, w: Array) -> tuple[Array, Array]:
        """The pair, booked once."""
        return self.books.ask(super().loss_and_grad, w, 1)

    def hessian(self, w: Array) -> Array:
        """The Hessian, booked."""
        return self.books.ask(super().hessian, w, self.books.matrix)

    def gauss_newton(self, w: Array) -> Array:
        """The Gauss–Newton matrix, booked."""
        return self.books.ask(super().gauss_newton, w, self.books.matrix)

    def margin(self, w: Array) -> float:
        """The margin, booked."""
        return self.books.ask(lambda _: super(MeteredOracle, self).margin(w), w[None], 1)

    def audit(self) -> None:
        """Raise Nonconformance where what was charged is not what was asked."""
        if self.evaluations != self.books.due:
            raise Nonconformance(
                f"{self.evaluations} evaluations were charged for {self.books.due}; leave the oracle's books alone: "
                "no charge, no narrow, no private names"
            )


class _Books:
    """What was asked of an oracle, and whether a query of it is being answered."""

    def __init__(self, runs: int, matrix: int, most: int | None) -> None:
        self.matrix = matrix
        self._runs, self._most = runs, most
        self._points = self.queries = 0
        self.answering = False

    @property
    def due(self) -> int:
        """What each run owes."""
        return -(-self._points // self._runs)

    def narrow(self, runs: int) -> None:
        """Go on with fewer runs."""
        self._points = self.due * runs
        self._runs = runs

    def limit(self, further: int) -> None:
        """Let GaveUp be raised after so many further queries."""
        self._most = self.queries + further

    def ask(self, query: Callable[[Array], Answer], w: Array, price: int) -> Answer:
        """Book and answer a query."""
        self.queries += 1
        if self._most is not None and self.queries > self._most:
            raise GaveUp
        self._points += len(w) * price
        self.answering = True
        try:
            return query(w)
        finally:
            self.answering = False


@contextmanager
def watched(oracle: MeteredOracle, definitions: Iterable[type[Any]]) -> Iterator[list[str]]:
    """A list of the queries that reach any problem past `oracle` while this is open.

    Args:
        oracle: the one door.
        definitions: problem classes whose own methods are watched, too.
    """
    past: list[str] = []
    inside: list[str] = []
    doors = [(Problem, name) for name in ASKED]
    doors += [(d, name) for d in definitions for name in ASKED if hasattr(d, name)]
    kept = [(owner, name, vars(owner).get(name)) for owner, name in doors]

    def watching(inner: Callable[..., Any], name: str) -> Callable[..., Any]:
        def asked(self: Any, *arguments: Any, **named: Any) -> Any:
            if oracle.books.answering or inside:
                return inner(self, *arguments, **named)
            past.append(name)
            inside.append(name)  # what a problem asks of itself is one query with this
            try:
                return inner(self, *arguments, **named)
            finally:
                inside.pop()

        return asked

    for owner, name in doors:
        setattr(owner, name, watching(getattr(owner, name), name))
    try:
        yield past
    finally:
        for owner, name, original in kept:
            if original is None:
                delattr(owner, name)  # it was inherited
            else:
                setattr(owner, name, original)


def refuse_past(past: list[str]) -> None:
    """Raise Nonconformance where a problem was asked past the oracle."""
    if past:
        raise Nonconformance(f"{len(past)} queries ({past[0]}) went to a problem past the oracle, uncharged; {REMEDY}")
