"""The candidate shapes of log L(t): linear models whose columns are functions of u = t/t_end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# what a model says of the law; compiled code reads these as constants
POWER, EXPONENTIAL, BENDING, LEAVING, STRETCHED, SUPER, CONSTANT = range(7)


_KINDS = ("one", "log", "pow", "powlog", "exp", "loglog", "mode")


class Column(NamedTuple):
    """A basis function of u, in the order of the kinds.

    1, log(u + p), u^p, u^p log u, e^(-pu), log(p + log u), log(1 + q e^(-pu)).
    """

    kind: str
    p: float = 0.0
    q: float = 0.0


class Model(NamedTuple):
    """A linear model of log L; its last column carries the law."""

    name: str
    family: int
    prior: float
    columns: tuple[Column, ...]


ONE, LOG, LINEAR = Column("one"), Column("log"), Column("pow", 1.0)


def _pow(p: float) -> Column:
    return Column("pow", p)


def _powlog(p: float) -> Column:
    return Column("powlog", p)


def _exp(p: float) -> Column:
    return Column("exp", p)


def _candidates() -> list[Model]:
    return [*_powers(), *_exponentials(), *_others()]


def _powers() -> list[Model]:
    models = [Model("t^-p", POWER, 1.0, (ONE, LOG))]

    def add(name: str, prior: float, *corrections: Column, law: Column = LOG) -> None:
        models.append(Model(f"t^-p {name}", POWER, prior, (ONE, *corrections, law)))

    for q in (0.25, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0):
        add(f"(1 + a t^-{q:g})", 0.3, _pow(-q))
    for q, r in ((0.35, 0.7), (0.5, 1.0), (0.7, 1.4), (1.0, 2.0), (2.0, 4.0)):
        add(f"(1 + a t^-{q:g} + b t^-{r:g})", 0.2, _pow(-q), _pow(-r))
    add("(1 + a log t/t)", 0.2, _powlog(-1.0))
    for q in (0.5, 1.0):
        add(f"(1 + (a + b log t) t^-{q:g})", 0.2, _pow(-q), _powlog(-q))
    for shift in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, -0.001, -0.003, -0.01, -0.03, -0.1, -0.3):
        add("shifted", 0.1, law=Column("log", shift))
        add("shifted (1 + a/t)", 0.1, _pow(-1.0), law=Column("log", shift))
    return models


def _exponentials() -> list[Model]:
    models = [Model("e^-ct", EXPONENTIAL, 1.0, (ONE, LINEAR))]

    def add(name: str, prior: float, *corrections: Column) -> None:
        models.append(Model(f"e^-ct {name}", EXPONENTIAL, prior, (ONE, *corrections, LINEAR)))

    add("t^a", 0.3, LOG)
    add("(1 + a/t)", 0.2, _pow(-1.0))
    add("t^a (1 + b/t)", 0.2, _pow(-1.0), LOG)
    for rate in (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0):
        add("(1 + a e^-dt)", 0.2, _exp(rate))
        add("(1 + a e^-dt + b e^-2dt)", 0.1, _exp(rate), _exp(2 * rate))
    for rate in (8.0, 32.0, 128.0):
        add("t^a (1 + b e^-dt)", 0.1, _exp(rate), LOG)
    for shift in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3):
        add("shifted t^a", 0.03, Column("log", shift))
    for rate in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0):  # a second mode that is larger at first
        for size in (1.0, 10.0):
            add("(1 + b e^-dt)^a", 0.1, Column("mode", rate, size))
    return models


def _others() -> list[Model]:
    """What a power or an exponential may be mistaken for."""
    models = []
    for q in (0.25, 0.5, 2.0):  # q = 1 is an exponential
        models.append(Model(f"t^-p e^(a t^{q:g})", BENDING, 0.05, (ONE, _pow(q), LOG)))
        models.append(Model(f"t^-p e^(a t^{q:g} + b/t)", BENDING, 0.02, (ONE, _pow(q), _pow(-1.0), LOG)))
    for rate in (8.0, 32.0):
        models.append(Model("e^-ct + b", LEAVING, 0.03, (ONE, _exp(-rate), LINEAR)))
    models.append(Model("e^-ct-at^2", LEAVING, 0.03, (ONE, _pow(2.0), LINEAR)))
    for g in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        models.append(Model("e^-ct^g", STRETCHED, 0.03, (ONE, _powlog(g), _pow(g))))
    for g in (0.2, 0.4, 0.6, 0.8):
        models.append(Model("t^a e^-ct^g", STRETCHED, 0.02, (ONE, LOG, _powlog(g), _pow(g))))
    for span in (5.0, 7.0, 10.0, 14.0, 20.0):
        models.append(Model("(log t)^-p", BENDING, 0.1, (ONE, Column("loglog", span))))
        models.append(Model("(log t)^-p (1 + a/t)", BENDING, 0.03, (ONE, _pow(-1.0), Column("loglog", span))))
    for g in (1.5, 2.0, 3.0, 5.0):
        models.append(Model("e^-ct^g, g > 1", SUPER, 0.05, (ONE, _powlog(g), _pow(g))))
    models.append(Model("constant", CONSTANT, 1.0, (ONE,)))
    for p in (0.1, 0.3, 1.0, 2.0):
        models.append(Model("constant + t^-p", CONSTANT, 0.3, (ONE, _pow(-p))))
    for rate in (4.0, 16.0, 64.0):
        models.append(Model("constant + e^-ct", CONSTANT, 0.3, (ONE, _exp(rate))))
    return models


@dataclass(frozen=True, eq=False)
class Library:
    """The models, with their distinct columns numbered for the compiled sweep."""

    models: tuple[Model, ...]
    kind: Index  # of the columns, see `evaluate`
    p: Array
    q: Array
    index: Index  # the columns of each model, shape (models, widest), 0 past the end
    size: Index
    family: Index
    log_prior: Array
    plain: tuple[int, int]  # t^-p and e^-ct
    names: tuple[str, ...]  # distinct, and which of them each model has
    name_index: Index


@cache
def library() -> Library:
    """The candidates, numbered once per process."""
    models = tuple(_candidates())
    columns = tuple(dict.fromkeys(c for m in models for c in m.columns))
    names = tuple(dict.fromkeys(m.name for m in models))
    number = {c: i for i, c in enumerate(columns)}
    size = np.array([len(m.columns) for m in models])
    index = np.zeros((len(models), size.max()), dtype=np.int64)
    for row, model in zip(index, models, strict=True):
        row[: len(model.columns)] = [number[c] for c in model.columns]
    return Library(
        models,
        np.array([_KINDS.index(c.kind) for c in columns]),
        np.array([c.p for c in columns]),
        np.array([c.q for c in columns]),
        index,
        size,
        np.array([m.family for m in models]),
        np.log([m.prior for m in models]),
        (_plain(models, "t^-p"), _plain(models, "e^-ct")),
        names,
        np.array([names.index(m.name) for m in models]),
    )


def _plain(models: tuple[Model, ...], name: str) -> int:
    return next(i for i, m in enumerate(models) if m.name == name)


@njit(cache=True, error_model="numpy")
def evaluate(u: Array, kind: Index, p: Array, q: Array, value: Array, slope: Array) -> None:
    """Every column at every u, and its slope d/d log u; both of shape (points, columns)."""
    for i in range(u.size):
        s = math.log(u[i])
        for j in range(kind.size):
            if kind[j] == 0:
                value[i, j], slope[i, j] = 1.0, 0.0
            elif kind[j] == 1:
                value[i, j] = math.log(u[i] + p[j]) if u[i] + p[j] > 0 else 1e200  # a pole: no window
                slope[i, j] = u[i] / (u[i] + p[j])
            elif kind[j] == 2:
                x = math.exp(p[j] * s)
                value[i, j], slope[i, j] = x, p[j] * x
            elif kind[j] == 3:
                x = math.exp(p[j] * s)
                value[i, j], slope[i, j] = x * s, x * (p[j] * s + 1.0)
            elif kind[j] == 5:
                value[i, j] = math.log(p[j] + s) if p[j] + s > 0 else 1e200
                slope[i, j] = 1.0 / (p[j] + s)
            elif kind[j] == 6:
                x = q[j] * math.exp(-p[j] * u[i])
                value[i, j], slope[i, j] = math.log1p(x), -p[j] * u[i] * x / (1.0 + x)
            else:
                x = math.exp(-p[j] * (u[i] - 1.0 if p[j] < 0 else u[i]))
                value[i, j], slope[i, j] = x, -p[j] * u[i] * x
