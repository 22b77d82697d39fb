"""The claims of Xu & Du (2023), each with its check and its twin.

They are a plug-in of their own, and not a part of the problems': a trace is found by the source of its problem, and an
edited claim shall run nothing again.
"""

from bench_ovp.claims import Claim
from bench_ovp.hookspecs import hookimpl


@hookimpl
def bench_ovp_claims() -> list[Claim]:
    """The paper's claims, in its order."""
    from . import late, laws, phases, separation, start, states, toys

    parts = (start, phases, late, separation, states, toys, laws)
    return [claim for part in parts for claim in part.CLAIMS]
