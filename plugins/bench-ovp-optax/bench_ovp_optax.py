"""Any transformation of optax, by name or composed, on exact gradients in double precision."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from annotated_types import Predicate

from bench_ovp import DriverMethod, hookimpl
from bench_ovp.calls import build
from bench_ovp.parameters import Parameter, Positive, nearest, read_options

LANES = 16  # runs that advance together; always as many, so that a run's bits do not depend on its company
# XLA's optimizer fuses and contracts multiplications with additions; without it a step rounds as optax's operations
# do one by one. Arrays are small here: it would not be faster.
PLAIN = {"xla_backend_optimization_level": 0}
NAME = re.compile(r"[A-Za-z_][\w.]*")
RATE = "learning_rate"


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """JAX on the processor in float64, in this thread and for the length of the block."""
    import jax

    enable_x64 = getattr(jax, "enable_x64", None)
    if enable_x64 is None:  # before JAX 0.8
        from jax.experimental import enable_x64
    with enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        yield


@lru_cache
def functions() -> dict[str, Callable[..., Any]]:
    """The public functions of optax, and those of optax.contrib with their prefix."""
    import optax
    import optax.contrib

    homes = (("", optax), ("contrib.", optax.contrib))
    return {
        prefix + name: function
        for prefix, home in homes
        for name, function in vars(home).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }


@lru_cache
def methods() -> dict[str, Callable[..., Any]]:
    """The functions that take a learning rate and make a whole optimizer."""
    found = {name: f for name, f in functions().items() if RATE in inspect.signature(f).parameters}
    return {name: f for name, f in found.items() if "scale_by" not in name}


def is_method(text: str) -> bool:
    """Whether `text` names or makes a transformation; ValueError says why not."""
    import optax

    if NAME.fullmatch(text):
        if text in methods():
            return True
        if text in functions():
            raise ValueError(f"{text} takes no {RATE}; compose it, such as chain({text}(…), scale(-lr))")
        raise ValueError(f"unknown optimizer of optax{nearest(text, methods())}")
    with double_precision():
        transforms = isinstance(build(text, functions(), {"lr": 0.01}), optax.GradientTransformation)
        if not transforms:
            raise ValueError("not a transformation; write one, such as chain(clip(1.0), adam(lr))")
    return True


def is_schedule(text: str) -> bool:
    """Whether `text` makes a schedule; ValueError says why not."""
    with double_precision():
        schedules = callable(build(text, functions(), {"lr": 0.01}))
        if not schedules:
            raise ValueError("not a schedule; write one, such as cosine_decay_schedule(lr, 1000)")
    return True


def declare(method: str) -> Sequence[Parameter]:
    """The arguments of an optimizer that is named; a composition holds its own."""
    return read_options(methods()[method], leave_out=(RATE,)) if NAME.fullmatch(method) else ()


def make(method: str, lr: float, schedule: str | None, options: dict[str, Any]) -> Any:
    """The transformation; `lr` in a composition stands for the schedule where there is one."""
    import optax

    rate = lr if schedule is None else build(schedule, functions(), {"lr": lr})
    if NAME.fullmatch(method):
        made = methods()[method](**{RATE: rate}, **options)
    else:
        made = build(method, functions(), {"lr": rate})
    return optax.with_extra_args_support(made)


def update(transformation: Any, asks_loss: bool) -> Callable[..., Any]:
    """One step of one run: (w, state, loss, gradient) -> (w, state)."""
    import optax

    def step(w, state, loss, grad):
        extra = {"value": loss, "grad": grad} if asks_loss else {}
        moves, state = transformation.update(grad, state, w, **extra)
        return optax.apply_updates(w, moves), state

    return step


def asks_loss(transformation: Any) -> bool:
    """Whether a step needs the loss; whatever optax says of a step is raised."""
    import jax

    w, loss = np.ones((2, 2)), np.ones(())
    state = jax.eval_shape(transformation.init, w)
    try:
        jax.eval_shape(update(transformation, False), w, state, loss, w)
    except TypeError:  # an argument is missing
        jax.eval_shape(update(transformation, True), w, state, loss, w)
        return True
    return False


def check(method: str, lr: float, schedule: str | None, **options: Any) -> None:
    """Trace a step; whatever optax says of the options is a ValueError."""
    try:
        with double_precision():
            asks_loss(make(method, lr, schedule, options))
    except Exception as error:
        told = str(error).partition("\n")[0]
        if "value_fn" in told:
            told = "a line search within the step is not offered; write lbfgs(lr, linesearch=None)"
        raise ValueError(f"{method}: {told}") from None


@lru_cache(maxsize=64)
def compiled(
    method: str, lr: float, schedule: str | None, options: tuple[tuple[str, Any], ...]
) -> tuple[Callable[..., Any], Callable[..., Any], bool]:
    """The start and the step of a block of runs, compiled once per process, and whether a step needs the loss."""
    import jax

    transformation = make(method, lr, schedule, {k: list(v) if isinstance(v, tuple) else v for k, v in options})
    asks = asks_loss(transformation)
    start, step = jax.vmap(transformation.init), jax.vmap(update(transformation, asks))
    return jax.jit(start, compiler_options=PLAIN), jax.jit(step, compiler_options=PLAIN), asks


def drive(
    oracle: Any,
    w: Any,
    checkpoints: Any,
    method: Annotated[str, Predicate(is_method)] = "adam",
    lr: Positive = 0.01,
    schedule: Annotated[str, Predicate(is_schedule)] | None = None,
    **options: Any,
) -> None:
    """A transformation of optax, in double precision, compiled by JAX, with the exact gradient.

    Args:
        method: an optimizer by its name in optax, whose arguments are parameters too; or a composition, such as
            chain(clip_by_global_norm(1.0), adam(lr)), which holds all its arguments.
        lr: learning rate, units of time per iteration.
        schedule: takes the place of lr in the method, such as cosine_decay_schedule(lr, 1000).

    Source: DeepMind (2020), The DeepMind JAX ecosystem; each function's page names its source.
    """
    with double_precision():
        values = tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in options.items())
        start, step, asks = compiled(method, lr, schedule, values)
        blocks = [slice(first, first + LANES) for first in range(0, len(w), LANES)]
        states = [start(widen(w[block])) for block in blocks]
        nothing = np.zeros(len(w))
        for k in range(1, int(checkpoints.horizon) + 1):
            loss, grad = oracle.loss_and_grad(w) if asks else (nothing, oracle.grad(w))
            new = np.empty_like(w)
            for i, block in enumerate(blocks):
                moved, states[i] = step(widen(w[block]), states[i], widen(loss[block]), widen(grad[block]))
                new[block] = np.asarray(moved)[: len(w[block])]
            w = new
            checkpoints.record(k, w)


def widen(rows: Any) -> Any:
    """`rows` (runs, …) with the last one repeated up to LANES runs."""
    return np.concatenate([rows, np.repeat(rows[-1:], LANES - len(rows), axis=0)])


OPTAX = DriverMethod(
    "optax", drive, clock="lr", batched=True, options=declare, check=check, libraries=("optax", "jax", "jaxlib")
)


@hookimpl
def bench_ovp_optimizers() -> list[DriverMethod]:
    """One method, which is all of optax's."""
    return [OPTAX]
