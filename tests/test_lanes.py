"""Registers of runs: what shares one, or fills a part of it, changes nothing and writes nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from bench_ovp_neuron.coordinates import deviations, to_deviations
from bench_ovp_neuron.lanes import batch_grad, batch_loss, batch_loss_and_grad, evaluate_few, put_both
from bench_ovp_neuron.vectors import WIDE, WIDTH, locate, narrow, wide

SHAPES = [(1, 2), (2, 2), (2, 3), (1, 3), (3, 2), (4, 5)]  # the first three are compiled for themselves
GUARD = 4 * WIDE


def batches(n, d, runs):
    """Constants and a batch, of students and of deviations."""
    w = np.random.default_rng(100 * n + d).standard_normal((runs, n, d))
    yield np.array([1.5]), np.asfortranarray(w)
    yield deviations(1.5, n), np.asfortranarray(to_deviations(1.5, w))


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_a_run_has_the_same_bits_in_any_batch(n, d):
    for constants, w in batches(n, d, 2 * WIDE + 3):
        losses, grads = batch_loss(constants, w), batch_grad(constants, w)
        for runs in (*range(1, WIDE + 2), 2 * WIDE - 1, 2 * WIDE, 2 * WIDE + 3):
            part = np.asfortranarray(w[:runs])
            np.testing.assert_array_equal(batch_loss(constants, part), losses[:runs])
            np.testing.assert_array_equal(batch_grad(constants, part), grads[:runs])
            loss, grad = batch_loss_and_grad(constants, part)
            np.testing.assert_array_equal(loss, losses[:runs])
            np.testing.assert_array_equal(grad, grads[:runs])


@njit
def put_down(constants, w, losses, grads):
    put_both(constants, w, locate(losses), locate(grads))


@njit
def put_down_few(constants, w, losses, grads):
    evaluate_few(constants, w, narrow(locate(losses)), narrow(locate(grads)), np.bool_(True), np.bool_(True))


@njit
def put_down_wide(constants, w, losses, grads):
    evaluate_few(constants, w, wide(locate(losses)), wide(locate(grads)), np.bool_(True), np.bool_(True))


@pytest.mark.parametrize("runs", [1, 3, WIDTH, WIDTH + 1, WIDE - 1, WIDE, WIDE + 1])
@pytest.mark.parametrize(
    ("n", "d", "put_down"),
    [(*shape, put_down) for shape in SHAPES]
    + [(*shape, put) for shape in SHAPES[:3] for put in (put_down_few, put_down_wide)],
)
def test_nothing_is_written_beyond_the_answer(n, d, runs, put_down):
    for constants, w in batches(n, d, runs):
        losses, grads = np.full(runs + GUARD, -7.0), np.full(w.size + GUARD, -7.0)
        put_down(constants, w, losses, grads)
        np.testing.assert_array_equal(losses[runs:], -7.0)
        np.testing.assert_array_equal(grads[w.size :], -7.0)
        np.testing.assert_array_equal(losses[:runs], batch_loss(constants, w))
        np.testing.assert_array_equal(grads[: w.size], batch_grad(constants, w).T.ravel())
