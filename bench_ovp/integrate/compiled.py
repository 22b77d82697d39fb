"""The compiled engine: a plug-in's step and a problem's kernels, joined into one numba loop.

The step is the very function that NumPy would run. Inside it `oracle.grad(w)` and its siblings are methods of a
numba struct that holds the problem's kernels and a counter.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit, types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numba.experimental import structref
from numba.extending import overload_method

from ..optimizers import Optimizer, StepMethod
from ..oracle import Oracle
from ..problems import Array, Kernels, Problem

STEP = {"error_model": "numpy"}  # a division by zero is a result, as in NumPy


class NotCompilable(Exception):
    """The step uses something that numba does not know; the message says what."""


@structref.register
class OracleType(types.StructRef):
    """numba's type of the oracle inside a compiled step."""


@overload_method(OracleType, "grad")
def _grad(oracle: Any, w: Any) -> Any:
    def grad(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += 1
        return oracle.grad_kernel(oracle.constants, w)

    return grad


@overload_method(OracleType, "loss")
def _loss(oracle: Any, w: Any) -> Any:
    def loss(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += 1
        return oracle.loss_kernel(oracle.constants, w)

    return loss


@overload_method(OracleType, "loss_and_grad")
def _loss_and_grad(oracle: Any, w: Any) -> Any:
    def loss_and_grad(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += 1
        return oracle.loss_and_grad_kernel(oracle.constants, w)

    return loss_and_grad


class CompiledEngine:
    """Takes steps in compiled code.

    Args:
        kernels: of the problem.
        optimizer: whose step is compiled.
        problem: gives a small batch to compile for.
    Errors:
        NotCompilable: numba does not know something that the step uses.
    """

    note = "compiled"

    def __init__(self, kernels: Kernels, optimizer: Optimizer, problem: Problem) -> None:
        assert isinstance(optimizer.method, StepMethod)
        self._constants = kernels.constants
        self._values = tuple(optimizer.parameters.values())
        self._loop = _compile(optimizer.method.step, kernels.loss, kernels.grad, kernels.loss_and_grad)
        w = problem.start([0])
        init = optimizer.method.init
        state = () if init is None else tuple(np.array(part) for part in init(w.copy()))
        try:
            self._advance(w, state, 0, 0, 0)
        except NumbaError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise NotCompilable(next((line for line in lines if "Failed in" not in line), "?")) from None

    def advance(
        self, oracle: Oracle, w: Array, state: tuple[Any, ...], first: int, count: int, budget: int
    ) -> tuple[Array, tuple[Any, ...], int]:
        """Take the steps in one call."""
        w, state, taken, charged = self._advance(w, state, first, count, budget - oracle.evaluations)
        oracle.charge(charged)
        return w, state, taken

    def _advance(self, w: Array, state: tuple[Any, ...], first: int, count: int, budget: int) -> Any:
        return self._loop(self._constants, w, state, first, count, budget, self._values)


@cache
def _compile(step: Any, loss: Any, grad: Any, loss_and_grad: Any) -> Any:
    """One loop per step and problem kernels, compiled when first called."""
    fields = [
        ("constants", types.UniTuple(types.float64, 1)),
        ("charged", types.int64[::1]),
        ("loss_kernel", types.Dispatcher(loss)),
        ("grad_kernel", types.Dispatcher(grad)),
        ("loss_and_grad_kernel", types.Dispatcher(loss_and_grad)),
    ]
    kind = OracleType(fields)
    taken_step = step if isinstance(step, Dispatcher) else njit(**STEP)(step)

    @njit(**STEP)
    def loop(constants: Any, w: Any, state: Any, first: int, count: int, budget: int, values: Any) -> Any:
        oracle = structref.new(kind)
        oracle.constants = constants
        oracle.charged = np.zeros(1, np.int64)
        oracle.loss_kernel = loss
        oracle.grad_kernel = grad
        oracle.loss_and_grad_kernel = loss_and_grad
        taken = 0
        while taken < count and oracle.charged[0] < budget:
            w, state = taken_step(oracle, w, state, first + taken, *values)
            taken += 1
        return w, state, taken, oracle.charged[0]

    return loop
