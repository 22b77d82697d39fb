"""Array expressions over arrays of one shape, as one loop.

numba's loop over an expression such as `w - lr * g + beta * (w - before)` asks at each element, for each array and
axis, whether it is broadcast. With more than two arrays LLVM no longer moves that out of the loop, and nothing
becomes a vector instruction. Here it is asked once per expression, and arrays of one shape and order are walked as
they lie in memory. The arithmetic is the same, element by element, and so are the bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import cgutils, types
from numba.core.imputils import impl_ret_new_ref
from numba.np import npyimpl

NEEDED = ("numpy_ufunc_kernel", "_prepare_argument", "_build_array", "_ufunc_loop_sig", "_ArrayHelper")


@contextmanager
def one_loop() -> Iterator[None]:
    """What numba compiles meanwhile takes array expressions in one loop.

    It hooks into a part of numba that is not public; where that is gone, expressions are compiled as ever.
    """
    if not all(hasattr(npyimpl, name) for name in NEEDED):
        yield
        return
    usual = npyimpl.numpy_ufunc_kernel

    def generate(context: Any, builder: Any, sig: Any, args: Any, ufunc: Any, kernel_class: Any) -> Any:
        if ufunc.nout != 1 or len(sig.args) != ufunc.nin or not _lie_alike(sig):
            return usual(context, builder, sig, args, ufunc, kernel_class)
        return _generate(context, builder, sig, args, kernel_class)

    npyimpl.numpy_ufunc_kernel = generate
    try:
        yield
    finally:
        npyimpl.numpy_ufunc_kernel = usual


def _lie_alike(sig: Any) -> bool:
    """Whether the result and at least one argument are arrays, and all arrays are of one order and as many axes."""
    if not all(isinstance(kind, types.Array | types.Number) for kind in (sig.return_type, *sig.args)):
        return False
    arrays = [kind for kind in (sig.return_type, *sig.args) if isinstance(kind, types.Array)]
    orders = {(kind.layout, kind.ndim) for kind in arrays}
    several = isinstance(sig.return_type, types.Array) and len(arrays) > 1
    return several and len(orders) == 1 and arrays[0].layout in "CF"


def _generate(context: Any, builder: Any, sig: Any, args: Any, kernel_class: Any) -> Any:
    inputs = [npyimpl._prepare_argument(context, builder, *pair) for pair in zip(args, sig.args, strict=True)]
    output = npyimpl._build_array(context, builder, sig.return_type, sig.args, inputs)
    arrays = [each for each in inputs if isinstance(each, npyimpl._ArrayHelper)]
    outer = npyimpl._ufunc_loop_sig([output.base_type], [each.base_type for each in inputs])
    kernel = kernel_class(context, builder, outer)

    alike = cgutils.true_bit
    count = context.get_constant(types.intp, 1)
    for axis, extent in enumerate(output.shape):
        count = builder.mul(count, extent)
        for each in arrays:
            alike = builder.and_(alike, builder.icmp_signed("==", each.shape[axis], extent))
    with builder.if_else(alike) as (same, mixed):
        with same, cgutils.for_range(builder, count) as loop:
            values = [_load(context, builder, each, loop.index) for each in inputs]
            _store(context, builder, output, loop.index, kernel.generate(*values))
        with mixed:
            indices = [each.create_iter_indices() for each in inputs]
            index_type = context.get_value_type(types.intp)
            with cgutils.loop_nest(builder, output.shape, index_type, order=output.layout) as places:
                values = []
                for number, (index, each) in enumerate(zip(indices, inputs, strict=True)):
                    index.update_indices(places, number)
                    values.append(each.load_data(index.as_values()))
                output.store_data(places, kernel.generate(*values))
    return impl_ret_new_ref(context, builder, sig.return_type, output.return_val)


def _load(context: Any, builder: Any, helper: Any, place: Any) -> Any:
    if not isinstance(helper, npyimpl._ArrayHelper):
        return helper.load_data(())
    model = context.data_model_manager[helper.base_type]
    return model.load_from_data_pointer(builder, builder.gep(helper.data, [place]))


def _store(context: Any, builder: Any, helper: Any, place: Any, value: Any) -> None:
    stored = context.get_value_as_data(builder, helper.base_type, value)
    builder.store(stored, builder.gep(helper.data, [place]))
