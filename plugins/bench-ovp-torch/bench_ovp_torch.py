"""Any class of `torch.optim`, with its schedulers, on exact gradients in double precision."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from annotated_types import Predicate

from bench_ovp import DriverMethod, hookimpl
from bench_ovp.calls import build
from bench_ovp.parameters import Parameter, Positive, nearest, read_options

# What these do to a coordinate depends on that coordinate alone, so all runs can share one tensor.
ELEMENTWISE = frozenset(
    ("ASGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD")
)
WATCHES_LOSS = "ReduceLROnPlateau"


def classes() -> dict[str, type[Any]]:
    """The classes of torch.optim, by name."""
    import torch

    kind = torch.optim.Optimizer
    return {n: c for n, c in vars(torch.optim).items() if isinstance(c, type) and issubclass(c, kind) and c is not kind}


def schedulers(optimizer: Any) -> dict[str, Callable[..., Any]]:
    """The schedulers of torch.optim, by name; each is made for `optimizer`."""
    from torch.optim import lr_scheduler

    found: dict[str, Callable[..., Any]] = {}
    for name, kind in vars(lr_scheduler).items():
        if isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler) and not name.startswith(("_", "LRS")):
            takes_it = next(iter(inspect.signature(kind).parameters)) == "optimizer"
            found[name] = partial(kind, optimizer) if takes_it else kind
    return found


def is_offered(method: str) -> bool:
    """Whether torch has `method`; ValueError names the nearest."""
    if method not in classes():
        raise ValueError(f"unknown class of torch.optim{nearest(method, classes())}")
    return True


def is_scheduler(text: str) -> bool:
    """Whether `text` makes a scheduler; ValueError says why not."""
    import torch

    make_scheduler(text, torch.optim.SGD([torch.zeros(2, 2)], lr=0.1))
    return True


def make_scheduler(text: str, optimizer: Any) -> Any:
    """The scheduler that the call in `text` makes for `optimizer`."""
    made = build(text, schedulers(optimizer))
    if not hasattr(made, "step"):
        raise ValueError("not a scheduler; write a call, such as StepLR(100, gamma=0.5)")
    return made


def declare(method: str) -> Sequence[Parameter]:
    """The arguments of a class of torch.optim."""
    return read_options(classes()[method], leave_out=("params", "lr"))


def make(method: str, point: Any, lr: float, options: dict[str, Any]) -> Any:
    """The optimizer of one tensor."""
    vectors = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    return classes()[method]([point], lr=lr, **vectors)


def check(method: str, lr: float, scheduler: str | None, **options: Any) -> None:
    """Take a step; whatever torch says of the options is a ValueError."""
    import torch

    point = torch.zeros(2, 2, dtype=torch.float64)

    def closure():
        point.grad = torch.ones_like(point)
        return torch.zeros((), dtype=torch.float64)

    try:
        optimizer = make(method, point, lr, options)
        optimizer.step(closure)
    except Exception as error:
        raise ValueError(f"{method}: {str(error).partition(chr(10))[0]}") from None
    if scheduler is not None:
        make_scheduler(scheduler, optimizer)


def is_batched(method: str, scheduler: str | None, fused: bool | None = None, **_: Any) -> bool:
    """Whether the runs can share one tensor and one optimizer; fused kernels round by a coordinate's place."""
    return method in ELEMENTWISE and not fused and WATCHES_LOSS not in (scheduler or "")


def drive(
    oracle: Any,
    w: Any,
    checkpoints: Any,
    method: Annotated[str, Predicate(is_offered)] = "SGD",
    lr: Positive = 0.01,
    scheduler: Annotated[str, Predicate(is_scheduler)] | None = None,
    **options: Any,
) -> None:
    """An optimizer of torch.optim, in double precision, on one thread, with the exact gradient.

    An iteration is one call of its step. LBFGS takes up to max_iter iterations of its own in one; each evaluation
    of its closure is one query.

    Args:
        method: the class, as torch writes it; its arguments are parameters too, under torch's names.
        lr: step size, units of time per iteration.
        scheduler: a call of one of torch.optim.lr_scheduler, without the optimizer, such as StepLR(100, gamma=0.5).

    Source: torch.optim; each class's page names its source.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _step(oracle, w, checkpoints, method, lr, scheduler, options)
    finally:
        torch.set_num_threads(threads)


def _step(oracle, w, checkpoints, method, lr, scheduler, options):
    import torch

    # A run on its own is a matrix: that is what Muon and Adafactor ask for. Others may have all in one tensor.
    point = torch.from_numpy(w[0] if len(w) == 1 else w)
    optimizer = make(method, point, lr, options)
    schedule = None if scheduler is None else make_scheduler(scheduler, optimizer)
    watches = isinstance(schedule, getattr(torch.optim.lr_scheduler, WATCHES_LOSS))
    asks_loss = watches or inspect.signature(optimizer.step).parameters["closure"].default is inspect.Parameter.empty

    def closure():
        here = point.detach().numpy().reshape(w.shape)
        loss, grad = oracle.loss_and_grad(here) if asks_loss else (None, oracle.grad(here))
        point.grad = torch.from_numpy(grad).reshape(point.shape)
        return None if loss is None else torch.tensor(float(loss.sum()), dtype=torch.float64)

    for k in range(1, int(checkpoints.horizon) + 1):
        loss = optimizer.step(closure)
        if watches:
            schedule.step(loss)
        elif schedule is not None:
            schedule.step()
        checkpoints.record(k, point.detach().numpy().reshape(w.shape))


TORCH = DriverMethod("torch", drive, clock="lr", batched=is_batched, options=declare, check=check, libraries=("torch",))


@hookimpl
def bench_ovp_optimizers() -> list[DriverMethod]:
    """One method, which is all of torch's."""
    return [TORCH]
