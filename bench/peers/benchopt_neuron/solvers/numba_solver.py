import numpy as np
from benchmark_utils.numba_neuron import step
from benchmark_utils.schedule import BETA, LR, METHODS, STEPS, next_checkpoint
from benchopt import BaseSolver


class Solver(BaseSolver):
    """Gradient descent and the heavy ball, in numba."""

    name = "numba"
    parameters = {"method": METHODS}  # noqa: RUF012

    def set_objective(self, start, teacher):
        self.start, self.teacher = start, teacher
        step(start.copy(), np.zeros_like(start), teacher, LR, BETA)  # loads the compiled code, outside the time

    def get_next(self, stop_val):
        return next_checkpoint(stop_val)

    def run(self, callback):
        w = self.w = self.start.copy()
        velocity = np.zeros_like(w)
        beta = BETA if self.method == "heavy-ball" else 0.0
        done = 0
        while callback() and done < STEPS:
            step(w, velocity, self.teacher, LR, beta)
            done += 1

    def get_result(self):
        return {"w": self.w}
