"""What PayPal's adapter sends is what PayPal's own OpenAPI files take; with the files at hand."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.processors.paypal_stage import PayPalStage, paypal_stage
from tests.sandbox.paypal.official import Official, folder
from twintill.domain.outcomes import Approved, Declined
from twintill.money import Money
from twintill.processors import PreparedRefund, RefundRequest, Refunds, SetupStatus
from twintill.testing.methods import request as setup_request
from twintill.testing.stage import Behaviour
from twintill.testing.steps import charged, order, prepared

pytestmark = pytest.mark.skipif(folder() is None, reason="PayPal's OpenAPI files are not at hand")


@pytest.fixture
async def watched() -> AsyncIterator[tuple[PayPalStage, Official]]:
    """Every exchange of the adapter is looked at; what did not fit fails the test at its end."""
    official = Official()

    async def look(answer: httpx.Response) -> None:
        await answer.aread()
        official.look_at(answer)

    async with paypal_stage() as stage:
        stage.admin.event_hooks["response"] = [look]
        yield stage, official
    assert official.checked
    assert not official.violations, "\n".join(official.violations)


async def test_storing_and_dropping_a_wallet(watched: tuple[PayPalStage, Official]) -> None:
    stage, _ = watched
    session = await stage.processor.start_setup(setup_request(stage))
    assert (await stage.processor.get_setup(session.session_id)).status is SetupStatus.OPEN
    await stage.finish_setup(session.session_id)
    stored = (await stage.processor.get_setup(session.session_id)).method
    assert stored is not None
    await stage.processor.get_method(stored)
    await stage.processor.revoke_method(stored)


@pytest.mark.parametrize(
    ("behaviour", "end"), [(Behaviour.APPROVED, Approved), (Behaviour.SOFT, Declined)]
)
async def test_a_charge(
    watched: tuple[PayPalStage, Official], behaviour: Behaviour, end: type
) -> None:
    stage, _ = watched
    assert isinstance(await charged(stage, behaviour), end)


@pytest.mark.parametrize("currency", ["EUR", "JPY"])
async def test_a_refund_of_a_part(watched: tuple[PayPalStage, Official], currency: str) -> None:
    stage, _ = watched
    method = await stage.method(Behaviour.APPROVED)
    request = order(stage, method, amount=Money(4900, currency))
    taken = await stage.processor.charge(prepared(stage, request))
    assert isinstance(taken, Approved)
    await stage.processor.get_charge(taken.processor_payment_id)
    assert isinstance(stage.processor, Refunds)
    part = RefundRequest("tw-r1", taken.processor_payment_id, Money(1200, currency))
    refund = stage.processor.prepare_refund(part, "key-r1")
    assert isinstance(refund, PreparedRefund)
    assert isinstance(await stage.processor.refund(refund), Approved)
    listed = await stage.processor.list_refunds(taken.processor_payment_id)
    assert isinstance(listed, tuple)
    assert [one.amount.minor for one in listed] == [1200]
