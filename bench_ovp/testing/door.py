"""The kit as a pytest test."""

from __future__ import annotations

from collections.abc import Callable

from .catalogue import Offered, Parameters, list_checks
from .check import Check, Inapplicable, Nonconformance


def conformance(offered: Offered, parameters: Parameters | None = None) -> Callable[[Check], None]:
    """A pytest test of all that a plug-in offers, one case per check.

        test_conformance = conformance(my_plugin, parameters={"my-method": {"lr": 0.1}})

    Args:
        offered: the plug-in's module, or one problem class or method of it.
        parameters: values by the name of a problem or an optimizer, for parameters without a default.
    Returns:
        A test function; its cases are called as "my-heavy-ball-purity". What does not apply is skipped.
    """
    import pytest

    checks = list_checks(offered, parameters)

    def test_conformance(check: Check) -> None:
        try:
            check()
        except Inapplicable as reason:
            pytest.skip(str(reason))
        except Nonconformance as failure:
            pytest.fail(f"{check.id}: {failure}", pytrace=False)

    mark: Callable[[Callable[[Check], None]], Callable[[Check], None]] = pytest.mark.parametrize(
        "check", checks, ids=[check.id for check in checks]
    )
    return mark(test_conformance)
