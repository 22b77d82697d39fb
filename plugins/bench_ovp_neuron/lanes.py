"""Loss (23) and gradient (4) of a batch of runs, 8 or 16 of them side by side.

A batch is in Fortran order, runs innermost. The teacher is ‖v‖e₁; hᵢ = wᵢ₁ and zᵢ = (wᵢ₂, …, wᵢ_d), so that the
angles keep their relative precision however small they get. Students come in one of two kinds of coordinates:

    constants = [‖v‖]              w itself;
    constants = deviations(‖v‖, n) x of `coordinates`, the distance to the minimum in rotated coordinates, in which
                                   r = Σwᵢ − v is stored, and not a difference.

Source: equations (4) and (23) of Xu & Du (2023), after Safran & Shamir (2018), rearranged in docs/mathematics.md.
"""

from __future__ import annotations

import math

import numpy as np
from numba import intp, njit

from .arcs import excess, subtend
from .vectors import (
    COMPILED,
    INLINED,
    WIDE,
    WIDTH,
    alike,
    any_of,
    fma,
    get,
    lanes_before,
    load,
    locate,
    magnitude,
    narrow,
    pick,
    put,
    root,
    spread,
    store,
    where,
    wide,
    width,
)

HALF_OVER_PI = 0.5 / np.pi
TILE = 16  # students: a tile of pairs and two tiles of students fit the first cache


@njit(**INLINED)
def read_students(teacher, w, stride, first, n, d, room, unit, r):
    """Fill `unit` with the students and r (d + 1 lanes) with Σwᵢ − v, then Σhᵢ.

    The sums are compensated: near the minimum r is the small difference of large numbers.
    """
    span = width(room)
    for k in range(d):
        total = spread(room, 0.0)
        low = spread(room, 0.0)
        for i in range(n):
            x = load(w, (k * n + i) * stride + first)
            store(room, unit + (i * d + k) * span, x)
            high = total + x  # Knuth's two-sum: high + lost = total + x exactly
            rest = high - total
            low = low + ((total - (high - rest)) + (x - rest))
            total = high
        if k == 0:
            store(room, r + d * span, total + low)
            high = total - teacher
            rest = high - total
            low = low + ((total - (high - rest)) + ((0.0 - teacher) - rest))
            total = high
        store(room, r + k * span, total + low)


@njit(**INLINED)
def read_deviations(constants, x, stride, first, n, d, room, unit, r):
    """The same from deviations: the students by the inverse of the rotation, and r as it is stored."""
    span = width(room)
    scale = math.sqrt(n)
    for k in range(d):
        mean = load(x, k * n * stride + first) * (1.0 / scale)
        store(room, r + k * span, mean * n)
        if k == 0:
            mean = mean + constants[0] / n
        for i in range(n - 1, 0, -1):
            gap = load(x, (k * n + i) * stride + first) * constants[3 * i - 2]
            mean = fma(gap, constants[3 * i], mean)
            store(room, unit + (i * d + k) * span, mean - gap)
        store(room, unit + k * span, mean)


@njit(**INLINED)
def measure(teacher, offset, n, d, room, unit, norm, front, across):
    """Turn students into directions and begin their sums with the teacher's part; return Σ f(θᵢ)‖wᵢ‖‖v‖.

    The first coordinate of a direction becomes −(1 − cos θᵢ), so that differences of cosines do not cancel:
    1 − cos θ = ‖z‖²/(‖w‖(‖w‖ + h)). Behind the teacher, at φ = π − θ, its part of the gradient along it is ½‖v‖ and a
    rest; `offset` times π‖v‖ is added to the rest here.
    """
    span = width(room)
    arcs = spread(room, 0.0)
    for i in range(n):
        at = unit + i * d * span
        zz = spread(room, 0.0)
        for k in range(1, d):
            x = load(room, at + k * span)
            zz = fma(x, x, zz)
        h = load(room, at)
        behind = h < 0.0
        length = root(fma(h, h, zz))
        beside = magnitude(load(room, at + span)) if d == 2 else root(zz)  # ‖z‖; a root is as long as ten products
        reach = length + magnitude(h)
        once = 1.0 / (length * reach)  # one division serves twice
        inverse = once * reach
        sine = beside * inverse
        versine = zz * once  # of the angle φ to the teacher's line
        rest = excess(sine, sine * sine, 0.5 * versine)  # φ − sin φ
        acute = rest + sine
        ahead = fma(rest, h * inverse, acute * versine)
        store(room, front + i * span, teacher * where(behind, offset * np.pi - fma(sine, versine, rest), ahead))
        store(room, across + i * span, (0.0 - teacher) * sine)
        store(room, norm + i * span, length)
        cosine = 1.0 - versine
        defect = where(behind, fma(np.pi - acute, cosine, sine), fma(sine, versine, 0.0 - rest * cosine))
        arcs = fma(defect, length * teacher, arcs)
        store(room, at, where(behind, versine - 2.0, 0.0 - versine))
        for k in range(1, d):
            store(room, at + k * span, load(room, at + k * span) * inverse)
    return arcs


@njit(**INLINED)
def chords(room, unit, i, j, d):
    """‖ūᵢ − ūⱼ‖² and ‖ūᵢ + ūⱼ‖²."""
    span = width(room)
    a = unit + i * d * span
    b = unit + j * d * span
    even = load(room, a) - load(room, b)
    even = even * even
    odd = spread(room, 0.0)
    k = 1
    while k + 1 < d:
        x = load(room, a + k * span) - load(room, b + k * span)
        y = load(room, a + (k + 1) * span) - load(room, b + (k + 1) * span)
        even = fma(x, x, even)
        odd = fma(y, y, odd)
        k += 2
    if k < d:
        x = load(room, a + k * span) - load(room, b + k * span)
        even = fma(x, x, even)
    minus = even + odd
    plus = 4.0 - minus
    opposite = minus > 3.0
    if any_of(opposite):  # there 4 − m² would cancel
        x = 2.0 + load(room, a) + load(room, b)
        total = x * x
        for k in range(1, d):
            x = load(room, a + k * span) + load(room, b + k * span)
            total = fma(x, x, total)
        plus = where(opposite, total, plus)
    return minus, plus


@njit(**INLINED)
def turn(room, turns, unit, total, i, rows, first, count, d):
    """total[i] += Σⱼ turns[j] ūⱼ over `count` students from `first` on, across the teacher, for `rows` students i.

    Two rows and two columns at a time: their sums stay in registers, and what is loaded serves twice. A last one
    without a second is done twice over, to the same bits.
    """
    span = width(room)
    while rows > 0:
        lower = 0 if rows == 1 else d * span  # from a row to the next
        after = 0 if rows == 1 else TILE * span
        for k in range(1, d, 2):
            right = 0 if k + 1 == d else span
            at = total + (i * d + k) * span
            u = unit + (first * d + k) * span
            s0 = load(room, at)
            s1 = load(room, at + right)
            r0 = load(room, at + lower)
            r1 = load(room, at + lower + right)
            for j in range(count):
                t = load(room, turns + j * span)
                v = load(room, turns + after + j * span)
                x = load(room, u)
                y = load(room, u + right)
                s0 = fma(t, x, s0)
                r0 = fma(v, x, r0)
                s1 = fma(t, y, s1)
                r1 = fma(v, y, r1)
                u += d * span
            store(room, at + lower, r0)
            store(room, at + lower + right, r1)
            store(room, at, s0)
            store(room, at + right, s1)
        rows -= 2
        i += 2
        turns += 2 * TILE * span


@njit(**INLINED)
def meet(want_grad, n, d, room, unit, norm, front, across, total, near, far):
    """Add what pairs of students contribute; return Σ_{i<j} f(θᵢⱼ)‖wᵢ‖‖wⱼ‖.

    With cᵢ = cos θᵢ and s, t = sin θᵢⱼ, θᵢⱼ, the bracket of (4) is, along the teacher,
        front[i] = Σⱼ ‖wⱼ‖[(s − t)cᵢ + t(cᵢ − cⱼ)] − ‖v‖[(sin θᵢ − θᵢ)cᵢ − θᵢ(1 − cᵢ)],
    and across it
        across[i] ūᵢ + total[i] = (Σⱼ‖wⱼ‖s − ‖v‖sin θᵢ) ūᵢ − Σⱼ t wⱼ.
    Pairs are taken in tiles: first all angles of a tile, then its part of the sum of t wⱼ, a small matrix product.
    """
    span = width(room)
    arcs = spread(room, 0.0)
    if want_grad:
        for m in range(n * d):
            store(room, total + m * span, spread(room, 0.0))
    for top in range(0, n, TILE):
        bottom = min(top + TILE, n)
        for left in range(0, top + 1, TILE):
            right = min(left + TILE, n)
            for i in range(top, bottom):
                f = load(room, front + i * span)
                a = load(room, across + i * span)
                own = load(room, norm + i * span)
                lean = load(room, unit + i * d * span)  # −(1 − cos θᵢ)
                for j in range(left, min(right, i)):
                    minus, plus = chords(room, unit, i, j, d)
                    over, sine, versine = subtend(minus, plus)
                    other = load(room, norm + j * span)
                    arcs = fma(fma(sine, versine, over * (versine - 1.0)), own * other, arcs)
                    if want_grad:
                        t = over + sine
                        tilt = load(room, unit + j * d * span)
                        bend = t * (lean - tilt)
                        f = fma(other, bend - over * (1.0 + lean), f)
                        a = fma(sine, other, a)
                        back = load(room, front + j * span)
                        store(room, front + j * span, fma(own, 0.0 - (bend + over * (1.0 + tilt)), back))
                        store(room, across + j * span, fma(sine, own, load(room, across + j * span)))
                        store(room, near + ((i - top) * TILE + j - left) * span, 0.0 - t * other)
                        mirror = ((j - left) * TILE + i - top) * span
                        if top == left:
                            store(room, near + mirror, 0.0 - t * own)
                        else:
                            store(room, far + mirror, 0.0 - t * own)
                if top == left:
                    store(room, near + (i - top) * (TILE + 1) * span, spread(room, 0.0))
                store(room, front + i * span, f)
                store(room, across + i * span, a)
            if want_grad:
                turn(room, near, unit, total, top, bottom - top, left, right - left, d)
                if left < top:
                    turn(room, far, unit, total, left, right - left, top, bottom - top, d)
    return arcs


@njit(**INLINED)
def finish(constants, w, n, d, stride, first, room, unit, front, across, total, r, grad, goal):
    """Put the gradient together, in the coordinates that the students came in.

    Behind the teacher ½‖v‖ is due along it. Beside ½(Σhᵢ − ‖v‖), that is ½Σhᵢ: what cancels is left out. Deviations
    do not know a student better than to ε‖v‖ anyhow, and there it was `offset`.
    """
    span = width(room)
    deviating = len(constants) > 1
    scale = math.sqrt(n)
    for k in range(d):
        mean = spread(room, 0.0)
        for i in range(n):
            at = (i * d + k) * span
            if k == 0:
                g = HALF_OVER_PI * load(room, front + i * span)
                if not deviating:
                    behind = load(w, i * stride + first) < 0.0
                    g = g + 0.5 * where(behind, load(room, r + d * span), load(room, r + 0))
            else:
                g = HALF_OVER_PI * fma(load(room, across + i * span), load(room, at), load(room, total + at))
                if not deviating:
                    g = g + 0.5 * load(room, r + k * span)
            if not deviating:
                store(grad, (k * n + i) * stride + goal, g)
            elif i == 0:
                mean = g
            else:
                gap = mean - g
                store(grad, (k * n + i) * stride + goal, constants[3 * i - 1] * gap)
                mean = fma(gap, 0.0 - constants[3 * i], mean)
        if deviating:  # ½r is the same for all students, and so is all in the mean
            store(grad, k * n * stride + goal, scale * fma(load(room, r + k * span), 0.5, mean))


@njit(**INLINED)
def pad(batch, index, filled, size, room, at):
    """Copy `filled` numbers from `index` on into a register, the last of them into the lanes that are left over."""
    span = width(room)
    last = spread(room, get(batch, index + filled - 1))
    if index + span <= size:
        store(room, at, where(lanes_before(room, filled), load(batch, index), last))
    else:
        store(room, at, last)
        for q in range(filled):
            put(room, at + q, get(batch, index + q))


@njit(**INLINED)
def crop(target, index, filled, size, lanes):
    """Put the first `filled` lanes from `index` on; what comes after them may be overwritten, but nothing at `size`."""
    span = width(target)
    if index + span <= size:
        store(target, index, lanes)
    else:
        for q in range(filled):
            put(target, index + q, pick(lanes, q))


@njit(**INLINED)
def evaluate_shape(constants, w, n, d, losses, grads, want_loss, want_grad):
    """Put the loss (runs,) and gradient (d, n, runs) of a batch behind two addresses; what is not wanted has none.

    Students of whatever shape, or of one that is known where this is inlined. Either address says how many runs are
    side by side.
    """
    span = width(losses)
    runs = w.shape[0]
    teacher = constants[0]
    deviating = len(constants) > 1
    offset = 1.0 if deviating else 0.0
    batch = alike(locate(w), losses)
    size = n * d * runs
    unit = 0  # where things are in one room: an allocation costs as much as a small problem
    total = unit + n * d * span
    norm = total + n * d * span
    front = norm + n * span
    across = front + n * span
    r = across + n * span
    near = r + (d + 1) * span
    tile = min(n, TILE) * TILE * span
    far = near + tile
    rest = far + tile  # runs that do not fill a register, and their gradient
    rest_grad = rest + n * d * span
    whole = runs - runs % span
    numbers = np.empty((rest if whole == runs else rest_grad + n * d * span) + 7)
    room = alike((locate(numbers) + 63) & -64, losses)  # a register that lies across two lines of the cache is slow
    # From the last register to the first, so that what a part of one writes beyond its runs is written again.
    for first in range((runs - 1) // span * span, -1, -span):
        full = first < whole
        filled = min(span, runs - first)
        if not full:
            for m in range(n * d):
                pad(batch, m * runs + first, filled, size, room, rest + m * span)
        source = batch if full else room
        stride = runs if full else span
        start = first if full else rest
        if deviating:
            read_deviations(constants, source, stride, start, n, d, room, unit, r)
        else:
            read_students(teacher, source, stride, start, n, d, room, unit, r)
        arcs = 0.0 - measure(teacher, offset, n, d, room, unit, norm, front, across)
        if want_grad or n > 1:
            arcs = arcs + meet(want_grad, n, d, room, unit, norm, front, across, total, near, far)
        if want_loss:
            square = spread(losses, 0.0)
            for k in range(d):
                square = fma(load(room, r + k * span), load(room, r + k * span), square)
            # The loss is an expectation of a square: rounding must not take it below 0.
            value = fma(arcs, HALF_OVER_PI, 0.25 * square)
            crop(losses, first, filled, runs, where(value < 0.0, 0.0, value))
        if want_grad:
            target = grads if full else room
            goal = first if full else rest_grad
            finish(constants, source, n, d, stride, start, room, unit, front, across, total, r, target, goal)
            if not full:
                for m in range(n * d):
                    crop(grads, m * runs + first, filled, size, load(room, rest_grad + m * span))
    numbers[0] = constants[0]  # used here, so that numba does not free it before its address is done with


@njit(**INLINED)
def are_few(n, d):
    """Whether students have a shape that is compiled for itself: the smallest, and what these come down to with d."""
    return (d == 2 and n <= 2) or (n == 2 and d == 3)


@njit(**INLINED)
def evaluate_few(constants, w, losses, grads, want_loss, want_grad):
    """As `evaluate_shape`, for few students, whose shape the compiler knows.

    Without loops, and with little that leaves the registers, a step takes half the time. Numbers are given as
    `intp(2)`, for which numba types each function once; of literals it would make types of their own.
    """
    _, n, d = w.shape
    if n == 1:
        evaluate_shape(constants, w, intp(1), intp(2), losses, grads, want_loss, want_grad)
    elif d == 2:
        evaluate_shape(constants, w, intp(2), intp(2), losses, grads, want_loss, want_grad)
    else:
        evaluate_shape(constants, w, intp(2), intp(3), losses, grads, want_loss, want_grad)


# Any shape, in functions of their own that know what is wanted, and that are called from the functions below directly:
# beside code for other shapes, inlined twice, or with questions about what is wanted, a step takes a third longer.


@njit(**COMPILED)
def put_losses(constants, w, losses):
    """Losses of any shape behind an address."""
    _, n, d = w.shape
    evaluate_shape(constants, w, n, d, narrow(losses), narrow(intp(0)), np.bool_(True), np.bool_(False))


@njit(**COMPILED)
def put_grads(constants, w, grads):
    """Gradients of any shape behind an address."""
    _, n, d = w.shape
    evaluate_shape(constants, w, n, d, narrow(intp(0)), narrow(grads), np.bool_(False), np.bool_(True))


@njit(**COMPILED)
def put_both(constants, w, losses, grads):
    """Both."""
    _, n, d = w.shape
    evaluate_shape(constants, w, n, d, narrow(losses), narrow(grads), np.bool_(True), np.bool_(True))


@njit(**COMPILED)
def batch_loss(constants, w):
    """Loss (23), shape (runs,), of w (runs, n, d)."""
    runs, n, d = w.shape
    losses = np.empty(runs)
    if are_few(n, d):
        evaluate_few(constants, w, narrow(locate(losses)), narrow(intp(0)), np.bool_(True), np.bool_(False))
    else:
        put_losses(constants, w, locate(losses))
    return losses


@njit(**COMPILED)
def batch_grad(constants, w):
    """Gradient (4), the shape of w (runs, n, d); most of a run is this."""
    runs, n, d = w.shape
    grads = np.empty((d, n, runs))
    if not are_few(n, d):
        put_grads(constants, w, locate(grads))
    elif (runs - 1) % WIDE < WIDTH:
        evaluate_few(constants, w, narrow(intp(0)), narrow(locate(grads)), np.bool_(False), np.bool_(True))
    else:  # the last register is filled beyond its half, if it is a wide one
        evaluate_few(constants, w, wide(intp(0)), wide(locate(grads)), np.bool_(False), np.bool_(True))
    return grads.T


@njit(**COMPILED)
def batch_loss_and_grad(constants, w):
    """Both at once."""
    runs, n, d = w.shape
    losses, grads = np.empty(runs), np.empty((d, n, runs))
    if are_few(n, d):
        evaluate_few(constants, w, narrow(locate(losses)), narrow(locate(grads)), np.bool_(True), np.bool_(True))
    else:
        put_both(constants, w, locate(losses), locate(grads))
    return losses, grads.T
