"""PyTorch: autograd and its SGD on the closed form of the loss, one run or a batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from .task import LR, TEACHER, starts

PACKAGES = ("torch",)
torch.set_num_threads(1)


def losses(w: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    """Equation (23), summed over the runs of w (runs, n, d); (i, j) are the pairs of students."""
    norm = torch.linalg.vector_norm(w, dim=2)
    z = torch.linalg.vector_norm(w[:, :, 1:], dim=2)
    unit = w / norm[:, :, None]
    chord = torch.linalg.vector_norm(unit[:, i] - unit[:, j], dim=2)
    opposite = torch.linalg.vector_norm(unit[:, i] + unit[:, j], dim=2)
    between = 2 * torch.atan2(chord, opposite)
    angle = torch.atan2(z, w[:, :, 0])
    pairs = (bend(between) * norm[:, i] * norm[:, j]).sum()
    teacher = (bend(angle) * norm).sum() * TEACHER
    total = w.sum(dim=1)
    squares = (total * total).sum() - 2 * TEACHER * total[:, 0].sum() + len(w) * TEACHER**2
    return 0.25 * squares + (pairs - teacher) / (2 * math.pi)


def bend(angle: torch.Tensor) -> torch.Tensor:
    """sin θ − θ cos θ."""
    return torch.sin(angle) - angle * torch.cos(angle)


def prepare(method: str, n: int, d: int, runs: int) -> Callable[[int], object]:
    """Gradient descent; runs are independent, so the gradient of a sum is each run's own."""
    start = torch.from_numpy(starts(n, d, runs))
    i, j = torch.triu_indices(n, n, offset=1)

    def descend(steps: int) -> torch.Tensor:
        w = start.clone().requires_grad_()
        optimizer = torch.optim.SGD([w], lr=LR)
        for _ in range(steps):
            optimizer.zero_grad()
            losses(w, i, j).backward()
            optimizer.step()
        return w.detach()

    return descend
