"""Matrices in .npy files, which anybody may have written."""

from __future__ import annotations

import math
import stat
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_MATRIX = 100_000  # numbers of a start in an .npy file
LARGEST_HEADER = 10_000  # bytes in front of them, as NumPy has it


def load_matrix(path: Path) -> list[list[float]]:
    """The matrix stored in an .npy file, as a nested list; never unpickles, and believes no header.

    Errors:
        InputError: it is no regular file, no .npy file, or does not hold a matrix of at most LARGEST_MATRIX numbers.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # opening a pipe may wait forever, and a device do anything
            raise InputError(f"cannot read {path} as an .npy file: it is no regular file")
        rows: list[list[float]] = _read_matrix(path, facts.st_size, facts.st_mtime_ns, facts.st_ino).tolist()
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(f"cannot read {path} as an .npy file: {told}") from None
    return rows


@lru_cache(maxsize=1)  # it is asked for where it is checked, where it is labelled, and where it is used
def _read_matrix(path: Path, size: int, *state: int) -> NDArray[np.float64]:
    """The matrix in a file of `size` bytes; `state` tells an edited file from what it was."""
    import numpy as np
    from numpy.lib import format as npy

    if size > 8 * LARGEST_MATRIX + LARGEST_HEADER:
        raise InputError(f"{path} is larger than a matrix of {LARGEST_MATRIX:,} numbers")
    with path.open("rb") as file:  # np.load would open archives as well, and leave them open
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError("its format is not that of plain numbers")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        try:
            with warnings.catch_warnings(action="ignore"):
                shape, _, dtype = read(file, LARGEST_HEADER)
        except Exception:  # what literal_eval, tokenize and dtype raise over rubbish is of every kind
            raise ValueError("its header cannot be read") from None
        if len(shape) != 2 or dtype.kind not in "fiu":
            raise InputError(f"{path} must hold a matrix of finite numbers of shape (n, d)")
        held, told = size - file.tell(), math.prod(shape) * dtype.itemsize
        if min(shape) < 1 or held != told:
            raise ValueError(f"its header promises {told:,} bytes in shape {shape}, and it holds {held:,}")
        file.seek(0)
        with np.errstate(over="ignore"):
            matrix: NDArray[np.float64] = npy.read_array(file, allow_pickle=False).astype(np.float64)
    if not np.isfinite(matrix).all():
        raise InputError(f"{path} must hold a matrix of finite numbers of shape (n, d)")
    return matrix
