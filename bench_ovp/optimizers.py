"""Optimizers: a method, in one of two forms, and its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from .errors import InputError
from .parameters import Description, Parameter, complete, describe, label, read_parameters

Clock = Literal["lr", "iteration", "time"]


@dataclass(frozen=True)
class StepMethod:
    """A method given by one step, which the host repeats over all runs at once.

        init(w)                            -> state, a tuple of arrays with a leading run axis
        step(oracle, w, state, k, lr=0.1)  -> w, state
        recurrence(lr=0.1)                 -> rho, sigma

    `w` has shape (runs, n, d); `oracle.grad(w)`, `oracle.loss(w)` and `oracle.loss_and_grad(w)` may be asked
    anywhere and as often as wanted, `oracle.hessian(w)` and `oracle.gauss_newton(w)` too, and each query is
    charged. `k` counts steps from 0. Arguments behind `k` are the method's parameters, with their defaults.
    The step must return new arrays and treat runs independently. Written in the part of NumPy that numba
    knows, it is compiled; otherwise it runs in NumPy.

    Args:
        name: as suites call it, such as "heavy-ball".
        step: the update; its docstring (summary, Args with units, Source) is the method's documentation.
        init: makes the state before step 0; None for a method without state.
        family: the name under which problems know a theory for it, such as "gradient-descent".
        rotation_equivariant: whether the step commutes with rotations of the d coordinates.
        isometry_equivariant: whether it commutes with all isometries of the n·d coordinates: with translations, and
            with rotations that mix students. It then commutes with those of the d coordinates, too.
        compile: False for a step that is known to need NumPy (a factorisation per run, say).
        recurrence: of a method whose iterates obey Σⱼ rho[j] w_{k+1−j} = −Σⱼ sigma[j] ∇L(w_{k+1−j}), with factors
            that depend on the parameters alone: the pair (rho, sigma). Its runs are carried to far horizons.
    """

    name: str
    step: Callable[..., Any]
    init: Callable[..., tuple[Any, ...]] | None = None
    family: str = ""
    rotation_equivariant: bool = False
    isometry_equivariant: bool = False
    compile: bool = True
    recurrence: Callable[..., tuple[Sequence[float], Sequence[float]]] | None = None

    def __post_init__(self) -> None:
        if self.isometry_equivariant:
            object.__setattr__(self, "rotation_equivariant", True)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What a suite may set."""
        return read_parameters(self.step, skip=4)

    @cached_property
    def description(self) -> Description:
        """What the docstring of the step says."""
        return describe(self.step)

    def parameters_for(self, given: Mapping[str, Any]) -> tuple[Parameter, ...]:
        """What a suite may set beside `given`: always the same."""
        return self.parameters

    @property
    def clock(self) -> Clock:
        """What a unit of `time` is: lr·iteration where there is an lr, else the iteration."""
        return "lr" if any(p.name == "lr" for p in self.parameters) else "iteration"


@dataclass(frozen=True)
class DriverMethod:
    """A method that owns its loop: a flow, or an optimizer of another library.

        drive(oracle, w, checkpoints, rtol=1e-8)

    The driver starts from `w`, shape (runs, n, d), asks the counted `oracle`, and calls
    `checkpoints.record(position, w)` with its iteration or time, at least at each of `checkpoints.positions`;
    other positions cost nothing and are left out. The host raises `bench_ovp.Stop` there when all runs have
    ended. To end early, return a sentence that says why.

    A method whose parameters depend on others, such as an adapter of a library with many methods, takes
    `**options` and declares them:

        options(method)                           -> the further parameters, a sequence of Parameter
        check(method="adam", lr=0.1, **options)   -> ValueError where the values do not go together

    Args:
        name: as suites call it, such as "gradient-flow".
        drive: the loop; its docstring is the method's documentation.
        clock: "time" for a flow, whose positions are times; "iteration" or "lr" (time = lr·iteration).
        family: the name under which problems know a theory for it.
        batched: whether it is handed all runs at once; otherwise one at a time, with a run axis of length 1.
            A function of all parameters, by name, where it depends on them.
        rotation_equivariant: whether it commutes with rotations of the d coordinates.
        isometry_equivariant: whether it commutes with all isometries of the n·d coordinates.
        rtol: relative error that its own tolerances leave in the loss; 0 where it has none.
        options: declares parameters that depend on others: its arguments name those that decide.
        check: called with all values, by name, where they are written.
        libraries: distributions whose versions its numbers depend on.
    """

    name: str
    drive: Callable[..., str | None]
    clock: Clock = "iteration"
    family: str = ""
    batched: bool | Callable[..., bool] = False
    rotation_equivariant: bool = False
    isometry_equivariant: bool = False
    rtol: float = 0.0
    options: Callable[..., Sequence[Parameter]] | None = None
    check: Callable[..., object] | None = None
    libraries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.isometry_equivariant:
            object.__setattr__(self, "rotation_equivariant", True)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What a suite may set; `parameters_for` adds the options."""
        return read_parameters(self.drive, skip=3, options=self.options is not None)

    @cached_property
    def deciding(self) -> tuple[Parameter, ...]:
        """The parameters by which the options go."""
        if self.options is None:
            return ()
        known = {p.name: p for p in self.parameters}
        return tuple(known[name] for name in inspect.signature(self.options).parameters)

    def parameters_for(self, given: Mapping[str, Any]) -> tuple[Parameter, ...]:
        """What a suite may set beside `given`, options included."""
        if self.options is None:
            return self.parameters
        names = {p.name for p in self.deciding}
        values = complete(self.deciding, {k: v for k, v in given.items() if k in names}, self.name)
        try:
            return (*self.parameters, *self.options(**values))
        except ValueError as error:
            raise InputError(f"{self.name}: {error}") from None

    def settle(self, values: Mapping[str, Any]) -> DriverMethod:
        """The method for these values: checked, and known to be batched or not."""
        try:
            if self.check is not None:
                self.check(**values)
        except ValueError as error:
            raise InputError(f"{self.name}: {error}") from None
        return replace(self, batched=self.batched(**values)) if callable(self.batched) else self

    @cached_property
    def description(self) -> Description:
        """What the docstring of the driver says."""
        return describe(self.drive)


Method: TypeAlias = StepMethod | DriverMethod


def name_for(method: Method, given: Mapping[str, Any]) -> str:
    """What messages call a method: its name, with what decides its options."""
    deciding = {p.name for p in method.deciding} if isinstance(method, DriverMethod) else set()
    return label(method.name, {name: value for name, value in given.items() if name in deciding})


@dataclass(frozen=True)
class Optimizer:
    """A method with values for its parameters.

    Args:
        method: what it does.
        given: the parameters that were given, in their order.
        alias: the label a user chose for it, if any.
    """

    method: Method
    given: Mapping[str, Any] = field(default_factory=dict)
    alias: str | None = None

    def __post_init__(self) -> None:
        values = self.parameters  # refuse bad values where they are written, not where they are used
        if isinstance(self.method, DriverMethod):
            object.__setattr__(self, "method", self.method.settle(values))

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Every parameter's value, defaults and options included."""
        return complete(self.method.parameters_for(self.given), self.given, name_for(self.method, self.given))

    @property
    def name(self) -> str:
        """The method's name."""
        return self.method.name

    @property
    def label(self) -> str:
        """How tables call it."""
        return self.alias if self.alias is not None else label(self.name, self.given)

    @property
    def rtol(self) -> float:
        """The relative error that each loss of a trace may have, rounding aside."""
        return self.method.rtol if isinstance(self.method, DriverMethod) else 0.0

    @property
    def time_per_iteration(self) -> float:
        """Units of nominal time per iteration: lr where the method has one, else 1."""
        return float(self.parameters["lr"]) if self.method.clock == "lr" else 1.0
