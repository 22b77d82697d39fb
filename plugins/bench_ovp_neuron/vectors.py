"""Vectors of runs: numbers of WIDTH runs side by side in one register, as a type that numba knows.

Left to the compiler, loops over runs become vector instructions or not, and accumulators go through memory. Here a
function says what it means: `a = load(x, i)` holds one number of each of WIDTH runs, and `a * b`, `fma(a, b, c)`,
`root(a)`, `where(a < b, a, b)` work on all of them. The arithmetic is strict IEEE, run by run, so that a run's bits
depend neither on its neighbours nor on how wide the machine's registers are. Multiply-adds are fused where `fma`
says so and nowhere else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

# Numbers side by side: a register of AVX-512, two of AVX2. With 16, 64 runs of n = 2 would take a tenth less time on
# AVX-512, for chains of operations overlap, but 8 runs of any n, a usual number of seeds, would take twice as long.
WIDTH = 8

# No `fastmath`: a NaN must be seen, and fused operations left to the compiler would depend on what it inlines, which
# differs between freshly compiled code and code from the cache.
COMPILED: dict[str, Any] = {"error_model": "numpy", "cache": True}
INLINED: dict[str, Any] = {**COMPILED, "forceinline": True}

VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
ALIGNMENT = 8  # of a double: batches come from anywhere


class Lanes(types.Type):
    """numba's type of one number for each of WIDTH runs."""


class Choice(types.Type):
    """numba's type of one truth value for each of WIDTH runs."""


LANES = Lanes("Lanes")
CHOICE = Choice("Choice")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """A vector of doubles."""

    def __init__(self, manager: Any, kind: types.Type) -> None:
        super().__init__(manager, kind, VECTOR)


@register_model(Choice)
class ChoiceModel(models.PrimitiveModel):
    """A vector of bits."""

    def __init__(self, manager: Any, kind: types.Type) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), WIDTH))


@intrinsic
def load(context, address, index):
    """WIDTH numbers from `index` on behind the address of an array's data; nothing is checked.

    An address, not the array: numba counts references to an array that is handed on, at the cost of a pair of neurons.
    Who takes the address keeps the array.
    """

    def generate(context, builder, signature, values):
        return builder.load(_point(builder, *values), align=ALIGNMENT)

    return LANES(types.intp, types.intp), generate


@intrinsic
def store(context, address, index, lanes):
    """Put WIDTH numbers from `index` on behind an address; nothing is checked."""

    def generate(context, builder, signature, values):
        address, index, lanes = values
        builder.store(lanes, _point(builder, address, index), align=ALIGNMENT)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, LANES), generate


@intrinsic
def get(context, address, index):
    """One number behind an address."""

    def generate(context, builder, signature, values):
        return builder.load(_place(builder, *values))

    return types.float64(types.intp, types.intp), generate


@intrinsic
def put(context, address, index, number):
    """Put one number behind an address."""

    def generate(context, builder, signature, values):
        address, index, number = values
        builder.store(number, _place(builder, address, index))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.float64), generate


@intrinsic
def pick(context, lanes, lane):
    """The number of one run."""

    def generate(context, builder, signature, values):
        return builder.extract_element(*values)

    return types.float64(LANES, types.intp), generate


@intrinsic
def locate(context, array):
    """The address of an array's data."""

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), generate


@intrinsic
def spread(context, number):
    """The same number for each run."""

    def generate(context, builder, signature, values):
        return _spread(context, builder, values[0], signature.args[0])

    return LANES(number), generate


@intrinsic
def fma(context, a, b, c):
    """a·b + c with one rounding."""

    def generate(context, builder, signature, values):
        lifted = [_spread(context, builder, value, kind) for value, kind in zip(values, signature.args, strict=True)]
        return _call(builder, "fma", lifted)

    return LANES(a, b, c), generate


@intrinsic
def root(context, lanes):
    """The square root."""

    def generate(context, builder, signature, values):
        return _call(builder, "sqrt", list(values))

    return LANES(LANES), generate


@intrinsic
def magnitude(context, lanes):
    """The absolute value."""

    def generate(context, builder, signature, values):
        return _call(builder, "fabs", list(values))

    return LANES(LANES), generate


@intrinsic
def where(context, choice, a, b):
    """a where `choice`, else b."""

    def generate(context, builder, signature, values):
        kinds = signature.args[1:]
        a, b = (_spread(context, builder, value, kind) for value, kind in zip(values[1:], kinds, strict=True))
        return builder.select(values[0], a, b)

    return LANES(CHOICE, a, b), generate


@intrinsic
def any_of(context, choice):
    """Whether it holds for some run."""

    def generate(context, builder, signature, values):
        bits = builder.bitcast(values[0], ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(CHOICE), generate


@intrinsic
def lanes_before(context, count):
    """True for the first `count` runs."""

    def generate(context, builder, signature, values):
        numbers = ir.Constant(ir.VectorType(ir.IntType(64), WIDTH), list(range(WIDTH)))
        return builder.icmp_signed("<", numbers, _repeat(builder, values[0]))

    return CHOICE(types.intp), generate


def _define(symbol: Any, emit: Callable[..., Any], result: types.Type) -> None:
    """Teach numba a binary operator between lanes, and between lanes and a number."""

    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            known = all(kind == LANES or isinstance(kind, types.Number) for kind in args)
            return signature(result, *args) if known and LANES in args else None

    infer_global(symbol)(Template)

    def generate(context, builder, signature, values):
        kinds = signature.args
        return emit(builder, *(_spread(context, builder, v, kind) for v, kind in zip(values, kinds, strict=True)))

    for pair in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(symbol, *pair)(generate)


_define(operator.add, lambda builder, a, b: builder.fadd(a, b), LANES)
_define(operator.sub, lambda builder, a, b: builder.fsub(a, b), LANES)
_define(operator.mul, lambda builder, a, b: builder.fmul(a, b), LANES)
_define(operator.truediv, lambda builder, a, b: builder.fdiv(a, b), LANES)
_define(operator.lt, lambda builder, a, b: builder.fcmp_ordered("<", a, b), CHOICE)
_define(operator.gt, lambda builder, a, b: builder.fcmp_ordered(">", a, b), CHOICE)


def _place(builder: Any, address: Any, index: Any) -> Any:
    return builder.gep(builder.inttoptr(address, ir.DoubleType().as_pointer()), [index])


def _point(builder: Any, address: Any, index: Any) -> Any:
    return builder.bitcast(_place(builder, address, index), VECTOR.as_pointer())


def _spread(context: Any, builder: Any, value: Any, kind: types.Type) -> Any:
    """Lanes as they are, a number in every lane."""
    if kind == LANES:
        return value
    return _repeat(builder, context.cast(builder, value, kind, types.float64))


def _repeat(builder: Any, value: Any) -> Any:
    """A number of whatever type in every lane."""
    nothing = ir.Constant(ir.VectorType(value.type, WIDTH), ir.Undefined)
    single = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(single, nothing, first)


def _call(builder: Any, name: str, values: list[Any]) -> Any:
    shape = ir.FunctionType(VECTOR, [VECTOR] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, shape, f"llvm.{name}.v{WIDTH}f64"), values)
