"""What a problem can be asked, and whether its answers depend on anything but the question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..problems import Array, Problem
from .check import Nonconformance
from .points import few_points, ordinary_points

QUERIES = ("loss", "grad", "hessian", "gauss_newton", "observe", "degenerate", "reduce")

Answer = Mapping[str, Array]
Ask = Callable[[Array], Answer]


def list_queries(instance: Any) -> dict[str, Ask]:
    """What `instance` can be asked, each as a function from w to arrays by name."""
    return {name: _asking(getattr(instance, name), name) for name in QUERIES if hasattr(instance, name)}


def check_purity(problem: Problem) -> None:
    """No query writes into w, hands w itself back, or lets its answer be overwritten."""
    refuse_impurity(problem, few_points(problem))


def refuse_impurity(problem: Problem, w: Array) -> None:
    """Raise Nonconformance where a query about `w` writes into it or hands it back."""
    for name, ask in list_queries(problem.instance).items():
        given = w.copy()
        answer = ask(given)
        if not same_bits(given, w):
            raise Nonconformance(
                f"{name} writes into the w that it is given; work on a copy: `w = w.copy()`, or w = w − … for w −= …"
            )
        if name != "reduce" and any(np.may_share_memory(part, given) for part in answer.values()):
            raise Nonconformance(f"{name} hands out the memory of its argument; return a copy of it")


def check_determinism(problem: Problem) -> None:
    """The same question has the same answer, bit by bit, from any object with the same parameters."""
    w = few_points(problem)
    before = global_randomness()
    fresh = list_queries(Problem(problem.definition, problem.given).instance)
    for name, ask in list_queries(problem.instance).items():
        first = copied(ask(w.copy()))
        if not same_answers(first, ask(w.copy())):
            raise Nonconformance(
                f"{name} answers the same question differently at the second time; take the randomness out, "
                "or draw it in start from the seed"
            )
        if not same_answers(first, fresh[name](w.copy())):
            raise Nonconformance(
                f"two problems with the same parameters differ in {name}; what the constructor draws at random must "
                "come from a fixed seed, or from a parameter"
            )
    problem.start([0, 1])
    if global_randomness() != before:
        raise Nonconformance(
            "it draws from the global random generator; use numpy.random.default_rng(seed) with the seed of the run"
        )


def check_hidden_state(problem: Problem) -> None:
    """An answer does not depend on what was asked before, nor on what is done with earlier answers."""
    w = few_points(problem)
    other = np.ascontiguousarray(w[::-1] * 0.9)
    remedy = "keep nothing on self outside the constructor, and return fresh arrays"
    expected = {}
    for name in list_queries(problem.instance):
        fresh = Problem(problem.definition, problem.given).instance  # never asked anything else
        expected[name] = copied(list_queries(fresh)[name](w.copy()))
    instance = Problem(problem.definition, problem.given).instance
    for name, ask in list_queries(instance).items():
        for between in list_queries(instance).values():
            between(other.copy())
        if not same_answers(expected[name], answer := ask(w.copy())):
            raise Nonconformance(f"{name} depends on what was asked before; {remedy}")
        ask(other.copy())
        if not same_answers(expected[name], answer):
            raise Nonconformance(f"an answer of {name} is overwritten by the next one; {remedy}")
        for part in answer.values():
            if part.flags.writeable and part.dtype == np.float64:
                part += 1.0  # as a method may do with what it was given
        if not same_answers(expected[name], ask(w.copy())):
            raise Nonconformance(f"{name} hands out an array that it uses again; {remedy}")


def check_batch(problem: Problem) -> None:
    """A run's answers are bitwise the same whatever else is in the batch."""
    w = ordinary_points(problem)
    for name, ask in list_queries(problem.instance).items():
        refuse_coupling(name, ask, w if name not in ("hessian", "gauss_newton") else few_points(problem))


def refuse_coupling(name: str, ask: Ask, w: Array) -> None:
    """Raise Nonconformance where the answers about `w` depend on how its runs are put together."""
    together = copied(ask(w.copy()))
    for part in together.values():
        if part.ndim == 0 or len(part) != len(w):
            raise Nonconformance(f"{name} answers for {len(w)} runs with shape {part.shape}; a leading run axis is due")
    order = np.random.default_rng(1).permutation(len(w)).tolist()
    cuts: list[list[int]] = [order, *([k] for k in range(len(w))), list(range(0, len(w), 2))]
    for cut in cuts:
        alone = ask(np.ascontiguousarray(w[cut]))
        for key, part in together.items():
            if key not in alone or not same_bits(part[cut], alone[key]):
                raise Nonconformance(
                    f"{key} of a run depends on which other runs are in its batch; no sum, maximum, branch or matrix "
                    "product may go over the run axis: use (runs, n, d) @ (d, m), and axis=(1, 2) in sums"
                )


def global_randomness() -> tuple[str, str]:
    """The states of the global generators, as text that can be compared."""
    import random

    return repr(np.random.get_state(legacy=False)["state"]), repr(random.getstate())  # noqa: NPY002


def copied(answer: Answer) -> dict[str, Array]:
    """The answer in memory of its own."""
    return {name: np.array(part) for name, part in answer.items()}


def same_answers(a: Answer, b: Answer) -> bool:
    """Whether two answers are bitwise the same."""
    return a.keys() == b.keys() and all(same_bits(part, b[name]) for name, part in a.items())


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays are the same, NaN equal to NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def _asking(query: Callable[[Array], Any], name: str) -> Ask:
    def ask(w: Array) -> Answer:
        found = query(w)
        if isinstance(found, Mapping):
            return {f"{name} of {key!r}": np.asarray(value) for key, value in found.items()}
        return {name: np.asarray(found)}

    return ask
