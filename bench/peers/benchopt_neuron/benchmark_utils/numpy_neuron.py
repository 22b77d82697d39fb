"""Loss (23) and gradient (4) of Xu & Du (2023), as one writes them down in NumPy."""

import numpy as np


def angles(w, teacher):
    """The norms of w and of the teacher, the unit vectors of w, their angles, and those to the teacher."""
    norm, length = np.linalg.norm(w, axis=1), np.linalg.norm(teacher)
    unit = w / norm[:, None]
    between = np.arccos(np.clip(unit @ unit.T, -1, 1))
    np.fill_diagonal(between, 0)
    return norm, length, unit, between, np.arccos(np.clip(unit @ teacher / length, -1, 1))


def loss(w, teacher):
    """Equation (23)."""
    norm, length, _, between, to_teacher = angles(w, teacher)
    residual = w.sum(axis=0) - teacher
    pairs = norm @ (np.sin(between) - between * np.cos(between)) @ norm
    ends = length * norm @ (np.sin(to_teacher) - to_teacher * np.cos(to_teacher))
    return float(residual @ residual / 4 + (pairs / 2 - ends) / (2 * np.pi))


def gradient(w, teacher):
    """Equation (4)."""
    norm, length, unit, between, to_teacher = angles(w, teacher)
    swing = np.sin(between) @ norm - length * np.sin(to_teacher)
    bracket = swing[:, None] * unit - between @ w + np.outer(to_teacher, teacher)
    return (w.sum(axis=0) - teacher) / 2 + bracket / (2 * np.pi)
