"""The limit: a C kernel for this machine, for one shape and for gradient descent alone, built on first use."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .task import LR, TEACHER, Array, Missing, starts

PACKAGES = ("numpy",)
COMPILER = shutil.which("cc")
SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")
CHECKED = 1000  # steps that must agree with the project's own gradient
NEAR_ZERO = 1e-3  # a neuron that passes closer to zero multiplies rounding errors by up to 1e9
ALIGNED = 8  # doubles in 64 bytes


if COMPILER is None:
    raise Missing("a C compiler named cc")
TOLD = [COMPILER, "-dumpfullversion", "-dumpversion"]
TOOLS = {"cc": subprocess.run(TOLD, capture_output=True, text=True, check=True).stdout.strip()}


class Kernel:
    """The compiled limit for students of one shape."""

    def __init__(self, n: int, d: int) -> None:
        groups = 4 if n <= 3 else 2  # a short step needs more vectors side by side to fill its waits
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "limit.so"
            shape = (f"-DN={n}", f"-DD={d}", f"-DGROUPS={groups}")
            done = subprocess.run(
                [COMPILER, *FLAGS, *shape, "-o", library, SOURCE, "-lm"], capture_output=True, text=True
            )
            if done.returncode:
                raise Missing(f"a C compiler that builds {SOURCE.name}; cc said: {done.stderr.strip()[-200:]}")
            self.library = ctypes.CDLL(str(library))  # stays mapped when the file is gone
        self.library.limit_room.restype = ctypes.c_size_t
        self.n, self.d, self.width = n, d, self.library.limit_runs()
        self.room = aligned(self.library.limit_room(n, d))

    def descend(self, w: Array, steps: int) -> Array:
        """The iterates after `steps` steps from w (runs, n, d); the last run fills lanes that are left over."""
        ends = np.empty_like(w)
        block = aligned(self.n * self.d * self.width).reshape(self.n, self.d, self.width)
        for first in range(0, len(w), self.width):
            runs = np.minimum(np.arange(first, first + self.width), len(w) - 1)
            block[:] = np.moveaxis(w[runs], 0, -1)
            self.library.limit_descend(
                ctypes.c_void_p(block.ctypes.data),
                self.n,
                self.d,
                ctypes.c_double(TEACHER),
                ctypes.c_double(LR),
                ctypes.c_long(steps),
                ctypes.c_void_p(self.room.ctypes.data),
            )
            ends[runs] = np.moveaxis(block, -1, 0)
        return ends


def aligned(count: int) -> Array:
    """`count` zeros on a multiple of 64 bytes."""
    room = np.zeros(count + ALIGNED)
    first = -(room.ctypes.data // room.itemsize) % ALIGNED
    return room[first : first + count]


def deviation(kernel: Kernel, w: Array) -> float:
    """The largest difference to the project's own gradient after CHECKED steps, where no neuron comes near zero."""
    import bench_ovp as ovp

    problem = ovp.problem("teacher-neuron", n=kernel.n, d=kernel.d)
    ours, smallest = w, np.full(len(w), np.inf)
    for _ in range(CHECKED):
        ours = ours - LR * problem.grad(ours)
        smallest = np.minimum(smallest, np.linalg.norm(ours, axis=2).min(axis=1))
    far = smallest > NEAR_ZERO
    return float(np.abs(kernel.descend(w, CHECKED) - ours)[far].max(initial=0.0))


def prepare(method: str, n: int, d: int, runs: int) -> Callable[[int], object]:
    """Gradient descent by the kernel, once it is seen to be right."""
    if method != "gradient-descent":
        raise ValueError(f"the limit knows gradient-descent only, not {method}")
    kernel, w = Kernel(n, d), starts(n, d, runs)
    off = deviation(kernel, w)
    if not off < 1e-9:
        raise ArithmeticError(f"the limit at ({n}, {d}) is off by {off:.1e} after {CHECKED} steps")
    return lambda steps: kernel.descend(w, steps)
