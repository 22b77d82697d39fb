"""Vectors of runs: numbers of some runs side by side, as a type that numba knows.

Left to the compiler, loops over runs become vector instructions or not, and accumulators go through memory. Here a
function says what it means: `a = load(x, i)` holds one number of each of 8 or 16 runs, and `a * b`, `fma(a, b, c)`,
`root(a)`, `where(a < b, a, b)` work on all of them. How many they are is known of the address x. The arithmetic is
strict IEEE, run by run, so that a run's bits depend neither on its neighbours nor on how wide the machine's registers
are. Multiply-adds are fused where `fma` says so and nowhere else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

WIDTH = 8  # numbers side by side: a register of AVX-512, two of AVX2
# Twice as many let chains of operations overlap. That pays where nearly all is done in registers, and where runs fill
# them: eight runs, a usual number of seeds, would take twice as long.
WIDE = 16

# No `fastmath`: a NaN must be seen, and fused operations left to the compiler would depend on what it inlines, which
# differs between freshly compiled code and code from the cache.
COMPILED: dict[str, Any] = {"error_model": "numpy", "cache": True}
INLINED: dict[str, Any] = {**COMPILED, "forceinline": True}

ALIGNMENT = 8  # of a double: batches come from anywhere


class Address(types.Type):
    """numba's type of a place in memory from where numbers of `width` runs are taken side by side."""

    def __init__(self, width: int) -> None:
        super().__init__(f"Address({width})")
        self.width = width


class Lanes(types.Type):
    """numba's type of one number for each of `width` runs."""

    def __init__(self, width: int) -> None:
        super().__init__(f"Lanes({width})")
        self.width = width


class Choice(types.Type):
    """numba's type of one truth value for each of `width` runs."""

    def __init__(self, width: int) -> None:
        super().__init__(f"Choice({width})")
        self.width = width


@register_model(Address)
class AddressModel(models.PrimitiveModel):
    """A number."""

    def __init__(self, manager: Any, kind: Address) -> None:
        super().__init__(manager, kind, ir.IntType(64))


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """A vector of doubles."""

    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.DoubleType(), kind.width))


@register_model(Choice)
class ChoiceModel(models.PrimitiveModel):
    """A vector of bits."""

    def __init__(self, manager: Any, kind: Choice) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), kind.width))


@intrinsic
def narrow(context, address):
    """An address from where WIDTH numbers are taken at a time."""
    return Address(WIDTH)(address), _take_first


@intrinsic
def wide(context, address):
    """An address from where WIDE numbers are taken at a time."""
    return Address(WIDE)(address), _take_first


@intrinsic
def alike(context, address, other):
    """An address from where as many numbers are taken at a time as from another."""
    return other(address, other), _take_first


@intrinsic
def width(context, address):
    """How many numbers are taken at a time."""

    def generate(context, builder, signature, values):
        return ir.Constant(ir.IntType(64), signature.args[0].width)

    return types.intp(address), generate


@intrinsic
def load(context, address, index):
    """The numbers from `index` on behind the address of an array's data; nothing is checked.

    An address, not the array: numba counts references to an array that is handed on, at the cost of a pair of neurons.
    Who takes the address keeps the array.
    """

    def generate(context, builder, signature, values):
        return builder.load(_point(builder, *values, address.width), align=ALIGNMENT)

    return Lanes(address.width)(address, types.intp), generate


@intrinsic
def store(context, address, index, lanes):
    """Put numbers from `index` on behind an address; nothing is checked."""

    def generate(context, builder, signature, values):
        place, index, numbers = values
        builder.store(numbers, _point(builder, place, index, address.width), align=ALIGNMENT)
        return context.get_dummy_value()

    return types.void(address, types.intp, Lanes(address.width)), generate


@intrinsic
def get(context, address, index):
    """One number behind an address."""

    def generate(context, builder, signature, values):
        return builder.load(_place(builder, *values))

    return types.float64(address, types.intp), generate


@intrinsic
def put(context, address, index, number):
    """Put one number behind an address."""

    def generate(context, builder, signature, values):
        place, index, number = values
        builder.store(number, _place(builder, place, index))
        return context.get_dummy_value()

    return types.void(address, types.intp, types.float64), generate


@intrinsic
def pick(context, lanes, lane):
    """The number of one run."""

    def generate(context, builder, signature, values):
        return builder.extract_element(*values)

    return types.float64(lanes, types.intp), generate


@intrinsic
def locate(context, array):
    """The address of an array's data."""

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), generate


@intrinsic
def spread(context, address, number):
    """The same number for each of the runs that an address takes at a time."""

    def generate(context, builder, signature, values):
        return _spread(context, builder, values[1], signature.args[1], address.width)

    return Lanes(address.width)(address, number), generate


@intrinsic
def fma(context, a, b, c):
    """a·b + c with one rounding."""

    count = _find_width((a, b, c))

    def generate(context, builder, signature, values):
        kinds = signature.args
        lifted = [_spread(context, builder, value, kind, count) for value, kind in zip(values, kinds, strict=True)]
        return _call(builder, "fma", lifted, count)

    return Lanes(count)(a, b, c), generate


@intrinsic
def root(context, lanes):
    """The square root."""

    def generate(context, builder, signature, values):
        return _call(builder, "sqrt", list(values), lanes.width)

    return lanes(lanes), generate


@intrinsic
def magnitude(context, lanes):
    """The absolute value."""

    def generate(context, builder, signature, values):
        return _call(builder, "fabs", list(values), lanes.width)

    return lanes(lanes), generate


@intrinsic
def where(context, choice, a, b):
    """a where `choice`, else b."""

    def generate(context, builder, signature, values):
        kinds = signature.args[1:]
        one, other = (
            _spread(context, builder, value, kind, choice.width) for value, kind in zip(values[1:], kinds, strict=True)
        )
        return builder.select(values[0], one, other)

    return Lanes(choice.width)(choice, a, b), generate


@intrinsic
def any_of(context, choice):
    """Whether it holds for some run."""

    def generate(context, builder, signature, values):
        bits = builder.bitcast(values[0], ir.IntType(choice.width))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(choice), generate


@intrinsic
def lanes_before(context, address, count):
    """True for the first `count` of the runs that an address takes at a time."""

    def generate(context, builder, signature, values):
        lanes = address.width
        numbers = ir.Constant(ir.VectorType(ir.IntType(64), lanes), list(range(lanes)))
        return builder.icmp_signed("<", numbers, _repeat(builder, values[1], lanes))

    return Choice(address.width)(address, types.intp), generate


def _define(symbol: Any, emit: Callable[..., Any], result: type[Lanes | Choice]) -> None:
    """Teach numba a binary operator between lanes, and between lanes and a number."""

    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            known = all(isinstance(kind, Lanes | types.Number) for kind in args)
            count = _find_width(args)
            return signature(result(count), *args) if known and count else None

    infer_global(symbol)(Template)

    def generate(context, builder, signature, values):
        kinds = signature.args
        count = _find_width(kinds)
        return emit(
            builder, *(_spread(context, builder, v, kind, count) for v, kind in zip(values, kinds, strict=True))
        )

    for pair in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(symbol, *pair)(generate)


_define(operator.add, lambda builder, a, b: builder.fadd(a, b), Lanes)
_define(operator.sub, lambda builder, a, b: builder.fsub(a, b), Lanes)
_define(operator.mul, lambda builder, a, b: builder.fmul(a, b), Lanes)
_define(operator.truediv, lambda builder, a, b: builder.fdiv(a, b), Lanes)
_define(operator.lt, lambda builder, a, b: builder.fcmp_ordered("<", a, b), Choice)
_define(operator.gt, lambda builder, a, b: builder.fcmp_ordered(">", a, b), Choice)


def _find_width(kinds: Sequence[types.Type]) -> int:
    """How many runs the lanes among some types are of; 0 where there are none, or where they differ."""
    found = {kind.width for kind in kinds if isinstance(kind, Lanes)}
    return found.pop() if len(found) == 1 else 0


def _take_first(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return values[0]


def _place(builder: Any, address: Any, index: Any) -> Any:
    return builder.gep(builder.inttoptr(address, ir.DoubleType().as_pointer()), [index])


def _point(builder: Any, address: Any, index: Any, count: int) -> Any:
    return builder.bitcast(_place(builder, address, index), ir.VectorType(ir.DoubleType(), count).as_pointer())


def _spread(context: Any, builder: Any, value: Any, kind: types.Type, count: int) -> Any:
    """Lanes as they are, a number in every lane."""
    if isinstance(kind, Lanes):
        return value
    return _repeat(builder, context.cast(builder, value, kind, types.float64), count)


def _repeat(builder: Any, value: Any, count: int) -> Any:
    """A number of whatever type in every lane."""
    nothing = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    single = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(single, nothing, first)


def _call(builder: Any, name: str, values: list[Any], count: int) -> Any:
    vector = ir.VectorType(ir.DoubleType(), count)
    shape = ir.FunctionType(vector, [vector] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, shape, f"llvm.{name}.v{count}f64"), values)
