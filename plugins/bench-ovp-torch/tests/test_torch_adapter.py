"""The torch adapter against torch.optim, driven by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from bench_ovp_torch import ELEMENTWISE, TORCH, classes

import bench_ovp as ovp
from bench_ovp.registry import Registry, installed
from bench_ovp.suite import read_suite

torch = pytest.importorskip("torch", reason="torch is not installed")

STEPS = 200


@pytest.fixture(scope="module")
def problem():
    return ovp.problem("teacher-neuron", n=5, d=10, sigma=0.1)


def by_hand(problem, seed, make, make_scheduler=None):
    """The losses after each of the steps, and the number of times that the closure was called."""
    w = torch.nn.Parameter(torch.from_numpy(problem.start([seed])[0]))
    optimizer = make([w])
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    losses, calls = [], 0

    def closure():
        nonlocal calls
        calls += 1
        here = w.detach().numpy()
        w.grad = torch.from_numpy(problem.grad(here))
        return torch.tensor(float(problem.loss(here)), dtype=torch.float64)

    for _ in range(STEPS):
        loss = optimizer.step(closure)
        losses.append(float(problem.loss(w.detach().numpy())))
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(loss)
        elif scheduler is not None:
            scheduler.step()
    return np.array(losses), calls


def run(problem, seeds=3, **given):
    return ovp.run(problem, ovp.Optimizer(TORCH, given), seeds, iterations=STEPS, per_decade=1000)


def agree(trace, problem, make, make_scheduler=None):
    for one in trace.runs:
        losses, calls = by_hand(problem, one.seed, make, make_scheduler)
        assert list(one.rows["iteration"]) == list(range(1, STEPS + 1))
        np.testing.assert_allclose(one.rows["loss"], losses, rtol=1e-12, atol=0)
        assert one.evaluations == calls


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("SGD", {"lr": 0.05, "momentum": 0.9}),
        ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("Adam", {"lr": 0.01}),
        ("Adam", {"lr": 0.01, "betas": [0.8, 0.99], "amsgrad": True}),
        ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
        ("RMSprop", {"lr": 0.001, "centered": True}),
        ("Rprop", {"lr": 0.01}),
        ("Adafactor", {"lr": 0.01}),
        ("LBFGS", {"lr": 0.5, "max_iter": 4}),
        ("LBFGS", {"line_search_fn": "strong_wolfe", "lr": 1.0}),
    ],
)
def test_losses_are_torchs(problem, method, options):
    vectors = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    trace = run(problem, method=method, **options)
    agree(trace, problem, lambda params: getattr(torch.optim, method)(params, **vectors))


@pytest.mark.parametrize(
    ("text", "make"),
    [
        ("StepLR(50, gamma=0.5)", lambda s, o: s.StepLR(o, 50, gamma=0.5)),
        ("CosineAnnealingLR(T_max=200)", lambda s, o: s.CosineAnnealingLR(o, 200)),
        ("ReduceLROnPlateau(patience=2, factor=0.5)", lambda s, o: s.ReduceLROnPlateau(o, patience=2, factor=0.5)),
        (
            "SequentialLR([LinearLR(total_iters=20), ExponentialLR(0.99)], milestones=[20])",
            lambda s, o: s.SequentialLR(o, [s.LinearLR(o, total_iters=20), s.ExponentialLR(o, 0.99)], milestones=[20]),
        ),
        (
            "ChainedScheduler([LinearLR(total_iters=20), ExponentialLR(0.99)])",
            lambda s, o: s.ChainedScheduler([s.LinearLR(o, total_iters=20), s.ExponentialLR(o, 0.99)]),
        ),
    ],
)
def test_schedulers_are_torchs(problem, text, make):
    trace = run(problem, method="Adam", lr=0.02, scheduler=text)
    agree(trace, problem, lambda p: torch.optim.Adam(p, lr=0.02), lambda o: make(torch.optim.lr_scheduler, o))


@pytest.mark.parametrize("method", sorted(classes().keys() - {"SparseAdam"}))
def test_a_run_does_not_depend_on_its_company(problem, method):
    for given in ({}, {"fused": True} if method in ("SGD", "Adam", "AdamW", "Adagrad") else {"lr": 0.05}):
        optimizer = ovp.Optimizer(TORCH, {"method": method, **given})
        assert optimizer.method.batched is (method in ELEMENTWISE and "fused" not in given)
        steps = 5 if method == "LBFGS" else 50
        together = ovp.run(problem, optimizer, 3, iterations=steps)
        for one in together.runs:
            [alone] = ovp.run(problem, optimizer, [one.seed], iterations=steps).runs
            assert np.array_equal(one.rows["loss"], alone.rows["loss"])
            assert one.evaluations == alone.evaluations


def test_threads_are_left_as_they_were(problem):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(problem, 1, method="Adam")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "adam"}, "method = 'adam': unknown class of torch.optim; did you mean 'Adam'?"),
        ({"method": "Adam", "beta": 0.9}, "torch[method=Adam] has no parameter 'beta'; did you mean 'betas'?"),
        ({"method": "Adam", "betas": [2.0, 0.9]}, "torch: Adam: Invalid beta parameter at index 0: 2.0"),
        ({"momentum": "0.9"}, "momentum = '0.9': input should be a valid"),
        ({"nesterov": True}, "torch: SGD: Nesterov momentum requires a momentum and zero dampening"),
        ({"method": "SparseAdam"}, "SparseAdam does not support dense gradients"),
        ({"lr": -1.0}, "lr = -1.0: input should be greater than 0"),
        ({"scheduler": "StpLR(3)"}, "unknown name 'StpLR'; did you mean 'StepLR'?"),
        ({"scheduler": "StepLR(3, gama=1)"}, "StepLR has no argument 'gama'; did you mean 'gamma'?"),
        ({"scheduler": "StepLR"}, "'StepLR' is no value; write StepLR(…)"),
        ({"scheduler": "3"}, "not a scheduler; write a call"),
    ],
)
def test_a_mistake_is_told(given, words):
    with pytest.raises(ovp.InputError, match=re.escape(words)) as caught:
        ovp.Optimizer(TORCH, given)
    assert "\n" not in str(caught.value)


def test_the_suite_of_the_readme_reads(request, tmp_path):
    text = (request.path.parent.parent / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "suite.yaml").write_text(text)
    suite = read_suite(tmp_path / "suite.yaml", Registry(installed().problems, {"torch": TORCH}))
    assert suite.optimizers[0].label == "torch[method=Adam,lr=0.01]"
