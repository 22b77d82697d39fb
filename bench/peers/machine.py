"""What the figures were taken on, and how a process is kept to one core."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

THREADS = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
CPUINFO = Path("/proc/cpuinfo")


def keep_to_one_core() -> None:
    """Pin this process, and all that it starts, to one core and one thread; where that cannot be, to one thread."""
    os.environ.update(THREADS)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def describe(cores: int) -> str:
    """Processor, instruction set, cores."""
    text = CPUINFO.read_text() if CPUINFO.exists() else ""
    model = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = set((re.search(r"^flags\s*: (.*)$", text, re.MULTILINE) or [""] * 2)[1].split())
    known = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "neither AVX2 nor AVX-512 seen"
    return f"{model[1].strip() if model else platform.processor() or platform.machine()}, {known}, {cores} cores"
