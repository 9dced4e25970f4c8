"""What the cases do again and again: order, charge, wait for the end, hear what is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import pytest

from twintill.domain.outcomes import Accepted, Approved, ChargeOutcome, Declined, LookUp
from twintill.errors import SignatureUnchecked
from twintill.processors import (
    ChargeRequest,
    EventKind,
    PreparedCharge,
    ProcessorEvent,
    Search,
    StoredMethod,
    WebhookRequest,
)
from twintill.testing.stage import Behaviour, Lie, Stage, Trait

LATEST_DAYS = 20  # by then every processor has told what became of a charge
CHECKS = 200


def not_applicable(reason: str) -> NoReturn:
    """Ends the case: the table shows it as "-", with this reason."""
    pytest.skip(reason)


def needs(stage: Stage, *wanted: Behaviour | Lie | Trait) -> None:
    """Ends the case where the processor cannot have one of these."""
    for one in wanted:
        if one in stage.lacks:
            not_applicable(stage.lacks[one])


def order(
    stage: Stage, method: StoredMethod, reference: str = "tw-1", **fields: Any
) -> ChargeRequest:
    request = ChargeRequest(
        reference=reference,
        invoice_id="in_1",
        amount=stage.amount,
        method=method,
        description="Invoice ACME-0007",
        metadata={"invoice": "in_1"},
    )
    return replace(request, **fields)


def prepared(stage: Stage, request: ChargeRequest, key: str = "key-1") -> PreparedCharge:
    charge = stage.processor.prepare_charge(request, key)
    assert isinstance(charge, PreparedCharge)
    return charge


async def ordered(stage: Stage, behaviour: Behaviour = Behaviour.APPROVED) -> PreparedCharge:
    """The usual charge of a method that behaves so, ready to be sent."""
    needs(stage, behaviour)
    return prepared(stage, order(stage, await stage.method(behaviour)))


async def charged(stage: Stage, behaviour: Behaviour) -> ChargeOutcome:
    """What the processor answers at once."""
    return await stage.processor.charge(await ordered(stage, behaviour))


async def ended(stage: Stage, outcome: LookUp) -> LookUp:
    """What an accepted charge comes to; days pass until it is told. Anything else stays."""
    for _ in range(LATEST_DAYS):
        if not isinstance(outcome, Accepted):
            return outcome
        await stage.pass_days(1)
        outcome = await stage.processor.get_charge(outcome.processor_payment_id)
    raise AssertionError(f"after {LATEST_DAYS} days nobody knows what became of {outcome}")


async def approved(stage: Stage, behaviour: Behaviour = Behaviour.APPROVED) -> Approved:
    outcome = await ended(stage, await charged(stage, behaviour))
    assert isinstance(outcome, Approved)
    return outcome


async def three_charges(stage: Stage) -> set[str]:
    method = await stage.method(Behaviour.APPROVED)
    ids = set()
    for n in range(3):
        charge = prepared(stage, order(stage, method, f"tw-{n}", invoice_id=f"in_{n}"), f"key-{n}")
        outcome = await ended(stage, await stage.processor.charge(charge))
        assert isinstance(outcome, Approved)
        ids.add(outcome.processor_payment_id)
    return ids


async def declined(stage: Stage, behaviour: Behaviour) -> Declined:
    """As the engine learns it: from the answer, or from what is told later."""
    outcome = await charged(stage, behaviour)
    if isinstance(outcome, Accepted):
        ends = await ended(stage, outcome)
        assert isinstance(ends, Declined)
        [event] = await events(stage, EventKind.CHARGE_DECLINED)
        outcome = event.outcome or ends
    assert isinstance(outcome, Declined)
    return outcome


async def found(stage: Stage, charge: PreparedCharge, sent_days_ago: float = 0) -> LookUp:
    """Looked up by its reference, when it must be visible."""
    lag = timedelta(seconds=stage.processor.capabilities.look_up_lag_s)
    if lag:
        await stage.pass_days(lag / timedelta(days=1))
    now = await stage.now()
    since = now - lag - timedelta(days=sent_days_ago, hours=1)
    return await stage.processor.find_charge(Search(charge.reference, since, now, charge.body))


async def verified(stage: Stage, request: WebhookRequest) -> None:
    """Sent again for as long as the door says that it cannot check yet."""
    for _ in range(CHECKS):
        try:
            stage.processor.verify_webhook(request)
        except SignatureUnchecked:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("what the signature is checked with never came")


async def heard(stage: Stage) -> list[ProcessorEvent]:
    """All that was told, verified and parsed as the door does it."""
    told: list[ProcessorEvent] = []
    for request in await stage.webhooks():
        await verified(stage, request)
        told += stage.processor.parse_webhook(request.body)
    return told


async def events(stage: Stage, *kinds: EventKind) -> list[ProcessorEvent]:
    return [event for event in await heard(stage) if event.kind in kinds]


async def meant(stage: Stage, event: ProcessorEvent) -> LookUp:
    """What an event of a charge comes to: as it says, or as the engine then asks."""
    if event.outcome is not None:
        return event.outcome
    assert event.processor_payment_id, "an event that says nothing must say whom to ask about"
    return await stage.processor.get_charge(event.processor_payment_id)


def zero_decimal(stage: Stage) -> str:
    """A currency without minor units that this processor charges."""
    taken = stage.processor.capabilities.currencies
    for currency in ("JPY", "KRW", "VND", "CLP", "PYG", "XOF", "XAF"):
        if taken is None or currency in taken:
            return currency
    not_applicable("it charges in no currency without minor units")


Asked = TypeVar("Asked")


def asking(stage: Stage, protocol: type[Asked], what: str) -> Asked:
    """The processor as one that can be asked this, where it can."""
    if not isinstance(stage.processor, protocol):
        not_applicable(f"{stage.processor.capabilities.display_name} {what}")
    return stage.processor
