"""The problems: one teacher neuron ‖v‖e₁, x ~ N(0, I), squared population loss, ReLU students.

All share the loss (23), L(w) = ½E[(Σᵢ[wᵢ·x]₊ − [v·x]₊)²], and differ in where they start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_ovp import Kernels, Theory
from bench_ovp.parameters import Count, Matrix, Positive, Vector

from . import theory

Array = NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
LARGEST = 10**7  # coordinates of a run: 80 MB
SHORTEST = 1e-3  # ‖v‖: from a shorter start, students are followed as they are


class Neuron:
    """Loss, gradient, curvature and observables; `w` has shape (runs, n, d).

    Args:
        teacher_norm: ‖v‖.
        start_norm: about the length of the shortest student at the start; that of the teacher, if None.
    """

    partial = ("balance",)  # which needs every student on the teacher's side

    def __init__(self, teacher_norm: float, start_norm: float | None = None) -> None:
        self.teacher_norm = float(teacher_norm)
        self.start_norm = self.teacher_norm if start_norm is None else start_norm
        self.constants = np.array([self.teacher_norm])  # that `lanes` is told beside `w`

    @property
    def resolution(self) -> float:
        """Students are stored to half an ulp: r = Σwᵢ − v is known to about ε‖v‖, and L = ¼‖r‖² + … to its square."""
        return (EPSILON * self.teacher_norm) ** 2

    def loss(self, w: Array) -> Array:
        """Loss (23), shape (runs,)."""
        from .lanes import batch_loss

        found: Array = batch_loss(self.constants, np.asfortranarray(w))
        return found

    def grad(self, w: Array) -> Array:
        """Gradient (4), the shape of `w`; NaN where a student is exactly zero."""
        from .lanes import batch_grad

        return np.ascontiguousarray(batch_grad(self.constants, np.asfortranarray(w)))

    def hessian(self, w: Array) -> Array:
        """Hessian (51), shape (runs, n·d, n·d)."""
        return self._curvature(w, bent=True)

    def gauss_newton(self, w: Array) -> Array:
        """E[1{wᵢ·x ≥ 0} 1{wⱼ·x ≥ 0} x xᵀ], shape (runs, n·d, n·d)."""
        return self._curvature(w, bent=False)

    def kernels(self) -> Kernels:
        """Loss and gradient for the compiled engine."""
        from .lanes import batch_grad, batch_loss, batch_loss_and_grad

        return Kernels(self.constants, batch_loss, batch_grad, batch_loss_and_grad)

    def observe(self, w: Array) -> dict[str, Array]:
        """What the proofs look at, each (runs,); see `observables.observe`."""
        from .observables import names, observe, residuals

        nothing = np.empty((0, *w.shape[1:]))
        found = observe(w, nothing, residuals(self.teacher_norm, w))
        return dict(zip(names(w.shape[1]), found.T, strict=True))

    def degenerate(self, w: Array) -> NDArray[np.bool_]:
        """Where a student is exactly zero and the loss has no gradient (Remark 26), shape (runs,)."""
        return np.asarray(np.any(np.all(w == 0.0, axis=2), axis=1))

    def reduce(self, w: Array) -> Array:
        """Coordinates of the students in span(e₁, w₁, …, wₙ), e₁ first: (runs, n, n + 1) where that is smaller.

        Gradients stay in this span, so a method that commutes with rotations never leaves it.
        """
        _, n, d = w.shape
        if d <= n + 1:
            return w
        # zᵢ = Rᵀ rows of the triangular factor of (z₁ … zₙ); hᵢ is carried over as it is.
        triangles = [np.asarray(np.linalg.qr(run[:, 1:].T, mode="r")).T for run in w]
        return np.concatenate([w[:, :, :1], np.stack(triangles)], axis=2)

    def recenter(self, w: Array) -> tuple[Neuron, Array] | None:
        """The same problem in `coordinates` without a rounding floor, and `w` in them.

        They know a student to ε‖v‖, whatever its length: None where a start is so short that its direction, and the
        balance that comes of it, would suffer.
        """
        from .coordinates import to_deviations
        from .deviating import Deviating

        if self.start_norm < SHORTEST * self.teacher_norm:
            return None
        return Deviating(self.teacher_norm, w.shape[1]), to_deviations(self.teacher_norm, w)

    def hold(self, w: Array, memory: Array | None = None) -> tuple[Any, Array] | None:
        """The problem without the students that a flow holds at zero, and w (n, d) without them; see `vanished`."""
        from .vanished import hold, recall

        return hold(self, w) if memory is None else recall(self, w, memory)

    def students(self, w: Array) -> Array:
        """The students of w (runs, n, d)."""
        return w

    def settle(self, w: Array) -> tuple[Neuron, Array]:
        """The problem of students w (runs, n, d), in coordinates of this kind."""
        return self, w

    def residual(self, w: Array) -> Array:
        """r = Σwᵢ − v, shape (runs, d)."""
        from .observables import residuals

        found: Array = residuals(self.teacher_norm, w)
        return found

    def _curvature(self, w: Array, bent: bool) -> Array:
        from .curvature import batch_curvature

        found: Array = batch_curvature(self.teacher_norm, w, bent)
        runs, n, d = w.shape
        found.reshape(runs, n, d, n, d)[:, :, range(d), :, range(d)] += 0.5
        return found


class TeacherNeuron(Neuron):
    """n students learn one teacher neuron: exp(−cT) at n = 1, but T⁻³ as soon as n ≥ 2.

    The start is N(0, σ²I), drawn per seed, or `w0`.

    Args:
        n: number of students.
        d: input dimension.
        sigma: standard deviation of a starting weight's coordinate.
        teacher_norm: ‖v‖.
        w0: an explicit start of shape (n, d), a nested list or an .npy file; it fixes n and d.

    Source: Xu & Du (2023), equations (3), (4), (23), (51); Safran & Shamir (2018).
    """

    name = "teacher-neuron"

    def __init__(
        self,
        n: Count = 5,
        d: Count = 20,
        sigma: Positive = 0.1,
        teacher_norm: Positive = 1.0,
        w0: Matrix | None = None,
    ) -> None:
        self.sigma = sigma
        self.w0 = None if w0 is None else _explicit(w0)
        self.n, self.d = _fit(n, d) if self.w0 is None else self.w0.shape
        super().__init__(teacher_norm, _start_norm(self.w0, sigma, d))

    def start(self, seeds: Sequence[int]) -> Array:
        """N(0, σ²I) per seed, or w0 for each, shape (runs, n, d)."""
        if self.w0 is not None:
            return np.broadcast_to(self.w0, (len(seeds), self.n, self.d)).copy()
        return _gaussian(seeds, self.sigma, (self.n, self.d))

    def theory(self, family: str, parameters: Mapping[str, Any]) -> Theory | None:
        """n = 1: linear; n ≥ 2 from a generic start: T⁻³."""
        if self.n == 1:
            return _single(family, parameters)
        if self.w0 is not None and np.linalg.matrix_rank(self.w0[:, 1:]) < 2 and self.n > 2:
            return None  # Definition 13 may fail: say nothing
        return theory.cubic(family) if self.d > 1 else None


class ExactNeuron(Neuron):
    """One student, one teacher neuron: the exp(−Ω(T)) baseline.

    Args:
        d: input dimension.
        sigma: standard deviation of a starting weight's coordinate.
        teacher_norm: ‖v‖.
        w0: an explicit start of shape (1, d), a nested list or an .npy file; it fixes d.

    Source: Yehudai & Shamir (2020); Xu & Du (2023), Section 1.
    """

    name = "exact-neuron"

    def __init__(
        self,
        d: Count = 20,
        sigma: Positive = 0.1,
        teacher_norm: Positive = 1.0,
        w0: Matrix | None = None,
    ) -> None:
        self.sigma = sigma
        self.w0 = None if w0 is None else _explicit(w0)
        if self.w0 is not None and len(self.w0) != 1:
            raise ValueError(f"w0 must have one row, the one student; it has {len(self.w0)}")
        self.d = _fit(1, d)[1] if self.w0 is None else self.w0.shape[1]
        super().__init__(teacher_norm, _start_norm(self.w0, sigma, d))

    def start(self, seeds: Sequence[int]) -> Array:
        """N(0, σ²I) per seed, or w0 for each, shape (runs, 1, d)."""
        if self.w0 is not None:
            return np.broadcast_to(self.w0, (len(seeds), 1, self.d)).copy()
        return _gaussian(seeds, self.sigma, (1, self.d))

    def theory(self, family: str, parameters: Mapping[str, Any]) -> Theory | None:
        """Linear, at the rate of the curvature ½."""
        return _single(family, parameters)


class ToyCase1(Neuron):
    """Two students mirrored about the teacher, λ₁v ± λ₂v⊥: T⁻³, by hand.

    The plane of the two students is all there is: d = 2, ‖v‖ = 1. λ₂ ~ 1/T sets the pace.

    Args:
        lambda1: coordinate along the teacher; drawn uniformly from (0, 1) per seed where it is not given.
        lambda2: coordinate across it, likewise.

    Source: Xu & Du (2023), Appendix A, equations (21), with sin 2θ/(2π) for sin 2θ/λ₁, and (22).
    """

    name = "toy-case-1"

    def __init__(self, lambda1: Positive | None = None, lambda2: Positive | None = None) -> None:
        super().__init__(teacher_norm=1.0)
        self.lambda1 = lambda1
        self.lambda2 = lambda2

    def start(self, seeds: Sequence[int]) -> Array:
        """The mirrored pairs, shape (runs, 2, 2)."""
        pairs = []
        for seed in seeds:
            along, across = _uniform(seed, 2)
            along = along if self.lambda1 is None else self.lambda1
            across = across if self.lambda2 is None else self.lambda2
            pairs.append([[along, across], [along, -across]])
        return np.array(pairs)

    def theory(self, family: str, parameters: Mapping[str, Any]) -> Theory | None:
        """T⁻³ from every start with λ₂ > 0."""
        found = theory.cubic(family)
        return found and found._replace(source="Xu & Du (2023), Appendix A, toy case 1")


class ToyCase2(Neuron):
    """All students parallel to the teacher, wᵢ = λᵢv with λᵢ > 0: a linear problem, exp(−cT).

    One dimension is all there is: d = 1, ‖v‖ = 1. Σλᵢ tends to 1, at the curvature n/2.

    Args:
        n: number of students.
        lambdas: the λᵢ; drawn uniformly from (0, 2/n) per seed where they are not given; they fix n.

    Source: Xu & Du (2023), Appendix A, toy case 2 (there Σλᵢ is said to tend to 0).
    """

    name = "toy-case-2"

    def __init__(self, n: Count = 5, lambdas: Vector | None = None) -> None:
        super().__init__(teacher_norm=1.0)
        if lambdas is not None and (not lambdas or min(lambdas) <= 0.0):
            raise ValueError("lambdas must be positive numbers, one per student")
        self.lambdas = lambdas
        self.n = _fit(n)[0] if lambdas is None else len(lambdas)

    def start(self, seeds: Sequence[int]) -> Array:
        """The parallel students, shape (runs, n, 1)."""
        if self.lambdas is not None:
            rows = [self.lambdas for _ in seeds]
        else:
            rows = [list(2.0 / self.n * _uniform(seed, self.n)) for seed in seeds]
        return np.array(rows, dtype=float)[:, :, None]

    def theory(self, family: str, parameters: Mapping[str, Any]) -> Theory | None:
        """Linear, at the rate of the curvature n/2."""
        source = "Xu & Du (2023), Appendix A, toy case 2"
        return theory.linear(family, parameters, 0.5 * self.n, source)


class ToyCase3(Neuron):
    """All students equal: the n = 1 problem with its clock run n times as fast, exp(−cT).

    Args:
        n: number of students.
        d: input dimension.
        sigma: standard deviation of a coordinate of their common start.
        w0: an explicit start of shape (n, d) with equal rows; it fixes n and d.

    Source: Xu & Du (2023), Appendix A, toy case 3.
    """

    name = "toy-case-3"

    def __init__(self, n: Count = 5, d: Count = 20, sigma: Positive = 0.1, w0: Matrix | None = None) -> None:
        self.sigma = sigma
        self.w0 = None if w0 is None else _explicit(w0)
        if self.w0 is not None and np.any(self.w0 != self.w0[0]):
            raise ValueError("w0 must have equal rows: the students of toy-case-3 are all the same")
        self.n, self.d = _fit(n, d) if self.w0 is None else self.w0.shape
        super().__init__(1.0, _start_norm(self.w0, sigma, d))

    def start(self, seeds: Sequence[int]) -> Array:
        """The first student of `teacher-neuron`'s start, n times, shape (runs, n, d)."""
        if self.w0 is not None:
            return np.broadcast_to(self.w0, (len(seeds), self.n, self.d)).copy()
        return np.repeat(_gaussian(seeds, self.sigma, (1, self.d)), self.n, axis=1)

    def theory(self, family: str, parameters: Mapping[str, Any]) -> Theory | None:
        """Linear, at the rate of the curvature n/2."""
        source = "Xu & Du (2023), Appendix A, toy case 3"
        return theory.linear(family, parameters, 0.5 * self.n, source)


def _single(family: str, parameters: Mapping[str, Any]) -> Theory | None:
    source = "Yehudai & Shamir (2020)"
    if family == "nesterov":
        return theory.late_nesterov(float(parameters["lr"]), source) if "lr" in parameters else None
    return theory.linear(family, parameters, 0.5, source)


def _fit(n: int, d: int = 1) -> tuple[int, int]:
    """The shape (n, d), unless memory would not hold a run of it."""
    if n * d > LARGEST:
        raise ValueError(f"{n:,} students in {d:,} dimensions are more than {LARGEST:,} coordinates; take fewer")
    return n, d


def _start_norm(w0: Array | None, sigma: float, d: int) -> float:
    """The length of the shortest row of `w0`, or σ√d."""
    return sigma * float(np.sqrt(d)) if w0 is None else float(np.linalg.norm(w0, axis=1).min())


def _gaussian(seeds: Sequence[int], sigma: float, shape: tuple[int, int]) -> Array:
    return np.stack([sigma * np.random.default_rng(seed).standard_normal(shape) for seed in seeds])


def _uniform(seed: int, count: int) -> Array:
    # (0, 1) without 0: a λ of exactly 0 is a student at zero or on the teacher.
    return 1.0 - np.random.default_rng(seed).random(count)


def _explicit(w0: Any) -> Array:
    rows = {len(row) for row in w0}
    if len(rows) != 1 or 0 in rows:
        raise ValueError("w0 must be a matrix of shape (n, d), n and d at least 1")
    matrix = np.array(w0, dtype=np.float64)
    if not np.all(np.isfinite(matrix)):
        raise ValueError("w0 must hold finite numbers")
    return matrix
