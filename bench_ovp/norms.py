"""Euclidean norms of whatever size."""

from __future__ import annotations

import numpy as np

from .problems import Array


def norms(batch: Array) -> Array:
    """The norm of each of a batch (runs, …), whose squares may lie below the smallest number or above the largest."""
    rows = batch.reshape(len(batch), -1)
    largest = np.max(np.abs(rows), axis=1)
    scale = np.where((largest > 0.0) & np.isfinite(largest), largest, 1.0)
    return np.asarray(scale * np.sqrt(np.sum(np.square(rows / scale[:, None]), axis=1)))
