"""The peers that bench-ovp is timed against; `python bench/peers.py` is the command.

One module a peer, each with PACKAGES, whose versions are told, and
    prepare(method, n, d, runs) -> run(steps)
which takes `steps` steps on teacher-neuron from the starts of seeds 0 … runs − 1, code compiled. A module that
cannot be imported for want of a package, or raises Missing, is skipped by name.
"""
