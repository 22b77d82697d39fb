"""The compiled engine: a plug-in's step in a numba loop, asking a problem's kernels.

The step is the very function that NumPy would run. Inside it `oracle` is a numba struct whose methods count and
call the kernels through pointers: what is compiled for a step serves every problem, and is kept on disk.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import njit, types
from numba.experimental import structref
from numba.extending import overload_method

from ..optimizers import Optimizer, StepMethod
from ..oracle import Oracle
from ..problems import Array, Kernels, Problem

LONGEST_REASON = 120
LARGEST = 2**62

COMPILED: dict[str, Any] = {"error_model": "numpy"}  # a division by zero is a result, as in NumPy

CONSTANTS = types.float64[::1]
RUNS = types.float64[::1]
BATCH = types.Array(types.float64, 3, "C")
LOSS = types.FunctionType(RUNS(CONSTANTS, BATCH))
GRAD = types.FunctionType(BATCH(CONSTANTS, BATCH))
LOSS_AND_GRAD = types.FunctionType(types.Tuple((RUNS, BATCH))(CONSTANTS, BATCH))


class NotCompilable(Exception):
    """The step uses something that numba does not know; the message says what."""


@structref.register
class OracleType(types.StructRef):
    """numba's type of the oracle inside a compiled step."""


class CompiledOracle(structref.StructRefProxy):
    """The oracle as Python sees it: opaque."""


structref.define_boxing(OracleType, CompiledOracle)

ORACLE = OracleType(
    [
        ("constants", CONSTANTS),
        ("charged", types.int64[::1]),
        ("loss_kernel", LOSS),
        ("grad_kernel", GRAD),
        ("loss_and_grad_kernel", LOSS_AND_GRAD),
    ]
)


@overload_method(OracleType, "loss")
def _loss(oracle: Any, w: Any) -> Any:
    def loss(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += w.shape[0]
        return oracle.loss_kernel(oracle.constants, w)

    return loss


@overload_method(OracleType, "grad")
def _grad(oracle: Any, w: Any) -> Any:
    def grad(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += w.shape[0]
        return oracle.grad_kernel(oracle.constants, w)

    return grad


@overload_method(OracleType, "loss_and_grad")
def _loss_and_grad(oracle: Any, w: Any) -> Any:
    def loss_and_grad(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += w.shape[0]
        return oracle.loss_and_grad_kernel(oracle.constants, w)

    return loss_and_grad


@njit(
    ORACLE(CONSTANTS, types.int64[::1], LOSS, GRAD, LOSS_AND_GRAD),
    cache=True,
)
def make_oracle(constants: Any, charged: Any, loss: Any, grad: Any, loss_and_grad: Any) -> Any:
    """The oracle of one problem; `charged` (1,) counts."""
    oracle = structref.new(ORACLE)
    oracle.constants = constants
    oracle.charged = charged
    oracle.loss_kernel = loss
    oracle.grad_kernel = grad
    oracle.loss_and_grad_kernel = loss_and_grad
    return oracle


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
        self._charged = np.zeros(1, np.int64)
        self._oracle = make_oracle(kernels.constants, self._charged, kernels.loss, kernels.grad, kernels.loss_and_grad)
        self._values = tuple(optimizer.parameters.values())
        self._walk = load_walk(optimizer.method.step)
        w = problem.start([0])
        init = optimizer.method.init
        state = () if init is None else tuple(np.array(part) for part in init(w.copy()))
        try:
            self._walk(self._oracle, self._charged, w, state, 0, 0, 0, self._values)
        except Exception as error:  # no step is taken: whatever is raised here, numba or a type of ours raised
            raise NotCompilable(_first_reason(error)) from None

    def advance(
        self, oracle: Oracle, w: Array, state: tuple[Any, ...], first: int, count: int, budget: int
    ) -> tuple[Array, tuple[Any, ...], int]:
        """Take the steps in one call."""
        self._charged[0] = 0
        left = min((budget - oracle.evaluations) * len(w), LARGEST)  # a query is charged to each run it is about
        w, state, taken = self._walk(self._oracle, self._charged, w, state, first, count, left, self._values)
        oracle.charge(int(self._charged[0]))
        return w, state, taken


def _first_reason(error: Exception) -> str:
    """The line of a compiler's message that a reader can use, cut to a line's length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    useful = [line for line in lines if not line.startswith(("Failed in", "During", "File"))]
    line = (useful or lines or [type(error).__name__])[0]
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}…"


# The loop around a step, as source: numba keeps compiled code on disk only for functions that live in a file and
# whose callees are globals of it. One file per step, named by the digest of the step's module.
WALK = '''"""Written by bench-ovp: the loop around a compiled step."""

from numba import njit


@njit(error_model="numpy", cache=True)
def walk(oracle, charged, w, state, first, count, budget, values):
    taken = 0
    while taken < count and charged[0] < budget:
        w, state = step(oracle, w, state, first + taken, *values)
        taken += 1
    return w, state, taken
'''


@cache
def load_walk(step: Any) -> Any:
    """The compiled loop around `step`: walk(oracle, charged, w, state, first, count, budget, values)."""
    compiled = njit(**COMPILED)(step)
    file = _walk_file(step)
    if file is None:
        names = {"step": compiled}
        exec(compile(WALK.replace(", cache=True", ""), "<walk>", "exec"), names)  # noqa: S102
        return names["walk"]
    spec = importlib.util.spec_from_file_location(f"bench_ovp_walk_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where numba looks for it when it reads compiled code back
    module.__dict__["step"] = compiled
    spec.loader.exec_module(module)
    return module.__dict__["walk"]


def _walk_file(step: Any) -> Path | None:
    """Where the loop around `step` lives, or None where nothing can be written or the step has no source file."""
    from platformdirs import user_cache_path

    try:
        source = Path(inspect.getfile(step)).read_bytes()
        folder = user_cache_path("bench-ovp", ensure_exists=True)
        identity = f"{step.__module__} {step.__qualname__} {numba.__version__} {WALK}".encode()
        here = Path(__file__).read_bytes()
        file = folder / f"walk_{hashlib.sha256(identity + here + source).hexdigest()[:16]}.py"
        if not file.exists():
            file.write_text(WALK)
    except (OSError, TypeError):
        return None
    return file
