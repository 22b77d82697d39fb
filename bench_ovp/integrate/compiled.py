"""The compiled engine: a plug-in's step in a numba loop, asking a problem's kernels.

The step is the very function that NumPy would run. Inside it `oracle` is a numba struct whose methods count and
call the kernels through pointers: what is compiled for a step serves every problem, and is kept on disk.

Arrays are in Fortran order, with the runs innermost, so that whatever a step does to all runs is done in vector
instructions. A step that numba knows in C order only, for it reshapes what it is given, is compiled for that. Runs
are taken in blocks that fit the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import njit, types
from numba.experimental import structref
from numba.extending import overload, overload_method

from ..optimizers import Optimizer, StepMethod
from ..oracle import Oracle
from ..problems import Array, Kernels
from ..sources import trace_sources
from . import elementwise
from .elementwise import one_loop

LONGEST_REASON = 120
LARGEST = 2**62
BLOCK = 2048  # numbers in w, 16 kB: with a gradient and a state it stays in the first cache
FEWEST, MOST = 8, 64  # runs in a block

State = tuple[Any, ...]

COMPILED: dict[str, Any] = {"error_model": "numpy"}  # a division by zero is a result, as in NumPy

CONSTANTS = types.float64[::1]
RUNS = types.float64[::1]
BATCH = types.Array(types.float64, 3, "F")
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


def as_fortran(array: Any) -> Any:
    """The array with its runs innermost; as it is where it is so already, or has one axis only."""
    return np.asfortranarray(array)


def as_c(array: Any) -> Any:
    """The array with its runs outermost."""
    return np.ascontiguousarray(array)


@overload(as_fortran)
def _as_fortran(array: Any) -> Any:
    def keep(array: Any) -> Any:
        return array

    def turn(array: Any) -> Any:
        return np.asfortranarray(array)

    return keep if array.layout == "F" or (array.ndim == 1 and array.layout == "C") else turn


@overload(as_c)
def _as_c(array: Any) -> Any:
    def keep(array: Any) -> Any:
        return array

    def turn(array: Any) -> Any:
        return np.ascontiguousarray(array)

    return keep if array.layout == "C" else turn


def _answer_like(w: Any) -> Any:
    """In which order a step that holds `w` wants its gradient."""
    return as_fortran if w.layout == "F" else as_c


@overload_method(OracleType, "loss")
def _loss(oracle: Any, w: Any) -> Any:
    def loss(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += w.shape[0]
        return oracle.loss_kernel(oracle.constants, as_fortran(w))

    return loss


@overload_method(OracleType, "grad")
def _grad(oracle: Any, w: Any) -> Any:
    arrange = _answer_like(w)

    def grad(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += w.shape[0]
        return arrange(oracle.grad_kernel(oracle.constants, as_fortran(w)))

    return grad


@overload_method(OracleType, "loss_and_grad")
def _loss_and_grad(oracle: Any, w: Any) -> Any:
    arrange = _answer_like(w)

    def loss_and_grad(oracle: Any, w: Any) -> Any:
        oracle.charged[0] += w.shape[0]
        loss, grad = oracle.loss_and_grad_kernel(oracle.constants, as_fortran(w))
        return loss, arrange(grad)

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
        w: a batch (runs, n, d) of its states, to compile for.
    Errors:
        NotCompilable: numba does not know something that the step uses.
    """

    note = "compiled"

    def __init__(self, kernels: Kernels, optimizer: Optimizer, w: Array) -> None:
        assert isinstance(optimizer.method, StepMethod)
        began = time.perf_counter()
        self._charged = np.zeros(1, np.int64)
        self._oracle = make_oracle(kernels.constants, self._charged, kernels.loss, kernels.grad, kernels.loss_and_grad)
        self._values = tuple(optimizer.parameters.values())
        w = np.repeat(w[:1], 2, axis=0)  # two: of one run, any order is C order
        init = optimizer.method.init
        state = () if init is None else tuple(np.array(part) for part in init(w.copy()))
        try:
            self._prepare(optimizer.method.step, "F", w, state)
        except Exception as refusal:  # the step was taken in NumPy before: whatever is raised here, numba raised
            try:
                self._prepare(optimizer.method.step, "C", w, state)
            except Exception:
                raise NotCompilable(_first_reason(refusal)) from None
        self.seconds = time.perf_counter() - began

    def _prepare(self, step: Any, order: str, w: Array, state: State) -> None:
        self._order = order
        self._walk = load_walk(step, order)
        with one_loop():
            self._take(w, state, 0, 1, LARGEST)  # a step in earnest: some orders are refused only as the code runs

    def advance(
        self, oracle: Oracle, w: Array, state: State, first: int, count: int, budget: int
    ) -> tuple[Array, State, int]:
        """Take the steps, block by block."""
        self._charged[0] = 0
        size = min(MOST, max(FEWEST, BLOCK // w[0].size // FEWEST * FEWEST))
        left = (budget - oracle.evaluations) * len(w)  # a query is charged to each run it is about
        if left < LARGEST:
            size = len(w)  # what is charged may depend on the run, and all stop at the same step
        ends = []
        for start in range(0, len(w), size):
            block = slice(start, start + size)
            ends.append(self._take(w[block], tuple(p[block] for p in state), first, count, min(left, LARGEST)))
        oracle.charge(int(self._charged[0]))
        moved = np.ascontiguousarray(np.concatenate([w for w, _, _ in ends]))
        parts = zip(*(state for _, state, _ in ends), strict=True)
        return moved, tuple(np.ascontiguousarray(np.concatenate(part)) for part in parts), ends[0][2]

    def _take(self, w: Array, state: State, first: int, count: int, budget: int) -> tuple[Array, State, int]:
        arrange = np.asfortranarray if self._order == "F" else np.ascontiguousarray
        given = arrange(w), tuple(arrange(part) for part in state)
        found: tuple[Array, State, int] = self._walk(
            self._oracle, self._charged, *given, first, count, budget, self._values
        )
        return found


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
        found, kept = step(oracle, w, state, first + taken, *values)
        w = arrange(found)
        state = arrange_all(kept)
        taken += 1
    return w, state, taken
'''


def arrange_all_fortran(state: State) -> State:
    """`as_fortran` of each array."""
    return tuple(as_fortran(part) for part in state)


def arrange_all_c(state: State) -> State:
    """`as_c` of each array."""
    return tuple(as_c(part) for part in state)


def _overload_parts(function: Any, arrange: Any) -> None:
    """Teach numba a loop over a tuple whose parts differ in type: one call after the other."""

    @overload(function)
    def over(state: Any) -> Any:
        calls = "".join(f"arrange(state[{i}])," for i in range(len(state)))
        names: dict[str, Any] = {"arrange": arrange}
        exec(f"def parts(state: Any) -> Any:\n    return ({calls})", names)  # noqa: S102
        return names["parts"]


_overload_parts(arrange_all_fortran, as_fortran)
_overload_parts(arrange_all_c, as_c)
ARRANGEMENTS = {"F": (as_fortran, arrange_all_fortran), "C": (as_c, arrange_all_c)}


@cache
def load_walk(step: Any, order: str) -> Any:
    """The compiled loop around `step`: walk(oracle, charged, w, state, first, count, budget, values).

    Args:
        step: of a plug-in.
        order: of the arrays, "F" or "C".
    """
    arrange, arrange_all = ARRANGEMENTS[order]
    names = {"step": njit(**COMPILED)(step), "arrange": arrange, "arrange_all": arrange_all}
    file = _walk_file(step, order)
    if file is None:
        exec(compile(WALK.replace(", cache=True", ""), "<walk>", "exec"), names)  # noqa: S102
        return names["walk"]
    spec = importlib.util.spec_from_file_location(f"bench_ovp_walk_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where numba looks for it when it reads compiled code back
    module.__dict__.update(names)
    spec.loader.exec_module(module)
    return module.__dict__["walk"]


def _walk_file(step: Any, order: str) -> Path | None:
    """Where the loop around `step` lives, or None where nothing can be written or the step has no source file."""
    from platformdirs import user_cache_path

    try:
        source = Path(inspect.getfile(step)).read_bytes()
        folder = user_cache_path("bench-ovp", ensure_exists=True)
        identity = json.dumps([step.__module__, step.__qualname__, order, numba.__version__, WALK])
        called = json.dumps(trace_sources(step.__module__))  # a helper of the step is compiled into it
        here = Path(__file__).read_bytes() + Path(elementwise.__file__).read_bytes()
        digest = hashlib.sha256(identity.encode() + called.encode() + here + source).hexdigest()[:16]
        file = folder / f"walk_{digest}.py"
        if not file.exists():
            file.write_text(WALK)
    except (OSError, TypeError):
        return None
    return file
