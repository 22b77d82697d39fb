"""JAX: one run's step as a function, vmapped over runs, in a fori_loop, compiled; float64 on the CPU."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .task import LR, TEACHER, starts

PACKAGES = ("jax", "jaxlib")
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def gradient(w: jax.Array) -> jax.Array:
    """Equation (4) for one run, w (n, d)."""
    h, z = w[:, 0], jnp.linalg.norm(w[:, 1:], axis=1)
    norm = jnp.hypot(h, z)
    versine = jnp.where(h < 0, 1 - h / norm, z * z / (norm * (norm + jnp.abs(h))))
    unit = (w / norm[:, None]).at[:, 0].set(versine)
    apart = unit[:, None, :] - unit[None, :, :]
    chord2 = jnp.sum(apart * apart, axis=2)
    chord, opposite = jnp.sqrt(chord2), jnp.sqrt(jnp.maximum(4 - chord2, 0))
    angle, sine = 2 * jnp.arctan2(chord, opposite), 0.5 * chord * opposite
    swing = (sine @ norm - TEACHER * z / norm) / norm
    grad = 0.5 * w.sum(axis=0) + (swing[:, None] * w - angle @ w) / (2 * jnp.pi)
    return grad.at[:, 0].add(TEACHER * (jnp.arctan2(z, h) / (2 * jnp.pi) - 0.5))


@jax.jit
def descend(w: jax.Array, steps: int) -> jax.Array:
    """`steps` steps of gradient descent from w (runs, n, d)."""
    return jax.lax.fori_loop(0, steps, lambda _, x: x - LR * jax.vmap(gradient)(x), w)


def prepare(method: str, n: int, d: int, runs: int) -> Callable[[int], object]:
    """Gradient descent on all runs."""
    w = jnp.asarray(starts(n, d, runs))
    return lambda steps: descend(w, steps).block_until_ready()
