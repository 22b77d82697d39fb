"""What both solvers share: the methods, their settings, and where the loss is looked at."""

METHODS = ["gradient-descent", "heavy-ball"]
LR, BETA, STEPS = 0.05, 0.9, 20_000


def next_checkpoint(step):
    """The step that is recorded after this one, a tenth further: about as many as 20 per decade and a few more."""
    return max(step + 1, int(1.1 * step))
