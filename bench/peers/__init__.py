"""The peers that bench-ovp is timed against; `python bench/peers.py` is the command.

One module a peer, each with PACKAGES, whose versions are told, and
    prepare(method, n, d, runs) -> run(steps)
which takes `steps` steps on teacher-neuron from the starts of seeds 0 … runs − 1, code compiled.
"""
