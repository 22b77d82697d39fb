"""Problems: what a plug-in defines, and what the host and its users hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .parameters import Description, Parameter, complete, describe, label, load_matrix, read_parameters

Array = NDArray[np.float64]


class Theory(NamedTuple):
    """A law that is known.

    Args:
        law: as in the results.
        value: its exponent or rate, in nominal time; NaN for a law without one.
        source: who proved it.
    """

    law: str
    value: float
    source: str


class Kernels(NamedTuple):
    """Compiled forms of a problem, for the compiled engine.

    Each is a numba function `kernel(constants, w)` of a vector of the problem's constants and a batch w (runs, n, d)
    in Fortran order: runs are innermost, so that loops over them become vector instructions. Both are left
    unchanged. The gradient comes in Fortran order too (numpy.zeros_like(w) is), and a run's result must be bitwise
    the same whatever else is in the batch.

    Args:
        constants: the vector that each kernel is handed.
        loss: the losses, shape (runs,).
        grad: the gradients, the shape of w.
        loss_and_grad: the pair.
    """

    constants: Array
    loss: Callable[..., Any]
    grad: Callable[..., Any]
    loss_and_grad: Callable[..., Any]


class ProblemDefinition(Protocol):
    """What a plug-in's problem class offers; its constructor's signature declares the parameters.

    All arrays have a leading run axis. Beyond the required methods a class may define

        hessian(w), gauss_newton(w)   -> (runs, n·d, n·d)
        observe(w)                    -> a dict of further columns of the trace, each (runs,)
        theory(family, parameters)    -> the Theory of a method of that family, or None
        degenerate(w)                 -> (runs,) of bool: where the loss has no gradient
        reduce(w)                     -> an equivalent start in fewer dimensions, for methods that commute
                                         with rotations; loss, gradient norm and observables are unchanged
        recenter(w)                   -> an object that defines the same problem in coordinates that are more
                                         precise, and w in them, for methods that commute with isometries; or None
        hold(w, memory)               -> for a flow, at one state w (n, d): where parts of it are drawn to a point
                                         without a gradient and held there, an object that defines the problem
                                         without these parts, and the state there; None where nothing is held.
                                         The object has `memory`, a float64 array from which hold makes it again,
                                         margin(w), positive for as long as the parts are held, and release(w),
                                         the problem's object and the state in which they leave
        kernels()                     -> Kernels for the compiled engine
        resolution                    -> the smallest loss that double precision resolves
        partial                       -> names of observables that are NaN where they do not exist
        same_start                    -> True where all seeds are meant to start at one point

    Args:
        name: as suites call it.
    """

    name: ClassVar[str]

    def start(self, seeds: Sequence[int]) -> Array:
        """The starting points of `seeds`, shape (runs, n, d)."""
        ...

    def loss(self, w: Array) -> Array:
        """The loss, shape (runs,), never below its minimum 0."""
        ...

    def grad(self, w: Array) -> Array:
        """The gradient, the shape of `w`."""
        ...


@dataclass(frozen=True)
class Problem:
    """A problem with values for its parameters. Methods take (runs, n, d), or a single (n, d).

    Args:
        definition: the plug-in's class.
        given: the parameters that were given, in their order.
        recentered: the plug-in's object in other coordinates, where these are used.
    """

    definition: type[ProblemDefinition]
    given: Mapping[str, Any] = field(default_factory=dict)
    recentered: Any = None

    def __post_init__(self) -> None:
        _ = self.instance  # refuse bad values where they are written, not where they are used

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Every parameter's value, defaults included."""
        return complete(parameters_of(self.definition), self.given, self.definition.name)

    @cached_property
    def instance(self) -> Any:
        """The plug-in's own object."""
        if self.recentered is not None:
            return self.recentered
        loaded = {k: load_matrix(v) if isinstance(v, Path) else v for k, v in self.parameters.items()}
        try:
            return self.definition(**loaded)
        except ValueError as error:
            raise InputError(f"{self.name}: {error}") from None

    @property
    def name(self) -> str:
        """The problem's name, without parameters."""
        return self.definition.name

    @cached_property
    def label(self) -> str:
        """How tables call it."""
        return label(self.name, self.given)

    @property
    def resolution(self) -> float:
        """The smallest loss that double precision resolves; 0 where the problem does not say."""
        return float(getattr(self.instance, "resolution", 0.0))

    @property
    def kernels(self) -> Kernels | None:
        """Compiled forms, or None."""
        return self.instance.kernels() if hasattr(self.instance, "kernels") else None

    def start(self, seeds: Iterable[int] | int) -> Array:
        """Starting points, shape (runs, n, d); the same for every optimizer. A number means 0 … seeds − 1."""
        listed = list(range(seeds)) if isinstance(seeds, int) else [int(s) for s in seeds]
        return np.ascontiguousarray(self.instance.start(listed), dtype=np.float64)

    def loss(self, w: Array) -> Any:
        """The loss, shape (runs,) or a number."""
        return self._batched("loss", w)

    def grad(self, w: Array) -> Array:
        """The gradient, the shape of `w`."""
        return np.asarray(self._batched("grad", w))

    def hessian(self, w: Array) -> Array:
        """The Hessian, shape (runs, n·d, n·d) or (n·d, n·d)."""
        return np.asarray(self._batched("hessian", w))

    def gauss_newton(self, w: Array) -> Array:
        """The Gauss–Newton matrix, shape (runs, n·d, n·d) or (n·d, n·d)."""
        return np.asarray(self._batched("gauss_newton", w))

    def observe(self, w: Array) -> dict[str, Any]:
        """What the problem observes along a run, by name, each (runs,) or a number."""
        if not hasattr(self.instance, "observe"):
            return {}
        if np.ndim(w) == 2:
            return {name: column[0] for name, column in self.instance.observe(np.asarray(w)[None]).items()}
        return dict(self.instance.observe(w))

    def degenerate(self, w: Array) -> NDArray[np.bool_]:
        """Where the loss has no gradient, shape (runs,)."""
        if not hasattr(self.instance, "degenerate"):
            return np.zeros(len(w), dtype=bool)
        return np.asarray(self.instance.degenerate(w))

    def reduce(self, w: Array) -> Array:
        """An equivalent start in fewer dimensions, for methods that commute with rotations."""
        if not hasattr(self.instance, "reduce"):
            return w
        return np.ascontiguousarray(self.instance.reduce(w))

    def recenter(self, w: Array) -> tuple[Problem, Array]:
        """This problem and `w` in the plug-in's more precise coordinates; as they are where it has none.

        What follows from one to the other is an isometry of the n·d coordinates.
        """
        found = self.instance.recenter(w) if hasattr(self.instance, "recenter") else None
        if found is None:
            return self, w
        instance, x = found
        return replace(self, recentered=instance), np.ascontiguousarray(x)

    def hold(self, w: Array, memory: Array | None = None) -> tuple[Problem, Array] | None:
        """This problem without the parts of `w` (n, d) that its flow holds at a point without a gradient, and w there.

        Args:
            w: a state of one run.
            memory: what `held` was; then w is in the coordinates that belong to it already.
        Returns:
            None where nothing is held.
        """
        found = self.instance.hold(w, memory) if hasattr(self.instance, "hold") else None
        if found is None:
            return None
        instance, x = found
        return replace(self, recentered=instance), np.ascontiguousarray(x)

    @property
    def held(self) -> Array | None:
        """The memory of what is held, for `hold`; None where nothing is."""
        return getattr(self.instance, "memory", None)

    def margin(self, w: Array) -> float:
        """Positive for as long as what is held is not let go; w (m, d)."""
        return float(self.instance.margin(w))

    def release(self, w: Array) -> tuple[Problem, Array]:
        """This problem with all its parts, and a state in which those that were held have left; w (m, d)."""
        instance, x = self.instance.release(w)
        return replace(self, recentered=instance), np.ascontiguousarray(x)

    def theory(self, family: str, parameters: Mapping[str, Any]) -> Theory | None:
        """The law known for a method of `family` with `parameters`, if there is one."""
        found = self.instance.theory(family, parameters) if hasattr(self.instance, "theory") else None
        return found if found is None else Theory(*found)

    def _batched(self, quantity: str, w: Array) -> Any:
        compute = getattr(self.instance, quantity, None)
        if compute is None:
            raise InputError(f"{self.name} offers no {quantity}; its plug-in would have to define it")
        w = np.ascontiguousarray(w, dtype=np.float64)
        return compute(w[None])[0] if w.ndim == 2 else compute(w)


def parameters_of(definition: type[ProblemDefinition]) -> tuple[Parameter, ...]:
    """The parameters that a problem class's constructor declares."""
    return read_parameters(definition, skip=0)


def description_of(definition: type[ProblemDefinition]) -> Description:
    """What the class's docstring says."""
    return describe(definition)
