"""The suite for adapters itself: no case hides another, and its table shows what really ran."""

import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.processors.gocardless_stage import GoCardlessStage
from tests.processors.paypal_stage import PayPalStage
from tests.processors.sandbox_stage import SandboxStage
from twintill.testing import Behaviour, Contract, Fault, Lie, Trait


def test_no_case_hides_one_of_the_same_name() -> None:
    names = Counter(
        name for part in Contract.__bases__ for name in vars(part) if name.startswith("test_")
    )
    assert sum(names.values()) >= 100
    assert not [name for name, times in names.items() if times > 1]


def test_everything_a_processor_may_lack_is_asked_for_by_a_case() -> None:
    """Else a reason in `lacks` would excuse nothing, and a behaviour would never be tried."""
    cases = "".join(
        Path(inspect.getfile(part)).read_text() for part in [*Contract.__bases__, Contract]
    )
    words = [*Behaviour, *Trait, *Fault]
    missing = [word for word in words if f"{type(word).__name__}.{word.name}" not in cases]
    assert not missing
    assert "list(Lie)" in cases


@pytest.mark.parametrize(
    ("stage", "lacks"),
    [
        (SandboxStage, {Trait.NOT_ENABLED}),
        (
            PayPalStage,
            {
                Behaviour.NEEDS_CUSTOMER,
                Lie.CONTRADICTION,
                Trait.BATCHES,
                Trait.KNOWS_REVOKED,
                Trait.SETUP_CANCELS,
                Trait.TOLD_DECLINES,
            },
        ),
        (
            GoCardlessStage,
            {
                Behaviour.NEEDS_CUSTOMER,
                Behaviour.STOLEN,
                Lie.CONTRADICTION,
                Trait.ACCEPTED_DISPUTES,
                Trait.INEXACT,
                Trait.IN_FLIGHT,
                Trait.ODD_EXPONENT,
                Trait.SETUP_EXPIRES,
                Trait.SIGNED_TIME,
                Trait.UNIQUE_REFERENCE,
                Trait.UNTAKEN_DISPUTES,
            },
        ),
    ],
)
def test_what_a_processor_lacks_is_known(stage: Any, lacks: set[Any]) -> None:
    """Nothing falls out of the contract by the way: each of these has its reason in the facts."""
    assert set(stage.lacks) == lacks
    assert all(" " in reason for reason in stage.lacks.values())
