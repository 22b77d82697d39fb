"""A check: one question about one problem or optimizer, and the three ways in which it may be answered."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HOST = Path(__file__).resolve().parent.parent


class Nonconformance(AssertionError):
    """The plug-in does not keep the contract; the message says in one line what is wrong and what to change."""


class Inapplicable(Exception):
    """There is nothing to check here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One check; call it.

    Args:
        name: of the check, such as "purity".
        subject: the problem or optimizer, such as "my-heavy-ball".
        body: raises Nonconformance or Inapplicable, or returns.
    """

    name: str
    subject: str
    body: Callable[[], None] = field(repr=False)

    @property
    def id(self) -> str:
        """How tests and the command call it, such as "my-heavy-ball-purity"."""
        return f"{self.subject}-{self.name}"

    def __call__(self) -> None:
        """Ask.

        Errors:
            Nonconformance: what is wrong, and what to change. What the plug-in itself raises becomes one, too.
            Inapplicable: why there is nothing to check.
        """
        import numpy as np
        from threadpoolctl import threadpool_limits

        try:
            # As the engines do it: linear algebra on one thread, and an overflow is a result.
            with threadpool_limits(limits=1), np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.body()
        except (Nonconformance, Inapplicable) as told:
            raise type(told)(_one_line(str(told))) from None
        except Exception as error:
            remedy = "install what it needs" if isinstance(error, ImportError) else "mend this first"
            raise Nonconformance(f"it raised {describe_error(error)}; {remedy}") from error


def describe_error(error: BaseException) -> str:
    """One line: what was raised, and where in the plug-in."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if HOST not in Path(f.filename).resolve().parents and "site-packages" not in f.filename]
    where = f" ({Path((own or frames)[-1].filename).name}:{(own or frames)[-1].lineno})" if frames else ""
    return _one_line(f"{type(error).__name__}: {error}{where}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
